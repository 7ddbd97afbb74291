#include "base/bf16.h"

#include <cstdint>

namespace xdna {
namespace {

constexpr std::uint32_t kDropped = 0xFFFF;  // the fraction bits that bf16 lacks
constexpr std::uint32_t kHalf = 0x8000;     // a tie

// Whether the magnitude grows to the next representable one. `rest` is non-zero.
bool RoundsAway(Rounding rounding, bool negative, bool odd, std::uint32_t rest) {
  switch (rounding) {
    case Rounding::kFloor:
      return negative;
    case Rounding::kCeil:
      return !negative;
    case Rounding::kSymFloor:
      return false;
    case Rounding::kSymCeil:
      return true;
    default:
      break;
  }
  if (rest != kHalf) return rest > kHalf;
  switch (rounding) {
    case Rounding::kNegInf:
      return negative;
    case Rounding::kPosInf:
      return !negative;
    case Rounding::kSymInf:
      return true;
    case Rounding::kSymZero:
      return false;
    case Rounding::kConvOdd:
      return !odd;
    default:
      return odd;  // kConvEven
  }
}

}  // namespace

const char* RoundingName(Rounding rounding) {
  switch (rounding) {
    case Rounding::kFloor:
      return "floor";
    case Rounding::kCeil:
      return "ceil";
    case Rounding::kSymFloor:
      return "symmetric_floor";
    case Rounding::kSymCeil:
      return "symmetric_ceil";
    case Rounding::kNegInf:
      return "negative_inf";
    case Rounding::kPosInf:
      return "positive_inf";
    case Rounding::kSymInf:
      return "symmetric_inf";
    case Rounding::kSymZero:
      return "symmetric_zero";
    case Rounding::kConvEven:
      return "conv_even";
    case Rounding::kConvOdd:
      return "conv_odd";
  }
  return "?";
}

Bf16 Bf16::FromFloat(float value, Rounding rounding) {
  const auto u = std::bit_cast<std::uint32_t>(value);
  const auto upper = static_cast<std::uint16_t>(u >> 16);
  const std::uint32_t rest = u & kDropped;
  if ((u & 0x7FFFFFFF) > 0x7F800000) return {static_cast<std::uint16_t>(upper | 0x0040)};
  if (rest == 0) return {upper};
  // A carry out of the fraction lands in the exponent, where it belongs: the
  // successor of the largest finite value is infinity.
  const bool away = RoundsAway(rounding, (u >> 31) != 0, (upper & 1) != 0, rest);
  return {static_cast<std::uint16_t>(upper + (away ? 1 : 0))};
}

}  // namespace xdna
