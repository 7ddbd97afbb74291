#include "ops/attention/dot_attention.h"

#include <hwy/base.h>
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/bf16.h"
#include "base/tensor.h"
#include "ops/attention/attention_kernel.h"
#include "ops/attention/dot_pack.h"
#include "ops/attention/dot_scores.h"
#include "ops/attention/dot_values.h"

namespace xdna::ops {
namespace {

using namespace dot;  // NOLINT(google-build-using-namespace): parts of this kernel

// Groups of a call.
constexpr std::size_t kGroups = 10;
constexpr float kLog2E = 1.44269504088896341F;
// More than this makes the sums of products with V doubtful.
constexpr float kMostProbability = 0x1p64F;
constexpr float kMostValue = 0x1p40F;
// Steps from a row's greatest score that 32 bits hold.
constexpr float kMostSteps = 0x1p30F;

// What a thread needs of memory; units of queries [row][depth] and sums
// [group][panel][row][channel] follow it.
template <class Values>
struct alignas(64) Scratch {
  typename Values::Block block;
  RowGroup groups[kGroups];
};

}  // namespace
}  // namespace xdna::ops

// Flags of the compiler promise no instruction set: these do, for what the caller has asked for.
HWY_PUSH_ATTRIBUTES("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512bf16,avx512vnni")
namespace xdna::ops {
namespace {

// A group's scores for a panel of keys, and what `kPurpose` says of them; `out`: the panel's place
// in the block.
template <class Scores, class Values, Purpose kPurpose>
HWY_NOINLINE void ScorePanel(const std::uint32_t* q, const PackedK& packed, std::size_t panel,
                             const Constants* constants, RowGroup& group, std::size_t out,
                             typename Values::Block& block) {
  typename Scores::Sum sum[kRows][kVectors];
  SumPanel<Scores>(q, packed, panel, sum);
  asm volatile("" : "+r"(constants) : : "memory");  // nothing from here on is read earlier

  const Mask& mask = (panel + 1) * kPanel < packed.keys ? constants->all : packed.last;
  auto* tops = Scores::Tops(group);
  if (kPurpose == Purpose::kFirst || kPurpose == Purpose::kFindTops) {
    TakeTops<Scores, kPurpose>(sum, mask, group);
    for (std::size_t r = 0; r < kRows; ++r) {
      const float top = kPurpose == Purpose::kFirst ? static_cast<float>(tops[r]) : 0;
      group.offset[r] = Values::kZeroSteps - top * group.factor[r];
    }
  }
  if (kPurpose == Purpose::kFindTops) return;
  const typename Values::Emitter emitter(*constants, mask);
#pragma GCC unroll 6
  for (std::size_t r = 0; r < kRows; ++r) {
    const __m512 factor = _mm512_set1_ps(group.factor[r]);
    const __m512 offset = _mm512_set1_ps(group.offset[r]);
    __m512 steps[kVectors];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v) {
      const __m512 score = kPurpose == Purpose::kExact ? Scores::Less(sum[r][v], tops[r])
                                                       : Scores::ToFloat(sum[r][v]);
      steps[v] = _mm512_fmadd_ps(score, factor, offset);
    }
    emitter.Row(steps, out, r, group, block);
  }
}

// `sums` * factor to bf16 [channels], at most a panel's; times scales, plus means where not null.
HWY_NOINLINE void StoreRow(const float* sums, float factor, const float* scales, const float* means,
                           std::size_t channels, Bf16* out) {
  for (std::size_t j = 0; j < channels; j += kLanes) {
    const auto mask = static_cast<__mmask16>(0xFFFF >> (kLanes - std::min(kLanes, channels - j)));
    __m512 value = _mm512_mul_ps(_mm512_load_ps(sums + j), _mm512_set1_ps(factor));
    if (scales != nullptr) {
      value = _mm512_fmadd_ps(value, _mm512_loadu_ps(scales + j), _mm512_loadu_ps(means + j));
    }
    _mm256_mask_storeu_epi16(out + j, mask, reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value)));
  }
}

HWY_NOINLINE float SumOfLanes(const float* lanes) {
  return _mm512_reduce_add_ps(_mm512_load_ps(lanes));
}

}  // namespace
}  // namespace xdna::ops
HWY_POP_ATTRIBUTES

namespace xdna::ops {
namespace {

// One call of AttentionKernel::run.
template <class Scores, class Values>
class Run {
 public:
  using Keys = typename Scores::Packing;
  using Packing = typename Values::Packing;

  Run(const AttentionHead& head, const AttentionQueries& queries)
      : head_(head),
        queries_(queries),
        k_(Keys::View(head, queries.packed_k)),
        v_(Packing::View(head, queries.packed_v)),
        scratch_(*static_cast<Scratch<Values>*>(queries.scratch)),
        groups_((queries.rows + kRows - 1) / kRows),
        q_(reinterpret_cast<std::uint32_t*>(&scratch_ + 1)),
        sums_(reinterpret_cast<float*>(q_ + RoundUp(kGroups * kRows * k_.depth, kLanes))) {}

  static std::size_t ScratchBytes(const AttentionHead& h) {
    const std::size_t sums = kGroups * kRows * Panels(h.width) * kPanel;
    return sizeof(Scratch<Values>) +
           4 * (RoundUp(kGroups * kRows * Keys::Depth(h.width), kLanes) + sums);
  }

  static void All(const AttentionHead& head, const AttentionQueries& queries) {
    Run run(head, queries);
    const bool tame = run.Prepare();
    if (tame) run.Pass(Purpose::kNext);
    if (!tame || !run.IsSound()) {
      run.FindTops();
      run.Pass(Purpose::kExact);
    }
    for (std::size_t row = 0; row < queries.rows; ++row) run.Finish(row);
  }

 private:
  // The queries' units and factors. Returns whether no score can be far from any other of its row.
  bool Prepare() {
    std::fill_n(q_ + queries_.rows * k_.depth, (groups_ * kRows - queries_.rows) * k_.depth, 0);
    for (RowGroup& g : scratch_.groups) std::fill_n(g.factor, kRows, 0.0F);
    const float steps = kSteps * kLog2E / std::sqrt(static_cast<float>(head_.width));
    bool tame = v_.most <= kMostValue;
    for (std::size_t i = 0; i < queries_.rows; ++i) {
      PrefetchRow(static_cast<const Bf16*>(queries_.q) + i * head_.stride, head_.width);
    }
    for (std::size_t i = 0; i < queries_.rows; ++i) {
      const Bf16* row = static_cast<const Bf16*>(queries_.q) + i * head_.stride;
      const Query query = Keys::PackQuery(row, head_, k_, q_ + i * k_.depth);
      RowGroup& group = scratch_.groups[i / kRows];
      const float factor = query.scale * steps;
      group.factor[i % kRows] = factor;
      group.lost[i % kRows] = query.lost;
      // Written so that a NaN is not tame.
      if (!(2 * query.most_score * factor <= kMostSteps)) tame = false;
    }
    return tame;
  }

  void FindTops() {
    const std::size_t panels = Panels(head_.keys);
    for (std::size_t g = 0; g < groups_; ++g) {
      RowGroup& group = scratch_.groups[g];
      std::fill_n(Scores::Tops(group), kRows, Scores::Least());
      for (std::size_t p = 0; p < panels; ++p) {
        ScorePanel<Scores, Values, Purpose::kFindTops>(q_ + g * kRows * k_.depth, k_, p,
                                                       &constants_, group, 0, scratch_.block);
      }
    }
  }

  void Pass(Purpose purpose) {
    for (RowGroup& g : scratch_.groups) std::fill_n(g.sums[0], kRows * kLanes, 0.0F);
    std::fill_n(sums_, groups_ * kRows * v_.panels * kPanel, 0.0F);
    for (std::size_t first = 0; first < head_.keys; first += kKeys) {
      for (std::size_t g = 0; g < groups_; ++g) Block(first, g, purpose);
    }
  }

  void Block(std::size_t first, std::size_t g, Purpose purpose) {
    const std::size_t count = std::min(kKeys, head_.keys - first);
    const std::size_t panels = Panels(count);
    const std::uint32_t* q = q_ + g * kRows * k_.depth;
    RowGroup& group = scratch_.groups[g];
    for (std::size_t p = 0; p < panels; ++p) {
      const auto score = purpose == Purpose::kExact ? ScorePanel<Scores, Values, Purpose::kExact>
                         : first + p > 0            ? ScorePanel<Scores, Values, Purpose::kNext>
                                                    : ScorePanel<Scores, Values, Purpose::kFirst>;
      score(q, k_, first / kPanel + p, &constants_, group, p, scratch_.block);
    }
    Values::Finish(panels, constants_, group, scratch_.block);
    constexpr std::size_t kPerUnit = Packing::kKeysPerUnit;
    for (std::size_t p = 0; p < v_.panels; ++p) {
      Values::Mix(scratch_.block, v_.units + (p * v_.depth + first / kPerUnit) * kPanel,
                  Packing::Units(count), sums_ + (g * v_.panels + p) * kRows * kPanel);
    }
  }

  bool IsSound() const {
    for (std::size_t i = 0; i < queries_.rows; ++i) {
      const float sum = SumOfLanes(scratch_.groups[i / kRows].sums[i % kRows]);
      if (!(sum <= kMostProbability)) return false;
    }
    return true;
  }

  void Finish(std::size_t row) {
    RowGroup& group = scratch_.groups[row / kRows];
    const std::size_t r = row % kRows;
    const bool lost = group.lost[r] || !Scores::IsFinite(Scores::Tops(group)[r]);
    const float factor =
        lost ? std::numeric_limits<float>::quiet_NaN() : 1 / SumOfLanes(group.sums[r]);
    Bf16* y = static_cast<Bf16*>(queries_.y) + row * queries_.y_stride;
    for (std::size_t p = 0; p < v_.panels; ++p) {
      const std::size_t channel = p * kPanel;
      StoreRow(sums_ + ((row / kRows * v_.panels + p) * kRows + r) * kPanel, factor,
               v_.scales == nullptr ? nullptr : v_.scales + channel, v_.means + channel,
               std::min(kPanel, head_.width - channel), y + channel);
    }
  }

  static const Constants& ConstantsOf() {
    static const Constants constants = Values::MakeConstants();
    return constants;
  }

  const AttentionHead& head_;
  const AttentionQueries& queries_;
  const PackedK k_;
  const PackedV v_;
  Scratch<Values>& scratch_;
  const Constants& constants_ = ConstantsOf();
  const std::size_t groups_;
  std::uint32_t* const q_;
  float* const sums_;
};

template <class Scores, class Values>
AttentionKernel KernelOf(const char* name, Integers integers) {
  using Keys = typename Scores::Packing;
  using Packing = typename Values::Packing;
  using Run = Run<Scores, Values>;
  return {name,        integers,       kGroups * kRows,
          Keys::Bytes, Packing::Bytes, Run::ScratchBytes,
          Keys::Pack,  Packing::Pack,  Run::All};
}

}  // namespace

const AttentionKernel& DotAttention(Integers integers) {
  static const AttentionKernel none =
      KernelOf<Bf16Scores, Bf16Values>("fused vdpbf16ps zmm", Integers::kNone);
  static const AttentionKernel scores =
      KernelOf<Int8Scores, Bf16Values>("fused vpdpbusd scores, vdpbf16ps zmm", Integers::kScores);
  static const AttentionKernel all =
      KernelOf<Int8Scores, Int8Values>("fused vpdpbusd zmm", Integers::kAll);
  return integers == Integers::kNone ? none : integers == Integers::kScores ? scores : all;
}

}  // namespace xdna::ops
