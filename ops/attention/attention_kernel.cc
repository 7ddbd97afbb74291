#include "ops/attention/attention_kernel.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/bf16.h"
#include "base/error.h"
#include "ops/internal/row_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/attention/attention_kernel.cc"
// Each of these has a near neighbour that serves its processors.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#endif
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

#include "ops/attention/dot_attention.h"
#include "ops/attention/pack-inl.h"
#include "ops/attention/softmax-inl.h"
#include "ops/attention/tile_attention.h"

HWY_BEFORE_NAMESPACE();
namespace xdna::ops::HWY_NAMESPACE {
namespace {

// Queries of a group. 32 registers hold 6 x 4 vectors of sums, 4 of columns and one of a row;
// 16 hold 6 x 2, 2 and one.
constexpr std::size_t kRows = 6;
constexpr std::size_t kVectors = kLanes == 16 ? 4 : 2;
constexpr std::size_t kWidth = kVectors * kLanes;
// Groups of a call.
constexpr std::size_t kGroups = 10;
// Keys of a block: the group's scores, 12 KB, leave room for a panel of K in the first-level cache.
constexpr std::size_t kKeys = 512;

// f32 arithmetic on operands of type `In`.
template <typename In>
using Fma = Layout<In, kWidth>;

// What a thread needs of memory; queries (units [group][depth][row]) and sums
// ([group][panel][row][channel]) follow it.
struct alignas(64) Scratch {
  float scores[kRows][kKeys];  // then probabilities
  float tops[kRows][kLanes];   // of each lane
  float bias[2][kWidth];       // what a panel's scores begin with: 0; and for the last one
  RowStates states[kGroups];
};

// sum[r][v] += a[r] b[v] over `depth` units.
template <std::size_t kRowStep, std::size_t kStep>
HWY_INLINE void Multiply(const std::uint32_t* HWY_RESTRICT a, const std::uint32_t* HWY_RESTRICT b,
                         std::size_t depth, VF (&sum)[kRows][kVectors]) {
  const F32 d;
  for (std::size_t k = 0; k < depth; ++k, a += kStep, b += kWidth) {
    VF column[kVectors];
    HWY_UNROLL(4)
    for (std::size_t v = 0; v < kVectors; ++v) {
      column[v] = hn::BitCast(d, hn::Load(kU32, b + v * kLanes));
    }
    HWY_UNROLL(6)
    for (std::size_t r = 0; r < kRows; ++r) {
      const VF row = hn::BitCast(d, hn::Set(kU32, a[r * kRowStep]));
      HWY_UNROLL(4)
      for (std::size_t v = 0; v < kVectors; ++v) sum[r][v] = hn::MulAdd(row, column[v], sum[r][v]);
    }
  }
}

// A group's scores for a panel of keys, and the greatest of each lane.
HWY_NOINLINE void ScorePanel(const std::uint32_t* q, const std::uint32_t* k, std::size_t depth,
                             const float* bias, std::size_t panel, Scratch& s) {
  const F32 d;
  VF sum[kRows][kVectors];
  HWY_UNROLL(6)
  for (std::size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (std::size_t v = 0; v < kVectors; ++v) sum[r][v] = hn::Load(d, bias + v * kLanes);
  }
  Multiply<1, kRows>(q, k, depth, sum);
  HWY_UNROLL(6)
  for (std::size_t r = 0; r < kRows; ++r) {
    VF top = panel == 0 ? sum[r][0] : hn::Max(sum[r][0], hn::Load(d, s.tops[r]));
    HWY_UNROLL(4)
    for (std::size_t v = 0; v < kVectors; ++v) {
      hn::Store(sum[r][v], d, s.scores[r] + panel * kWidth + v * kLanes);
      if (v > 0) top = hn::Max(top, sum[r][v]);
    }
    hn::Store(top, d, s.tops[r]);
  }
}

// A group's scores of a block of `count` keys to probabilities.
HWY_NOINLINE void Normalize(std::size_t count, Scratch& s, RowStates& states) {
  const F32 d;
  alignas(64) float tops[16] = {};
  for (std::size_t r = 0; r < kRows; ++r) {
    tops[r] = hn::GetLane(hn::MaxOfLanes(d, hn::Load(d, s.tops[r])));
  }
  states.Raise(tops);
  for (std::size_t r = 0; r < kRows; ++r) {
    states.sum[r] += Probabilities(s.scores[r], count, states.top[r]);
  }
}

// A group's sums in a panel of channels: sums = sums * decay + P V.
HWY_NOINLINE void MixValues(const std::uint32_t* p, const std::uint32_t* v, std::size_t depth,
                            const float* decay, float* sums) {
  const F32 d;
  VF sum[kRows][kVectors];
  HWY_UNROLL(6)
  for (std::size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (std::size_t i = 0; i < kVectors; ++i) {
      sum[r][i] = hn::Mul(hn::Load(d, sums + r * kWidth + i * kLanes), hn::Set(d, decay[r]));
    }
  }
  Multiply<kKeys, 1>(p, v, depth, sum);
  HWY_UNROLL(6)
  for (std::size_t r = 0; r < kRows; ++r) {
    HWY_UNROLL(4)
    for (std::size_t i = 0; i < kVectors; ++i) {
      hn::Store(sum[r][i], d, sums + r * kWidth + i * kLanes);
    }
  }
}

// One call of AttentionKernel::run.
template <class Op>
class Run {
 public:
  using In = typename Op::In;

  Run(const AttentionHead& head, const AttentionQueries& queries)
      : head_(head),
        queries_(queries),
        scratch_(*static_cast<Scratch*>(queries.scratch)),
        depth_(head.width),
        panels_(Op::Panels(head.width)),
        groups_((queries.rows + kRows - 1) / kRows),
        q_(reinterpret_cast<std::uint32_t*>(&scratch_ + 1)),
        sums_(reinterpret_cast<float*>(q_ + RoundUp(kGroups * kRows * depth_, 16))),
        factor_(kLog2E / std::sqrt(static_cast<float>(head.width))) {}

  static std::size_t ScratchBytes(const AttentionHead& h) {
    const std::size_t sums = kGroups * kRows * Op::Panels(h.width) * kWidth;
    return sizeof(Scratch) + 4 * (RoundUp(kGroups * kRows * h.width, 16) + sums);
  }

  void All() {
    Prepare();
    for (std::size_t first = 0; first < head_.keys; first += kKeys) {
      for (std::size_t group = 0; group < groups_; ++group) Block(first, group);
    }
    for (std::size_t row = 0; row < queries_.rows; ++row) Finish(row);
  }

 private:
  void Prepare() {
    for (std::size_t j = 0; j < kWidth; ++j) {
      const std::size_t in_last = (head_.keys - 1) % kWidth + 1;
      scratch_.bias[0][j] = 0;
      scratch_.bias[1][j] = j < in_last ? 0 : kMinusInfinity;
    }
    for (std::size_t g = 0; g < groups_; ++g) scratch_.states[g].Clear();
    std::fill_n(q_, groups_ * kRows * depth_, 0);
    for (std::size_t i = 0; i < queries_.rows; ++i) {
      const In* row = static_cast<const In*>(queries_.q) + i * head_.stride;
      std::uint32_t* to = q_ + i / kRows * kRows * depth_ + i % kRows;
      for (std::size_t u = 0; u < depth_; ++u) {
        // So the greatest probability is exactly 1.
        to[u * kRows] = BitsOf(factor_ * FloatOf(BitsOf(row[u])));
      }
    }
    std::fill_n(sums_, groups_ * kRows * panels_ * kWidth, 0.0F);
  }

  void Block(std::size_t first, std::size_t group) {
    const std::size_t count = std::min(kKeys, head_.keys - first);
    const std::size_t panels = (count + kWidth - 1) / kWidth;
    const std::uint32_t* q = q_ + group * kRows * depth_;
    const auto* k = static_cast<const std::uint32_t*>(queries_.packed_k) + first * depth_;
    for (std::size_t p = 0; p < panels; ++p) {
      const bool last = first + (p + 1) * kWidth >= head_.keys;
      ScorePanel(q, k + p * kWidth * depth_, depth_, scratch_.bias[last ? 1 : 0], p, scratch_);
    }
    RowStates& states = scratch_.states[group];
    Normalize(panels * kWidth, scratch_, states);
    const auto* v = static_cast<const std::uint32_t*>(queries_.packed_v);
    const std::size_t keys = Op::Keys(head_.keys);
    const auto* probabilities = reinterpret_cast<const std::uint32_t*>(scratch_.scores[0]);
    for (std::size_t p = 0; p < panels_; ++p) {
      MixValues(probabilities, v + (p * keys + first) * kWidth, count, states.decay,
                sums_ + (group * panels_ + p) * kRows * kWidth);
    }
  }

  void Finish(std::size_t row) {
    const std::size_t group = row / kRows;
    RowMap map;
    map.scale = 1 / scratch_.states[group].sum[row % kRows];
    map.out_dtype = std::is_same_v<In, float> ? DType::kF32 : DType::kBf16;
    for (std::size_t p = 0; p < panels_; ++p) {
      map.in = sums_ + ((group * panels_ + p) * kRows + row % kRows) * kWidth;
      map.out = static_cast<In*>(queries_.y) + row * queries_.y_stride + p * kWidth;
      MapRow(map, std::min(kWidth, head_.width - p * kWidth));
    }
  }

  const AttentionHead& head_;
  const AttentionQueries& queries_;
  Scratch& scratch_;
  const std::size_t depth_, panels_, groups_;
  std::uint32_t* const q_;
  float* const sums_;
  const float factor_;  // of scores, for powers of 2
};

template <class Op>
void RunAll(const AttentionHead& head, const AttentionQueries& queries) {
  Run<Op>(head, queries).All();
}

template <class Op>
AttentionKernel KernelOf(const char* name) {
  return {name,
          Integers::kNone,
          kGroups * kRows,
          Op::PackedKBytes,
          Op::PackedVBytes,
          Run<Op>::ScratchBytes,
          Op::PackK,
          Op::PackV,
          RunAll<Op>};
}

const char* FmaName() {
#if XDNA_AVX512
  return "fused vfmadd231ps zmm";
#elif HWY_TARGET == HWY_AVX2
  return "fused vfmadd231ps ymm";
#else
  return "fused portable f32";
#endif
}

const AttentionKernel& FmaKernel(DType dtype) {
  static const AttentionKernel f32 = KernelOf<Fma<float>>(FmaName());
  static const AttentionKernel bf16 = KernelOf<Fma<Bf16>>(FmaName());
  return dtype == DType::kF32 ? f32 : bf16;
}

}  // namespace
}  // namespace xdna::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xdna::ops {

HWY_EXPORT(FmaKernel);

const AttentionKernel& FindAttentionKernel(DType dtype, const CpuFeatures& cpu, Integers integers) {
  if (dtype != DType::kF32 && dtype != DType::kBf16) {
    Throw(ErrorCode::kInternal, "no attention in {}", DTypeName(dtype));
  }
  if (dtype == DType::kBf16 && cpu.amx_bf16) {
    return TileAttention(cpu.amx_int8 ? integers : Integers::kNone);
  }
  if (dtype == DType::kBf16 && cpu.fast_dot_bf16) return DotAttention(integers);
  return HWY_DYNAMIC_DISPATCH(FmaKernel)(dtype);
}

}  // namespace xdna::ops
#endif  // HWY_ONCE
