// Scores of a group of queries, and how dot products make them in registers.
#ifndef OPS_ATTENTION_DOT_SCORES_H_
#define OPS_ATTENTION_DOT_SCORES_H_

#include <hwy/base.h>
#include <immintrin.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "ops/attention/dot_pack.h"

namespace xdna::ops::dot {

// Steps of an octave: x of 2^x has 7 bits after the point.
constexpr float kSteps = 128;

// What is known of a group's rows.
template <std::size_t kRows>
struct alignas(64) RowGroup {
  float sums[kRows][kLanes];  // of probabilities; of each lane
  union {                     // the score that offset is for
    float top_f32[kRows];
    std::int32_t top_i32[kRows];
  };
  // Steps of 2^x are score * factor + offset; Purpose::kExact: (score - top) * factor + offset.
  float factor[kRows];
  float offset[kRows];
  bool lost[kRows];  // a NaN or an infinity is among the scores
};

enum class Purpose : std::uint8_t {
  kFirst,     // probabilities relative to this panel's tops
  kNext,      // and to those of the first panel
  kFindTops,  // of all panels, one after the other
  kExact      // probabilities relative to these, however large
};

}  // namespace xdna::ops::dot

// Flags of the compiler promise no instruction set: these do, for what the caller has asked for.
HWY_PUSH_ATTRIBUTES("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512bf16,avx512vnni")
namespace xdna::ops::dot {

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

HWY_INLINE __m512i DotInt16(__m512i sum, __m512i a, __m512i b) {
  asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}

// Scores by vdpbf16ps.
struct Bf16Scores {
  using Packing = KeysBf16;
  using Sum = __m512;
  using Top = float;

  static HWY_INLINE Sum Start(const PackedK& /*k*/, std::size_t /*key*/) {
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
  template <std::size_t kRows>
  static Top* Tops(RowGroup<kRows>& g) {
    return g.top_f32;
  }
};

// Scores by vpdpbusd.
struct Int8Scores {
  using Packing = KeysInt8;
  using Sum = __m512i;
  using Top = std::int32_t;

  // Q is in u8 with 128 for 0: what that adds is taken off beforehand.
  static HWY_INLINE Sum Start(const PackedK& k, std::size_t key) {
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
  template <std::size_t kRows>
  static Top* Tops(RowGroup<kRows>& g) {
    return g.top_i32;
  }
};

// A tile of sums: sum[r][v] += rows[r][k] columns[k][v] over `depth`
// units, rows `pitch` bytes apart.
template <typename Sum, Sum (*Dot)(Sum, __m512i, __m512i), std::size_t kRows>
HWY_INLINE void SumTile(const std::byte* rows, std::size_t pitch, const std::uint32_t* columns,
                        std::size_t depth, Sum (&sum)[kRows][kVectors]) {
  for (std::size_t k = 0; k < depth; ++k, rows += sizeof(std::uint32_t), columns += kPanel) {
    __m512i column[kVectors];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v) column[v] = _mm512_load_si512(columns + v * kLanes);
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) {
      int unit = 0;
      std::memcpy(&unit, rows + r * pitch, sizeof unit);
      const __m512i row = _mm512_set1_epi32(unit);
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVectors; ++v) sum[r][v] = Dot(sum[r][v], row, column[v]);
    }
  }
}

// `sum` [row][vector]: a group's scores for a panel of keys. `q`: its first row's units.
template <class Scores, std::size_t kRows>
HWY_INLINE void SumPanel(const std::uint32_t* q, const PackedK& packed, std::size_t panel,
                         typename Scores::Sum (&sum)[kRows][kVectors]) {
#pragma GCC unroll 4
  for (std::size_t v = 0; v < kVectors; ++v) {
    const auto start = Scores::Start(packed, panel * kPanel + v * kLanes);
#pragma GCC unroll 6
    for (std::size_t r = 0; r < kRows; ++r) sum[r][v] = start;
  }
  SumTile<typename Scores::Sum, Scores::Dot>(
      reinterpret_cast<const std::byte*>(q), packed.depth * sizeof *q,
      packed.units + panel * kPanel * packed.depth, packed.depth, sum);
}

// The greatest scores of a panel's real keys, and of what was before with kFindTops.
template <class Scores, Purpose kPurpose, std::size_t kRows>
HWY_INLINE void TakeTops(const typename Scores::Sum (&sum)[kRows][kVectors], const Mask& mask,
                         RowGroup<kRows>& group) {
  auto* tops = Scores::Tops(group);
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
  }
}

}  // namespace xdna::ops::dot
HWY_POP_ATTRIBUTES

#endif  // OPS_ATTENTION_DOT_SCORES_H_
