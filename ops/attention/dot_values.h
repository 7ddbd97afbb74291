// Probabilities of a group of queries, and how dot products mix V by them.
#ifndef OPS_ATTENTION_DOT_VALUES_H_
#define OPS_ATTENTION_DOT_VALUES_H_

#include <hwy/base.h>
#include <immintrin.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/bf16.h"
#include "ops/attention/dot_pack.h"
#include "ops/attention/dot_scores.h"

namespace xdna::ops::dot {

// What turns steps into probabilities. Read from memory when a panel's sums are done: as constants
// the compiler would keep it in registers that the sums need.
struct alignas(64) Constants {
  std::array<std::uint8_t, 128> table;
  alignas(64) std::array<std::int16_t, kPanel> dither;  // by key of a panel
  std::uint32_t ones;                                   // as many as 32 bits hold
  Mask all = {{0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}, {~0U, ~0U}};
};

}  // namespace xdna::ops::dot

// Flags of the compiler promise no instruction set: these do, for what the caller has asked for.
HWY_PUSH_ATTRIBUTES("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512bf16,avx512vnni")
namespace xdna::ops::dot {

constexpr __mmask64 kLowBytes = 0x5555555555555555;

// P in bf16. Steps are those of a bf16's bits, but for the mantissa's curve.
template <std::size_t kRows_, std::size_t kKeys_>
struct Bf16Values {
  static constexpr std::size_t kRows = kRows_;  // of a group
  static constexpr std::size_t kKeys = kKeys_;  // of a block
  using Packing = ValuesBf16;
  // Of 2^0: the exponent's bias.
  static constexpr float kZeroSteps = 127 * kSteps;

  struct alignas(64) Block {
    Bf16 probabilities[kRows][kKeys];
  };

  // How much less than f the mantissa of 2^f is, f and mantissa in 128ths.
  static Constants MakeConstants() {
    Constants c = {{}, {}, 0x3F803F80};
    for (std::size_t f = 0; f < c.table.size(); ++f) {
      const double mantissa = std::round(kSteps * (std::exp2(static_cast<double>(f) / kSteps) - 1));
      c.table[f] = static_cast<std::uint8_t>(static_cast<double>(f) - mantissa);
    }
    return c;
  }

  // Of a panel.
  struct Emitter {
    __m512i table[2];
    __m512i ones;
    __mmask32 real[kHalves];

    HWY_INLINE Emitter(const Constants& c, const Mask& mask)
        : table{_mm512_load_si512(c.table.data()), _mm512_load_si512(c.table.data() + 64)},
          ones(_mm512_set1_epi32(static_cast<int>(c.ones))),
          real{mask.halves[0], mask.halves[1]} {}

    // Steps of a row of a panel to probabilities and their sum.
    HWY_INLINE void Row(const __m512 (&steps)[kVectors], std::size_t panel, std::size_t r,
                        RowGroup<kRows>& group, Block& block) const {
      __m512 total = _mm512_load_ps(group.sums[r]);
#pragma GCC unroll 2
      for (std::size_t h = 0; h < kHalves; ++h) {
        const __m512i whole = _mm512_packs_epi32(_mm512_cvtps_epi32(steps[2 * h]),
                                                 _mm512_cvtps_epi32(steps[2 * h + 1]));
        const __m512i bits = _mm512_maskz_max_epi16(real[h], whole, _mm512_setzero_si512());
        const __m512i p = _mm512_sub_epi16(
            bits, _mm512_maskz_permutex2var_epi8(kLowBytes, table[0], bits, table[1]));
        total = DotBf16(total, p, ones);
        _mm512_store_si512(block.probabilities[r] + panel * kPanel + h * 2 * kLanes, p);
      }
      _mm512_store_ps(group.sums[r], total);
    }
  };

  static void Finish(std::size_t /*panels*/, const Constants& /*c*/, RowGroup<kRows>& /*group*/,
                     Block& /*block*/) {}

  // A group's sums in a panel of channels: sums += P V; `v` begins with the block's first key.
  static HWY_NOINLINE void Mix(const Block& block, const std::uint32_t* v, std::size_t units,
                               float* sums) {
    __m512 sum[kRows][kVectors];
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kVectors; ++i) {
        sum[r][i] = _mm512_load_ps(sums + r * kPanel + i * kLanes);
      }
    }
    SumTile<__m512, DotBf16>(reinterpret_cast<const std::byte*>(block.probabilities),
                             sizeof block.probabilities[0], v, units, sum);
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kVectors; ++i) {
        _mm512_store_ps(sums + r * kPanel + i * kLanes, sum[r][i]);
      }
    }
  }
};

// P in u8: of a block the greatest is 255, and a factor of the block goes to the sums. They are
// rounded up or down by a threshold that goes through all of 128 in the 64 keys of a panel, so that
// many keys of the same small probability neither vanish together nor all count as 1; their sum is
// made before.
template <std::size_t kRows_, std::size_t kKeys_>
struct Int8Values {
  static constexpr std::size_t kRows = kRows_;  // of a group
  static constexpr std::size_t kKeys = kKeys_;  // of a block
  static_assert(kRows <= kLanes, "a vector holds what is known of each row");
  using Packing = ValuesInt8;
  static constexpr float kZeroSteps = 0;
  static constexpr unsigned kMoreBits = 7;  // of probabilities, for their sum

  struct alignas(64) Block {
    std::int16_t steps[kRows][kKeys];
    std::uint8_t probabilities[kRows][kKeys];
    std::int16_t tops[kRows][2 * kLanes];  // of steps, of each lane
    float factors[kLanes];                 // of a probability of 1 / 255, by row
  };

  // 255 times 2^-f, f in 128ths.
  static Constants MakeConstants() {
    Constants c = {{}, {}, 0x00010001};
    for (std::size_t f = 0; f < c.table.size(); ++f) {
      c.table[f] =
          static_cast<std::uint8_t>(std::lround(255 * std::exp2(-static_cast<double>(f) / kSteps)));
    }
    for (std::size_t key = 0; key < kPanel; ++key) {
      int reversed = 0;
      for (int bit = 0; bit < 6; ++bit) reversed |= static_cast<int>(key >> bit & 1) << (5 - bit);
      c.dither[key] = static_cast<std::int16_t>(2 * reversed + 1);
    }
    return c;
  }

  struct Emitter {
    __m512i least;
    __mmask32 real[kHalves];

    HWY_INLINE Emitter(const Constants& /*c*/, const Mask& mask)
        : least(_mm512_set1_epi16(std::numeric_limits<std::int16_t>::min())),
          real{mask.halves[0], mask.halves[1]} {}

    HWY_INLINE void Row(const __m512 (&steps)[kVectors], std::size_t panel, std::size_t r,
                        RowGroup<kRows>& /*group*/, Block& block) const {
      __m512i top = panel == 0 ? least : _mm512_load_si512(block.tops[r]);
#pragma GCC unroll 2
      for (std::size_t h = 0; h < kHalves; ++h) {
        const __m512i whole = _mm512_packs_epi32(_mm512_cvtps_epi32(steps[2 * h]),
                                                 _mm512_cvtps_epi32(steps[2 * h + 1]));
        const __m512i real_steps = _mm512_mask_mov_epi16(least, real[h], whole);
        top = _mm512_max_epi16(top, real_steps);
        _mm512_store_si512(block.steps[r] + panel * kPanel + h * 2 * kLanes, real_steps);
      }
      _mm512_store_si512(block.tops[r], top);
    }
  };

  static HWY_INLINE std::int16_t MaxOfWords(__m512i words) {
    const __m256i half =
        _mm256_max_epi16(_mm512_castsi512_si256(words), _mm512_extracti64x4_epi64(words, 1));
    const __m128i quarter =
        _mm_max_epi16(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    // vphminposuw finds the least, unsigned.
    const __m128i turned = _mm_xor_si128(quarter, _mm_set1_epi16(0x7FFF));
    return static_cast<std::int16_t>(_mm_extract_epi16(_mm_minpos_epu16(turned), 0) ^ 0x7FFF);
  }

  // 128 times 255 2^-(top - steps), for 32 steps.
  static HWY_INLINE __m512i Words(const std::int16_t* steps, __m512i top,
                                  const __m512i (&table)[2]) {
    const __m512i below = _mm512_subs_epi16(top, _mm512_load_si512(steps));
    const __m512i mantissa = _mm512_maskz_permutex2var_epi8(kLowBytes, table[0], below, table[1]);
    return _mm512_srlv_epi16(_mm512_slli_epi16(mantissa, kMoreBits), _mm512_srli_epi16(below, 7));
  }

  static HWY_INLINE __m512i Rounded(__m512i words, __m512i dither) {
    return _mm512_srli_epi16(_mm512_add_epi16(words, dither), kMoreBits);
  }

  // Steps of `panels` panels to probabilities, their sums and factors.
  static HWY_NOINLINE void Finish(std::size_t panels, const Constants& c, RowGroup<kRows>& group,
                                  Block& block) {
    const __m512i table[2] = {_mm512_load_si512(c.table.data()),
                              _mm512_load_si512(c.table.data() + 64)};
    const __m512i dither[2] = {_mm512_load_si512(c.dither.data()),
                               _mm512_load_si512(c.dither.data() + 2 * kLanes)};
    const __m512i ones = _mm512_set1_epi32(static_cast<int>(c.ones));
    alignas(64) std::int32_t tops[kLanes] = {};
    for (std::size_t r = 0; r < kRows; ++r) tops[r] = MaxOfWords(_mm512_load_si512(block.tops[r]));
    // 2^(top / 128) / 255: of the fraction by a polynomial, to 8.6e-5 (CoarseExp2's).
    const __m512 x =
        _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_load_si512(tops)), _mm512_set1_ps(1 / kSteps));
    const __m512 f = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512 power = _mm512_set1_ps(0.07706705118F / 255);
    power = _mm512_fmadd_ps(power, f, _mm512_set1_ps(0.2276449812F / 255));
    power = _mm512_fmadd_ps(power, f, _mm512_set1_ps(0.6951167887F / 255));
    power = _mm512_fmadd_ps(power, f, _mm512_set1_ps(1.0F / 255));
    _mm512_store_ps(block.factors, _mm512_scalef_ps(power, x));
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m512i top = _mm512_set1_epi16(static_cast<short>(tops[r]));
      __m512i total = _mm512_setzero_si512();
      for (std::size_t key = 0; key < panels * kPanel; key += kPanel) {
        const std::int16_t* steps = block.steps[r] + key;
        const __m512i low = Words(steps, top, table);
        const __m512i high = Words(steps + 2 * kLanes, top, table);
        total = DotInt16(DotInt16(total, low, ones), high, ones);
        _mm512_store_si512(block.probabilities[r] + key,
                           _mm512_packus_epi16(Rounded(low, dither[0]), Rounded(high, dither[1])));
      }
      const __m512 factor = _mm512_set1_ps(block.factors[r] / (1 << kMoreBits));
      _mm512_store_ps(group.sums[r], _mm512_fmadd_ps(_mm512_cvtepi32_ps(total), factor,
                                                     _mm512_load_ps(group.sums[r])));
    }
  }

  static HWY_NOINLINE void Mix(const Block& block, const std::uint32_t* v, std::size_t units,
                               float* sums) {
    __m512i sum[kRows][kVectors];
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kVectors; ++i) sum[r][i] = _mm512_setzero_si512();
    }
    SumTile<__m512i, DotInt8>(reinterpret_cast<const std::byte*>(block.probabilities),
                              sizeof block.probabilities[0], v, units, sum);
    AddScaled(sum, block, sums);
  }

  // sums += sum times the rows' factors.
  static HWY_INLINE void AddScaled(const __m512i (&sum)[kRows][kVectors], const Block& block,
                                   float* sums) {
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m512 factor = _mm512_set1_ps(block.factors[r]);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kVectors; ++i) {
        float* to = sums + r * kPanel + i * kLanes;
        _mm512_store_ps(to,
                        _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[r][i]), factor, _mm512_load_ps(to)));
      }
    }
  }
};

}  // namespace xdna::ops::dot
HWY_POP_ATTRIBUTES

#endif  // OPS_ATTENTION_DOT_VALUES_H_
