#include "ops/internal/row_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "ops/internal/kernel_testing.h"

namespace xdna::ops {
namespace {

class RowKernels : public OnTarget {};

INSTANTIATE_TEST_SUITE_P(Targets, RowKernels, testing::ValuesIn(MachineTargets()), TargetNameOf);

constexpr std::size_t kLengths[] = {1, 2, 7, 15, 16, 17, 31, 33, 64, 100, 1500};

std::vector<float> Normal(std::size_t n, unsigned seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal;
  std::vector<float> v(n);
  for (float& x : v) x = normal(bits);
  return v;
}

double Gelu(double x) { return 0.5 * x * std::erfc(-x * M_SQRT1_2); }

// Every part of the map on and off, rows of every length, guarded on both sides.
TEST_P(RowKernels, MapRowDoesWhatItSays) {
  for (std::size_t n : kLengths) {
    for (unsigned parts = 0; parts < 16; ++parts) {
      const auto in = Normal(n, 1);
      const auto columns = Normal(n, 2);
      const auto bias = Normal(n, 3);
      const auto addend = Normal(n, 4);
      std::vector<float> out(n + 2, 77.0F);
      RowMap map;
      map.in = in.data();
      map.scale = 0.5F;
      if ((parts & 1) != 0) map.column_scale = columns.data();
      if ((parts & 2) != 0) map.bias = bias.data();
      map.gelu = (parts & 4) != 0;
      if ((parts & 8) != 0) map.addend = addend.data();
      map.out = out.data() + 1;
      MapRow(map, n);
      EXPECT_EQ(out.front(), 77.0F);
      EXPECT_EQ(out.back(), 77.0F);
      for (std::size_t j = 0; j < n; ++j) {
        double want = 0.5 * in[j];
        if ((parts & 1) != 0) want *= columns[j];
        if ((parts & 2) != 0) want += bias[j];
        if ((parts & 4) != 0) want = Gelu(want);
        if ((parts & 8) != 0) want += addend[j];
        ASSERT_NEAR(out[j + 1], want, 2e-6) << "n " << n << " parts " << parts << " at " << j;
      }
    }
  }
}

TEST_P(RowKernels, MapRowConvertsAllBf16AndRoundsToNearestEven) {
  std::vector<Bf16> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i].bits = static_cast<std::uint16_t>(i);
  std::vector<float> wide(all.size());
  RowMap map;
  map.in = all.data();
  map.in_dtype = DType::kBf16;
  map.out = wide.data();
  MapRow(map, all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(wide[i]), i << 16);
  }
  // Just below, at and above the tie after each value.
  for (std::uint32_t lower : {0x0000U, 0x7FFFU, 0x8000U, 0x8001U, 0xFFFFU}) {
    std::vector<float> in(all.size());
    std::vector<Bf16> out(all.size());
    for (std::size_t i = 0; i < in.size(); ++i) {
      in[i] = std::bit_cast<float>(static_cast<std::uint32_t>(i << 16) | lower);
    }
    RowMap narrow;
    narrow.in = in.data();
    narrow.out = out.data();
    narrow.out_dtype = DType::kBf16;
    MapRow(narrow, in.size());
    for (std::size_t i = 0; i < in.size(); ++i)
      ASSERT_EQ(out[i].bits, Bf16::FromFloat(in[i]).bits) << i;
  }
}

TEST_P(RowKernels, MapRowDequantizesInt32) {
  const std::vector<std::int32_t> sums = {-1000, 0, 3, 1 << 24, -7};
  const std::vector<float> columns = {1, 2, 3, 0.5, 4};
  std::vector<float> out(sums.size());
  RowMap map;
  map.in = sums.data();
  map.in_dtype = DType::kI32;
  map.scale = 0.25F;
  map.column_scale = columns.data();
  map.out = out.data();
  MapRow(map, sums.size());
  for (std::size_t j = 0; j < sums.size(); ++j) EXPECT_EQ(out[j], 0.25F * sums[j] * columns[j]);
}

// GELU of every bf16 value against the C library's erfc in double.
TEST_P(RowKernels, GeluIsAccurateForAllBf16) {
  double worst = 0;
  for (std::uint32_t b = 0; b <= 0xFFFF; ++b) {
    const float x = Bf16{static_cast<std::uint16_t>(b)}.ToFloat();
    if (std::isinf(x)) continue;
    float y = 0;
    RowMap map;
    map.in = &x;
    map.gelu = true;
    map.out = &y;
    MapRow(map, 1);
    if (std::isnan(x)) {
      EXPECT_TRUE(std::isnan(y));
      continue;
    }
    worst = std::max(worst, std::fabs(y - Gelu(x)) / std::max(std::fabs(x), 1e-30F));
    if (std::fabs(x) >= 16) {
      ASSERT_EQ(y, std::max(x, 0.0F));
    }
  }
  EXPECT_LE(worst, 2.5e-7);  // of |x|: 1.5e-7 / 2 of the formula, and f32 rounding
}

TEST_P(RowKernels, LayerNormRowAgreesWithDouble) {
  for (std::size_t n : kLengths) {
    const auto in = Normal(n, 5);
    const auto gamma = Normal(n, 6);
    const auto beta = Normal(n, 7);
    std::vector<float> out(n);
    LayerNormRow(in.data(), gamma.data(), beta.data(), 1e-5F, n, out.data(), DType::kF32);
    double mean = 0;
    double variance = 0;
    for (float x : in) mean += x / static_cast<double>(n);
    for (float x : in) variance += (x - mean) * (x - mean) / static_cast<double>(n);
    for (std::size_t j = 0; j < n; ++j) {
      ASSERT_NEAR(out[j], (in[j] - mean) / std::sqrt(variance + 1e-5) * gamma[j] + beta[j], 1e-5)
          << n;
    }
  }
}

TEST_P(RowKernels, LayerNormRowLargeMeanDoesNotDrownTheVariance) {
  std::vector<float> in(512);
  for (std::size_t j = 0; j < in.size(); ++j) in[j] = 1000.0F + ((j % 2 == 0) ? 1.0F : -1.0F);
  const std::vector<float> one(512, 1.0F);
  const std::vector<float> zero(512, 0.0F);
  std::vector<float> out(512);
  LayerNormRow(in.data(), one.data(), zero.data(), 1e-5F, 512, out.data(), DType::kF32);
  for (std::size_t j = 0; j < in.size(); ++j) EXPECT_NEAR(out[j], (j % 2 == 0) ? 1 : -1, 1e-5);
}

TEST_P(RowKernels, ExpRowAgreesWithDoubleAndSums) {
  for (std::size_t n : kLengths) {
    auto in = Normal(n, 8);
    for (float& x : in) x *= 10;
    std::vector<float> out(n);
    const float sum = ExpRow(in.data(), 0.125F, n, out.data(), DType::kF32);
    const float max = *std::max_element(in.begin(), in.end());
    double want_sum = 0;
    for (std::size_t j = 0; j < n; ++j) {
      const double want = std::exp(0.125 * (double{in[j]} - max));
      want_sum += want;
      ASSERT_NEAR(out[j], want, 1e-6 * want);
    }
    EXPECT_NEAR(sum, want_sum, 1e-6 * want_sum);
  }
}

// Relative error over the whole range of results, and zero beyond it.
TEST_P(RowKernels, ExpRowIsWithinTwoUlp) {
  constexpr int kSteps = 870000;
  std::vector<float> in(kSteps + 1);
  for (int i = 0; i <= kSteps; ++i) in[i] = -1e-4F * static_cast<float>(i);
  std::vector<float> out(in.size());
  ExpRow(in.data(), 1, in.size(), out.data(), DType::kF32);
  double worst = 0;
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i] < -87) continue;
    const double want = std::exp(static_cast<double>(in[i]));
    worst = std::max(worst, std::fabs(out[i] - want) / want);
  }
  EXPECT_LE(worst, 2 * 0x1p-23);
  const float far[] = {0, -87.5F, -1e30F, -std::numeric_limits<float>::infinity()};
  float result[4];
  ExpRow(far, 1, 4, result, DType::kF32);
  EXPECT_EQ(result[0], 1.0F);
  for (int i = 1; i < 4; ++i) EXPECT_EQ(result[i], 0.0F);
}

TEST_P(RowKernels, ExpRowKeepsNan) {
  const float in[] = {1, std::numeric_limits<float>::quiet_NaN(), 2};
  float out[3];
  EXPECT_TRUE(std::isnan(ExpRow(in, 1, 3, out, DType::kF32)));
}

TEST_P(RowKernels, QuantizeRowRoundsToNearestOf127Steps) {
  for (std::size_t n : kLengths) {
    const auto in = Normal(n, 9);
    std::vector<std::int8_t> q(n + 1, 99);
    const float scale = QuantizeRow(in.data(), DType::kF32, n, q.data());
    EXPECT_EQ(q[n], 99);
    float max = 0;
    for (float x : in) max = std::max(max, std::fabs(x));
    EXPECT_FLOAT_EQ(scale, max / 127);
    for (std::size_t j = 0; j < n; ++j) ASSERT_LE(std::fabs(q[j] * scale - in[j]), scale * 0.5001);
  }
  const std::vector<float> zeros(20, 0.0F);
  std::int8_t q[20];
  EXPECT_EQ(QuantizeRow(zeros.data(), DType::kF32, 20, q), 1.0F);
  EXPECT_EQ(q[19], 0);
}

// Every value within half a step, 0 exact, and as few steps unused as promised.
void ExpectQuantized(const std::vector<Bf16>& in, float least, double steps) {
  std::vector<std::uint8_t> q(in.size() + 1, 99);
  const RowScale row = QuantizeRowU8(in.data(), DType::kBf16, in.size(), least, q.data());
  EXPECT_EQ(q[in.size()], 99);
  float low = 0;
  float high = 0;
  for (std::size_t j = 0; j < in.size(); ++j) {
    const float x = in[j].ToFloat();
    low = std::min(low, x);
    high = std::max(high, x);
    ASSERT_LE(std::fabs((q[j] - row.zero) * row.scale - x), row.scale * 0.501) << in.size();
    if (x == 0) {
      ASSERT_EQ(q[j], row.zero);
    }
  }
  if (steps > 0 && high > low) {
    EXPECT_GE((high - low) / row.scale, steps) << in.size();
  }
}

TEST_P(RowKernels, QuantizeRowU8SpendsItsStepsOnTheRow) {
  for (std::size_t n : kLengths) {
    std::vector<Bf16> even(n);
    std::vector<Bf16> skewed(n);
    std::vector<Bf16> gelu(n);
    const auto normal = Normal(n, 10);
    for (std::size_t j = 0; j < n; ++j) {
      even[j] = Bf16::FromFloat(normal[j]);
      skewed[j] = Bf16::FromFloat(std::exp(normal[j]) - 0.5F);
      gelu[j] = Bf16::FromFloat(static_cast<float>(Gelu(4 * normal[j])));
    }
    even.back() = Bf16{0};
    ExpectQuantized(even, kNoLeast, 0);
    ExpectQuantized(even, kLeastOfRow, 252);
    ExpectQuantized(skewed, kLeastOfRow, 252);
    ExpectQuantized(gelu, kGeluLeast, 0);
  }
}

TEST_P(RowKernels, QuantizeRowU8KeepsIntegersUpTo127) {
  std::vector<float> in(255);
  for (std::size_t j = 0; j < in.size(); ++j) in[j] = static_cast<float>(j) - 127;
  std::vector<std::uint8_t> q(in.size());
  const RowScale row = QuantizeRowU8(in.data(), DType::kF32, in.size(), kNoLeast, q.data());
  EXPECT_EQ(row.scale, 1);
  EXPECT_EQ(row.zero, 128);
  for (std::size_t j = 0; j < in.size(); ++j) EXPECT_EQ(q[j], j + 1);
}

TEST_P(RowKernels, QuantizeRowU8TakesZerosOneSidedRowsAndNan) {
  const std::vector<float> zeros(20, 0.0F);
  std::uint8_t q[20];
  for (float least : {kNoLeast, kLeastOfRow}) {
    const RowScale row = QuantizeRowU8(zeros.data(), DType::kF32, 20, least, q);
    EXPECT_EQ(row.scale, 1);
    EXPECT_EQ(q[19], row.zero);
  }
  for (float sign : {1.0F, -1.0F}) {
    std::vector<Bf16> in;
    for (int j = 0; j < 40; ++j) in.push_back(Bf16::FromFloat(sign * static_cast<float>(j) / 8));
    ExpectQuantized(in, kLeastOfRow, 252);
  }
  std::vector<Bf16> nan(40, Bf16{0x3F80});
  nan[3] = Bf16{0x7FC0};
  std::uint8_t lost[40];
  EXPECT_TRUE(std::isnan(QuantizeRowU8(nan.data(), DType::kBf16, 40, kLeastOfRow, lost).scale));
}

TEST_P(RowKernels, MapRowTakesTheZeroOffBeforeItRounds) {
  // The sums differ by 1 where f32 counts in steps of 2.
  const std::vector<std::int32_t> sums = {(1 << 24) + 1, 1 << 24, 7};
  const std::vector<std::int32_t> columns = {1 << 17, 1 << 17, 1};
  std::vector<float> out(sums.size());
  RowMap map;
  map.in = sums.data();
  map.in_dtype = DType::kI32;
  map.zero = 128;
  map.column_sum = columns.data();
  map.out = out.data();
  MapRow(map, sums.size());
  EXPECT_EQ(out, (std::vector<float>{1, 0, -121}));
}

}  // namespace
}  // namespace xdna::ops
