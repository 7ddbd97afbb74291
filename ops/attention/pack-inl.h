// How the fused kernels of all instruction sets lay out their operands.
//
// A unit is 32 bits: a float, or two bf16 that follow each other along the sum. Columns (keys of K,
// channels of V) lie in panels of kColumns; a panel has a row of kColumns units for each step of
// the sum. What is missing is 0.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bf16.h"
#include "ops/attention/attention_kernel.h"

// Included once for each target (Highway's "-inl.h" convention).
#if defined(OPS_ATTENTION_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef OPS_ATTENTION_PACK_INL_H_
#undef OPS_ATTENTION_PACK_INL_H_
#else
#define OPS_ATTENTION_PACK_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace xdna::ops::HWY_NAMESPACE {

constexpr std::size_t RoundUp(std::size_t n, std::size_t step) {
  return (n + step - 1) / step * step;
}

HWY_INLINE std::uint32_t BitsOf(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
HWY_INLINE std::uint32_t BitsOf(Bf16 value) { return static_cast<std::uint32_t>(value.bits) << 16; }

HWY_INLINE float FloatOf(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Sizes for operands of type `In` with `kPer` of them in a unit, and sums in multiples of kSteps
// units.
template <typename In_, std::size_t kPer_, std::size_t kColumns_, std::size_t kSteps>
struct Layout {
  using In = In_;
  static constexpr std::size_t kPer = kPer_;
  static constexpr std::size_t kColumns = kColumns_;

  // Units of the sum over a head's channels; panels of its channels.
  static std::size_t Depth(std::size_t width) { return RoundUp(width, kPer * kSteps) / kPer; }
  static std::size_t Panels(std::size_t width) { return RoundUp(width, kColumns) / kColumns; }
  // Keys, with those that fill the last panel; a multiple of kPer.
  static std::size_t Keys(std::size_t keys) { return RoundUp(keys, kColumns); }

  static std::size_t PackedKBytes(const AttentionHead& h) {
    return Keys(h.keys) * Depth(h.width) * sizeof(std::uint32_t);
  }
  static std::size_t PackedVBytes(const AttentionHead& h) {
    return Panels(h.width) * kColumns * Keys(h.keys) / kPer * sizeof(std::uint32_t);
  }

  // The unit of `row` that begins at `first`, of a row with `width` elements.
  static HWY_INLINE std::uint32_t Unit(const In* row, std::size_t first, std::size_t width) {
    std::uint32_t unit = 0;
    if (sizeof(In) * kPer == sizeof unit && first + kPer <= width) {
      std::memcpy(&unit, row + first, sizeof unit);
    } else if (first < width) {
      unit = BitsOf(row[first]) >> (kPer == 2 ? 16 : 0);  // the last of an odd number
    }
    return unit;
  }

  // [panel][unit of the channels][key]
  static void PackK(const AttentionHead& h, const void* k, void* packed) {
    const std::size_t depth = Depth(h.width);
    auto* panel = static_cast<std::uint32_t*>(packed);
    for (std::size_t first = 0; first < h.keys; first += kColumns, panel += depth * kColumns) {
      const std::size_t count = std::min(kColumns, h.keys - first);
      if (count < kColumns) std::fill_n(panel, depth * kColumns, 0);
      for (std::size_t j = 0; j < count; ++j) {
        const In* row = static_cast<const In*>(k) + (first + j) * h.stride;
        for (std::size_t u = 0; u < depth; ++u) {
          panel[u * kColumns + j] = Unit(row, u * kPer, h.width);
        }
      }
    }
  }

  // [panel][unit of the keys][channel]
  static void PackV(const AttentionHead& h, const void* v, void* packed) {
    const std::size_t units = Keys(h.keys) / kPer;
    for (std::size_t first = 0; first < h.width; first += kColumns) {
      auto* row = static_cast<std::uint32_t*>(packed) + first * units;
      const std::size_t count = std::min(kColumns, h.width - first);
      const In* from = static_cast<const In*>(v) + first;
      for (std::size_t u = 0; u < units; ++u, row += kColumns) {
        PackVRow(from + u * kPer * h.stride, h,
                 std::min(h.keys, (u + 1) * kPer) - std::min(h.keys, u * kPer), count, row);
      }
    }
  }

  // One unit of `keys` keys, at most kPer, in `count` channels.
  static HWY_INLINE void PackVRow(const In* from, const AttentionHead& h, std::size_t keys,
                                  std::size_t count, std::uint32_t* HWY_RESTRICT row) {
    if (keys < kPer || count < kColumns) std::fill_n(row, kColumns, 0);
    if (keys == 0) return;
    if constexpr (kPer == 1) {
      for (std::size_t j = 0; j < count; ++j) row[j] = BitsOf(from[j]);
    } else {
      for (std::size_t j = 0; j < count; ++j) row[j] = BitsOf(from[j]) >> 16;
      if (keys < 2) return;
      const In* next = from + h.stride;
      for (std::size_t j = 0; j < count; ++j) row[j] |= BitsOf(next[j]);
    }
  }
};

}  // namespace xdna::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
