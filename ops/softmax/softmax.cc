#include "ops/softmax/softmax.h"

#include <Eigen/Core>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "ops/internal/float64.h"
#include "ops/internal/instance.h"
#include "ops/internal/row_kernels.h"
#include "ops/internal/rows.h"
#include "ops/softmax/npu/softmax_array.h"
#include "ops/softmax/npu/softmax_tile.h"

namespace xdna::ops {
namespace {

template <typename T>
using Array = Eigen::Array<T, 1, Eigen::Dynamic>;

template <typename T>
Array<T> SoftmaxOf(const T* x, std::int64_t n) {
  const Eigen::Map<const Array<T>> row(x, n);
  const Array<T> e = (row - row.maxCoeff()).exp();
  return e / e.sum();
}

Tensor Reference(const Dims& dims, const TensorMap& in) {
  const Tensor x = AsF64(in, "x");
  const std::int64_t n = dims.at("n");
  Tensor y(DType::kF64, x.shape());
  for (std::int64_t i = 0; i < dims.at("m"); ++i) {
    Eigen::Map<Array<double>>(y.data<double>() + i * n, n) = SoftmaxOf(x.data<double>() + i * n, n);
  }
  return y;
}

// The error of x - max is relative to itself, and comes out relative to the result.
Tensor Scale(const Dims& dims, const TensorMap& in) {
  const f64::Array x = f64::MatrixOf(in.at("x"));
  const f64::Array y = f64::MatrixOf(Reference(dims, in));
  const Eigen::ArrayXd most = x.rowwise().maxCoeff();
  return f64::TensorOf(y * (1 - (x.colwise() - most)));
}

golden::Tolerance ToleranceFor(const Dims& dims, Variant variant, std::string_view data) {
  if (variant.device() == Device::kNpu) return SoftmaxTileTolerance(dims, variant, data);
  golden::Tolerance t;
  if (data == "exact") {
    t = golden::Tolerance::Exact("2^k equal logits, others far below: y is 2^-k or 0");
    if (variant.backend == Backend::kEigen) {
      t.absolute = 1e-37;
      t.provenance += "; Eigen's exp ends at 1.5e-39 instead of 0";
    }
    return t;
  }
  // The argument of exp is off by half a unit of a difference of up to 87, which
  // is where exp is cut to zero.
  t.relative = (87 + 8 + std::sqrt(static_cast<double>(dims.at("n")))) * kUnitF32;
  t.absolute = 2e-38;
  t.rel_l2 = 2e-6;
  t.bias = 1e-6;
  t.provenance = "f32 rounding of the argument (up to 87 units), of exp (2) and of the sum";
  if (variant.precision != Precision::kF32) {
    t.relative += kUnitBf16;
    t.rel_l2 = 2.2e-3;
    t.bias = 4e-4;
    t.provenance += ", and one rounding to bf16 (2^-8, rms 1.6e-3)";
  }
  return t;
}

std::unique_ptr<Instance> Make(const Dims& dims, const TensorMap& in, Variant variant,
                               const CpuContext& context) {
  if (variant.backend == Backend::kTile) return MakeSoftmaxTile(dims, in, variant, context);
  if (variant.backend == Backend::kArray) return MakeSoftmaxArray(dims, in, variant, context);
  const auto operands = CloneAs(in, {{"x", DType::kF32}});
  Tensor y(ActivationType(variant.precision), {dims.at("m"), dims.at("n")});
  return std::make_unique<ClosureInstance>(
      std::move(y), [operands, variant, context](const TensorView& out) {
        Softmax(operands->at("x"), out, variant.backend, *context.pool);
      });
}

}  // namespace

void Softmax(const TensorView& x, const TensorView& y, Backend backend, ThreadPool& pool) {
  const std::int64_t n = x.dim(1);
  const auto* in = x.data<const float>();
  if (backend == Backend::kEigen) {
    auto* out = y.data<float>();
    return ForEachRow(pool, x.dim(0), [&](std::int64_t i) {
      Eigen::Map<Array<float>>(out + i * n, n) = SoftmaxOf(in + i * n, n);
    });
  }
  auto* out = static_cast<std::byte*>(y.raw());
  const std::size_t pitch = n * SizeOf(y.dtype());
  ForEachRow(pool, x.dim(0), [&](std::int64_t i) {
    thread_local std::vector<float> exponentials;
    exponentials.resize(n);
    const float sum = ExpRow(in + i * n, 1, n, exponentials.data(), DType::kF32);
    RowMap map;
    map.in = exponentials.data();
    map.scale = 1 / sum;
    map.out = out + i * pitch;
    map.out_dtype = y.dtype();
    MapRow(map, n);
  });
}

Contract SoftmaxContract() {
  Contract c;
  c.name = "softmax";
  c.summary = "exponentials of each row, divided by their sum";
  c.inputs = {{"x", "m,n"}};
  c.output = {"y", "m,n"};
  c.defaults = {{"m", 1500}, {"n", 1500}};
  c.variants = {{Precision::kF32, Backend::kFast},
                {Precision::kBf16, Backend::kFast},
                {Precision::kF32, Backend::kEigen},
                {Precision::kBf16, Backend::kTile},
                {Precision::kBf16, Backend::kArray},
                {Precision::kBf16, Backend::kTile, "inverse"},
                {Precision::kBf16, Backend::kTile, "online"},
                {Precision::kBf16, Backend::kTile, "stock"},
                {Precision::kBf16, Backend::kTile, "floor"}};
  c.wrong_kernels = {"stock", "floor"};
  // max, subtract, exp (a polynomial of degree 6 and its range reduction: 10
  // multiply-adds), sum, multiply.
  c.flops = [](const Dims& dims) { return 24.0 * dims.at("m") * dims.at("n"); };
  c.bytes = [](const Dims& dims, Precision p) {
    return 1.0 * dims.at("m") * dims.at("n") * (4 + SizeOf(ActivationType(p)));
  };
  c.tolerance = ToleranceFor;
  c.reference = Reference;
  c.scale = Scale;
  c.make = Make;
  c.tiles = SoftmaxTiles;
  c.array_tiles = SoftmaxArrayTiles;
  return c;
}

}  // namespace xdna::ops
