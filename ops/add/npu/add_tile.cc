#include "ops/add/npu/add_tile.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernels/add/add.h"
#include "kernels/add/add_design.h"
#include "ops/internal/instance.h"
#include "ops/internal/tile.h"

extern "C" void add_floor_bf16(const bfloat16* a, const bfloat16* b, bfloat16* y, int32 n);

namespace xdna::ops {
namespace {

DesignOfRows DesignOf(Variant variant) {
  return [residual = variant.kernel == "residual"](std::int64_t rows, std::int64_t width) {
    return residual ? kernels::AddResidualDesign(rows * width) : kernels::AddDesign(rows * width);
  };
}

// `T` is the type of a and y.
template <typename T, typename Kernel>
std::unique_ptr<Instance> Make(const Dims& dims, const TensorMap& in, Variant variant,
                               const CpuContext& context, Kernel kernel) {
  const DType dtype = sizeof(T) == 4 ? DType::kF32 : DType::kBf16;
  const auto operands = CloneAs(in, {{"a", dtype}, {"b", DType::kBf16}});
  const std::int64_t size = operands->at("a").size();
  const std::int64_t most = 16 * MostRows(DesignOf(variant), 16);
  const auto run = [=, pool = context.pool](const TensorView& y) {
    const TensorView a(operands->at("a").view().raw(), dtype, {size, 1});
    const TensorView b(operands->at("b").view().raw(), DType::kBf16, {size, 1});
    const TensorView flat(y.raw(), dtype, {size, 1});
    ForEachCall(*pool, size, most, [&](std::int64_t first, std::int64_t count) {
      TileMemory memory;
      const std::int64_t padded = PaddedWidth(count);
      auto* const left = memory.Take<T>(padded);
      auto* const right = memory.Take<bfloat16>(padded);
      auto* const sum = memory.Take<T>(padded);
      RowsToTile(a, first, count, 1, left);
      RowsToTile(b, first, count, 1, right);
      kernel(left, right, sum, static_cast<int32>(padded));
      RowsFromTile(sum, first, count, 1, flat);
    });
  };
  return std::make_unique<ClosureInstance>(Tensor(dtype, {dims.at("m"), dims.at("n")}), run);
}

}  // namespace

std::unique_ptr<Instance> MakeAddTile(const Dims& dims, const TensorMap& in, Variant variant,
                                      const CpuContext& context) {
  if (variant.kernel == "residual") {
    return Make<float>(dims, in, variant, context, add_residual_f32);
  }
  if (variant.kernel == "floor") {
    return Make<bfloat16>(dims, in, variant, context, add_floor_bf16);
  }
  if (!variant.kernel.empty()) Throw(ErrorCode::kInternal, "no add kernel '{}'", variant.kernel);
  return Make<bfloat16>(dims, in, variant, context, add_bf16);
}

golden::Tolerance AddTileTolerance(Variant variant, std::string_view data) {
  if (data == "exact") return golden::Tolerance::Exact("sums of small integers");
  golden::Tolerance t;
  t.magnitude = kUnitBf16;
  t.bias = 6e-4;
  if (variant.kernel == "residual") {
    t.relative = 3 * kUnitF32;
    t.rel_l2 = 2.4e-3;
    t.provenance = "b rounded to bf16 (2^-8 of |a| + |b|, rms 1.6e-3), an f32 sum";
    return t;
  }
  t.relative = 1.01 * kUnitBf16;
  t.rel_l2 = 4e-3;
  t.provenance =
      "a and b rounded to bf16 (2^-8 of |a| + |b|), the sum rounded to bf16; bias: floor has 2e-3";
  return t;
}

std::vector<TileShape> AddTiles(const Dims&, Variant variant) {
  return FlatTiles(DesignOf(variant));
}

}  // namespace xdna::ops
