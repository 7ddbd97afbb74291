#include "ops/attention/dot_pack.h"

#include <hwy/base.h>
#include <immintrin.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include "base/bf16.h"
#include "ops/attention/attention_kernel.h"

namespace xdna::ops::dot {
namespace {

constexpr float kMostInt8 = 127;
constexpr std::int32_t kZeroU8 = 128;

// What lies before the units of K and V.
struct alignas(64) Header {
  float scale = 1;
  float most = 0;
};

// The key at a column of a panel: of two vectors of 16 scores, vpackssdw takes four and four in
// turns.
constexpr std::size_t KeyAt(std::size_t column) {
  const std::size_t vector = column / kLanes;
  const std::size_t lane = column % kLanes;
  return vector / 2 * 2 * kLanes + lane / 4 * 8 + vector % 2 * 4 + lane % 4;
}

Mask MaskOf(std::size_t keys) {
  Mask mask = {};
  for (std::size_t column = 0; column < kPanel; ++column) {
    if (KeyAt(column) < keys) {
      mask.vectors[column / kLanes] |= static_cast<std::uint16_t>(1U << column % kLanes);
    }
    if (column < keys) mask.halves[column / 32] |= 1U << column % 32;
  }
  return mask;
}

// Of a row of integers.
float ScaleFor(float most) { return most > 0 ? most / kMostInt8 : 1; }

std::size_t KeysOf(const AttentionHead& head) { return RoundUp(head.keys, kPanel); }
std::size_t ChannelsOf(const AttentionHead& head) { return RoundUp(head.width, kPanel); }

// Of a panel's 64 probabilities in bytes, the first of the four in a unit: vpackuswb takes eight
// of the first half and eight of the second in turns.
std::size_t FirstKeyOf(std::size_t unit) { return unit / 4 * 8 + unit / 2 % 2 * 32 + unit % 2 * 4; }

}  // namespace
}  // namespace xdna::ops::dot

// Flags of the compiler promise no instruction set: these do, for what the caller has asked for.
HWY_PUSH_ATTRIBUTES("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")
namespace xdna::ops::dot {
namespace {

__mmask16 FirstLanes(std::size_t count) {
  return static_cast<__mmask16>(count >= kLanes ? 0xFFFF : (1U << count) - 1);
}

HWY_INLINE __m512 LoadBf16(const Bf16* from, __mmask16 mask) {
  return _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, from)), 16));
}

HWY_INLINE std::uint16_t MaxOfWords(__m512i words) {
  const __m512i both = _mm512_max_epu32(_mm512_and_si512(words, _mm512_set1_epi32(0xFFFF)),
                                        _mm512_srli_epi32(words, 16));
  return static_cast<std::uint16_t>(_mm512_reduce_max_epu32(both));
}

// Rows lie pages apart, so the processor does not fetch them ahead by itself: with this, packing
// took 0.6 of the time.
constexpr std::size_t kRowsAhead = 32;

// The greatest magnitude of `rows` rows; not finite where a value is not: as integers the bits of
// infinity and NaN are above all others.
HWY_NOINLINE float Most(const Bf16* row, std::size_t rows, std::size_t stride, std::size_t width) {
  __m512i most = _mm512_setzero_si512();
  for (; rows > 0; --rows, row += stride) {
    PrefetchRow(row + kRowsAhead * stride, width);
    for (std::size_t j = 0; j < width; j += 2 * kLanes) {
      const std::size_t count = std::min(2 * kLanes, width - j);
      const auto mask = static_cast<__mmask32>(~std::uint32_t{0} >> (2 * kLanes - count));
      const __m512i bits = _mm512_maskz_loadu_epi16(mask, row + j);
      most = _mm512_max_epu16(most, _mm512_and_si512(bits, _mm512_set1_epi16(0x7FFF)));
    }
  }
  return Bf16{MaxOfWords(most)}.ToFloat();
}

// 16 rows of 16 units to columns.
HWY_INLINE void Transpose16(__m512i (&x)[kLanes]) {
  __m512i y[kLanes];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kLanes; i += 2) {
    y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
    y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
  }
  // x[i + c]: in the quarter q, column 4 q + c of rows i to i + 3.
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kLanes; i += 4) {
    x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
    x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
    x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
    x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
  }
  constexpr int kEven = 0x88;  // quarters 0 and 2
  constexpr int kOdd = 0xDD;
#pragma GCC unroll 4
  for (std::size_t c = 0; c < 4; ++c) {
    const __m512i even0 = _mm512_shuffle_i32x4(x[c], x[4 + c], kEven);
    const __m512i even8 = _mm512_shuffle_i32x4(x[8 + c], x[12 + c], kEven);
    const __m512i odd0 = _mm512_shuffle_i32x4(x[c], x[4 + c], kOdd);
    const __m512i odd8 = _mm512_shuffle_i32x4(x[8 + c], x[12 + c], kOdd);
    x[c] = _mm512_shuffle_i32x4(even0, even8, kEven);
    x[4 + c] = _mm512_shuffle_i32x4(odd0, odd8, kEven);
    x[8 + c] = _mm512_shuffle_i32x4(even0, even8, kOdd);
    x[12 + c] = _mm512_shuffle_i32x4(odd0, odd8, kOdd);
  }
}

// Rows of `depth` units, `pitch` bytes from one to the next, to panels of `panel_depth`; a row that
// is missing is 0.
HWY_NOINLINE void Transpose(const void* rows, std::size_t pitch, std::size_t keys,
                            std::size_t depth, std::size_t panel_depth, std::uint32_t* units) {
  for (std::size_t first = 0; first < keys; first += kPanel, units += panel_depth * kPanel) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      for (std::size_t u = 0; u < depth; u += kLanes) {
        const __mmask16 mask = FirstLanes(depth - u);
        __m512i x[kLanes];
#pragma GCC unroll 16
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
          const std::size_t key = first + KeyAt(v * kLanes + lane);
          const auto* row = static_cast<const std::byte*>(rows) + key * pitch + 4 * u;
          x[lane] = key < keys ? _mm512_maskz_loadu_epi32(mask, row) : _mm512_setzero_si512();
        }
        Transpose16(x);
        const std::size_t count = std::min(kLanes, depth - u);
        for (std::size_t i = 0; i < count; ++i) {
          _mm512_store_si512(units + (u + i) * kPanel + v * kLanes, x[i]);
        }
      }
    }
  }
}

// By channel of K or V, the mean over the keys and the greatest distance from it. A mean is not
// finite where a value is not.
HWY_NOINLINE void CenterChannels(const AttentionHead& head, const Bf16* rows, float* mean,
                                 float* distance) {
  for (std::size_t j = 0; j < head.width; j += kPanel) {
    __mmask16 mask[kVectors];
    __m512 sum[kVectors], most[kVectors], least[kVectors];
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v) {
      const std::size_t channel = j + v * kLanes;
      mask[v] = FirstLanes(head.width - std::min(head.width, channel));
      sum[v] = _mm512_setzero_ps();
      most[v] = least[v] = LoadBf16(rows + channel, mask[v]);
    }
    const Bf16* row = rows + j;
    for (std::size_t i = 0; i < head.keys; ++i, row += head.stride) {
      PrefetchRow(row + kRowsAhead * head.stride, std::min(kPanel, head.width - j));
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVectors; ++v) {
        const __m512 value = LoadBf16(row + v * kLanes, mask[v]);
        sum[v] = _mm512_add_ps(sum[v], value);
        most[v] = _mm512_max_ps(most[v], value);
        least[v] = _mm512_min_ps(least[v], value);
      }
    }
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v) {
      const __m512 center = _mm512_div_ps(sum[v], _mm512_set1_ps(static_cast<float>(head.keys)));
      const __m512 far =
          _mm512_max_ps(_mm512_sub_ps(most[v], center), _mm512_sub_ps(center, least[v]));
      _mm512_mask_storeu_ps(mean + j + v * kLanes, mask[v], center);
      _mm512_mask_storeu_ps(distance + j + v * kLanes, mask[v], far);
    }
  }
}

// (k - mean) / scale to integers [width], and -128 times their sum.
HWY_INLINE std::int32_t QuantizeKey(const Bf16* k, const float* mean, std::size_t width,
                                    float inverse, std::int8_t* out) {
  __m512i sum = _mm512_setzero_si512();
  for (std::size_t j = 0; j < width; j += kLanes) {
    const __mmask16 mask = FirstLanes(width - j);
    const __m512 value =
        _mm512_sub_ps(LoadBf16(k + j, mask), _mm512_maskz_loadu_ps(mask, mean + j));
    const __m512i whole =
        _mm512_maskz_cvtps_epi32(mask, _mm512_mul_ps(value, _mm512_set1_ps(inverse)));
    sum = _mm512_add_epi32(sum, whole);
    _mm_mask_storeu_epi8(out + j, mask, _mm512_cvtsepi32_epi8(whole));
  }
  return -kZeroU8 * _mm512_reduce_add_epi32(sum);
}

HWY_NOINLINE void QuantizeKeys(const AttentionHead& head, const Bf16* k, const float* mean,
                               float inverse, std::size_t pitch, std::int8_t* rows,
                               std::int32_t* starts) {
  for (std::size_t column = 0; column < KeysOf(head); ++column) {
    const std::size_t key = column / kPanel * kPanel + KeyAt(column % kPanel);
    starts[column] = key >= head.keys ? 0
                                      : QuantizeKey(k + key * head.stride, mean, head.width,
                                                    inverse, rows + key * pitch);
  }
}

// `row` / scale to u8 with 128 for 0 [width].
HWY_NOINLINE void QuantizeQuery(const Bf16* row, std::size_t width, float inverse,
                                std::uint8_t* out) {
  for (std::size_t j = 0; j < width; j += kLanes) {
    const __mmask16 mask = FirstLanes(width - j);
    const __m512 steps = _mm512_mul_ps(LoadBf16(row + j, mask), _mm512_set1_ps(inverse));
    const __m512i whole = _mm512_add_epi32(_mm512_cvtps_epi32(steps), _mm512_set1_epi32(kZeroU8));
    _mm_mask_storeu_epi8(out + j, mask, _mm512_cvtepi32_epi8(whole));
  }
}

HWY_INLINE __m512i Words(const Bf16* row, __mmask16 mask) {
  return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, row));
}

// Two rows of V in up to a panel's channels, the second one null where there is none, to pairs.
HWY_NOINLINE void PackPair(const Bf16* even, const Bf16* odd, std::size_t channels,
                           std::uint32_t* out) {
  for (std::size_t j = 0; j < kPanel; j += kLanes, out += kLanes) {
    const __mmask16 mask = FirstLanes(channels - std::min(channels, j));
    const __m512i high = odd == nullptr ? _mm512_setzero_si512() : Words(odd + j, mask);
    _mm512_store_si512(out, _mm512_or_si512(Words(even + j, mask), _mm512_slli_epi32(high, 16)));
  }
}

// Up to four rows of V in up to a panel's channels to units; a row that is missing is 0.
HWY_NOINLINE void QuantizeFour(const Bf16* rows, std::size_t stride, std::size_t keys,
                               std::size_t channels, const float* scales, const float* means,
                               std::uint32_t* out) {
  for (std::size_t j = 0; j < kPanel; j += kLanes, out += kLanes) {
    const __mmask16 mask = FirstLanes(channels - std::min(channels, j));
    const __m512 scale = _mm512_maskz_loadu_ps(mask, scales + j);
    const __m512 mean = _mm512_maskz_loadu_ps(mask, means + j);
    __m512i unit = _mm512_setzero_si512();
    for (std::size_t i = 0; i < keys; ++i) {
      const __m512 value = _mm512_sub_ps(LoadBf16(rows + i * stride + j, mask), mean);
      const __m512i whole = _mm512_maskz_cvtps_epi32(mask, _mm512_div_ps(value, scale));
      const __m512i byte = _mm512_and_si512(whole, _mm512_set1_epi32(0xFF));
      unit = _mm512_or_si512(unit, _mm512_slli_epi32(byte, static_cast<unsigned>(8 * i)));
    }
    _mm512_store_si512(out, unit);
  }
}

}  // namespace
}  // namespace xdna::ops::dot
HWY_POP_ATTRIBUTES

namespace xdna::ops::dot {
namespace {

// Of int8, after the units: the rows that they are made of.
std::size_t QuantizedPitch(const AttentionHead& head) { return 4 * KeysInt8::Depth(head.width); }

}  // namespace

std::size_t KeysBf16::Bytes(const AttentionHead& head) {
  return sizeof(Header) + KeysOf(head) * Depth(head.width) * 4;
}

void KeysBf16::Pack(const AttentionHead& head, const void* k, void* packed) {
  const auto* rows = static_cast<const Bf16*>(k);
  auto* header = static_cast<Header*>(packed);
  *header = {1, Most(rows, head.keys, head.stride, head.width)};
  auto* units = reinterpret_cast<std::uint32_t*>(header + 1);
  const std::size_t depth = Depth(head.width);
  if (head.width % (2 * kTile) != 0) std::fill_n(units, KeysOf(head) * depth, 0);
  Transpose(rows, head.stride * sizeof(Bf16), head.keys, head.width / 2, depth, units);
  if (head.width % 2 == 0) return;
  for (std::size_t column = 0; column < KeysOf(head); ++column) {
    const std::size_t key = column / kPanel * kPanel + KeyAt(column % kPanel);
    if (key >= head.keys) continue;
    units[(column / kPanel * depth + head.width / 2) * kPanel + column % kPanel] =
        rows[key * head.stride + head.width - 1].bits;
  }
}

PackedK KeysBf16::View(const AttentionHead& head, const void* packed) {
  const auto* header = static_cast<const Header*>(packed);
  return {.units = reinterpret_cast<const std::uint32_t*>(header + 1),
          .depth = Depth(head.width),
          .keys = head.keys,
          .starts = nullptr,
          .scale = header->scale,
          .most = header->most,
          .last = MaskOf((head.keys - 1) % kPanel + 1)};
}

Query KeysBf16::PackQuery(const Bf16* row, const AttentionHead& head, const PackedK& k,
                          std::uint32_t* units) {
  std::fill(units + head.width / 2, units + k.depth, 0);
  std::memcpy(units, row, head.width * sizeof(Bf16));
  const float most = Most(row, 1, 0, head.width);
  return {.scale = 1, .most_score = most * k.most * static_cast<float>(head.width), .lost = false};
}

std::size_t KeysInt8::Bytes(const AttentionHead& head) {
  const std::size_t keys = KeysOf(head);
  return sizeof(Header) + keys * sizeof(std::int32_t) + keys * Depth(head.width) * 4 +
         keys * QuantizedPitch(head) + 2 * ChannelsOf(head) * sizeof(float);
}

void KeysInt8::Pack(const AttentionHead& head, const void* k, void* packed) {
  const auto* from = static_cast<const Bf16*>(k);
  auto* header = static_cast<Header*>(packed);
  auto* starts = reinterpret_cast<std::int32_t*>(header + 1);
  auto* units = reinterpret_cast<std::uint32_t*>(starts + KeysOf(head));
  const std::size_t depth = Depth(head.width);
  auto* mean = reinterpret_cast<float*>(units + KeysOf(head) * depth);
  float* distance = mean + ChannelsOf(head);
  auto* rows = reinterpret_cast<std::int8_t*>(distance + ChannelsOf(head));
  const std::size_t pitch = QuantizedPitch(head);
  CenterChannels(head, from, mean, distance);
  const float most = *std::max_element(distance, distance + head.width);
  const bool finite =
      std::all_of(mean, mean + head.width, [](float m) { return std::isfinite(m); });
  *header = {ScaleFor(most), finite ? most : std::numeric_limits<float>::quiet_NaN()};
  if (!finite) {  // no scores can be made
    std::fill_n(starts, KeysOf(head), 0);
    std::fill_n(units, KeysOf(head) * depth, 0);
    return;
  }
  if (pitch > head.width) std::memset(rows, 0, head.keys * pitch);
  QuantizeKeys(head, from, mean, 1 / header->scale, pitch, rows, starts);
  Transpose(rows, pitch, head.keys, depth, depth, units);
}

PackedK KeysInt8::View(const AttentionHead& head, const void* packed) {
  PackedK k = KeysBf16::View(head, packed);
  k.starts = reinterpret_cast<const std::int32_t*>(static_cast<const Header*>(packed) + 1);
  k.units = reinterpret_cast<const std::uint32_t*>(k.starts + KeysOf(head));
  k.depth = Depth(head.width);
  return k;
}

Query KeysInt8::PackQuery(const Bf16* row, const AttentionHead& head, const PackedK& k,
                          std::uint32_t* units) {
  std::fill(units + head.width / 4, units + k.depth, 0);
  const float most = Most(row, 1, 0, head.width);
  const float scale = ScaleFor(most);
  QuantizeQuery(row, head.width, 1 / scale, reinterpret_cast<std::uint8_t*>(units));
  return {.scale = scale * k.scale,
          .most_score = 128 * 128 * static_cast<float>(head.width),
          .lost = !std::isfinite(most) || !std::isfinite(k.most)};
}

std::size_t ValuesBf16::Bytes(const AttentionHead& head) {
  return sizeof(Header) + ChannelsOf(head) * KeysOf(head) * sizeof(Bf16);
}

void ValuesBf16::Pack(const AttentionHead& head, const void* v, void* packed) {
  const auto* rows = static_cast<const Bf16*>(v);
  auto* header = static_cast<Header*>(packed);
  *header = {1, Most(rows, head.keys, head.stride, head.width)};
  auto* out = reinterpret_cast<std::uint32_t*>(header + 1);
  for (std::size_t channel = 0; channel < head.width; channel += kPanel) {
    for (std::size_t key = 0; key < KeysOf(head); key += kKeysPerUnit, out += kPanel) {
      const Bf16* even = rows + key * head.stride + channel;
      if (key >= head.keys) {
        std::fill_n(out, kPanel, 0);
      } else {
        PackPair(even, key + 1 < head.keys ? even + head.stride : nullptr, head.width - channel,
                 out);
      }
    }
  }
}

PackedV ValuesBf16::View(const AttentionHead& head, const void* packed) {
  const auto* header = static_cast<const Header*>(packed);
  return {.units = reinterpret_cast<const std::uint32_t*>(header + 1),
          .panels = Panels(head.width),
          .depth = KeysOf(head) / kKeysPerUnit,
          .scales = nullptr,
          .means = nullptr,
          .most = header->most};
}

std::size_t ValuesInt8::Bytes(const AttentionHead& head) {
  return ChannelsOf(head) * (2 * sizeof(float) + KeysOf(head));
}

void ValuesInt8::Pack(const AttentionHead& head, const void* v, void* packed) {
  const auto* rows = static_cast<const Bf16*>(v);
  auto* scales = static_cast<float*>(packed);
  float* means = scales + ChannelsOf(head);
  auto* out = reinterpret_cast<std::uint32_t*>(means + ChannelsOf(head));
  std::fill_n(scales, 2 * ChannelsOf(head), 0.0F);
  CenterChannels(head, rows, means, scales);
  for (std::size_t j = 0; j < head.width; ++j) scales[j] = ScaleFor(scales[j]);
  for (std::size_t channel = 0; channel < head.width; channel += kPanel) {
    for (std::size_t key = 0; key < KeysOf(head); key += kPanel) {
      for (std::size_t u = 0; u < kPanel / kKeysPerUnit; ++u, out += kPanel) {
        const std::size_t first = key + FirstKeyOf(u);
        const std::size_t keys = head.keys - std::min(head.keys, first);
        QuantizeFour(rows + first * head.stride + channel, head.stride,
                     std::min(kKeysPerUnit, keys), head.width - channel, scales + channel,
                     means + channel, out);
      }
    }
  }
}

PackedV ValuesInt8::View(const AttentionHead& head, const void* packed) {
  const auto* scales = static_cast<const float*>(packed);
  const float* means = scales + ChannelsOf(head);
  return {.units = reinterpret_cast<const std::uint32_t*>(means + ChannelsOf(head)),
          .panels = Panels(head.width),
          .depth = KeysOf(head) / kKeysPerUnit,
          .scales = scales,
          .means = means,
          .most = 0};
}

}  // namespace xdna::ops::dot
