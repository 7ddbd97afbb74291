// Attention by tiles of 16 x 16 results: AMX's, or a model of them in tests.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/bf16.h"
#include "ops/attention/attention_kernel.h"
#include "ops/internal/row_kernels.h"

// Included once for each target (Highway's "-inl.h" convention).
#if defined(OPS_ATTENTION_TILE_ATTENTION_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef OPS_ATTENTION_TILE_ATTENTION_INL_H_
#undef OPS_ATTENTION_TILE_ATTENTION_INL_H_
#else
#define OPS_ATTENTION_TILE_ATTENTION_INL_H_
#endif

#include <hwy/highway.h>

#include "ops/attention/pack-inl.h"
#include "ops/attention/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace xdna::ops::HWY_NAMESPACE {

// `Tiles` as AmxTiles: registers 0 to 3 are sums of 2 x 2 tiles, 4 and 5 rows, 6 and 7 columns.
template <class Tiles>
class TileAttention {
 public:
  static AttentionKernel Kernel(const char* name) {
    return {name,         Integers::kNone, kQueries, L::PackedKBytes, L::PackedVBytes,
            ScratchBytes, L::PackK,        L::PackV, RunAll};
  }

 private:
  static constexpr std::size_t kQueries = 64;
  static constexpr std::size_t kRows = 32;     // of a group: two tiles
  static constexpr std::size_t kKeys = 256;    // of a block: scores and probabilities take 48 KB
  static constexpr std::size_t kColumns = 64;  // of a panel: four tiles
  static constexpr std::size_t kTile = 16;     // rows, and units in a row
  static constexpr std::size_t kUnit = sizeof(std::uint32_t);
  // A line more than a block's, so that 16 rows fall into different sets of the cache.
  static constexpr std::size_t kScoreStride = kKeys + 16;
  static constexpr std::size_t kProbabilityStride = kKeys + 32;
  using L = Layout<Bf16, 2, kColumns, kTile>;

  // Queries ([row][depth]) and sums ([row][panel][channel]) follow it.
  struct alignas(64) Scratch {
    float scores[kRows][kScoreStride];
    Bf16 probabilities[kRows][kProbabilityStride];
    RowStates states[kQueries / kTile];
  };

  TileAttention(const AttentionHead& head, const AttentionQueries& queries)
      : head_(head),
        queries_(queries),
        scratch_(*static_cast<Scratch*>(queries.scratch)),
        depth_(L::Depth(head.width)),
        channels_(L::Panels(head.width) * kColumns),
        rows_(RoundUp(queries.rows, kRows)),
        q_(reinterpret_cast<std::uint32_t*>(&scratch_ + 1)),
        sums_(reinterpret_cast<float*>(q_ + kQueries * depth_)),
        scale_(kLog2E / std::sqrt(static_cast<float>(head.width))) {}

  static std::size_t ScratchBytes(const AttentionHead& h) {
    const std::size_t channels = L::Panels(h.width) * kColumns;
    return sizeof(Scratch) + kQueries * (L::Depth(h.width) + channels) * kUnit;
  }

  static void RunAll(const AttentionHead& head, const AttentionQueries& queries) {
    TileAttention run(head, queries);
    run.Prepare();
    Tiles::Begin();
    for (std::size_t first = 0; first < head.keys; first += kKeys) {
      for (std::size_t row = 0; row < queries.rows; row += kRows) run.Block(first, row);
    }
    Tiles::End();
    for (std::size_t row = 0; row < queries.rows; ++row) run.Finish(row);
  }

  void Prepare() {
    for (std::size_t i = 0; i < rows_; ++i) {
      const bool real = i < queries_.rows;
      const Bf16* row = static_cast<const Bf16*>(queries_.q) + (real ? i * head_.stride : 0);
      for (std::size_t u = 0; u < depth_; ++u) {
        q_[i * depth_ + u] = real ? L::Unit(row, u * L::kPer, head_.width) : 0;
      }
    }
    for (RowStates& states : scratch_.states) states.Clear();
    std::fill_n(sums_, rows_ * channels_, 0.0F);
  }

  // sums[32][32] += a[32][steps * 16 units] b[steps * 16 units][32], strides in bytes.
  static void MultiplyTiles(const void* a, std::size_t a_stride, const void* b, std::size_t steps) {
    const auto* rows = static_cast<const std::byte*>(a);
    const auto* columns = static_cast<const std::byte*>(b);
    for (std::size_t s = 0; s < steps; ++s) {
      Tiles::template Load<6>(columns, kColumns * kUnit);
      Tiles::template Load<4>(rows, a_stride);
      Tiles::template Multiply<0, 4, 6>();
      Tiles::template Load<5>(rows + kTile * a_stride, a_stride);
      Tiles::template Multiply<2, 5, 6>();
      Tiles::template Load<7>(columns + kTile * kUnit, kColumns * kUnit);
      Tiles::template Multiply<1, 4, 7>();
      Tiles::template Multiply<3, 5, 7>();
      rows += kTile * kUnit;
      columns += kTile * kColumns * kUnit;
    }
  }

  static void StoreTiles(float* to, std::size_t stride) {
    Tiles::template Store<0>(to, stride * kUnit);
    Tiles::template Store<1>(to + kTile, stride * kUnit);
    Tiles::template Store<2>(to + kTile * stride, stride * kUnit);
    Tiles::template Store<3>(to + kTile * stride + kTile, stride * kUnit);
  }

  static void LoadTiles(const float* from, std::size_t stride) {
    Tiles::template Load<0>(from, stride * kUnit);
    Tiles::template Load<1>(from + kTile, stride * kUnit);
    Tiles::template Load<2>(from + kTile * stride, stride * kUnit);
    Tiles::template Load<3>(from + kTile * stride + kTile, stride * kUnit);
  }

  void Block(std::size_t first, std::size_t row) {
    const std::size_t count = std::min(kKeys, head_.keys - first);
    const std::size_t padded = RoundUp(count, kRows);  // K and V have zeros there
    const auto* k = static_cast<const std::uint32_t*>(queries_.packed_k) + first * depth_;
    for (std::size_t j = 0; j < padded; j += kRows) {
      Tiles::template Zero<0>();
      Tiles::template Zero<1>();
      Tiles::template Zero<2>();
      Tiles::template Zero<3>();
      MultiplyTiles(q_ + row * depth_, depth_ * kUnit,
                    k + j / kColumns * kColumns * depth_ + j % kColumns, depth_ / kTile);
      StoreTiles(scratch_.scores[0] + j, kScoreStride);
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      std::fill(scratch_.scores[r] + count, scratch_.scores[r] + padded, kMinusInfinity);
    }
    Normalize(padded, row);
    const auto* v = static_cast<const std::uint32_t*>(queries_.packed_v);
    const std::size_t units = L::Keys(head_.keys) / L::kPer;
    for (std::size_t c = 0; c < channels_; c += kRows) {
      float* sums = sums_ + row * channels_ + c;
      LoadTiles(sums, channels_);
      MultiplyTiles(scratch_.probabilities[0], kProbabilityStride * sizeof(Bf16),
                    v + (c / kColumns * units + first / L::kPer) * kColumns + c % kColumns,
                    padded / kRows);
      StoreTiles(sums, channels_);
    }
  }

  // Scores to probabilities; earlier sums are brought to the same maximum.
  HWY_NOINLINE void Normalize(std::size_t count, std::size_t row) {
    const F32 d;
    for (std::size_t half = 0; half < kRows; half += kTile) {
      RowStates& states = scratch_.states[(row + half) / kTile];
      alignas(64) float tops[kTile];
      for (std::size_t r = 0; r < kTile; ++r) {
        const float* scores = scratch_.scores[half + r];
        VF top[2] = {hn::Load(d, scores), hn::Load(d, scores + kLanes)};
        for (std::size_t j = 2 * kLanes; j < count; j += 2 * kLanes) {
          top[0] = hn::Max(top[0], hn::Load(d, scores + j));
          top[1] = hn::Max(top[1], hn::Load(d, scores + j + kLanes));
        }
        tops[r] = scale_ * hn::GetLane(hn::MaxOfLanes(d, hn::Max(top[0], top[1])));
      }
      states.Raise(tops);
      for (std::size_t r = 0; r < kTile; ++r) {
        states.sum[r] += Probabilities<CoarseExp2>(scratch_.scores[half + r], count, scale_,
                                                   states.top[r], scratch_.probabilities[half + r]);
        if (states.decay[r] == 1) continue;
        float* sums = sums_ + (row + half + r) * channels_;
        for (std::size_t c = 0; c < channels_; c += kLanes) {
          hn::Store(hn::Mul(hn::Load(d, sums + c), hn::Set(d, states.decay[r])), d, sums + c);
        }
      }
    }
  }

  void Finish(std::size_t row) {
    RowMap map;
    map.scale = 1 / scratch_.states[row / kTile].sum[row % kTile];
    map.in = sums_ + row * channels_;
    map.out = static_cast<Bf16*>(queries_.y) + row * queries_.y_stride;
    map.out_dtype = DType::kBf16;
    MapRow(map, head_.width);
  }

  const AttentionHead& head_;
  const AttentionQueries& queries_;
  Scratch& scratch_;
  const std::size_t depth_, channels_, rows_;
  std::uint32_t* const q_;
  float* const sums_;
  const float scale_;
};

}  // namespace xdna::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
