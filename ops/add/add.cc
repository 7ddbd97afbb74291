#include "ops/add/add.h"

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "ops/add/npu/add_array.h"
#include "ops/add/npu/add_tile.h"
#include "ops/internal/float64.h"
#include "ops/internal/instance.h"
#include "ops/internal/row_kernels.h"
#include "ops/internal/rows.h"

namespace xdna::ops {
namespace {

Tensor Reference(const Dims&, const TensorMap& in) {
  Tensor y = AsF64(in, "a");
  const Tensor b = AsF64(in, "b");
  Eigen::Map<Eigen::ArrayXd>(y.data<double>(), y.size()) +=
      Eigen::Map<const Eigen::ArrayXd>(b.data<double>(), b.size());
  return y;
}

Tensor Scale(const Dims&, const TensorMap& in) {
  return f64::TensorOf(f64::MatrixOf(in.at("a")).cwiseAbs() + f64::MatrixOf(in.at("b")).cwiseAbs());
}

golden::Tolerance ToleranceFor(const Dims&, Variant variant, std::string_view data) {
  if (variant.device() == Device::kNpu) return AddTileTolerance(variant, data);
  if (data == "exact") return golden::Tolerance::Exact("sums of small integers");
  golden::Tolerance t;
  t.relative = kUnitF32 * 1.01;
  t.rel_l2 = 1e-7;
  t.bias = 1e-7;
  t.provenance = "one f32 rounding";
  if (variant.precision != Precision::kF32) {
    t.magnitude = kUnitBf16;  // of |a| + |b|
    t.relative = kUnitBf16;
    t.rel_l2 = 4e-3;
    t.bias = 6e-4;
    t.provenance = "a and b rounded to bf16 (2^-8 of |a| + |b|), the sum rounded to bf16";
  }
  return t;
}

std::unique_ptr<Instance> Make(const Dims& dims, const TensorMap& in, Variant variant,
                               const CpuContext& context) {
  if (variant.backend == Backend::kTile) return MakeAddTile(dims, in, variant, context);
  if (variant.backend == Backend::kArray) return MakeAddArray(dims, in, variant, context);
  const DType dtype = ActivationType(variant.precision);
  const auto operands = CloneAs(in, {{"a", dtype}, {"b", dtype}});
  Tensor y(dtype, {dims.at("m"), dims.at("n")});
  return std::make_unique<ClosureInstance>(
      std::move(y), [operands, variant, context](const TensorView& out) {
        Add(operands->at("a"), operands->at("b"), out, variant.backend, *context.pool);
      });
}

}  // namespace

void Add(const TensorView& a, const TensorView& b, const TensorView& y, Backend backend,
         ThreadPool& pool) {
  const std::int64_t n = a.dim(1);
  if (backend == Backend::kEigen) {
    using Row = Eigen::ArrayXf;
    return ForEachRow(pool, a.dim(0), [&](std::int64_t i) {
      Eigen::Map<Row>(y.data<float>() + i * n, n) =
          Eigen::Map<const Row>(a.data<const float>() + i * n, n) +
          Eigen::Map<const Row>(b.data<const float>() + i * n, n);
    });
  }
  const auto row = [n](const TensorView& t, std::int64_t i) {
    return static_cast<std::byte*>(t.raw()) + i * n * SizeOf(t.dtype());
  };
  ForEachRow(pool, a.dim(0), [&](std::int64_t i) {
    RowMap map;
    map.in = row(a, i);
    map.in_dtype = a.dtype();
    map.addend = row(b, i);
    map.addend_dtype = b.dtype();
    map.out = row(y, i);
    map.out_dtype = y.dtype();
    MapRow(map, n);
  });
}

Contract AddContract() {
  Contract c;
  c.name = "add";
  c.summary = "sum of two tensors: residuals and positions";
  c.inputs = {{"a", "m,n"}, {"b", "m,n"}};
  c.output = {"y", "m,n"};
  c.defaults = {{"m", 1500}, {"n", 512}};
  c.variants = {{Precision::kF32, Backend::kFast},
                {Precision::kBf16, Backend::kFast},
                {Precision::kF32, Backend::kEigen},
                {Precision::kBf16, Backend::kTile},
                {Precision::kBf16, Backend::kArray},
                {Precision::kBf16, Backend::kArray, "residual"},
                {Precision::kBf16, Backend::kTile, "residual"},
                {Precision::kBf16, Backend::kTile, "floor"}};
  c.wrong_kernels = {"floor"};
  c.flops = [](const Dims& dims) { return 1.0 * dims.at("m") * dims.at("n"); };
  c.bytes = [](const Dims& dims, Precision p) {
    return 3.0 * dims.at("m") * dims.at("n") * SizeOf(ActivationType(p));
  };
  c.tolerance = ToleranceFor;
  c.reference = Reference;
  c.scale = Scale;
  c.make = Make;
  c.tiles = AddTiles;
  c.array_tiles = AddArrayTiles;
  return c;
}

}  // namespace xdna::ops
