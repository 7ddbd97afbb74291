#include "ops/gelu/gelu.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "ops/gelu/npu/gelu_array.h"
#include "ops/gelu/npu/gelu_tile.h"
#include "ops/internal/float64.h"
#include "ops/internal/instance.h"
#include "ops/internal/row_kernels.h"
#include "ops/internal/rows.h"

namespace xdna::ops {
namespace {

Tensor Reference(const Dims&, const TensorMap& in) {
  Tensor y = AsF64(in, "x");
  for (std::int64_t i = 0; i < y.size(); ++i) y.data<double>()[i] = Gelu(y.data<double>()[i]);
  return y;
}

Tensor Scale(const Dims&, const TensorMap& in) { return f64::Absolute(in.at("x")); }

golden::Tolerance ToleranceFor(const Dims&, Variant variant, std::string_view data) {
  if (variant.device() == Device::kNpu) return GeluTileTolerance(data);
  if (data == "exact")
    return golden::Tolerance::Exact("gelu(0) is 0; from |x| = 16 on it is x or 0 in f32");
  golden::Tolerance t;
  t.magnitude = 5e-7;
  t.rel_l2 = 1e-6;
  t.bias = 1e-6;
  t.provenance =
      "of |x|: 0.75e-7 by Abramowitz & Stegun 7.1.26, and 8 roundings of alternating terms of up "
      "to 1.45";
  if (variant.precision != Precision::kF32) {
    t.magnitude = kUnitBf16 * 1.13;  // |gelu'| is at most 1.13
    t.relative = kUnitBf16;
    t.rel_l2 = 4e-3;
    t.bias = 6e-4;
    t.provenance = "x rounded to bf16 (2^-8, times the slope of at most 1.13), y rounded to bf16";
  }
  return t;
}

std::unique_ptr<Instance> Make(const Dims& dims, const TensorMap& in, Variant variant,
                               const CpuContext& context) {
  if (variant.backend == Backend::kTile) return MakeGeluTile(dims, in, variant, context);
  if (variant.backend == Backend::kArray) return MakeGeluArray(dims, in, variant, context);
  const DType dtype = ActivationType(variant.precision);
  const auto operands = CloneAs(in, {{"x", dtype}});
  Tensor y(dtype, {dims.at("m"), dims.at("n")});
  return std::make_unique<ClosureInstance>(
      std::move(y), [operands, variant, context](const TensorView& out) {
        Gelu(operands->at("x"), out, variant.backend, *context.pool);
      });
}

}  // namespace

double Gelu(double x) { return 0.5 * x * std::erfc(-x * M_SQRT1_2); }

void Gelu(const TensorView& x, const TensorView& y, Backend backend, ThreadPool& pool) {
  const std::int64_t n = x.dim(1);
  if (backend == Backend::kEigen) {
    const auto* in = x.data<const float>();
    auto* out = y.data<float>();
    return ForEachRow(pool, x.dim(0), [&](std::int64_t i) {
      for (std::int64_t j = i * n; j < (i + 1) * n; ++j)
        out[j] = static_cast<float>(Gelu(double{in[j]}));
    });
  }
  ForEachRow(pool, x.dim(0), [&](std::int64_t i) {
    RowMap map;
    map.in = static_cast<const std::byte*>(x.raw()) + i * n * SizeOf(x.dtype());
    map.in_dtype = x.dtype();
    map.gelu = true;
    map.out = static_cast<std::byte*>(y.raw()) + i * n * SizeOf(y.dtype());
    map.out_dtype = y.dtype();
    MapRow(map, n);
  });
}

Contract GeluContract() {
  Contract c;
  c.name = "gelu";
  c.summary = "x times the normal distribution function of x (the erf form)";
  c.inputs = {{"x", "m,n"}};
  c.output = {"y", "m,n"};
  c.defaults = {{"m", 1500}, {"n", 2048}};
  c.variants = {
      {Precision::kF32, Backend::kFast},           {Precision::kBf16, Backend::kFast},
      {Precision::kF32, Backend::kEigen},          {Precision::kBf16, Backend::kTile},
      {Precision::kBf16, Backend::kArray},         {Precision::kBf16, Backend::kTile, "table"},
      {Precision::kBf16, Backend::kTile, "stock"}, {Precision::kBf16, Backend::kTile, "floor"}};
  c.wrong_kernels = {"stock", "floor"};
  // A division, five steps of erf's polynomial, exp (10 multiply-adds), four more.
  c.flops = [](const Dims& dims) { return 36.0 * dims.at("m") * dims.at("n"); };
  c.bytes = [](const Dims& dims, Precision p) {
    return 2.0 * dims.at("m") * dims.at("n") * SizeOf(ActivationType(p));
  };
  c.tolerance = ToleranceFor;
  c.reference = Reference;
  c.scale = Scale;
  c.make = Make;
  c.tiles = GeluTiles;
  c.array_tiles = GeluArrayTiles;
  return c;
}

}  // namespace xdna::ops
