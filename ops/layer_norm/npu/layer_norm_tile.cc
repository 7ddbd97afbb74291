#include "ops/layer_norm/npu/layer_norm_tile.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/layer_norm/layer_norm_design.h"
#include "ops/internal/instance.h"
#include "ops/internal/tile.h"

extern "C" void layer_norm_floor_bf16(const bfloat16* x, const bfloat16* gamma,
                                      const bfloat16* beta, bfloat16* y, int32 rows, int32 width);

namespace xdna::ops {
namespace {

constexpr double kMostGamma = 4;  // of goldens and seeded weights

auto KernelOf(std::string_view name) {
  if (name == "nosqrt") return layer_norm_nosqrt2_bf16;
  if (name == "one_pass") return layer_norm_one_pass_bf16;
  if (name == "nosqrt0") return layer_norm_nosqrt0_bf16;
  if (name == "floor") return layer_norm_floor_bf16;
  if (!name.empty()) Throw(ErrorCode::kInternal, "no layer norm kernel '{}'", name);
  return layer_norm_bf16;
}

kernels::Design DesignOf(std::int64_t rows, std::int64_t width) {
  return kernels::LayerNormDesign(rows, width);
}

}  // namespace

std::unique_ptr<Instance> MakeLayerNormTile(const Dims& dims, const TensorMap& in, Variant variant,
                                            const CpuContext& context) {
  const std::int64_t m = dims.at("m");
  const std::int64_t d = dims.at("d");
  if (d % 16 != 0) {
    Throw(ErrorCode::kUnsupported, "a row of {} is no multiple of 16 lanes, which the kernel needs",
          d);
  }
  const auto operands =
      CloneAs(in, {{"x", DType::kBf16}, {"gamma", DType::kBf16}, {"beta", DType::kBf16}});
  const auto run = [=, most = MostRows(DesignOf, d), kernel = KernelOf(variant.kernel),
                    pool = context.pool](const TensorView& y) {
    ForEachCall(*pool, m, most, [&](std::int64_t first, std::int64_t rows) {
      TileMemory memory;
      auto* const x = memory.Take<bfloat16>(rows * d);
      auto* const gamma = memory.Take<bfloat16>(d);
      auto* const beta = memory.Take<bfloat16>(d);
      auto* const out = memory.Take<bfloat16>(rows * d);
      RowsToTile(operands->at("x"), first, rows, d, x);
      RowsToTile(TensorView(operands->at("gamma").view().raw(), DType::kBf16, {1, d}), 0, 1, d,
                 gamma);
      RowsToTile(TensorView(operands->at("beta").view().raw(), DType::kBf16, {1, d}), 0, 1, d,
                 beta);
      kernel(x, gamma, beta, out, static_cast<int32>(rows), static_cast<int32>(d));
      RowsFromTile(out, first, rows, d, y);
    });
  };
  return std::make_unique<ClosureInstance>(Tensor(DType::kBf16, {m, d}), run);
}

golden::Tolerance LayerNormTileTolerance(const Dims& dims, Variant variant, std::string_view data) {
  // Of the inverse root: kernels/layer_norm/layer_norm_test.cc.
  const bool newton = variant.kernel == "nosqrt" || variant.kernel == "nosqrt0";
  const double root = newton ? 4.8e-6 : 6.6e-4;
  golden::Tolerance t;
  t.magnitude = (root + 0x1p-14) * (1 + kUnitBf16);
  t.relative = 1.01 * kUnitBf16;
  t.provenance = fmt::format("inverse root {:.1e}, pairs of bf16 2^-14, y rounded to bf16", root);
  if (data == "exact") return t;
  t.absolute = kMostGamma * kUnitBf16 / std::sqrt(static_cast<double>(dims.at("d")));
  t.magnitude += 3 * kUnitBf16;
  t.rel_l2 = 1.4 * 2 * 1.6e-3 + root;
  t.bias = 6e-4 + root;
  t.provenance +=
      "; x rounded to bf16, itself and through the variance, and gamma or beta (2^-8 each of the "
      "terms); x through the mean: an outlier of sqrt(d) deviations moves it by 2^-8 / sqrt(d), "
      "times a gamma of up to 4; rel-L2: sqrt(4) rms of 1.6e-3, and 1.4x where beta cancels; bias: "
      "the root's, and 5 deviations of gamma's roundings over 200 columns; floor has 2.8e-3";
  return t;
}

std::vector<TileShape> LayerNormTiles(const Dims& dims, Variant) {
  return RowTiles(DesignOf, PaddedWidth(dims.at("d")));
}

}  // namespace xdna::ops
