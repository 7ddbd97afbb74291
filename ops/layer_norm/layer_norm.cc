#include "ops/layer_norm/layer_norm.h"

#include <Eigen/Core>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "ops/internal/float64.h"
#include "ops/internal/instance.h"
#include "ops/internal/row_kernels.h"
#include "ops/internal/rows.h"
#include "ops/layer_norm/npu/layer_norm_array.h"
#include "ops/layer_norm/npu/layer_norm_tile.h"

namespace xdna::ops {
namespace {

template <typename T>
using Array = Eigen::Array<T, 1, Eigen::Dynamic>;
template <typename T>
using Map = Eigen::Map<const Array<T>>;

template <typename T>
Array<T> Normalize(const T* x, const T* gamma, const T* beta, std::int64_t d) {
  const Array<T> centred = Map<T>(x, d) - Map<T>(x, d).mean();
  const T deviation = std::sqrt(centred.square().mean() + static_cast<T>(kLayerNormEpsilon));
  return centred / deviation * Map<T>(gamma, d) + Map<T>(beta, d);
}

Tensor Reference(const Dims& dims, const TensorMap& in) {
  const Tensor x = AsF64(in, "x");
  const Tensor gamma = AsF64(in, "gamma");
  const Tensor beta = AsF64(in, "beta");
  const std::int64_t d = dims.at("d");
  Tensor y(DType::kF64, x.shape());
  for (std::int64_t i = 0; i < dims.at("m"); ++i) {
    Eigen::Map<Array<double>>(y.data<double>() + i * d, d) =
        Normalize(x.data<double>() + i * d, gamma.data<double>(), beta.data<double>(), d);
  }
  return y;
}

// x - mean cancels: errors are relative to |x| + |mean|.
Tensor Scale(const Dims&, const TensorMap& in) {
  const f64::Array x = f64::MatrixOf(in.at("x"));
  const f64::Row gamma = f64::RowOf(in.at("gamma")).abs();
  const f64::Row beta = f64::RowOf(in.at("beta")).abs();
  f64::Array scale(x.rows(), x.cols());
  for (std::int64_t i = 0; i < x.rows(); ++i) {
    const double mean = x.row(i).mean();
    const double variance = (x.row(i) - mean).square().mean();
    const double deviation = std::sqrt(variance + kLayerNormEpsilon);
    scale.row(i) = gamma * (x.row(i).abs() + std::abs(mean)) / deviation + beta;
  }
  return f64::TensorOf(scale);
}

// A row of constants normalises to beta exactly; else the error of the mean, of the
// sum of squares and of five more operations.
golden::Tolerance ToleranceFor(const Dims& dims, Variant variant, std::string_view data) {
  if (variant.device() == Device::kNpu) return LayerNormTileTolerance(dims, variant, data);
  if (data == "exact")
    return golden::Tolerance::Exact("rows of one value: (x - mean) is 0, so y is beta");
  golden::Tolerance t;
  t.magnitude = (2 * std::sqrt(static_cast<double>(dims.at("d"))) + 8) * kUnitF32;
  t.rel_l2 = 2e-6;
  t.bias = 1e-6;
  t.provenance = "f32 rounding: (2 sqrt(d) + 8) 2^-24 of the terms' magnitude";
  if (variant.precision != Precision::kF32) {
    t.relative = kUnitBf16 * 1.01;
    t.rel_l2 = 2.0e-3;
    t.bias = 4e-4;
    t.provenance += ", and one rounding to bf16 (2^-8, rms 1.6e-3)";
  }
  return t;
}

std::unique_ptr<Instance> Make(const Dims& dims, const TensorMap& in, Variant variant,
                               const CpuContext& context) {
  if (variant.backend == Backend::kTile) return MakeLayerNormTile(dims, in, variant, context);
  if (variant.backend == Backend::kArray) return MakeLayerNormArray(dims, in, variant, context);
  const auto f32 = DType::kF32;
  const auto operands = CloneAs(in, {{"x", f32}, {"gamma", f32}, {"beta", f32}});
  Tensor y(ActivationType(variant.precision), {dims.at("m"), dims.at("d")});
  return std::make_unique<ClosureInstance>(
      std::move(y), [operands, variant, context](const TensorView& out) {
        LayerNorm(operands->at("x"), operands->at("gamma"), operands->at("beta"), out,
                  variant.backend, *context.pool);
      });
}

}  // namespace

void LayerNorm(const TensorView& x, const TensorView& gamma, const TensorView& beta,
               const TensorView& y, Backend backend, ThreadPool& pool) {
  const std::int64_t d = x.dim(1);
  const auto* in = x.data<const float>();
  const auto* g = gamma.data<const float>();
  const auto* b = beta.data<const float>();
  if (backend == Backend::kEigen) {
    auto* out = y.data<float>();
    return ForEachRow(pool, x.dim(0), [&](std::int64_t i) {
      Eigen::Map<Array<float>>(out + i * d, d) = Normalize(in + i * d, g, b, d);
    });
  }
  auto* out = static_cast<std::byte*>(y.raw());
  const std::size_t pitch = d * SizeOf(y.dtype());
  ForEachRow(pool, x.dim(0), [&](std::int64_t i) {
    LayerNormRow(in + i * d, g, b, kLayerNormEpsilon, d, out + i * pitch, y.dtype());
  });
}

Contract LayerNormContract() {
  Contract c;
  c.name = "layer_norm";
  c.summary = "normalises each row to mean 0 and variance 1, then scales and shifts by column";
  c.inputs = {{"x", "m,d"}, {"gamma", "d", true}, {"beta", "d", true}};
  c.output = {"y", "m,d"};
  c.defaults = {{"m", 1500}, {"d", 512}};
  c.variants = {{Precision::kF32, Backend::kFast},
                {Precision::kBf16, Backend::kFast},
                {Precision::kF32, Backend::kEigen},
                {Precision::kBf16, Backend::kTile},
                {Precision::kBf16, Backend::kArray},
                {Precision::kBf16, Backend::kTile, "nosqrt"},
                {Precision::kBf16, Backend::kTile, "one_pass"},
                {Precision::kBf16, Backend::kTile, "nosqrt0"},
                {Precision::kBf16, Backend::kTile, "floor"}};
  c.wrong_kernels = {"nosqrt0", "floor"};
  c.flops = [](const Dims& dims) { return 8.0 * dims.at("m") * dims.at("d"); };
  c.bytes = [](const Dims& dims, Precision p) {
    return 1.0 * dims.at("m") * dims.at("d") * (4 + SizeOf(ActivationType(p))) + 8.0 * dims.at("d");
  };
  c.tolerance = ToleranceFor;
  c.reference = Reference;
  c.scale = Scale;
  c.make = Make;
  c.tiles = LayerNormTiles;
  c.array_tiles = LayerNormArrayTiles;
  return c;
}

}  // namespace xdna::ops
