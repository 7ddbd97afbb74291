#include "ops/softmax/npu/softmax_tile.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernels/softmax/softmax.h"
#include "kernels/softmax/softmax_design.h"
#include "ops/internal/instance.h"
#include "ops/internal/tile.h"

extern "C" void softmax_floor_bf16(const bfloat16* x, bfloat16* y, int32 rows, int32 width,
                                   int32 valid);

namespace xdna::ops {
namespace {

constexpr std::int64_t kBlock = 512;  // columns of the online form
constexpr double kMostLogit = 8;      // of goldens and seeded rows

auto KernelOf(std::string_view name) {
  if (name == "inverse") return softmax_inverse_bf16;
  if (name == "stock") return softmax_stock_bf16;
  if (name == "floor") return softmax_floor_bf16;
  if (!name.empty()) Throw(ErrorCode::kInternal, "no softmax kernel '{}'", name);
  return softmax_bf16;
}

DesignOfRows DesignOf(Variant variant) {
  return [stock = variant.kernel == "stock"](std::int64_t rows, std::int64_t width) {
    return stock ? kernels::SoftmaxStockDesign(rows, width) : kernels::SoftmaxDesign(rows, width);
  };
}

// A group of rows block by block: the sums of all blocks, then the results of all. The state stays
// on the tile, whose blocks come and go.
void RunOnline(const TensorView& x, std::int64_t first, std::int64_t rows, const TensorView& y) {
  const std::int64_t n = x.dim(1);
  TileMemory memory;
  auto* const state = memory.Take<float>(2 * rows);
  auto* const in = memory.Take<bfloat16>(rows * kBlock);
  auto* const out = memory.Take<bfloat16>(rows * kBlock);
  const auto m = static_cast<int32>(rows);
  const auto for_each_block = [&](const std::function<void(std::int64_t, int32, int32)>& body) {
    for (std::int64_t column = 0; column < n; column += kBlock) {
      const std::int64_t valid = std::min(kBlock, n - column);
      const std::int64_t width = PaddedWidth(valid);
      std::fill_n(in, rows * kBlock, bfloat16::from_bits(0xFFFF));
      for (std::int64_t i = 0; i < rows; ++i) {
        std::copy_n(static_cast<const bfloat16*>(x.raw()) + (first + i) * n + column, valid,
                    in + i * width);
      }
      body(column, static_cast<int32>(width), static_cast<int32>(valid));
    }
  };
  for_each_block([&](std::int64_t column, int32 width, int32 valid) {
    softmax_online_block_bf16(in, state, m, width, valid, column == 0 ? 1 : 0);
  });
  for_each_block([&](std::int64_t column, int32 width, int32 valid) {
    softmax_online_finish_bf16(in, state, out, m, width, valid);
    for (std::int64_t i = 0; i < rows; ++i) {
      std::copy_n(out + i * width, valid,
                  static_cast<bfloat16*>(y.raw()) + (first + i) * n + column);
    }
  });
}

void RunRows(decltype(&softmax_bf16) kernel, const TensorView& x, std::int64_t first,
             std::int64_t rows, const TensorView& y) {
  const std::int64_t width = PaddedWidth(x.dim(1));
  TileMemory memory;
  auto* const in = memory.Take<bfloat16>(rows * width);
  auto* const out = memory.Take<bfloat16>(rows * width);
  RowsToTile(x, first, rows, width, in);
  kernel(in, out, static_cast<int32>(rows), static_cast<int32>(width),
         static_cast<int32>(x.dim(1)));
  RowsFromTile(out, first, rows, width, y);
}

}  // namespace

std::unique_ptr<Instance> MakeSoftmaxTile(const Dims& dims, const TensorMap& in, Variant variant,
                                          const CpuContext& context) {
  const std::int64_t m = dims.at("m");
  const std::int64_t n = dims.at("n");
  const bool online = variant.kernel == "online";
  const std::int64_t most = MostRows(DesignOf(variant), online ? kBlock : PaddedWidth(n));
  const auto kernel = online ? nullptr : KernelOf(variant.kernel);
  const auto operands = CloneAs(in, {{"x", DType::kBf16}});
  const auto run = [=, pool = context.pool](const TensorView& y) {
    const TensorView& x = operands->at("x");
    ForEachCall(*pool, m, most, [&](std::int64_t first, std::int64_t rows) {
      if (online) return RunOnline(x, first, rows, y);
      RunRows(kernel, x, first, rows, y);
    });
  };
  return std::make_unique<ClosureInstance>(Tensor(DType::kBf16, {m, n}), run);
}

golden::Tolerance SoftmaxTileTolerance(const Dims& dims, Variant variant, std::string_view data) {
  if (data == "exact") {
    return golden::Tolerance::Exact("2^k equal logits, others far below: y is 2^-k or 0");
  }
  const double spread = std::log(static_cast<double>(dims.at("n")));
  const double row_share = 1 / std::sqrt(static_cast<double>(dims.at("m")));
  golden::Tolerance t;
  // As scale has |x - max| times y: x's rounding and that of the difference.
  t.magnitude = 1.15 * 2 * kUnitBf16;
  t.relative = 1.15 * (2 * kMostLogit + 2 * spread + 9) * kUnitBf16;
  t.absolute = 0x1p-125;
  t.rel_l2 = 2.5e-2;
  t.bias = 1e-3;
  t.provenance =
      "x rounded to bf16 (2^-8 of logits of at most 8, and of the row's mean), exp of a rounded "
      "difference (2^-8 of it, 4 * 2^-8 by key and tables), the same for the sum, whose mean "
      "difference is at most ln n, y rounded to bf16; 1.15: second order; rel-L2: a logit from 4 "
      "to 8 moves by rms 0.9e-2; bias: rows sum to 1 but for the last rounding; floor has 2.8e-3";
  if (variant.kernel == "inverse") {
    t.bias += 5 * 1.6e-3 * row_share;
    t.provenance += "; inverse: a rounding shared by a row, 5 deviations of its mean over rows";
  } else if (variant.kernel == "online" && dims.at("n") > kBlock) {
    t.bias += 5 * 4e-3 * row_share;
    t.provenance += "; online: a row's sum is scaled by an exp of its own error (rms 4e-3)";
  }
  return t;
}

std::vector<TileShape> SoftmaxTiles(const Dims& dims, Variant variant) {
  return RowTiles(DesignOf(variant), PaddedWidth(dims.at("n")));
}

}  // namespace xdna::ops
