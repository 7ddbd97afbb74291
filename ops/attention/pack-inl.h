// How the fused kernels in f32 lay out their operands, of either type in 32 bits.
//
// Columns (keys of K, channels of V) lie in panels of kColumns; a panel has a row of them for each
// step of the sum. What is missing is 0.
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

// Sizes for operands of type `In`.
template <typename In_, std::size_t kColumns_>
struct Layout {
  using In = In_;
  static constexpr std::size_t kColumns = kColumns_;

  // Panels of a head's channels.
  static std::size_t Panels(std::size_t width) { return RoundUp(width, kColumns) / kColumns; }
  // Keys, with those that fill the last panel.
  static std::size_t Keys(std::size_t keys) { return RoundUp(keys, kColumns); }

  static std::size_t PackedKBytes(const AttentionHead& h) {
    return Keys(h.keys) * h.width * sizeof(std::uint32_t);
  }
  static std::size_t PackedVBytes(const AttentionHead& h) {
    return Panels(h.width) * kColumns * Keys(h.keys) * sizeof(std::uint32_t);
  }

  // [panel][channel][key]
  static void PackK(const AttentionHead& h, const void* k, void* packed) {
    auto* panel = static_cast<std::uint32_t*>(packed);
    for (std::size_t first = 0; first < h.keys; first += kColumns, panel += h.width * kColumns) {
      const std::size_t count = std::min(kColumns, h.keys - first);
      if (count < kColumns) std::fill_n(panel, h.width * kColumns, 0);
      for (std::size_t j = 0; j < count; ++j) {
        const In* row = static_cast<const In*>(k) + (first + j) * h.stride;
        for (std::size_t u = 0; u < h.width; ++u) panel[u * kColumns + j] = BitsOf(row[u]);
      }
    }
  }

  // [panel][key][channel]
  static void PackV(const AttentionHead& h, const void* v, void* packed) {
    auto* row = static_cast<std::uint32_t*>(packed);
    for (std::size_t first = 0; first < h.width; first += kColumns) {
      const std::size_t count = std::min(kColumns, h.width - first);
      for (std::size_t key = 0; key < Keys(h.keys); ++key, row += kColumns) {
        if (key >= h.keys || count < kColumns) std::fill_n(row, kColumns, 0);
        if (key >= h.keys) continue;
        const In* from = static_cast<const In*>(v) + key * h.stride + first;
        for (std::size_t j = 0; j < count; ++j) row[j] = BitsOf(from[j]);
      }
    }
  }
};

}  // namespace xdna::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
