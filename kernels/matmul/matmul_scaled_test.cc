// int8 products with scales, and their epilogue, against float64.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/matmul/matmul.h"
#include "kernels/quantize/quantize.h"
#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

// Four pairs of bf16 hold 2^-16 of what they split each (sums, columns, their product, rows); the
// products add 2^-22.
constexpr double kPairs = 4.1 * 0x1p-16;
constexpr char kProvenance[] =
    "4.1 * 2^-16 of the scaled sum for its pairs of bf16, half a unit of the shift, f32 sums";

struct Size {
  std::size_t m, k, n;
};

std::size_t InC(const Size& s, std::size_t i, std::size_t j) {
  return (i / 4 * (s.n / 8) + j / 8) * 32 + i % 4 * 8 + j % 8;
}

class MatmulScaled : public TileTest {
 protected:
  // Of rows, whose pairs are followed by what nobody may read, and of columns; bias.
  struct Scales {
    std::vector<float> rows;
    Guarded<bfloat16> pairs;
    Guarded<float> columns, bias;

    explicit Scales(const Size& s) : rows(s.m), pairs(s.m / 4 * 16), columns(s.n), bias(s.n) {
      std::fill(pairs.span().begin(), pairs.span().end(), bfloat16::from_bits(0x7FC0));
      for (std::size_t i = 0; i < s.m; ++i) {
        rows[i] = 0.001F * static_cast<float>(i * 37 % 50 + 1);
        const bfloat16 high = rows[i];
        pairs[i / 4 * 16 + i % 4] = high;
        pairs[i / 4 * 16 + 4 + i % 4] = bfloat16(rows[i] - high);
      }
      for (std::size_t j = 0; j < s.n; ++j) {
        columns[j] = 0.0003F * static_cast<float>(j * 29 % 40 + 1);
        bias[j] = 0.5F - static_cast<float>(j % 7) / 8;
      }
    }
  };

  static double Gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2))); }

  template <typename Out>
  static void CheckFinish(void (*kernel)(const int32*, Out*, int32, int32,
                                         const MatmulScaledEpilogue*),
                          int32 shift, bool gelu) {
    const Size s = {20, 0, 48};
    Guarded<int32> c(s.m * s.n);
    Guarded<Out> y(s.m * s.n);
    const Scales scales(s);
    std::mt19937 random(static_cast<std::uint32_t>(shift) + 7);
    for (int32& sum : c.span()) {
      // Of all sizes, up to the largest.
      const auto bits = static_cast<int>(random() % static_cast<unsigned>(22 + shift)) + 1;
      sum = static_cast<int32>(random() % (1U << bits)) * (random() % 2 == 0 ? 1 : -1);
    }
    const MatmulScaledEpilogue e{.row_scales = scales.pairs.data(),
                                 .column_scales = scales.columns.data(),
                                 .bias = scales.bias.data(),
                                 .shift = shift,
                                 .gelu = gelu};
    Run(y,
        [&] { kernel(c.data(), y.data(), static_cast<int32>(s.m), static_cast<int32>(s.n), &e); });
    std::vector<double> want, bound;
    std::vector<float> got;
    for (std::size_t i = 0; i < s.m; ++i) {
      for (std::size_t j = 0; j < s.n; ++j) {
        const double scale = static_cast<double>(scales.rows[i]) * scales.columns[j];
        const double sum = std::ldexp(c[InC(s, i, j)], -shift) * scale;
        double v = sum + scales.bias[j];
        double error = kPairs * std::abs(sum) + (shift > 0 ? scale / 2 : 0) +
                       10 * kF32Half * (std::abs(sum) + 1);
        if (gelu) {
          error = 1.13 * error + 3e-5;
          v = Gelu(v);
        }
        if (sizeof(Out) == 2) error += kBf16Half * (std::abs(v) + error);
        want.push_back(v);
        bound.push_back(error);
        got.push_back(y[InC(s, i, j)]);
      }
    }
    Check("scaled shift " + std::to_string(shift) + (gelu ? " gelu" : "") +
              (sizeof(Out) == 2 ? " bf16" : " f32"),
          got, want, bound, s.m, RoundingBias(want.size()), kProvenance);
  }
};

TEST_F(MatmulScaled, FinishScalesRowsAndColumns) {
  for (const int32 shift : {0, 1, 3}) {
    for (const bool gelu : {false, true}) {
      CheckFinish<float>(matmul_finish_scaled_f32, shift, gelu);
      CheckFinish<bfloat16>(matmul_finish_scaled_bf16, shift, gelu);
    }
  }
}

TEST_F(MatmulScaled, ShiftHoldsTheLargestSums) {
  EXPECT_EQ(ScaledShift(1), 0);
  EXPECT_EQ(ScaledShift(260), 0);
  EXPECT_EQ(ScaledShift(261), 1);
  EXPECT_EQ(ScaledShift(512), 1);
  EXPECT_EQ(ScaledShift(2048), 3);
  EXPECT_EQ(ScaledShift(5120), 5);
}

// A lies with scales behind each four rows, which the product skips.
TEST_F(MatmulScaled, SumsAreThoseOfPlainRows) {
  for (const Size s : {Size{4, 32, 8}, Size{20, 64, 24}, Size{32, 96, 32}}) {
    const auto m = static_cast<int32>(s.m), k = static_cast<int32>(s.k),
               n = static_cast<int32>(s.n);
    const auto part = static_cast<std::size_t>(QuantizedPart(k));
    Guarded<int8> plain(s.m * s.k), a(s.m / 4 * part), b(s.k * s.n);
    std::mt19937 random(3);
    for (int8& v : plain.span()) v = static_cast<int8>(random());
    for (int8& v : a.span()) v = 99;
    for (int8& v : b.span()) v = static_cast<int8>(random());
    for (std::size_t i = 0; i < s.m * s.k; ++i) {
      a[i / (4 * s.k) * part + i % (4 * s.k)] = plain[i];
    }
    Guarded<int32> want(s.m * s.n), got(s.m * s.n);
    for (const int32 first : {1, 0}) {
      matmul_int8(plain.data(), b.data(), want.data(), m, k, n, first);
      matmul_scaled_int8(a.data(), b.data(), got.data(), m, k, n, first);
      EXPECT_TRUE(std::equal(got.span().begin(), got.span().end(), want.span().begin()));
    }
    EXPECT_TRUE(got.Intact());
  }
}

}  // namespace
}  // namespace xdna::kernels::testing
