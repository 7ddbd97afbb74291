#include "base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace xdna {
namespace {

struct Known {
  std::uint64_t seed;
  std::uint64_t index;
  double bits;   // ours, on every machine
  double numpy;  // the header's formula in numpy 1.24
};

constexpr Known kKnown[] = {
    {3001, 0, 1.3601333376224944, 1.3601333376224944},
    {3001, 1, -1.3572898592905931, -1.3572898592905933},
    {3001, 2, -1.4809447744114117, -1.4809447744114115},
    {3001, 1000, 1.4407968196342824, 1.4407968196342824},
    {3001, 1000000007, -0.7117334891780841, -0.7117334891780845},
    {0xdeadbeefcafef00d, 0, -0.5998132964914048, -0.5998132964914052},
    {0xdeadbeefcafef00d, 1, 1.772680789550737, 1.7726807895507368},
    {0xdeadbeefcafef00d, 1000000007, 0.42485770794905509, 0.4248577079490548},
};

TEST(SeededNormal, KnownValues) {
  for (const Known& known : kKnown) {
    const double value = SeededNormal(known.seed, known.index);
    EXPECT_EQ(value, known.bits) << known.seed << " " << known.index;
    EXPECT_NEAR(value, known.numpy, 1e-15) << known.seed << " " << known.index;
  }
}

TEST(SeededNormal, MatchesTheFormulaInLibm) {
  const auto mix = [](std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z ^= z >> 31;
    return (static_cast<double>(z >> 11) + 0.5) * 0x1p-53;
  };
  for (std::uint64_t i = 0; i < 200000; ++i) {
    const double u1 = mix(7 + (2 * i + 1) * 0x9E3779B97F4A7C15);
    const double u2 = mix(7 + (2 * i + 2) * 0x9E3779B97F4A7C15);
    const double want = std::sqrt(-2 * std::log(u1)) * std::cos(2 * M_PI * u2);
    // 2 pi u2 alone is wrong by half a unit in the last place of 4, times sqrt(-2 ln u1).
    ASSERT_NEAR(SeededNormal(7, i), want, 4e-15) << i;
  }
}

TEST(FillSeededNormal, SameBitsAsOneByOneFromAnyStart) {
  for (std::size_t count : {0, 1, 7, 64, 1001}) {
    for (std::uint64_t first : {0, 3, 1 << 20}) {
      std::vector<float> out(count + 1, -1);
      FillSeededNormal(42, first, 0.25, 1, {out.data(), count});
      for (std::size_t i = 0; i < count; ++i) {
        ASSERT_EQ(out[i], static_cast<float>(1 + 0.25 * SeededNormal(42, first + i))) << i;
      }
      EXPECT_EQ(out[count], -1);
    }
  }
}

TEST(FillSeededNormal, IsStandardNormal) {
  constexpr int kCount = 1 << 20;
  std::vector<float> values(kCount);
  FillSeededNormal(1, 0, 1, 0, values);
  double sum = 0;
  double squares = 0;
  double cubes = 0;
  int inside = 0;
  double lag = 0;
  for (int i = 0; i < kCount; ++i) {
    const double x = values[i];
    sum += x;
    squares += x * x;
    cubes += x * x * x;
    inside += std::abs(x) < 1 ? 1 : 0;
    lag += x * values[(i + 1) % kCount];
  }
  // Five standard errors each.
  EXPECT_NEAR(sum / kCount, 0, 5 / 1024.0);
  EXPECT_NEAR(squares / kCount, 1, 5 * std::sqrt(2) / 1024);
  EXPECT_NEAR(cubes / kCount, 0, 5 * std::sqrt(15) / 1024);
  EXPECT_NEAR(inside / double{kCount}, 0.6826894921, 5 * 0.4655 / 1024);
  EXPECT_NEAR(lag / kCount, 0, 5 / 1024.0);
}

TEST(FillSeededNormal, SeedsGiveUnrelatedStreams) {
  std::vector<float> a(1 << 16);
  std::vector<float> b(1 << 16);
  FillSeededNormal(1, 0, 1, 0, a);
  FillSeededNormal(2, 0, 1, 0, b);
  double product = 0;
  for (std::size_t i = 0; i < a.size(); ++i) product += double{a[i]} * b[i];
  EXPECT_NEAR(product / static_cast<double>(a.size()), 0, 5 / 256.0);
}

}  // namespace
}  // namespace xdna
