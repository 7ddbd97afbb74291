#include "ops/conv1d/conv1d.h"

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "ops/conv1d/npu/conv1d_array.h"
#include "ops/conv1d/npu/conv1d_tile.h"
#include "ops/gelu/gelu.h"
#include "ops/internal/float64.h"
#include "ops/internal/instance.h"
#include "ops/internal/row_kernels.h"
#include "ops/internal/rows.h"

namespace xdna::ops {
namespace {

constexpr int kTaps = 3;

Tensor Reference(const Dims& dims, const TensorMap& in) {
  using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Tensor x = AsF64(in, "x");
  const Tensor w = AsF64(in, "weight");
  const Tensor b = AsF64(in, "bias");
  const std::int64_t c = dims.at("c");
  const std::int64_t t = dims.at("t");
  const std::int64_t d = dims.at("d");
  const std::int64_t u = dims.at("u");
  const Eigen::Map<const Matrix> input(x.data<double>(), c, t);
  Tensor y(DType::kF64, {u, d});
  Eigen::Map<Matrix> out(y.data<double>(), u, d);
  out.rowwise() = Eigen::Map<const Eigen::RowVectorXd>(b.data<double>(), d);
  for (int tap = 0; tap < kTaps; ++tap) {
    Matrix column(u, c);  // the input that this tap meets
    for (std::int64_t i = 0; i < u; ++i) {
      const std::int64_t s = i * dims.at("stride") + tap - 1;
      if (s >= 0 && s < t) {
        column.row(i) = input.col(s).transpose();
      } else {
        column.row(i).setZero();
      }
    }
    Matrix weight(d, c);
    for (std::int64_t i = 0; i < d * c; ++i) weight.data()[i] = w.data<double>()[i * kTaps + tap];
    out.noalias() += column * weight.transpose();
  }
  if (dims.at("gelu") != 0) out = out.unaryExpr([](double v) { return Gelu(v); });
  return y;
}

// All terms with the magnitudes that they have; GELU's slope is in the tolerance.
Tensor Scale(const Dims& dims, const TensorMap& in) {
  TensorMap magnitudes;
  for (const auto& [name, tensor] : in) magnitudes.emplace(name, f64::Absolute(tensor));
  Dims linear = dims;
  linear["gelu"] = 0;
  return Reference(linear, magnitudes);
}

void Complete(Dims& dims) {
  dims["u"] = Conv1d::OutputRows(dims.at("t"), static_cast<int>(dims.at("stride")));
}

std::unique_ptr<Instance> Make(const Dims& dims, const TensorMap& in, Variant variant,
                               const CpuContext& context) {
  if (variant.backend == Backend::kTile) return MakeConv1dTile(dims, in, variant, context);
  if (variant.backend == Backend::kArray) return MakeConv1dArray(dims, in, variant, context);
  Conv1d::Options options;
  options.variant = variant;
  options.stride = static_cast<int>(dims.at("stride"));
  options.gelu = dims.at("gelu") != 0;
  options.y_dtype = ActivationType(variant.precision);
  const auto conv =
      std::make_shared<Conv1d>(in.at("weight"), in.at("bias"), dims.at("t"), options, context);
  const auto x = std::make_shared<Tensor>(conv->x_dtype(), Shape{dims.at("t") + 2, dims.at("c")});
  TransposePadded(in.at("x"), *x, *context.pool);
  Tensor y(options.y_dtype, {dims.at("u"), dims.at("d")});
  return std::make_unique<ClosureInstance>(
      std::move(y), [conv, x](const TensorView& out) { conv->Run(*x, out); });
}

}  // namespace

Conv1d::Conv1d(const TensorView& weight, const TensorView& bias, std::int64_t t,
               const Options& options, const CpuContext& context)
    : c_(weight.dim(1)),
      stride_(options.stride),
      x_dtype_(ActivationType(options.variant.precision)) {
  const std::int64_t d = weight.dim(0);
  // [d, c, tap] -> [d, tap, c], as three rows of input lie in memory.
  const TensorView by_tap(weight.raw(), DType::kF32, {d, kTaps, c_}, {c_ * kTaps, 1, kTaps});
  const Tensor matrix = Convert(by_tap, DType::kF32);
  Linear::Options linear;
  linear.variant = options.variant;
  linear.gelu = options.gelu;
  linear.x_dtype = x_dtype_;
  linear.y_dtype = options.y_dtype;
  linear_ = std::make_unique<Linear>(TensorView(matrix.data<float>(), {d, kTaps * c_}), bias,
                                     OutputRows(t, options.stride), linear, context);
}

void Conv1d::Run(const TensorView& x, const TensorView& y) const {
  const std::size_t pitch = c_ * SizeOf(x_dtype_);
  const auto* base = static_cast<const std::byte*>(x.raw());
  const auto gather = [&](std::int64_t first, std::int64_t rows, void* scratch) -> const void* {
    auto* to = static_cast<std::byte*>(scratch);
    for (std::int64_t i = 0; i < rows; ++i) {
      std::memcpy(to + i * kTaps * pitch, base + (first + i) * stride_ * pitch, kTaps * pitch);
    }
    return scratch;
  };
  linear_->RunGathered(std::cref(gather), y.raw());
}

void TransposePadded(const TensorView& x, const TensorView& y, ThreadPool& pool) {
  const std::int64_t c = x.dim(0);
  const std::int64_t t = x.dim(1);
  const std::size_t pitch = c * SizeOf(y.dtype());
  auto* out = static_cast<std::byte*>(y.raw());
  const auto* in = x.data<const float>();
  std::memset(out, 0, pitch);
  std::memset(out + (t + 1) * pitch, 0, pitch);
  ForEachRow(pool, t, [&](std::int64_t i) {
    thread_local std::vector<float> row;
    row.resize(c);
    for (std::int64_t j = 0; j < c; ++j) row[j] = in[j * t + i];
    RowMap map;
    map.in = row.data();
    map.out = out + (i + 1) * pitch;
    map.out_dtype = y.dtype();
    MapRow(map, c);
  });
}

Contract Conv1dContract() {
  Contract c;
  c.name = "conv1d";
  c.summary = "convolution over time, 3 taps, padding 1, with bias and optional GELU";
  c.inputs = {{"x", "c,t"}, {"weight", "d,c,3", true}, {"bias", "d", true}};
  c.output = {"y", "u,d"};
  c.defaults = {{"c", 512}, {"t", 3000}, {"d", 512}, {"stride", 2}, {"gelu", 1}, {"u", 1500}};
  c.variants = {{Precision::kF32, Backend::kFast},   {Precision::kBf16, Backend::kFast},
                {Precision::kF32, Backend::kEigen},  {Precision::kBf16, Backend::kTile},
                {Precision::kBf16, Backend::kArray}, {Precision::kBf16, Backend::kTile, "floor"}};
  c.wrong_kernels = {"floor"};
  c.flops = [](const Dims& dims) {
    return 2.0 * kTaps * dims.at("u") * dims.at("c") * dims.at("d");
  };
  c.bytes = [](const Dims& dims, Precision p) {
    return static_cast<double>(SizeOf(ActivationType(p))) *
           (dims.at("c") * dims.at("t") + kTaps * dims.at("c") * dims.at("d") +
            dims.at("u") * dims.at("d"));
  };
  c.tolerance = [](const Dims& dims, Variant variant, std::string_view data) {
    if (variant.device() == Device::kNpu) return Conv1dTileTolerance(dims, variant, data);
    golden::Tolerance t = ProductTolerance(variant.precision, kTaps * dims.at("c"), data);
    if (data == "exact" || dims.at("gelu") == 0) return t;
    // GELU's slope is at most 1.13; its own error as in ops/gelu.
    t.magnitude = 1.13 * t.magnitude + 3e-7;
    t.rel_l2 *= 1.5;
    t.provenance += "; GELU on top (slope at most 1.13)";
    return t;
  };
  c.reference = Reference;
  c.scale = Scale;
  c.switches = {"gelu"};
  c.derived = {"u"};
  c.complete = Complete;
  c.make = Make;
  c.tiles = Conv1dTiles;
  c.array_tiles = Conv1dArrayTiles;
  return c;
}

}  // namespace xdna::ops
