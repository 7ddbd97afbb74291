#include "base/bf16.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace xdna {
namespace {

float Widen(std::uint32_t bits) { return std::bit_cast<float>(bits << 16); }

// Ground truth by real arithmetic in double, with no bit tricks shared with the
// code under test: picks among the two bf16 neighbours of `x`.
double Expected(double x, double below, double above, bool below_is_even, Rounding rounding) {
  const double lo = x - below;
  const double hi = above - x;
  const bool negative = x < 0;
  const double inner = negative ? above : below;  // nearer to zero
  const double outer = negative ? below : above;
  switch (rounding) {
    case Rounding::kFloor:
      return below;
    case Rounding::kCeil:
      return above;
    case Rounding::kSymFloor:
      return inner;
    case Rounding::kSymCeil:
      return outer;
    default:
      break;
  }
  if (lo < hi) return below;
  if (hi < lo) return above;
  switch (rounding) {
    case Rounding::kNegInf:
      return below;
    case Rounding::kPosInf:
      return above;
    case Rounding::kSymInf:
      return outer;
    case Rounding::kSymZero:
      return inner;
    case Rounding::kConvOdd:
      return below_is_even ? above : below;
    default:
      return below_is_even ? below : above;
  }
}

// The value that infinity stands for when deciding what is nearest: one step past
// the largest finite bf16.
double Neighbour(std::uint32_t bits) {
  if ((bits & 0x7FFF) == 0x7F80)
    return (bits & 0x8000) != 0 ? -std::ldexp(1.0, 128) : std::ldexp(1.0, 128);
  return static_cast<double>(Widen(bits));
}

TEST(Bf16, WideningIsExactForAllValues) {
  for (std::uint32_t b = 0; b <= 0xFFFF; ++b) {
    const Bf16 v{static_cast<std::uint16_t>(b)};
    EXPECT_EQ(std::bit_cast<std::uint32_t>(v.ToFloat()), b << 16);
  }
}

TEST(Bf16, EveryBf16SurvivesARoundTripInEveryMode) {
  for (std::uint32_t b = 0; b <= 0xFFFF; ++b) {
    if ((b & 0x7FFF) > 0x7F80) continue;  // NaN: below
    for (Rounding r : kAllRoundings)
      ASSERT_EQ(Bf16::FromFloat(Widen(b), r).bits, b) << RoundingName(r);
  }
}

// All 65,536 upper halves with every class of lower half: just above, below a
// tie, the tie, above it, just below the next. Within a class the result can't
// change, since the code only compares the lower half with zero and with a half.
TEST(Bf16, RoundsAsRealArithmeticSaysInEveryMode) {
  constexpr std::uint32_t kLower[] = {0x0001, 0x1234, 0x7FFF, 0x8000, 0x8001, 0xCAFE, 0xFFFF};
  for (std::uint32_t b = 0; b <= 0xFFFF; ++b) {
    if ((b & 0x7FFF) >= 0x7F80) continue;  // infinity, NaN
    const bool negative = (b & 0x8000) != 0;
    for (std::uint32_t lower : kLower) {
      const auto x = std::bit_cast<float>((b << 16) | lower);
      const double inner = Neighbour(b);
      const double outer = Neighbour(b + 1);
      for (Rounding r : kAllRoundings) {
        const bool even = ((negative ? b + 1 : b) & 1) == 0;
        const double want =
            Expected(x, negative ? outer : inner, negative ? inner : outer, even, r);
        const float got = Bf16::FromFloat(x, r).ToFloat();
        const double got_value = std::isinf(got) ? std::copysign(std::ldexp(1.0, 128), got) : got;
        ASSERT_EQ(got_value, want) << RoundingName(r) << " of " << x;
        ASSERT_EQ(std::signbit(got), negative) << RoundingName(r) << " of " << x;
      }
    }
  }
}

TEST(Bf16, NaNStaysNaNWithSignAndUpperPayload) {
  for (std::uint32_t u : {0x7F800001u, 0x7FC00000u, 0xFF8FFFFFu, 0xFFFFFFFFu}) {
    for (Rounding r : kAllRoundings) {
      const Bf16 v = Bf16::FromFloat(std::bit_cast<float>(u), r);
      EXPECT_TRUE(std::isnan(v.ToFloat()));
      EXPECT_EQ(v.bits, (u >> 16) | 0x0040);
    }
  }
}

TEST(Bf16, OverflowFollowsTheDirectionOfRounding) {
  const float big = std::numeric_limits<float>::max();
  EXPECT_EQ(Bf16::FromFloat(big, Rounding::kFloor).bits, 0x7F7F);
  EXPECT_EQ(Bf16::FromFloat(-big, Rounding::kFloor).bits, 0xFF80);
  EXPECT_EQ(Bf16::FromFloat(big, Rounding::kConvEven).bits, 0x7F80);
  EXPECT_EQ(Bf16::FromFloat(big, Rounding::kSymFloor).bits, 0x7F7F);
}

}  // namespace
}  // namespace xdna
