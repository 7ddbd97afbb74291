// The checks that kernels' tests rely on can fail.
#include "kernels/testing/tile_test.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace xdna::kernels::testing {
namespace {

TEST(Guarded, SeesWritesOnBothSides) {
  Guarded<bfloat16> buffer(16);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 32, 0U);
  for (std::size_t i = 0; i < 16; ++i) buffer[i] = bfloat16::from_bits(0);
  EXPECT_TRUE(buffer.Intact());
  const bfloat16 kept = buffer.data()[16];
  buffer.data()[16] = bfloat16::from_bits(0);
  EXPECT_FALSE(buffer.Intact());
  buffer.data()[16] = kept;
  EXPECT_TRUE(buffer.Intact());
  buffer.data()[-1] = bfloat16::from_bits(0);
  EXPECT_FALSE(buffer.Intact());
}

TEST(RoundingBias, TellsFloorFromNearest) {
  constexpr std::size_t kCount = 4096;
  std::vector<float> exact(kCount);
  FillNormal(std::span<float>(exact), 1);
  const std::vector<double> want(exact.begin(), exact.end());
  std::vector<double> bound(kCount);
  for (std::size_t i = 0; i < kCount; ++i) bound[i] = 2 * kBf16Half * std::abs(want[i]);
  for (const bool nearest : {true, false}) {
    aie::set_rounding(nearest ? aie::rounding_mode::conv_even : aie::rounding_mode::floor);
    std::vector<float> got;
    for (const float x : exact) got.push_back(bfloat16(x));
    // The bound alone swallows floor; the bias does not.
    EXPECT_TRUE(Judge(got, want, bound, 64, golden::kNoLimit, "").passed());
    EXPECT_EQ(Judge(got, want, bound, 64, RoundingBias(kCount), "").passed(), nearest);
  }
  aie::host::core() = {};
}

}  // namespace
}  // namespace xdna::kernels::testing
