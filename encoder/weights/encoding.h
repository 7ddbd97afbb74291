// How checkpoints store numbers, and back to f32.
#ifndef ENCODER_WEIGHTS_ENCODING_H_
#define ENCODER_WEIGHTS_ENCODING_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/tensor.h"

namespace xdna::encoder::internal {

// Little-endian. The q formats are ggml's (ggml-common.h), blocks of 32 along the last dimension:
// q4_0 and q5_0 are d * (q - 2^(bits-1)), q4_1 and q5_1 are d * q + m, q8_0 is d * q, with d and m
// f16. i8 is CTranslate2's: q / scale[row], one f32 scale for each index of the first dimension.
enum class Encoding : std::uint8_t {
  kF32,
  kF16,
  kBf16,
  kI8,
  kQ4_0,
  kQ4_1,
  kQ5_0,
  kQ5_1,
  kQ8_0,
};

struct EncodingInfo {
  std::string_view name;  // "f32", "q5_0"
  int block_elements;
  int block_bytes;
};

const EncodingInfo& Info(Encoding encoding);

// Elements of `shape`, or nothing if a dimension is negative or the product is beyond 2^62.
std::optional<std::uint64_t> CheckedElements(const Shape& shape);

// Bytes that `shape` takes, or nothing if CheckedElements has nothing or the last dimension is not
// a multiple of the block.
std::optional<std::uint64_t> StoredBytes(Encoding encoding, const Shape& shape);

// Decodes `elements` numbers, a multiple of the block. `scale` is empty but for kI8, where it has
// one f32 (unaligned) for each row of `row` elements. Exact but for kI8's division and the products
// of the q formats, each rounded once or twice to f32.
void Decode(Encoding encoding, const std::byte* data, std::size_t elements,
            std::span<const std::byte> scale, std::size_t row, float* out);

// IEEE-754 binary16 bits of `value` rounded to nearest even; beyond 65504 it is infinity.
std::uint16_t FloatToHalf(float value);

// The first element that is NaN or infinite.
std::optional<std::size_t> FirstNonFinite(const float* values, std::size_t count);

}  // namespace xdna::encoder::internal

#endif  // ENCODER_WEIGHTS_ENCODING_H_
