#include "encoder/weights/encoding.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "base/tensor.h"

namespace xdna::encoder::internal {
namespace {

constexpr int kBlock = 32;  // QK4_0 and its kind in ggml-common.h

constexpr EncodingInfo kEncodings[] = {
    {"f32", 1, 4},    {"f16", 1, 2},    {"bf16", 1, 2},   {"i8", 1, 1},     {"q4_0", 32, 18},
    {"q4_1", 32, 20}, {"q5_0", 32, 22}, {"q5_1", 32, 24}, {"q8_0", 32, 34},
};

template <typename T>
T LoadAs(const std::byte* data) {
  T value;
  std::memcpy(&value, data, sizeof value);
  return value;
}

// base/tensor.h's HalfToFloat without branches, so that the loop over it vectorises.
inline float HalfToFloatFlat(std::uint16_t half) {
  const std::uint32_t bits = half;
  const std::uint32_t exponent = bits & 0x7C00;
  const std::uint32_t normal = ((bits & 0x7FFF) << 13) + (112u << 23);
  const std::uint32_t special = normal + (112u << 23);  // infinity and NaN
  const std::uint32_t tiny =
      std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<int>(bits & 0x3FF)) * 0x1p-24F);
  const std::uint32_t magnitude = exponent == 0 ? tiny : exponent == 0x7C00 ? special : normal;
  return std::bit_cast<float>(magnitude | (bits & 0x8000) << 16);
}

void DecodeHalf(const std::byte* data, std::size_t elements, float* out) {
  for (std::size_t i = 0; i < elements; ++i) {
    out[i] = HalfToFloatFlat(LoadAs<std::uint16_t>(data + 2 * i));
  }
}

void DecodeBf16(const std::byte* data, std::size_t elements, float* out) {
  for (std::size_t i = 0; i < elements; ++i) {
    const std::uint32_t bits = LoadAs<std::uint16_t>(data + 2 * i);
    out[i] = std::bit_cast<float>(bits << 16);
  }
}

void DecodeI8(const std::byte* data, std::size_t elements, std::span<const std::byte> scale,
              std::size_t row, float* out) {
  for (std::size_t begin = 0; begin < elements; begin += row) {
    const float divisor = LoadAs<float>(scale.data() + begin / row * sizeof(float));
    for (std::size_t i = begin; i < begin + row; ++i) {
      out[i] = static_cast<float>(static_cast<std::int8_t>(data[i])) / divisor;
    }
  }
}

// Blocks of nibbles: element i in the low half of byte i for i < 16, in the high half of byte i-16
// after that. Five-bit formats have the upper bits in one u32 before the nibbles, bit i for element
// i. A block begins with d, and with m where `kMinimum`.
template <int kBits, bool kMinimum>
void DecodeNibbles(const std::byte* data, std::size_t elements, float* out) {
  constexpr int kHeader = kMinimum ? 4 : 2;
  constexpr int kHigh = kBits == 5 ? 4 : 0;
  constexpr int kCentre = kMinimum ? 0 : 1 << (kBits - 1);
  for (std::size_t block = 0; block < elements / kBlock; ++block) {
    const float d = HalfToFloat(LoadAs<std::uint16_t>(data));
    const float m = kMinimum ? HalfToFloat(LoadAs<std::uint16_t>(data + 2)) : 0;
    const std::uint32_t high = kBits == 5 ? LoadAs<std::uint32_t>(data + kHeader) : 0;
    const std::byte* nibbles = data + kHeader + kHigh;
    for (int i = 0; i < kBlock; ++i) {
      const int byte = static_cast<int>(nibbles[i % 16]);
      const int low = i < 16 ? byte & 15 : byte >> 4;
      const int q = (low | static_cast<int>((high >> i & 1) << 4)) - kCentre;
      const float product = d * static_cast<float>(q);
      out[i] = kMinimum ? product + m : product;
    }
    data = nibbles + kBlock / 2;
    out += kBlock;
  }
}

void DecodeQ8(const std::byte* data, std::size_t elements, float* out) {
  for (std::size_t block = 0; block < elements / kBlock; ++block) {
    const float d = HalfToFloat(LoadAs<std::uint16_t>(data));
    for (int i = 0; i < kBlock; ++i) {
      out[i] = d * static_cast<float>(static_cast<std::int8_t>(data[2 + i]));
    }
    data += 2 + kBlock;
    out += kBlock;
  }
}

}  // namespace

const EncodingInfo& Info(Encoding encoding) {
  return kEncodings[static_cast<std::size_t>(encoding)];
}

std::optional<std::uint64_t> CheckedElements(const Shape& shape) {
  std::uint64_t elements = 1;
  for (const std::int64_t dim : shape) {
    if (dim < 0 || __builtin_mul_overflow(elements, static_cast<std::uint64_t>(dim), &elements) ||
        elements >> 62 != 0) {
      return std::nullopt;
    }
  }
  return elements;
}

std::optional<std::uint64_t> StoredBytes(Encoding encoding, const Shape& shape) {
  const EncodingInfo& info = Info(encoding);
  const auto elements = CheckedElements(shape);
  if (!elements ||
      (info.block_elements > 1 && (shape.empty() || shape.back() % info.block_elements != 0))) {
    return std::nullopt;
  }
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(*elements / info.block_elements, info.block_bytes, &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

void Decode(Encoding encoding, const std::byte* data, std::size_t elements,
            std::span<const std::byte> scale, std::size_t row, float* out) {
  switch (encoding) {
    case Encoding::kF32:
      if (elements != 0) std::memcpy(out, data, elements * sizeof(float));
      return;
    case Encoding::kF16:
      return DecodeHalf(data, elements, out);
    case Encoding::kBf16:
      return DecodeBf16(data, elements, out);
    case Encoding::kI8:
      return DecodeI8(data, elements, scale, row, out);
    case Encoding::kQ4_0:
      return DecodeNibbles<4, false>(data, elements, out);
    case Encoding::kQ4_1:
      return DecodeNibbles<4, true>(data, elements, out);
    case Encoding::kQ5_0:
      return DecodeNibbles<5, false>(data, elements, out);
    case Encoding::kQ5_1:
      return DecodeNibbles<5, true>(data, elements, out);
    case Encoding::kQ8_0:
      return DecodeQ8(data, elements, out);
  }
}

std::uint16_t FloatToHalf(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000);
  const std::uint32_t magnitude = bits & 0x7FFFFFFF;
  if (magnitude > 0x7F800000) return sign | 0x7E00;   // NaN
  if (magnitude >= 0x477FF000) return sign | 0x7C00;  // 65520 and above
  if (magnitude < 0x38800000) {
    // Subnormal: adding 0.5 aligns the last bit with 2^-24, and the addition rounds.
    const float aligned = std::bit_cast<float>(magnitude) + 0.5F;
    return sign | static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(aligned) - 0x3F000000);
  }
  const std::uint32_t rounded = magnitude + 0xFFF + (magnitude >> 13 & 1);
  return sign | static_cast<std::uint16_t>((rounded - (112u << 23)) >> 13);
}

std::optional<std::size_t> FirstNonFinite(const float* values, std::size_t count) {
  constexpr std::uint32_t kExponent = 0x7F800000;
  constexpr std::size_t kChunk = 4096;  // no early exit inside, so that it vectorises
  for (std::size_t begin = 0; begin < count; begin += kChunk) {
    const std::size_t end = begin + kChunk < count ? begin + kChunk : count;
    std::uint32_t bad = 0;
    for (std::size_t i = begin; i < end; ++i) {
      bad |= (std::bit_cast<std::uint32_t>(values[i]) & kExponent) == kExponent ? 1 : 0;
    }
    if (bad == 0) continue;
    for (std::size_t i = begin; i < end; ++i) {
      if ((std::bit_cast<std::uint32_t>(values[i]) & kExponent) == kExponent) return i;
    }
  }
  return std::nullopt;
}

}  // namespace xdna::encoder::internal
