// The rules of one lane, each against the plain model or the example that its source gives;
// exhaustive where the domain is small.
#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>

#include "kernels/aie/reference.h"

namespace xdna::kernels {
namespace {

using aie::rounding_mode;
using aie::saturation_mode;
using aie::host::options;

std::uint32_t Bits(float x) { return std::bit_cast<std::uint32_t>(x); }

TEST(Registers, HaveTheValuesOfTheHardware) {
  // llvm-aie's rnd_* constants.
  EXPECT_EQ(static_cast<unsigned>(rounding_mode::floor), 0U);
  EXPECT_EQ(static_cast<unsigned>(rounding_mode::symmetric_ceil), 3U);
  EXPECT_EQ(static_cast<unsigned>(rounding_mode::negative_inf), 8U);
  EXPECT_EQ(static_cast<unsigned>(rounding_mode::positive_inf), 9U);
  EXPECT_EQ(static_cast<unsigned>(rounding_mode::symmetric_zero), 10U);
  EXPECT_EQ(static_cast<unsigned>(rounding_mode::symmetric_inf), 11U);
  EXPECT_EQ(static_cast<unsigned>(rounding_mode::conv_even), 12U);
  EXPECT_EQ(static_cast<unsigned>(rounding_mode::conv_odd), 13U);
}

// Every bf16 as the upper half, and lower halves on and beside every decision.
TEST(Bf16FromF32, IsTheNeighbourThatTheModePicks) {
  constexpr std::uint32_t kLower[] = {0, 1, 0x4000, 0x7FFF, 0x8000, 0x8001, 0xC000, 0xFFFF};
  for (const rounding_mode mode : reference::kModes) {
    for (std::uint32_t upper = 0; upper < 0x10000; ++upper) {
      for (const std::uint32_t lower : kLower) {
        const std::uint32_t bits = upper << 16 | lower;
        if ((bits & 0x7FFFFFFF) > 0x7F800000) continue;
        ASSERT_EQ(aie::lane::Bf16FromF32(bits, mode), reference::Bf16FromF32(bits, mode))
            << std::hex << bits << " mode " << static_cast<unsigned>(mode);
      }
    }
  }
}

TEST(Bf16FromF32, KeepsNaNAsItIsInEveryMode) {
  for (const rounding_mode mode : reference::kModes) {
    for (std::uint32_t sign : {0U, 0x80000000U}) {
      EXPECT_EQ(aie::lane::Bf16FromF32(sign | 0x7FC00000, mode), sign >> 16 | 0x7FC0);
      EXPECT_EQ(aie::lane::Bf16FromF32(sign | 0x7FBFFFFF, mode), sign >> 16 | 0x7FBF);  // not quiet
      EXPECT_EQ(aie::lane::Bf16FromF32(sign | 0x7F800001, mode), sign >> 16 | 0x7F81);
      EXPECT_EQ(aie::lane::Bf16FromF32(sign | 0x7F80FFFF, mode), sign >> 16 | 0x7F81);
    }
  }
}

TEST(F32FromBf16, IsExactForEveryBf16) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto b = static_cast<std::uint16_t>(bits);
    ASSERT_EQ(aie::lane::F32FromBf16(b), bits << 16);
    for (const rounding_mode mode : reference::kModes) {
      ASSERT_EQ(aie::lane::Bf16FromF32(bits << 16, mode), b);
    }
  }
}

// All bf16 by all shifts; the register's mode has no say.
TEST(FloorBf16, IsTheSaturatedFloorForEveryBf16AndShift) {
  for (int shift = -32; shift < 32; ++shift) {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
      const double x = std::bit_cast<float>(bits << 16);
      double want = std::floor(std::ldexp(x, shift));
      if (std::isnan(x) || want > 2147483647.0) want = 2147483647.0;
      if (want < -2147483648.0) want = -2147483648.0;
      ASSERT_EQ(aie::lane::FloorBf16(static_cast<std::uint16_t>(bits), shift),
                static_cast<std::int32_t>(want))
          << std::hex << bits << " shift " << shift;
    }
  }
}

TEST(FloorBf16, ShiftCountsBySixBits) {
  // The emulator's examples for 10.0.
  EXPECT_EQ(aie::lane::FloorBf16(0x4120, 3), 80);
  EXPECT_EQ(aie::lane::FloorBf16(0x4120, 0x23), 0);
  EXPECT_EQ(aie::lane::FloorBf16(0x4120, -249), 1280);
  EXPECT_EQ(aie::lane::FloorBf16(0x8001), -1);  // no flush of subnormals
  EXPECT_EQ(aie::lane::FloorBf16(0xFFFF), std::numeric_limits<std::int32_t>::max());
}

long double Saturated(long double x, unsigned bits, bool is_signed, saturation_mode mode) {
  const long double top = std::ldexp(1.0L, static_cast<int>(bits) - (is_signed ? 1 : 0)) - 1;
  const long double bottom = !is_signed ? 0 : mode == saturation_mode::symmetric ? -top : -top - 1;
  return x > top ? top : x < bottom ? bottom : x;
}

TEST(Srs, RoundsAndSaturatesInEveryMode) {
  for (const rounding_mode mode : reference::kModes) {
    for (int shift = -4; shift <= 9; ++shift) {
      for (std::int64_t value = -1500; value <= 1500; ++value) {
        const long double rounded =
            reference::Round(std::ldexp(static_cast<long double>(value), -shift), mode);
        for (const bool is_signed : {true, false}) {
          for (const auto saturation : {saturation_mode::saturate, saturation_mode::symmetric}) {
            ASSERT_EQ(aie::lane::Srs(value, shift, 8, is_signed, mode, saturation),
                      static_cast<std::int64_t>(Saturated(rounded, 8, is_signed, saturation)));
          }
          const auto low = static_cast<std::uint8_t>(static_cast<std::int64_t>(rounded));
          ASSERT_EQ(aie::lane::Srs(value, shift, 8, is_signed, mode, saturation_mode::none),
                    is_signed ? static_cast<std::int8_t>(low) : low);
        }
      }
    }
  }
}

TEST(Srs, TakesTheWholeAccumulator) {
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  const auto srs = [](std::int64_t v, int shift) {
    return aie::lane::Srs(v, shift, 32, true, rounding_mode::conv_even, saturation_mode::saturate);
  };
  EXPECT_EQ(srs(kMin, 0), -2147483648LL);
  EXPECT_EQ(srs(kMax, 0), 2147483647LL);
  EXPECT_EQ(srs(kMax, 60), 8);
  EXPECT_EQ(srs(kMin, 60), -8);
  EXPECT_EQ(srs(kMax, 1000), 8);  // acts as 60
  EXPECT_EQ(srs(3, -4), 48);
  EXPECT_EQ(srs(3, -9), 48);  // four guard bits, no more
}

TEST(Ups, ShiftsAndSaturatesIfAsked) {
  EXPECT_EQ(aie::lane::Ups(-3, 4, 32, saturation_mode::none), -48);
  EXPECT_EQ(aie::lane::Ups(0x7FFF, 20, 32, saturation_mode::none),
            static_cast<std::int32_t>(0xFFF00000));
  EXPECT_EQ(aie::lane::Ups(0x7FFF, 20, 32, saturation_mode::saturate), 2147483647);
  EXPECT_EQ(aie::lane::Ups(-0x7FFF, 20, 32, saturation_mode::saturate), -2147483648LL);
}

std::uint32_t Mac(std::uint32_t acc, std::uint16_t a, std::uint16_t b, const options& o = {}) {
  return aie::lane::MacBf16(acc, &a, &b, 1, false, o);
}

TEST(MacBf16, MatchesTheExamplesOfTheEmulator) {
  const std::uint16_t ones[8] = {0x3F80, 0x3F80, 0x3F80, 0x3F80, 0x3F80, 0x3F80, 0x3F80, 0x3F80};
  EXPECT_EQ(aie::lane::MacBf16(0, ones, ones, 8, false, {}), Bits(8));
  EXPECT_EQ(aie::lane::MacBf16(0, ones, ones, 8, true, {}), Bits(-8));
  const std::uint16_t a[8] = {0xEBD7, 0xB13B, 0x4F6C, 0x8D21, 0x6080, 0x39C6, 0x107E, 0xD6A6};
  const std::uint16_t b[8] = {0x0802, 0x7B38, 0x6983, 0x2273, 0x33A8, 0x1130, 0xE493, 0x18EC};
  EXPECT_EQ(aie::lane::MacBf16(0, a, b, 8, false, {}), 0x797187FFU);
  // Seen on silicon: infinity times zero among zeros and subnormals.
  const std::uint16_t c[8] = {0x8000, 0x8036, 0x8000, 0x8000, 0x8000, 0x8000, 0x8000, 0x8000};
  const std::uint16_t d[8] = {0x7F7F, 0x0000, 0x8037, 0x8004, 0x0029, 0x806A, 0xF349, 0x7F80};
  EXPECT_EQ(aie::lane::MacBf16(0, c, d, 8, false, {}), 0x7F800001U);
}

TEST(MacBf16, IsNotAChainOfFusedMultiplyAdds) {
  // 2^24 + 1 + 1 + ... : each 1 is half a unit of 2^-23 of the largest exponent, and goes to even.
  const std::uint16_t ones[8] = {0x3F80, 0x3F80, 0x3F80, 0x3F80, 0x3F80, 0x3F80, 0x3F80, 0x3F80};
  EXPECT_EQ(aie::lane::MacBf16(Bits(0x1p24F), ones, ones, 8, false, {}), Bits(0x1p24F));
  // 1.5 is three quarters of a unit: eight of them count as eight units, 16 and not 12.
  const std::uint16_t more[8] = {0x3FC0, 0x3FC0, 0x3FC0, 0x3FC0, 0x3FC0, 0x3FC0, 0x3FC0, 0x3FC0};
  EXPECT_EQ(aie::lane::MacBf16(Bits(0x1p24F), ones, more, 8, false, {}), Bits(0x1p24F + 16));
}

TEST(MacBf16, InfinitiesAndNaN) {
  EXPECT_EQ(Mac(0, 0x7F80, 0x3F80), 0x7F800000U);
  EXPECT_EQ(Mac(0, 0x7F80, 0xBF80), 0xFF800000U);
  EXPECT_EQ(Mac(0xFF800000, 0x3F80, 0x3F80), 0xFF800000U);
  EXPECT_EQ(Mac(0xFF800000, 0x7F80, 0x3F80) & 0x7F800000, 0x7F800000U);  // opposite: NaN
  EXPECT_NE(Mac(0xFF800000, 0x7F80, 0x3F80) & 0x007FFFFF, 0U);
  EXPECT_EQ(Mac(0, 0x7F80, 0x0000), 0x7F800001U);
  EXPECT_EQ(Mac(0x7FC12345, 0x0000, 0x3F80), 0x7FC12345U);  // idle: passes unchanged
  EXPECT_EQ(Mac(0, 0x7F7F, 0x7F7F), 0x7F800000U);           // overflow
  EXPECT_EQ(Mac(0, 0x7F7F, 0xFF7F), 0xFF800000U);
}

TEST(MacBf16, NaNPayloadIsAnOptionWhereInfinitiesTakePart) {
  // NaN times 2^-40 plus infinity times 2^-40: both go through the adder and leave room for 2^216.
  const std::uint16_t a[2] = {0x7FC0, 0x7F80}, b[2] = {0x2B80, 0x2B80};
  EXPECT_EQ(aie::lane::MacBf16(0, a, b, 2, false, {}), 0x7FA00001U);
  options canonical;
  canonical.nan_payload = aie::host::nan_payload::canonical;
  EXPECT_EQ(aie::lane::MacBf16(0, a, b, 2, false, canonical), 0x7F800001U);
}

TEST(MacBf16, UnderflowIsAnOption) {
  EXPECT_EQ(Mac(0, 0x0080, 0x8080), 0U);
  options with_sign;
  with_sign.mac_underflow = aie::host::mac_underflow::signed_zero;
  EXPECT_EQ(Mac(0, 0x0080, 0x8080, with_sign), 0x80000000U);
  EXPECT_EQ(Mac(0x80000000, 0x0000, 0x3F80, with_sign), 0U);  // an exact zero is +0
  // Subnormal operands are not flushed: 2^-133 2^127 is 2^-6.
  EXPECT_EQ(Mac(0, 0x0001, 0x7F00), Bits(0x1p-6F));
}

TEST(MacBf16, SecondAccumulatorJoinsTheSum) {
  const std::uint16_t a = 0x3F80, b = 0x4000;
  const std::uint32_t second = Bits(0.5F);
  EXPECT_EQ(aie::lane::MacBf16(Bits(4), &a, &b, 1, false, {}, &second), Bits(6.5F));
  EXPECT_EQ(aie::lane::MacBf16(Bits(4), &a, &b, 1, true, {}, &second), Bits(2.5F));
}

TEST(AddF32, IsThePlainModel) {
  std::mt19937 random(7);
  for (int i = 0; i < 1'000'000; ++i) {
    std::uint32_t x = random(), y = random();
    // Half of the pairs near each other, where the alignment and the cancellation show.
    if (i % 2 == 0) y = (x ^ (y & 0x83FFFFFF)) + (y >> 28 << 23);
    if ((x & 0x7F800000) == 0x7F800000 || (y & 0x7F800000) == 0x7F800000) continue;
    ASSERT_EQ(aie::lane::AddF32(x, y, false, {}), reference::AddF32(x, y)) << x << " " << y;
    ASSERT_EQ(aie::lane::AddF32(x, y, true, {}), reference::AddF32(x, y ^ 0x80000000));
  }
}

TEST(AddF32, MatchesTheExamplesFromSilicon) {
  // Two subnormals whose sum is normal count; a subnormal sum is a zero of its sign.
  EXPECT_EQ(aie::lane::AddF32(0x80520000, 0x807E0000, false, {}), 0x80D00000U);
  EXPECT_EQ(aie::lane::AddF32(0x80010000, 0x80010000, false, {}), 0x80000000U);
  options flush;
  flush.add_denormals = aie::host::add_denormals::flush;
  EXPECT_EQ(aie::lane::AddF32(0x80520000, 0x807E0000, false, flush), 0U);
  EXPECT_EQ(aie::lane::AddF32(Bits(1), 0x807E0000, false, flush), Bits(1));
  // +infinity and a NaN of the other sign: what the adder gives, or 1.
  EXPECT_EQ(aie::lane::AddF32(0x7F800000, 0xFFC60000, false, {}), 0xFF8C0001U);
  EXPECT_EQ(aie::lane::AddF32(0x7F800000, 0x7F840000, false, {}), 0x7F800001U);  // overflow
  options canonical;
  canonical.nan_payload = aie::host::nan_payload::canonical;
  EXPECT_EQ(aie::lane::AddF32(0x7F800000, 0xFFC60000, false, canonical), 0xFF800001U);
  EXPECT_EQ(aie::lane::AddF32(0x7F800000, 0xFF800000, false, {}), 0x7F800001U);
  EXPECT_EQ(aie::lane::AddF32(0x7F800000, 0x7F800000, true, {}), 0x7F800001U);
  EXPECT_EQ(aie::lane::AddF32(0xFF800000, Bits(1), false, {}), 0xFF800000U);
  EXPECT_EQ(aie::lane::AddF32(0x80000000, 0x80000000, false, {}), 0U);  // -0 - 0 is +0
}

}  // namespace
}  // namespace xdna::kernels
