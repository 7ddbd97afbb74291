#include "ops/attention/dot_attention.h"

#include <hwy/base.h>
#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/bf16.h"
#include "ops/attention/attention_kernel.h"
#include "ops/attention/dot_pack.h"

namespace xdna::ops {
namespace {

using dot::kHalves;
using dot::kLanes;
using dot::kPanel;
using dot::kVectors;

// Queries of a group: 6 x 4 vectors of sums, 4 of K or V and one of a row in 32 registers.
constexpr std::size_t kRows = 6;
// Groups of a call.
constexpr std::size_t kGroups = 10;
// Keys of a block: 32 KB of K or V, which all groups find in the first-level cache.
constexpr std::size_t kKeys = 256;
// Of a probability's exponent: 2^-7.
constexpr float kSteps = 128;
// Of 2^0: bf16's bias.
constexpr float kOne = 127 * kSteps;
constexpr float kLog2E = 1.44269504088896341F;
// More than this makes the sums of products with V doubtful.
constexpr float kMostProbability = 0x1p64F;
constexpr float kMostValue = 0x1p40F;
// Steps from a row's greatest score that 32 bits hold.
constexpr float kMostSteps = 0x1p30F;

// How much less than f the mantissa of 2^f is, f and mantissa in 128ths.
std::array<std::uint8_t, 128> MantissaTable() {
  std::array<std::uint8_t, 128> table{};
  for (std::size_t f = 0; f < table.size(); ++f) {
    const double mantissa = std::round(kSteps * (std::exp2(static_cast<double>(f) / kSteps) - 1));
    table[f] = static_cast<std::uint8_t>(static_cast<double>(f) - mantissa);
  }
  return table;
}

// What turns scores into probabilities, read when sums are done: as constants the compiler would
// keep them in registers that the sums need.
struct alignas(64) Constants {
  std::array<std::uint8_t, 128> mantissa = MantissaTable();
  std::uint32_t ones = 0x3F803F80;  // two in bf16
  dot::Mask all = {{0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}, {~0U, ~0U}};
};

// What is known of a group's rows.
struct alignas(64) RowGroup {
  float sums[kRows][kLanes];  // of probabilities; of each lane
  union {                     // the score that has the probability 1
    float top_f32[kRows];
    std::int32_t top_i32[kRows];
  };
  // Steps of 2^x are score * factor + offset; kExact: (score - top) * factor + offset.
  float factor[kRows];
  float offset[kRows];
  bool lost[kRows];  // a NaN or an infinity is among the scores
};

// What a thread needs of memory; units of queries [row][depth] and sums
// [group][panel][row][channel] follow it.
struct alignas(64) Scratch {
  Bf16 probabilities[kRows][kKeys];
  RowGroup groups[kGroups];
};

const Constants& TheConstants() {
  static const Constants constants;
  return constants;
}

enum class Purpose : std::uint8_t {
  kFirst,     // probabilities relative to this panel's tops
  kNext,      // and to those of the first panel
  kFindTops,  // of all panels, one after the other
  kExact      // probabilities relative to these, however large
};

}  // namespace
}  // namespace xdna::ops

// Flags of the compiler promise no instruction set: these do, for what the caller has asked for.
HWY_PUSH_ATTRIBUTES("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512bf16,avx512vnni")
namespace xdna::ops {
namespace {

// In assembler: GCC 12 makes copies of the sums of its own functions for these, and runs out of
// registers.
HWY_INLINE __m512 DotBf16(__m512 sum, __m512i a, __m512i b) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}
HWY_INLINE __m512i DotInt8(__m512i sum, __m512i a, __m512i b) {
  asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}

// Scores by vdpbf16ps.
struct Bf16Scores {
  using Packing = dot::PackedBf16;
  using Sum = __m512;
  using Top = float;
  static constexpr const char* kName = "fused vdpbf16ps zmm";

  static HWY_INLINE Sum Start(const dot::PackedK& /*k*/, std::size_t /*key*/) {
    return _mm512_setzero_ps();
  }
  static HWY_INLINE Sum Dot(Sum sum, __m512i q, __m512i k) { return DotBf16(sum, q, k); }
  static HWY_INLINE __m512 ToFloat(Sum sum) { return sum; }
  static HWY_INLINE __m512 Less(Sum sum, Top top) {
    return _mm512_sub_ps(sum, _mm512_set1_ps(top));
  }
  static Top Least() { return -std::numeric_limits<float>::infinity(); }
  static HWY_INLINE Sum Max(Sum a, __mmask16 real, Sum b) {
    return _mm512_mask_max_ps(a, real, a, b);
  }
  static HWY_INLINE Sum All(Top top) { return _mm512_set1_ps(top); }
  static HWY_INLINE Top MaxOfLanes(Sum sum) { return _mm512_reduce_max_ps(sum); }
  static HWY_INLINE bool HasNan(Sum sum, __mmask16 real) {
    return _mm512_mask_cmp_ps_mask(real, sum, sum, _CMP_UNORD_Q) != 0;
  }
  static bool IsFinite(Top top) { return std::isfinite(top); }
  static Top* Tops(RowGroup& g) { return g.top_f32; }
};

// Scores by vpdpbusd.
struct Int8Scores {
  using Packing = dot::PackedInt8;
  using Sum = __m512i;
  using Top = std::int32_t;
  static constexpr const char* kName = "fused vpdpbusd and vdpbf16ps zmm";

  // Q is in u8 with 128 for 0: what that adds is taken off beforehand.
  static HWY_INLINE Sum Start(const dot::PackedK& k, std::size_t key) {
    return _mm512_load_si512(k.starts + key);
  }
  static HWY_INLINE Sum Dot(Sum sum, __m512i q, __m512i k) { return DotInt8(sum, q, k); }
  static HWY_INLINE __m512 ToFloat(Sum sum) { return _mm512_cvtepi32_ps(sum); }
  static HWY_INLINE __m512 Less(Sum sum, Top top) {
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, _mm512_set1_epi32(top)));
  }
  static Top Least() { return std::numeric_limits<Top>::min(); }
  static HWY_INLINE Sum Max(Sum a, __mmask16 real, Sum b) {
    return _mm512_mask_max_epi32(a, real, a, b);
  }
  static HWY_INLINE Sum All(Top top) { return _mm512_set1_epi32(top); }
  static HWY_INLINE Top MaxOfLanes(Sum sum) { return _mm512_reduce_max_epi32(sum); }
  static HWY_INLINE bool HasNan(Sum /*sum*/, __mmask16 /*real*/) { return false; }
  static bool IsFinite(Top /*top*/) { return true; }
  static Top* Tops(RowGroup& g) { return g.top_i32; }
};

// What all rows of a panel need to make probabilities of scores.
struct Exponential {
  __m512i mantissa[2];  // the table
  __m512i ones;
  __mmask32 real[kHalves];

  HWY_INLINE Exponential(const Constants& c, const dot::Mask& mask)
      : mantissa{_mm512_load_si512(c.mantissa.data()), _mm512_load_si512(c.mantissa.data() + 64)},
        ones(_mm512_set1_epi32(static_cast<int>(c.ones))),
        real{mask.halves[0], mask.halves[1]} {}

  // Steps of 32 keys: rounded, saturated to 16 bits, then 2^x.
  HWY_INLINE __m512i Probabilities(__m512 low, __m512 high, __mmask32 mask) const {
    const __m512i steps = _mm512_packs_epi32(_mm512_cvtps_epi32(low), _mm512_cvtps_epi32(high));
    const __m512i positive = _mm512_maskz_max_epi16(mask, steps, _mm512_setzero_si512());
    constexpr __mmask64 kLowBytes = 0x5555555555555555;
    return _mm512_sub_epi16(
        positive, _mm512_maskz_permutex2var_epi8(kLowBytes, mantissa[0], positive, mantissa[1]));
  }
};

// A group's scores for a panel of keys, and what `kPurpose` says of them.
template <class Scores, Purpose kPurpose>
HWY_NOINLINE void ScorePanel(const std::uint32_t* q, const dot::PackedK& packed, std::size_t panel,
                             const Constants* constants, RowGroup& group, Bf16* out) {
  typename Scores::Sum sum[kRows][kVectors];
#pragma GCC unroll 4
  for (std::size_t v = 0; v < kVectors; ++v) {
    const auto start = Scores::Start(packed, panel * kPanel + v * kLanes);
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) sum[r][v] = start;
  }
  const std::uint32_t* k = packed.units + panel * kPanel * packed.depth;
  const std::size_t depth = packed.depth;
  for (std::size_t u = 0; u < depth; ++u, ++q, k += kPanel) {
    __m512i column[kVectors];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v) column[v] = _mm512_load_si512(k + v * kLanes);
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m512i row = _mm512_set1_epi32(static_cast<int>(q[r * depth]));
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVectors; ++v) {
        sum[r][v] = Scores::Dot(sum[r][v], row, column[v]);
      }
    }
  }
  asm volatile("" : "+r"(constants) : : "memory");  // nothing from here on is read earlier

  const dot::Mask& mask = (panel + 1) * kPanel < packed.keys ? constants->all : packed.last;
  auto* tops = Scores::Tops(group);
  if (kPurpose == Purpose::kFirst || kPurpose == Purpose::kFindTops) {
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) {
      auto top = Scores::All(kPurpose == Purpose::kFirst ? Scores::Least() : tops[r]);
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVectors; ++v) {
        top = Scores::Max(top, mask.vectors[v], sum[r][v]);
        if (kPurpose == Purpose::kFindTops) {
          group.lost[r] |= Scores::HasNan(sum[r][v], mask.vectors[v]);
        }
      }
      tops[r] = Scores::MaxOfLanes(top);
      group.offset[r] = kOne;
      if (kPurpose == Purpose::kFirst) {
        group.offset[r] -= static_cast<float>(tops[r]) * group.factor[r];
      }
    }
  }
  if (kPurpose == Purpose::kFindTops) return;
  const Exponential exponential(*constants, mask);
#pragma GCC unroll 6
  for (std::size_t r = 0; r < kRows; ++r) {
    const __m512 factor = _mm512_set1_ps(group.factor[r]);
    const __m512 offset = _mm512_set1_ps(group.offset[r]);
    __m512 total = _mm512_load_ps(group.sums[r]);
#pragma GCC unroll 2
    for (std::size_t h = 0; h < kHalves; ++h) {
      __m512 steps[2];
#pragma GCC unroll 2
      for (std::size_t i = 0; i < 2; ++i) {
        const __m512 score = kPurpose == Purpose::kExact ? Scores::Less(sum[r][2 * h + i], tops[r])
                                                         : Scores::ToFloat(sum[r][2 * h + i]);
        steps[i] = _mm512_fmadd_ps(score, factor, offset);
      }
      const __m512i p = exponential.Probabilities(steps[0], steps[1], exponential.real[h]);
      total = DotBf16(total, p, exponential.ones);
      _mm512_store_si512(out + r * kKeys + h * 2 * kLanes, p);
    }
    _mm512_store_ps(group.sums[r], total);
  }
}

// A group's sums in a panel of channels: sums += P V over `depth` pairs of keys.
HWY_NOINLINE void MixValues(const Bf16* probabilities, const std::uint32_t* v, std::size_t depth,
                            float* sums) {
  __m512 sum[kRows][kVectors];
#pragma GCC unroll 6
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kVectors; ++i) {
      sum[r][i] = _mm512_load_ps(sums + r * kPanel + i * kLanes);
    }
  }
  for (std::size_t k = 0; k < depth; ++k, probabilities += 2, v += kPanel) {
    __m512i column[kVectors];
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kVectors; ++i) column[i] = _mm512_load_si512(v + i * kLanes);
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) {
      int pair = 0;
      std::memcpy(&pair, probabilities + r * kKeys, sizeof pair);
      const __m512i row = _mm512_set1_epi32(pair);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kVectors; ++i) sum[r][i] = DotBf16(sum[r][i], row, column[i]);
    }
  }
#pragma GCC unroll 6
  for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kVectors; ++i) {
      _mm512_store_ps(sums + r * kPanel + i * kLanes, sum[r][i]);
    }
  }
}

// `sums` * factor to bf16 [channels], at most a panel's.
HWY_NOINLINE void StoreRow(const float* sums, float factor, std::size_t channels, Bf16* out) {
  for (std::size_t j = 0; j < channels; j += kLanes) {
    const auto mask = static_cast<__mmask16>(0xFFFF >> (kLanes - std::min(kLanes, channels - j)));
    const __m512 value = _mm512_mul_ps(_mm512_load_ps(sums + j), _mm512_set1_ps(factor));
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
template <class Scores>
class Run {
 public:
  using Packing = typename Scores::Packing;

  Run(const AttentionHead& head, const AttentionQueries& queries)
      : head_(head),
        queries_(queries),
        k_(Packing::ViewK(head, queries.packed_k)),
        v_(dot::ViewV(head, queries.packed_v)),
        scratch_(*static_cast<Scratch*>(queries.scratch)),
        groups_((queries.rows + kRows - 1) / kRows),
        q_(reinterpret_cast<std::uint32_t*>(&scratch_ + 1)),
        sums_(reinterpret_cast<float*>(q_ + dot::RoundUp(kGroups * kRows * k_.depth, kLanes))) {}

  static std::size_t ScratchBytes(const AttentionHead& h) {
    const std::size_t sums = kGroups * kRows * dot::Panels(h.width) * kPanel;
    return sizeof(Scratch) +
           4 * (dot::RoundUp(kGroups * kRows * Packing::Depth(h.width), kLanes) + sums);
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
      dot::PrefetchRow(static_cast<const Bf16*>(queries_.q) + i * head_.stride, head_.width);
    }
    for (std::size_t i = 0; i < queries_.rows; ++i) {
      const Bf16* row = static_cast<const Bf16*>(queries_.q) + i * head_.stride;
      const dot::Query query = Packing::PackQ(row, head_, k_, q_ + i * k_.depth);
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
    const std::size_t panels = dot::Panels(head_.keys);
    for (std::size_t g = 0; g < groups_; ++g) {
      RowGroup& group = scratch_.groups[g];
      std::fill_n(Scores::Tops(group), kRows, Scores::Least());
      for (std::size_t p = 0; p < panels; ++p) {
        ScorePanel<Scores, Purpose::kFindTops>(q_ + g * kRows * k_.depth, k_, p, &constants_, group,
                                               nullptr);
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
    const std::size_t panels = dot::Panels(count);
    const std::uint32_t* q = q_ + g * kRows * k_.depth;
    for (std::size_t p = 0; p < panels; ++p) {
      const auto score = purpose == Purpose::kExact ? ScorePanel<Scores, Purpose::kExact>
                         : first + p > 0            ? ScorePanel<Scores, Purpose::kNext>
                                                    : ScorePanel<Scores, Purpose::kFirst>;
      score(q, k_, first / kPanel + p, &constants_, scratch_.groups[g],
            scratch_.probabilities[0] + p * kPanel);
    }
    for (std::size_t p = 0; p < v_.panels; ++p) {
      MixValues(scratch_.probabilities[0], v_.units + (p * v_.pairs + first / 2) * kPanel,
                (count + 1) / 2, sums_ + (g * v_.panels + p) * kRows * kPanel);
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
      StoreRow(sums_ + ((row / kRows * v_.panels + p) * kRows + r) * kPanel, factor,
               std::min(kPanel, head_.width - p * kPanel), y + p * kPanel);
    }
  }

  const AttentionHead& head_;
  const AttentionQueries& queries_;
  const dot::PackedK k_;
  const dot::PackedV v_;
  Scratch& scratch_;
  const Constants& constants_ = TheConstants();
  const std::size_t groups_;
  std::uint32_t* const q_;
  float* const sums_;
};

template <class Scores>
AttentionKernel KernelOf() {
  using Packing = typename Scores::Packing;
  return {Scores::kName,  kGroups * kRows, Packing::KBytes, dot::VBytes, Run<Scores>::ScratchBytes,
          Packing::PackK, dot::PackV,      Run<Scores>::All};
}

}  // namespace

const AttentionKernel& DotAttentionBf16() {
  static const AttentionKernel kernel = KernelOf<Bf16Scores>();
  return kernel;
}

const AttentionKernel& DotAttentionInt8() {
  static const AttentionKernel kernel = KernelOf<Int8Scores>();
  return kernel;
}

}  // namespace xdna::ops
