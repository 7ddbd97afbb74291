// All forms over all 65,536 bf16, and what tells them apart.
#include "kernels/gelu/gelu.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

double Gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }

// gelu_lanes.h's polynomial, f32 arithmetic on it (ten steps, terms below 1/2, times x^2), one
// rounding to bf16; results below f32's normal range flush.
double ErfBound(double x) {
  const double square = x * x;
  const double polynomial = std::abs(x) <= 4.53
                                ? 8.0e-6 * square / (square + 0.05) + 10 * kF32Add * (square + 1)
                                : 1.4e-5;
  const double before = std::min(polynomial, 8.0e-6 * 20 * std::abs(x) + 1.4e-5);
  const double tiny = 0x1p-125;
  return before + kBf16Half * (std::abs(Gelu(x)) + before) + kF32Add * std::abs(x) + tiny;
}

std::vector<double> Map(const Guarded<bfloat16>& x, double (*f)(double)) {
  std::vector<double> values;
  for (const float v : x.span()) values.push_back(f(v));
  return values;
}

class GeluTest : public TileTest {};

TEST_F(GeluTest, ErfOverAllBf16) {
  Guarded<bfloat16> x(65536), y(65536);
  for (std::size_t i = 0; i < 65536; ++i) {
    x[i] = bfloat16::from_bits(static_cast<std::uint16_t>(i));
  }
  Run(y, [&] { gelu_bf16(x.data(), y.data(), 65536); });
  double worst = 0, worst_used = 0;
  for (std::size_t i = 0; i < 65536; ++i) {
    const double in = x[i], got = y[i];
    if (std::isnan(in)) {
      EXPECT_TRUE(std::isnan(got)) << i;
    } else if (std::isinf(in)) {
      EXPECT_EQ(got, in > 0 ? in : 0) << i;
    } else {
      const double error = std::abs(got - Gelu(in));
      ASSERT_LE(error, ErfBound(in)) << "gelu(" << in << ") = " << got;
      worst_used = std::max(worst_used, error / ErfBound(in));
      if (std::abs(in) < 8) worst = std::max(worst, error);
    }
  }
  fmt::print("gelu erf, all bf16: max |error| {:.2e} for |x| < 8, headroom {:.0f} %\n", worst,
             100 * (1 - worst_used));
}

TEST_F(GeluTest, ErfRoundsToNearest) {
  for (const std::size_t n : {16U, 48U, 208U, 2048U, 16U * 1009U}) {
    Guarded<bfloat16> x(n), y(n);
    FillNormal(x.span(), n, 1.5);
    Run(y, [&] { gelu_bf16(x.data(), y.data(), static_cast<int32>(n)); });
    Check("gelu erf " + std::to_string(n), ToFloats(y.span()), Map(x, Gelu), Map(x, ErfBound), 1,
          RoundingBias(n) + 2e-5, "polynomial, f32 steps, one rounding to bf16");
  }
}

// A unit in the last place of bf16 at `y`.
double Ulp(double y) {
  int exponent = 0;
  std::frexp(y, &exponent);
  return std::ldexp(1.0, std::max(exponent - 8, -133));
}

// gelu_lanes.h's table of Q, looked up at a bf16, times |x|; Q's two parts lose 2^-16 of it, f32
// sums little; one rounding to bf16. Results below f32's normal range flush.
double TableBound(double x) {
  const double a = std::abs(x), table = a < 5 ? 2.33e-5 * a : 1.5e-6;
  const double before = table + a * 0.5 * std::erfc(a * M_SQRT1_2) * 0x1p-16;
  return before + kBf16Half * (std::abs(Gelu(x)) + before) + 2 * kF32Add * a + 0x1p-125;
}

TEST_F(GeluTest, TableOverAllBf16) {
  Guarded<bfloat16> x(65536), y(65536);
  for (std::size_t i = 0; i < 65536; ++i) {
    x[i] = bfloat16::from_bits(static_cast<std::uint16_t>(i));
  }
  Run(y, [&] { gelu_table_bf16(x.data(), y.data(), 65536); });
  double worst_used = 0, worst_ulps = 0, worst_small_ulps = 0, worst_beyond = 0;
  for (std::size_t i = 0; i < 65536; ++i) {
    const double in = x[i], got = y[i], want = Gelu(in);
    if (std::isnan(in)) {
      EXPECT_TRUE(std::isnan(got)) << i;
    } else if (std::isinf(in)) {
      EXPECT_EQ(got, in > 0 ? in : 0) << i;
    } else {
      const double error = std::abs(got - want);
      ASSERT_LE(error, TableBound(in)) << "gelu(" << in << ") = " << got;
      worst_used = std::max(worst_used, error / TableBound(in));
      double& ulps = std::abs(want) > 1e-3 || in > -1 ? worst_ulps : worst_small_ulps;
      if (std::abs(want) > 0x1p-120) ulps = std::max(ulps, error / Ulp(want));
      // Off by more than half a unit: what the form adds to the rounding.
      worst_beyond = std::max(worst_beyond, error - Ulp(want) / 2);
    }
  }
  fmt::print(
      "gelu table, all bf16: {:.2f} ulp at most, {:.1e} beyond half an ulp, headroom {:.0f} %; "
      "{:.1f} ulp in the tail below 1e-3\n",
      worst_ulps, worst_beyond, 100 * (1 - worst_used), worst_small_ulps);
  EXPECT_LE(worst_ulps, 0.6);
  EXPECT_LE(worst_beyond, 2.4e-5);
}

TEST_F(GeluTest, TableRoundsToNearest) {
  for (const std::size_t n : {16U, 48U, 208U, 2048U, 16U * 1009U}) {
    Guarded<bfloat16> x(n), y(n);
    FillNormal(x.span(), n, 1.5);
    Run(y, [&] { gelu_table_bf16(x.data(), y.data(), static_cast<int32>(n)); });
    Check("gelu table " + std::to_string(n), ToFloats(y.span()), Map(x, Gelu), Map(x, TableBound),
          1, RoundingBias(n) + 4e-5, "160 segments of the tail, one rounding to bf16");
  }
}

// The tanh form in exact arithmetic is within 4.8e-4 of the erf form. `steps` of floor to bf16 err
// by up to 2^-7 each: the argument of tanh has 5 and two rounded constants, and its cubic part
// three of them; tanh's slope is below 1 - tanh^2 at the lower end; the table errs by 0.008 at
// most.
double StockBound(double x) {
  const double step = 2 * kBf16Half;
  const double cubic = 0.044715 * std::abs(x * x * x);
  const double inner = std::sqrt(2 / M_PI) * (std::abs(x) + cubic);
  const double inner_error =
      std::sqrt(2 / M_PI) * (cubic * 3.5 * step + (std::abs(x) + cubic) * 2.5 * step) * 1.02;
  const double low = std::max(0.0, inner - inner_error);
  const double tanh_error =
      std::min(2.0, (1 - std::tanh(low) * std::tanh(low)) * inner_error + 0.008 + step);
  const double sum_error = tanh_error + step * 2;
  return 0.5 * std::abs(x) * sum_error * 1.02 + 2 * step * std::abs(Gelu(x)) + 4.8e-4 + 0x1p-125;
}

TEST_F(GeluTest, StockIsWithinItsStepsAndFarFromErf) {
  Guarded<bfloat16> x(65536), y(65536);
  std::size_t n = 0;
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const bfloat16 v = bfloat16::from_bits(static_cast<std::uint16_t>(i));
    if (std::abs(v) <= 16) x[n++] = v;  // false for NaN
  }
  while (n % 16 != 0) x[n++] = 1.0F;
  Run(y, [&] { gelu_stock_bf16(x.data(), y.data(), static_cast<int32>(n)); });
  double worst = 0, worst_used = 0;
  std::size_t beyond_erf = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double error = std::abs(y[i] - Gelu(x[i]));
    ASSERT_LE(error, StockBound(x[i])) << "gelu(" << x[i] << ") = " << y[i];
    worst = std::max(worst, error);
    worst_used = std::max(worst_used, error / StockBound(x[i]));
    beyond_erf += error > ErfBound(x[i]) ? 1 : 0;
  }
  fmt::print(
      "gelu stock, |x| <= 16: max |error| {:.2e}, headroom {:.0f} %, {} of {} beyond the "
      "erf form's bound\n",
      worst, 100 * (1 - worst_used), beyond_erf, n);
  EXPECT_GT(beyond_erf, 1000U);
  // What a network sees: everything moves down.
  Guarded<bfloat16> normal(4096), out(4096);
  FillNormal(normal.span(), 3, 1.5);
  Run(out, [&] { gelu_stock_bf16(normal.data(), out.data(), 4096); });
  const golden::Verdict verdict = Judge(ToFloats(out.span()), Map(normal, Gelu),
                                        Map(normal, StockBound), 1, RoundingBias(4096), "");
  EXPECT_FALSE(verdict.passed());
  EXPECT_GT(verdict.bias, 5e-3);
  fmt::print("gelu stock, normal input: rel-L2 {:.2e}, bias {:.2e}, cosine {:.6f}\n",
             verdict.rel_l2, verdict.bias, verdict.cosine);
}

// Some results of the stock form by hand: x = 1: cube 1, cubic 0.044677734 (bf16), inner 1.0390625
// then 0.828125 (floor), tanh segment [0.75, 1): 0.50390625 x + 0.259765625 = 0.677063 ->
// 0.67578125, 1.671875 (floor), half 0.8359375.
TEST_F(GeluTest, StockByHand) {
  Guarded<bfloat16> x(16), y(16);
  for (bfloat16& v : x.span()) v = 1.0F;
  Run(y, [&] { gelu_stock_bf16(x.data(), y.data(), 16); });
  for (const float v : y.span()) EXPECT_EQ(v, 0.8359375F);
}

}  // namespace
}  // namespace xdna::kernels::testing
