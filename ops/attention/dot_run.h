// Attention of one head, whatever makes the products: dot_attention.cc and tile_attention.cc.
//
// An Engine has Scores (dot_scores.h), Values (dot_values.h), kGroups: groups of a call, and
//   SumPanel(q, packed, panel, sum): a group's scores for a panel of keys;
//   Mix(block, v, units, sums): sums += P V for a block of keys and a panel of channels;
//   Begin(), End(): around all of those.
#ifndef OPS_ATTENTION_DOT_RUN_H_
#define OPS_ATTENTION_DOT_RUN_H_

#include <hwy/base.h>
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/bf16.h"
#include "ops/attention/attention_kernel.h"
#include "ops/attention/dot_pack.h"
#include "ops/attention/dot_scores.h"
#include "ops/attention/dot_values.h"

namespace xdna::ops::dot {

constexpr float kLog2E = 1.44269504088896341F;
// More than this makes the sums of products with V doubtful.
constexpr float kMostProbability = 0x1p64F;
constexpr float kMostValue = 0x1p40F;
// Steps from a row's greatest score that 32 bits hold.
constexpr float kMostSteps = 0x1p30F;

}  // namespace xdna::ops::dot

// Flags of the compiler promise no instruction set: these do, for what the caller has asked for.
HWY_PUSH_ATTRIBUTES("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512bf16,avx512vnni")
namespace xdna::ops::dot {

// A group's scores for a panel of keys, and what `kPurpose` says of them; `out`: the panel's place
// in the block.
template <class Engine, Purpose kPurpose>
HWY_NOINLINE void ScorePanel(const std::uint32_t* q, const PackedK& packed, std::size_t panel,
                             const Constants* constants, RowGroup<Engine::Values::kRows>& group,
                             std::size_t out, typename Engine::Values::Block& block) {
  using Scores = typename Engine::Scores;
  using Values = typename Engine::Values;
  constexpr std::size_t kRows = Values::kRows;
  typename Scores::Sum sum[kRows][kVectors];
  Engine::SumPanel(q, packed, panel, sum);
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
inline HWY_NOINLINE void StoreRow(const float* sums, float factor, const float* scales,
                                  const float* means, std::size_t channels, Bf16* out) {
  for (std::size_t j = 0; j < channels; j += kLanes) {
    const auto mask = static_cast<__mmask16>(0xFFFF >> (kLanes - std::min(kLanes, channels - j)));
    __m512 value = _mm512_mul_ps(_mm512_load_ps(sums + j), _mm512_set1_ps(factor));
    if (scales != nullptr) {
      value = _mm512_fmadd_ps(value, _mm512_loadu_ps(scales + j), _mm512_loadu_ps(means + j));
    }
    _mm256_mask_storeu_epi16(out + j, mask, reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value)));
  }
}

inline HWY_NOINLINE float SumOfLanes(const float* lanes) {
  return _mm512_reduce_add_ps(_mm512_load_ps(lanes));
}

}  // namespace xdna::ops::dot
HWY_POP_ATTRIBUTES

namespace xdna::ops::dot {

// One call of AttentionKernel::run.
template <class Engine>
class Run {
 public:
  using Scores = typename Engine::Scores;
  using Values = typename Engine::Values;
  using Group = RowGroup<Values::kRows>;
  using Keys = typename Scores::Packing;
  using Packing = typename Values::Packing;

  Run(const AttentionHead& head, const AttentionQueries& queries)
      : head_(head),
        queries_(queries),
        k_(Keys::View(head, queries.packed_k)),
        v_(Packing::View(head, queries.packed_v)),
        scratch_(*static_cast<Scratch*>(queries.scratch)),
        groups_((queries.rows + kRows - 1) / kRows),
        q_(reinterpret_cast<std::uint32_t*>(&scratch_ + 1)),
        sums_(reinterpret_cast<float*>(q_ + RoundUp(kGroups * kRows * k_.depth, kLanes))) {}

  static std::size_t ScratchBytes(const AttentionHead& h) {
    const std::size_t sums = kGroups * kRows * Panels(h.width) * kPanel;
    return sizeof(Scratch) + 4 * (RoundUp(kGroups * kRows * Keys::Depth(h.width), kLanes) + sums);
  }

  static void All(const AttentionHead& head, const AttentionQueries& queries) {
    Run run(head, queries);
    Engine::Begin();
    const bool tame = run.Prepare();
    if (tame) run.Pass(Purpose::kNext);
    if (!tame || !run.IsSound()) {
      run.FindTops();
      run.Pass(Purpose::kExact);
    }
    Engine::End();
    for (std::size_t row = 0; row < queries.rows; ++row) run.Finish(row);
  }

 private:
  static constexpr std::size_t kRows = Values::kRows;
  static constexpr std::size_t kKeys = Values::kKeys;
  static constexpr std::size_t kGroups = Engine::kGroups;

  // What a thread needs of memory; units of queries [row][depth] and sums
  // [group][panel][row][channel] follow it.
  struct alignas(64) Scratch {
    typename Values::Block block;
    Group groups[kGroups];
  };

  // The queries' units and factors. Returns whether no score can be far from any other of its row.
  bool Prepare() {
    std::fill_n(q_ + queries_.rows * k_.depth, (groups_ * kRows - queries_.rows) * k_.depth, 0);
    for (Group& g : scratch_.groups) {
      std::fill_n(g.factor, kRows, 0.0F);
      std::fill_n(g.lost, kRows, false);
    }
    const float steps = kSteps * kLog2E / std::sqrt(static_cast<float>(head_.width));
    bool tame = v_.most <= kMostValue;
    for (std::size_t i = 0; i < queries_.rows; ++i) {
      PrefetchRow(static_cast<const Bf16*>(queries_.q) + i * head_.stride, head_.width);
    }
    for (std::size_t i = 0; i < queries_.rows; ++i) {
      const Bf16* row = static_cast<const Bf16*>(queries_.q) + i * head_.stride;
      const Query query = Keys::PackQuery(row, head_, k_, q_ + i * k_.depth);
      Group& group = scratch_.groups[i / kRows];
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
      Group& group = scratch_.groups[g];
      std::fill_n(Scores::Tops(group), kRows, Scores::Least());
      for (std::size_t p = 0; p < panels; ++p) {
        ScorePanel<Engine, Purpose::kFindTops>(q_ + g * kRows * k_.depth, k_, p, &constants_, group,
                                               0, scratch_.block);
      }
    }
  }

  void Pass(Purpose purpose) {
    for (Group& g : scratch_.groups) std::fill_n(g.sums[0], kRows * kLanes, 0.0F);
    std::fill_n(sums_, groups_ * kRows * v_.panels * kPanel, 0.0F);
    for (std::size_t first = 0; first < head_.keys; first += kKeys) {
      for (std::size_t g = 0; g < groups_; ++g) Block(first, g, purpose);
    }
  }

  void Block(std::size_t first, std::size_t g, Purpose purpose) {
    const std::size_t count = std::min(kKeys, head_.keys - first);
    const std::size_t panels = Panels(count);
    const std::uint32_t* q = q_ + g * kRows * k_.depth;
    Group& group = scratch_.groups[g];
    for (std::size_t p = 0; p < panels; ++p) {
      const auto score = purpose == Purpose::kExact ? ScorePanel<Engine, Purpose::kExact>
                         : first + p > 0            ? ScorePanel<Engine, Purpose::kNext>
                                                    : ScorePanel<Engine, Purpose::kFirst>;
      score(q, k_, first / kPanel + p, &constants_, group, p, scratch_.block);
    }
    Values::Finish(panels, constants_, group, scratch_.block);
    constexpr std::size_t kPerUnit = Packing::kKeysPerUnit;
    for (std::size_t p = 0; p < v_.panels; ++p) {
      Engine::Mix(scratch_.block, v_.units + (p * v_.depth + first / kPerUnit) * kPanel,
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
    Group& group = scratch_.groups[row / kRows];
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
  Scratch& scratch_;
  const Constants& constants_ = ConstantsOf();
  const std::size_t groups_;
  std::uint32_t* const q_;
  float* const sums_;
};

template <class Engine>
AttentionKernel KernelOf(const char* name, Integers integers) {
  using Run = Run<Engine>;
  return {name,
          integers,
          Engine::kGroups * Engine::Values::kRows,
          Run::Keys::Bytes,
          Run::Packing::Bytes,
          Run::ScratchBytes,
          Run::Keys::Pack,
          Run::Packing::Pack,
          Run::All};
}

// An instruction set's kernel with these integers; `names` of all three.
template <template <class, class> class Engine, class ToBf16, class ToInt8>
const AttentionKernel& KernelWith(Integers integers, const char* const (&names)[3]) {
  static const AttentionKernel kernels[] = {
      KernelOf<Engine<Bf16Scores, ToBf16>>(names[0], Integers::kNone),
      KernelOf<Engine<Int8Scores, ToBf16>>(names[1], Integers::kScores),
      KernelOf<Engine<Int8Scores, ToInt8>>(names[2], Integers::kAll)};
  return kernels[static_cast<std::size_t>(integers)];
}

}  // namespace xdna::ops::dot

#endif  // OPS_ATTENTION_DOT_RUN_H_
