// bfloat16: 1 sign, 8 exponent, 7 fraction bits; the upper half of an IEEE-754
// binary32.
#ifndef BASE_BF16_H_
#define BASE_BF16_H_

#include <bit>
#include <cstdint>

namespace xdna {

// Rounding modes of an AIE2 core with the values of its rounding register
// (crRnd, control register 6; names as in aie_api's `rounding_mode`). "sym" modes
// treat both signs alike. The last six round to nearest and differ in ties only.
enum class Rounding : std::uint8_t {
  kFloor = 0,      // towards -infinity (what the register holds after reset)
  kCeil = 1,       // towards +infinity
  kSymFloor = 2,   // towards zero
  kSymCeil = 3,    // away from zero
  kNegInf = 8,     // nearest, ties towards -infinity
  kPosInf = 9,     // nearest, ties towards +infinity
  kSymZero = 10,   // nearest, ties towards zero
  kSymInf = 11,    // nearest, ties away from zero
  kConvEven = 12,  // nearest, ties to even (IEEE-754's default)
  kConvOdd = 13,   // nearest, ties to odd
};

inline constexpr Rounding kAllRoundings[] = {
    Rounding::kFloor,    Rounding::kCeil,    Rounding::kSymFloor, Rounding::kSymCeil,
    Rounding::kNegInf,   Rounding::kPosInf,  Rounding::kSymInf,   Rounding::kSymZero,
    Rounding::kConvEven, Rounding::kConvOdd,
};

const char* RoundingName(Rounding rounding);

struct Bf16 {
  std::uint16_t bits = 0;

  // Exact: every bf16 is an f32. Subnormals and NaN payloads are kept.
  float ToFloat() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

  // Rounds `value`. Overflow goes to infinity or to the largest finite value as
  // the direction of rounding says; subnormals round like any other value. A NaN
  // stays a NaN of the same sign with its upper payload bits, made quiet.
  static Bf16 FromFloat(float value, Rounding rounding = Rounding::kConvEven);
};

inline bool operator==(Bf16 a, Bf16 b) { return a.bits == b.bits; }

}  // namespace xdna

#endif  // BASE_BF16_H_
