#include "ops/attention/npu/fused_attention.h"

#include <fmt/format.h>

#include <aie_api/aie.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernels/attention/attention_design.h"
#include "kernels/attention/exact_attention.h"
#include "kernels/design/design.h"
#include "ops/internal/profile.h"

namespace xdna::ops {
namespace {

constexpr std::int64_t kLanes = 16;
// Queries of one task: V is transposed for each.
constexpr std::int64_t kTaskQueries = 512;
constexpr double kBulkMacs = 1 << 24;

kernels::Design DesignOf(std::size_t side, std::int64_t m, std::int64_t head) {
  const std::size_t blocks = (static_cast<std::size_t>(m) + side - 1) / side;
  return kernels::AttentionDesign(
      {.queries = side, .keys = side, .d = static_cast<std::size_t>(head), .blocks = blocks});
}

// As many queries as keys in a block, as many as fit: both products' operands are then reused
// alike.
kernels::AttentionTile LargestTile(std::int64_t m, std::int64_t head) {
  constexpr std::size_t kStep = 8;
  if (const kernels::Fit fit = DesignOf(kStep, m, head).fits(); !fit) {
    Throw(ErrorCode::kUnsupported, "{}", fit.reason);
  }
  std::size_t side = kStep;
  while (side < static_cast<std::size_t>(m) && DesignOf(side + kStep, m, head).fits()) {
    side += kStep;
  }
  return {static_cast<int32>(side), static_cast<int32>(side)};
}

std::int64_t HeadWidth(std::int64_t d, std::int64_t heads) {
  if (heads < 1 || d % heads != 0) {
    Throw(ErrorCode::kInvalidArgument, "{} heads do not divide a width of {}", heads, d);
  }
  if (d / heads % kLanes != 0) {
    Throw(ErrorCode::kUnsupported, "fused attention: heads of {} are no multiple of {}", d / heads,
          kLanes);
  }
  return d / heads;
}

}  // namespace

FusedScaledDotProduct::FusedScaledDotProduct(std::int64_t m, std::int64_t d, std::int64_t heads,
                                             TileHost host, const CpuContext& context)
    : context_(context),
      m_(m),
      d_(d),
      heads_(heads),
      head_(HeadWidth(d, heads)),
      tile_(LargestTile(m, head_)),
      bulk_(host == TileHost::kBulk ||
            (host == TileHost::kAuto &&
             2 * static_cast<double>(m) * static_cast<double>(m * d) >= kBulkMacs)) {}

void FusedScaledDotProduct::Block(const bfloat16* qkv, std::int64_t head, std::int64_t first,
                                  bfloat16* y) const {
  const std::int64_t rows = std::min(kTaskQueries, m_ - first);
  const bfloat16* q = qkv + first * 3 * d_ + head * head_;
  const bfloat16* k = qkv + d_ + head * head_;
  const bfloat16* v = k + d_;
  bfloat16* out = y + first * d_ + head * head_;
  if (!bulk_) {
    const auto stride = static_cast<int32>(3 * d_);
    const auto width = static_cast<int32>(head_);
    const kernels::AttentionProblem problem = {
        static_cast<int32>(rows), static_cast<int32>(m_), width, stride, stride, stride,
        static_cast<int32>(d_)};
    const Tensor memory(DType::kU8, {kernels::AttentionMemoryBytes(tile_, width)});
    return kernels::RunAttention(problem, tile_, q, k, v, out, memory.view().raw());
  }
  const auto stride = static_cast<std::size_t>(3 * d_);
  const auto bits = [](const bfloat16* p) { return reinterpret_cast<const std::uint16_t*>(p); };
  kernels::ExactAttention(
      {static_cast<std::size_t>(rows), static_cast<std::size_t>(m_),
       static_cast<std::size_t>(head_), stride, stride, stride, static_cast<std::size_t>(d_)},
      static_cast<std::size_t>(tile_.keys), bits(q), bits(k), bits(v),
      reinterpret_cast<std::uint16_t*>(out));
}

void FusedScaledDotProduct::Run(const TensorView& qkv, const TensorView& y) const {
  const ScopedSpan span(context_.profile, "attention.core");
  const std::int64_t tasks = (m_ + kTaskQueries - 1) / kTaskQueries;
  context_.pool->ParallelFor(heads_ * tasks, [&](std::int64_t i, int) {
    Block(reinterpret_cast<const bfloat16*>(qkv.data<Bf16>()), i / tasks, i % tasks * kTaskQueries,
          reinterpret_cast<bfloat16*>(y.data<Bf16>()));
  });
}

std::vector<TileShape> FusedTiles(std::int64_t m, std::int64_t head) {
  constexpr std::size_t kMost = 128;
  std::vector<TileShape> shapes, beyond;
  kernels::AttentionConfig c = {.d = static_cast<std::size_t>(head)};
  for (c.queries = 4; c.queries <= kMost; c.queries += 4) {
    for (c.keys = 8; c.keys <= kMost; c.keys += 8) {
      c.blocks = (static_cast<std::size_t>(m) + c.keys - 1) / c.keys;
      kernels::Design design = kernels::AttentionDesign(c);
      const bool fits = design.fits().ok;
      (fits ? shapes : beyond)
          .push_back({fmt::format("{}x{}", c.queries, c.keys), static_cast<double>(c.queries * c.d),
                      std::move(design)});
      if (!fits) break;  // nor does what has more keys
    }
  }
  SortTiles(shapes, std::move(beyond));
  return shapes;
}

}  // namespace xdna::ops
