// Sums bit for bit, and normalised rows against float64 with a bound derived for each element.
#include "kernels/add_norm/add_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

constexpr double kInvSqrtError = 6.6e-4;  // aie::invsqrt: R. Kadlec, rrrola.wz.cz/inv_sqrt.html
constexpr char kProvenance[] =
    "one rounding to bf16 (2^-8), inverse root (6.6e-4), pairs of bf16 (2^-14), f32 sums over "
    "width/16 lanes";

struct Operands {
  Guarded<float> x, sum;
  Guarded<bfloat16> delta, y;
  std::size_t rows, width;

  Operands(std::size_t m, std::size_t n, double offset, double scale = 2.5)
      : x(m * n), sum(m * n), delta(m * n), y(m * n), rows(m), width(n) {
    FillNormal(x.span(), 7 * m + n, scale, offset);
    FillNormal(delta.span(), 11 * m + n, scale / 4);
  }
};

void CheckSizes(std::size_t rows, std::size_t width, double offset, double scale = 2.5) {
  Operands o(rows, width, offset, scale);
  const auto run = [&o] {
    add_norm_f32(o.x.data(), o.delta.data(), o.sum.data(), o.y.data(), static_cast<int32>(o.rows),
                 static_cast<int32>(o.width));
  };
  aie::host::core() = {};
  run();
  ASSERT_TRUE(o.sum.Intact()) << "wrote outside its sums";
  std::vector<double> want, bound;
  const auto n = static_cast<double>(width);
  const double sum_error = (n / 16 + 5) * kF32Add;
  for (std::size_t r = 0; r < rows; ++r) {
    double mean = 0, magnitude = 0, variance = 0;
    const auto at = [&](std::size_t i) { return static_cast<double>(o.sum[r * width + i]); };
    for (std::size_t i = 0; i < width; ++i) {
      const double x = o.x[r * width + i], delta = static_cast<float>(o.delta[r * width + i]);
      // The adder aligns both to the larger exponent.
      ASSERT_NEAR(at(i), x + delta, kF32Add * (std::abs(x) + std::abs(delta)))
          << "sum of row " << r << ", column " << i;
      mean += at(i) / n, magnitude += std::abs(at(i)) / n;
    }
    for (std::size_t i = 0; i < width; ++i) variance += (at(i) - mean) * (at(i) - mean) / n;
    const double inverse = 1 / std::sqrt(variance + 1e-5);
    const double mean_error = sum_error * magnitude;
    const double variance_error = 0x1p-15 + sum_error + mean_error * mean_error * inverse * inverse;
    for (std::size_t i = 0; i < width; ++i) {
      const double normal = (at(i) - mean) * inverse;
      const double before =
          std::abs(normal) * (kInvSqrtError + 0x1p-14 + variance_error) + inverse * mean_error;
      want.push_back(normal);
      bound.push_back(before + kBf16Half * (std::abs(normal) + before));
    }
  }
  Check("add_norm_f32 " + std::to_string(rows) + "x" + std::to_string(width), ToFloats(o.y.span()),
        want, bound, rows, kInvSqrtError + RoundingBias(rows * width), kProvenance);
}

class AddNorm : public TileTest {};

TEST_F(AddNorm, WhispersWidths) {
  for (const std::size_t width : {384U, 512U, 768U, 1024U, 1280U}) CheckSizes(5, width, 0.3);
}

TEST_F(AddNorm, OneRowOneVectorAndPrimes) {
  for (const std::size_t rows : {1U, 3U, 17U}) {
    for (const std::size_t width : {16U, 48U, 176U}) CheckSizes(rows, width, -1);
  }
}

TEST_F(AddNorm, MeanMuchLargerThanDeviation) { CheckSizes(8, 512, 60); }

// The deviation is a third of what epsilon stands for.
TEST_F(AddNorm, DeviationBelowEpsilon) { CheckSizes(4, 512, 0, 1e-3); }

// Each |x| is 1.9 / 512 above a bf16, so that the variance needs both parts of the split: without
// one of the cross terms it would be some 0.3 % too small. Rows differ in scale, and so in the
// root's error.
TEST_F(AddNorm, VarianceToTheLastBits) {
  Operands o(16, 512, 0);
  for (std::size_t i = 0; i < o.x.size(); i += 2) {
    const std::size_t step = i / 512 * 3 + i / 2 % 16;
    o.x[i] = 1 + static_cast<float>(step) / 128 + 1.9F / 512;
    o.x[i + 1] = -o.x[i];
    o.delta[i] = o.delta[i + 1] = 0.0F;
  }
  add_norm_f32(o.x.data(), o.delta.data(), o.sum.data(), o.y.data(), 16, 512);
  for (std::size_t r = 0; r < o.rows; ++r) {
    const auto x = o.x.span().subspan(r * 512, 512);
    double variance = 0, cross = 0;
    for (const double v : x) variance += v * v / 512;
    for (std::size_t i = 0; i < 512; ++i) {
      cross += x[i] / std::sqrt(variance + 1e-5) * static_cast<float>(o.y[r * 512 + i]) / 512;
    }
    // The slope of results over what is right, whose mean square is 1.
    EXPECT_NEAR(cross, 1, kInvSqrtError + RoundingBias(512)) << "row " << r;
  }
}

TEST_F(AddNorm, InPlaceAndWhateverRegistersHold) {
  Operands o(4, 512, 0.1);
  const std::vector<float> x(o.x.span().begin(), o.x.span().end());
  Run(o.y, [&] {
    std::copy(x.begin(), x.end(), o.x.data());
    add_norm_f32(o.x.data(), o.delta.data(), o.x.data(), o.y.data(), 4, 512);
  });
  Operands apart(4, 512, 0.1);
  add_norm_f32(apart.x.data(), apart.delta.data(), apart.sum.data(), apart.y.data(), 4, 512);
  for (std::size_t i = 0; i < o.x.size(); ++i) {
    ASSERT_EQ(o.x[i], apart.sum[i]) << i;
    ASSERT_EQ(o.y[i].bits(), apart.y[i].bits()) << i;
  }
}

TEST_F(AddNorm, NoRowsTouchNothing) {
  Operands o(1, 16, 0);
  const Guarded<float> before(16);
  add_norm_f32(o.x.data(), o.delta.data(), o.sum.data(), o.y.data(), 0, 16);
  for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(std::memcmp(&o.sum[i], &before[i], 4), 0);
}

}  // namespace
}  // namespace xdna::kernels::testing
