#include "ops/gelu/npu/gelu_tile.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernels/gelu/gelu.h"
#include "kernels/gelu/gelu_design.h"
#include "ops/internal/instance.h"
#include "ops/internal/tile.h"

extern "C" void gelu_floor_bf16(const bfloat16* x, bfloat16* y, int32 n);

namespace xdna::ops {
namespace {

auto KernelOf(std::string_view name) {
  if (name == "table") return gelu_table_bf16;
  if (name == "stock") return gelu_stock_bf16;
  if (name == "floor") return gelu_floor_bf16;
  if (!name.empty()) Throw(ErrorCode::kInternal, "no GELU kernel '{}'", name);
  return gelu_bf16;
}

DesignOfRows DesignOf(Variant variant) {
  return [kernel = variant.kernel](std::int64_t rows, std::int64_t width) {
    const auto n = static_cast<std::size_t>(rows * width);
    if (kernel == "table") return kernels::GeluTableDesign(n);
    return kernel == "stock" ? kernels::GeluStockDesign(n) : kernels::GeluDesign(n);
  };
}

}  // namespace

std::unique_ptr<Instance> MakeGeluTile(const Dims& dims, const TensorMap& in, Variant variant,
                                       const CpuContext& context) {
  const auto operands = CloneAs(in, {{"x", DType::kBf16}});
  const std::int64_t size = operands->at("x").size();
  const std::int64_t most = 16 * MostRows(DesignOf(variant), 16);
  const auto run = [=, kernel = KernelOf(variant.kernel),
                    pool = context.pool](const TensorView& y) {
    const TensorView x(operands->at("x").view().raw(), DType::kBf16, {size, 1});
    const TensorView flat(y.raw(), DType::kBf16, {size, 1});
    ForEachCall(*pool, size, most, [&](std::int64_t first, std::int64_t count) {
      TileMemory memory;
      const std::int64_t padded = PaddedWidth(count);
      auto* const from = memory.Take<bfloat16>(padded);
      auto* const to = memory.Take<bfloat16>(padded);
      RowsToTile(x, first, count, 1, from);
      kernel(from, to, static_cast<int32>(padded));
      RowsFromTile(to, first, count, 1, flat);
    });
  };
  return std::make_unique<ClosureInstance>(Tensor(DType::kBf16, {dims.at("m"), dims.at("n")}), run);
}

golden::Tolerance GeluTileTolerance(std::string_view data) {
  if (data == "exact") return golden::Tolerance::Exact("0 and where the normal's tail is lost");
  golden::Tolerance t;
  t.magnitude = 1.13 * kUnitBf16 + 2e-5;
  t.relative = 1.01 * kUnitBf16;
  t.rel_l2 = 4e-3;
  t.bias = 6e-4;
  t.provenance =
      "x rounded to bf16 (2^-8, times the slope of at most 1.13), a polynomial of 8e-6 in f32 "
      "(kernels/gelu), y rounded to bf16; bias: floor has 1.5e-3 or more";
  return t;
}

std::vector<TileShape> GeluTiles(const Dims&, Variant variant) {
  return FlatTiles(DesignOf(variant));
}

}  // namespace xdna::ops
