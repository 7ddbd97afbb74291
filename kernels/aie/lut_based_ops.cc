// The tables of lut_based_ops.h, by formula where there is one.
#include <lut_based_ops.h>

#include <bit>
#include <cmath>
#include <cstdint>

namespace aie::host {
namespace {

// To bf16 in one rounding: float rounds first, but no entry lies near enough to a tie to care.
std::uint16_t NearestBf16(double value) {
  return lane::Bf16FromF32(std::bit_cast<std::uint32_t>(static_cast<float>(value)),
                           rounding_mode::conv_even);
}

// Puts element i of `size` bytes into a table of twice-stored blocks of 16 bytes.
template <typename T>
void Place(T* table, unsigned i, const T* element, unsigned count) {
  const unsigned per_block = 16 / sizeof(T);
  const unsigned first = i * count / per_block * 2 * per_block + i * count % per_block;
  for (unsigned j = 0; j < count; ++j) {
    table[first + j] = table[first + per_block + j] = element[j];
  }
}

// mlir-aie's tanh table for x >= 0 by steps of 0.25 (aie_runtime_lib/AIE2/lut_based_ops.cpp): a
// fit that no published formula gives. For x < 0: the same slopes, negative offsets.
constexpr float kTanhSlope[16] = {1.0F,
                                  0.8671875F,
                                  0.69140625F,
                                  0.50390625F,
                                  0.34765625F,
                                  0.2294921875F,
                                  0.1455078125F,
                                  0.091796875F,
                                  0.056396484375F,
                                  0.035400390625F,
                                  0.021240234375F,
                                  0.0126953125F,
                                  0.00750732421875F,
                                  0.005096435546875F,
                                  0.002838134765625F,
                                  0.0F};
constexpr float kTanhOffset[16] = {0.0F,         0.03076171875F, 0.11962890625F, 0.259765625F,
                                   0.416015625F, 0.5625F,        0.6875F,        0.78125F,
                                   0.8515625F,   0.8984375F,     0.93359375F,    0.95703125F,
                                   0.97265625F,  0.98046875F,    0.98828125F,    1.0F};

function_tables Make() {
  function_tables t{};
  for (unsigned i = 0; i < 256; ++i) {
    const int integer = i < 128 ? static_cast<int>(i) : static_cast<int>(i) - 256;
    // From 88 on, where exp(89) would be infinite, the entry of 88.
    const std::uint16_t whole = NearestBf16(std::exp(std::fmin(integer, 88)));
    const std::uint16_t part = NearestBf16(std::exp(i / 256.0));
    Place(t.exp_integer, i, &whole, 1);
    Place(t.exp_fraction, i, &part, 1);
  }
  for (unsigned i = 0; i < 16; ++i) {
    const float up[2] = {kTanhSlope[i], kTanhOffset[i]};
    const float down[2] = {kTanhSlope[i], 0.0F - kTanhOffset[i]};
    Place(t.tanh, 16 + i, up, 2);
    Place(t.tanh, 15 - i, down, 2);
  }
  // 2 / m as a mantissa, nearest: 0 stands for m = 1, whose inverse has another exponent.
  for (unsigned i = 1; i < 128; ++i) {
    t.inverse[i] = static_cast<unsigned char>((2 * 32768 / (128 + i) + 1) / 2 - 128);
  }
  return t;
}

}  // namespace

const function_tables& tables() {
  static const function_tables made = Make();
  return made;
}

}  // namespace aie::host
