// Every variant against float64 with a bound derived for each element.
#include "kernels/softmax/softmax.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

using Kernel = void (*)(const bfloat16*, bfloat16*, int32, int32, int32);

constexpr char kProvenance[] =
    "exp: difference to bf16 and down to 1/256, two table entries and the product to bf16; the "
    "sum's "
    "weighted mean of these; the reciprocal; one rounding of the result";

// Half the unit of bf16 at d: what a rounding to nearest may change.
double HalfUnit(double d) { return d == 0 ? 0 : std::exp2(std::floor(std::log2(std::abs(d))) - 8); }

// The relative error of exp(d) as the kernel has it, d <= 0 exact. The difference's rounding
// changes exp(d) by that relatively; the key is a floor to 1/256, which is exact from 1/2 on (8
// bits of bf16); two table entries and their product round to bf16.
double ExpError(double d) {
  const double key = std::abs(d) < 0.51 ? 1.0 / 256 : 0;
  return std::expm1(HalfUnit(d) + key + 3 * kBf16Half) + kF32Half;
}

// Results below this may be zero: products of the tables below f32's normal range flush.
constexpr double kSmallest = 0x1p-125;

struct Expected {
  std::vector<double> want, bound;
};

// `reciprocal` is 1/sum's relative error; `raised` how often a block raised each row's maximum.
Expected Reference(const Guarded<bfloat16>& x, std::size_t rows, std::size_t valid,
                   double reciprocal, const std::vector<int>& raised = {}) {
  const std::size_t width = x.size() / rows;
  Expected e;
  for (std::size_t r = 0; r < rows; ++r) {
    const auto row = x.span().subspan(r * width, valid);
    const double max = *std::max_element(row.begin(), row.end());
    double sum = 0, sum_error = 0;
    for (const float v : row) {
      sum += std::exp(v - max);
      sum_error += std::exp(v - max) * ExpError(v - max);
    }
    sum_error /= sum;
    // Online: a block's sum is exact to the worst exp of it (those below exp(-16) weigh nothing),
    // and each rescaling adds one more.
    if (!raised.empty()) sum_error = ExpError(-16) * (1 + raised[r]);
    sum_error += (static_cast<double>(width) / 16 + 5) * kF32Add;
    for (std::size_t i = 0; i < width; ++i) {
      const double p = i < valid ? std::exp(row[i] - max) / sum : 0;
      const double before =
          i < valid ? p * std::expm1(ExpError(row[i] - max) + sum_error + reciprocal) : 0;
      e.want.push_back(p);
      e.bound.push_back(i < valid ? before + kBf16Half * (p + before) + kSmallest : 0);
    }
  }
  return e;
}

constexpr double kAsPair = 0x1p-16;

class Softmax : public TileTest {
 protected:
  // Rows that sum to 1 but for the last rounding: the bias sees what all elements share.
  static void CheckKernel(const std::string& name, Kernel kernel, std::size_t rows,
                          std::size_t width, std::size_t valid, double scale, double reciprocal) {
    Guarded<bfloat16> x(rows * width), y(rows * width);
    FillNormal(x.span(), rows * 1000 + width, scale);
    // Padding that would win every maximum.
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (i % width >= valid) x[i] = bfloat16(3e38F);
    }
    Run(y, [&] {
      kernel(x.data(), y.data(), static_cast<int32>(rows), static_cast<int32>(width),
             static_cast<int32>(valid));
    });
    const Expected e = Reference(x, rows, valid, reciprocal);
    // A bf16 reciprocal is a row's own error, within 2^-8 evenly.
    const double shared = reciprocal / std::sqrt(3.0) * 4 / std::sqrt(static_cast<double>(rows));
    Check(name + " " + std::to_string(rows) + " x " + std::to_string(valid), ToFloats(y.span()),
          e.want, e.bound, rows, std::min(2.2e-3, shared + Effective(e.want)), kProvenance);
  }

  // RoundingBias for weights as uneven as a softmax's: by what n equal ones would do the same.
  static double Effective(const std::vector<double>& p) {
    double sum = 0, squares = 0;
    for (const double v : p) sum += v, squares += v * v;
    return RoundingBias(static_cast<std::size_t>(std::max(1.0, sum * sum / squares)));
  }
};

TEST_F(Softmax, PairReciprocal) {
  for (const double scale : {0.3, 2.0, 8.0}) {
    CheckKernel("softmax scale " + std::to_string(scale).substr(0, 3), softmax_bf16, 64, 512, 512,
                scale, kAsPair);
  }
}

TEST_F(Softmax, Bf16Reciprocal) {
  CheckKernel("softmax bf16 reciprocal", softmax_inverse_bf16, 128, 512, 512, 2, kBf16Half);
  CheckKernel("softmax bf16 reciprocal", softmax_inverse_bf16, 3, 48, 37, 1, kBf16Half);
}

TEST_F(Softmax, RaggedEndsOfWhispersRows) {
  CheckKernel("softmax", softmax_bf16, 16, 1504, 1500, 2, kAsPair);
  CheckKernel("softmax", softmax_bf16, 5, 3008, 3001, 2, kAsPair);
  CheckKernel("softmax", softmax_bf16, 7, 448, 448, 2, kAsPair);
  for (const std::size_t valid : {1U, 2U, 15U, 16U, 17U, 31U, 33U}) {
    CheckKernel("softmax", softmax_bf16, 11, 48, valid, 1, kAsPair);
  }
}

TEST_F(Softmax, RowsSumToOne) {
  Guarded<bfloat16> x(64 * 512), pair(64 * 512), single(64 * 512);
  FillNormal(x.span(), 77, 1);
  softmax_bf16(x.data(), pair.data(), 64, 512, 512);
  softmax_inverse_bf16(x.data(), single.data(), 64, 512, 512);
  const auto worst = [](const Guarded<bfloat16>& y) {
    double off = 0;
    for (std::size_t r = 0; r < 64; ++r) {
      double sum = 0;
      for (const float v : y.span().subspan(r * 512, 512)) sum += v;
      off = std::max(off, std::abs(sum - 1));
    }
    return off;
  };
  fmt::print("row sums off 1 by at most: pair {:.2e}, bf16 {:.2e}\n", worst(pair), worst(single));
  EXPECT_LT(worst(pair), RoundingBias(512 / 3));
  EXPECT_GT(worst(single), worst(pair));
}

TEST_F(Softmax, LargeAndFarApartValues) {
  // Around the table's wrap, and beyond all clamps; shifts of whole rows change nothing.
  const float offsets[] = {0, -127, -128, -128.5F, -129, -200, -1000, -3e38F};
  Guarded<bfloat16> x(16), y(16);
  for (const float top : {0.0F, 1000.0F, -1000.0F}) {
    for (std::size_t i = 0; i < 16; ++i) x[i] = i < 8 ? top + offsets[i] : top;
    Run(y, [&] { softmax_bf16(x.data(), y.data(), 1, 16, 16); });
    for (std::size_t i = 0; i < 16; ++i) {
      EXPECT_NEAR(y[i], i == 0 || i > 7 ? 1.0 / 9 : 0, i == 0 || i > 7 ? 1e-3 : 0)
          << top << " " << i;
    }
  }
  x[3] = -INFINITY;
  Run(y, [&] { softmax_bf16(x.data(), y.data(), 1, 16, 16); });
  EXPECT_EQ(y[3], 0.0F);
}

TEST_F(Softmax, StockWrapsBiasesAndOverflows) {
  Guarded<bfloat16> x(64 * 512), y(64 * 512);
  FillNormal(x.span(), 78, 1);
  Run(y, [&] { softmax_stock_bf16(x.data(), y.data(), 64, 512, 512); });
  const Expected e = Reference(x, 64, 512, 2 * kBf16Half);
  const golden::Verdict verdict =
      Judge(ToFloats(y.span()), e.want, e.bound, 64, RoundingBias(64 * 512), kProvenance);
  fmt::print("stock: max {:.2e} rel-L2 {:.2e} bias {:.2e}\n", verdict.max_abs, verdict.rel_l2,
             verdict.bias);
  EXPECT_FALSE(verdict.passed());
  EXPECT_GT(verdict.bias, 2e-3);  // floor of the reciprocal and of the result
  EXPECT_LT(verdict.rel_l2, 0.02);
  // Rows of which the table makes exp(-129) = exp(127), and exp(89) = exp(88).
  for (std::size_t i = 0; i < 16; ++i) x[i] = i == 0 ? -129.0F : 0.0F;
  Run(y, [&] { softmax_stock_bf16(x.data(), y.data(), 1, 16, 16); });
  EXPECT_GT(y[0], 0.98F);
  EXPECT_LT(y[1], 1e-30F);
  for (std::size_t i = 0; i < 16; ++i) x[i] = i == 0 ? 100.0F : 88.0F;
  Run(y, [&] { softmax_stock_bf16(x.data(), y.data(), 1, 16, 16); });
  EXPECT_FALSE(y[0] > 0.9F);
  // Padding stays out.
  for (std::size_t i = 0; i < 16; ++i) x[i] = i < 5 ? 0.0F : 50.0F;
  Run(y, [&] { softmax_stock_bf16(x.data(), y.data(), 1, 16, 5); });
  EXPECT_NEAR(y[0], 0.2, 0.002);
  EXPECT_EQ(y[5], 0.0F);
}

TEST_F(Softmax, OnlineByBlocksOfColumns) {
  constexpr std::size_t kRows = 33, kBlock = 64, kBlocks = 6, kLast = 41;
  constexpr std::size_t kWidth = kBlock * kBlocks, kValid = kWidth - kBlock + kLast;
  Guarded<bfloat16> x(kRows * kWidth), y(kRows * kWidth), in(kRows * kBlock), out(kRows * kBlock);
  Guarded<float> state(kRows * 2);
  FillNormal(x.span(), 79, 2);
  // Rows whose maximum grows in every block, and some whose first block has it.
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double drift =
        static_cast<double>(i % kWidth) / kBlock * (i / kWidth % 3 == 0 ? -1 : 0.4);
    x[i] = bfloat16(static_cast<float>(x[i] + drift));
    if (i % kWidth >= kValid) x[i] = 1e30F;
  }
  std::fill_n(state.data(), state.size(), NAN);  // the first block ignores what is there
  std::vector<int> raised(kRows);
  std::vector<float> highest(kRows, -INFINITY);
  const auto block = [&](std::size_t b) {
    for (std::size_t r = 0; r < kRows; ++r) {
      std::copy_n(&x[r * kWidth + b * kBlock], kBlock, &in[r * kBlock]);
    }
    return static_cast<int32>(b + 1 == kBlocks ? kLast : kBlock);
  };
  for (std::size_t b = 0; b < kBlocks; ++b) {
    const int32 valid = block(b);
    softmax_online_block_bf16(in.data(), state.data(), kRows, kBlock, valid, b == 0 ? 1 : 0);
    ASSERT_TRUE(state.Intact());
    for (std::size_t r = 0; r < kRows; ++r) {
      if (state[2 * r] > highest[r]) raised[r] += b == 0 ? 0 : 1;
      highest[r] = state[2 * r];
    }
  }
  EXPECT_GE(*std::max_element(raised.begin(), raised.end()), 4);
  for (std::size_t b = 0; b < kBlocks; ++b) {
    const int32 valid = block(b);
    Run(out, [&] {
      softmax_online_finish_bf16(in.data(), state.data(), out.data(), kRows, kBlock, valid);
    });
    for (std::size_t r = 0; r < kRows; ++r) {
      std::copy_n(&out[r * kBlock], kBlock, &y[r * kWidth + b * kBlock]);
    }
  }
  const Expected e = Reference(x, kRows, kValid, kAsPair, raised);
  Check("softmax online, 6 blocks, 33 x 361", ToFloats(y.span()), e.want, e.bound, kRows, 1e-2,
        kProvenance);
}

}  // namespace
}  // namespace xdna::kernels::testing
