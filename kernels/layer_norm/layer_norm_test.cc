// Every variant against float64 with a bound derived for each element.
#include "kernels/layer_norm/layer_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

using Kernel = void (*)(const bfloat16*, const bfloat16*, const bfloat16*, bfloat16*, int32, int32);

// The error of 1/sqrt: aie::invsqrt's constants (R. Kadlec, rrrola.wz.cz/inv_sqrt.html) give
// 6.50e-4, the magic number with 0 to 3 Newton steps 3.44e-2, 1.752e-3, 4.70e-6 and rounding.
constexpr double kInvSqrtError = 6.6e-4;
constexpr char kProvenance[] =
    "one rounding to bf16 (2^-8), inverse root, pairs of bf16 (2^-14), f32 sums over width/16 "
    "lanes";

struct Operands {
  Guarded<bfloat16> x, gamma, beta, y;
  std::size_t rows, width;

  Operands(std::size_t m, std::size_t n)
      : x(m * n), gamma(n), beta(n), y(m * n), rows(m), width(n) {
    FillNormal(gamma.span(), 101, 0.3, 1);
    FillNormal(beta.span(), 102, 0.2);
  }
};

struct Expected {
  std::vector<double> want, bound;
};

Expected Reference(const Operands& o, double root_error, bool affine) {
  Expected e;
  const auto n = static_cast<double>(o.width);
  // Terms that a lane adds one after another, and the halvings at the end.
  const double sum_error = (n / 16 + 5) * kF32Add;
  for (std::size_t r = 0; r < o.rows; ++r) {
    const auto row = o.x.span().subspan(r * o.width, o.width);
    double mean = 0, magnitude = 0, variance = 0;
    for (const float v : row) mean += v / n, magnitude += std::abs(v) / n;
    for (const float v : row) variance += (v - mean) * (v - mean) / n;
    const double inverse = 1 / std::sqrt(variance + 1e-5);
    const double mean_error = sum_error * magnitude;
    const double variance_error = 0x1p-15 + sum_error + mean_error * mean_error * inverse * inverse;
    for (std::size_t i = 0; i < o.width; ++i) {
      const double normal = (row[i] - mean) * inverse;
      const double gamma = affine ? static_cast<double>(o.gamma[i]) : 1;
      const double beta = affine ? static_cast<double>(o.beta[i]) : 0;
      const double y = normal * gamma + beta;
      const double before =
          std::abs(gamma) *
              (std::abs(normal) * (root_error + 0x1p-14 + variance_error) + inverse * mean_error) +
          kF32Add * std::abs(beta);
      e.want.push_back(y);
      e.bound.push_back(before + kBf16Half * (std::abs(y) + before));
    }
  }
  return e;
}

class LayerNorm : public TileTest {
 protected:
  static golden::Verdict CheckKernel(const std::string& name, Kernel kernel, Operands& o,
                                     double root_error) {
    Run(o.y, [&] {
      kernel(o.x.data(), o.gamma.data(), o.beta.data(), o.y.data(), static_cast<int32>(o.rows),
             static_cast<int32>(o.width));
    });
    const Expected e = Reference(o, root_error, true);
    return Check(name, ToFloats(o.y.span()), e.want, e.bound, o.rows,
                 root_error + RoundingBias(o.x.size()), kProvenance);
  }
};

TEST_F(LayerNorm, WhispersWidths) {
  for (const std::size_t width : {384U, 512U, 768U, 1024U, 1280U}) {
    Operands o(7, width);
    FillNormal(o.x.span(), width, 2, 0.3);
    CheckKernel("layer_norm 7 x " + std::to_string(width), layer_norm_bf16, o, kInvSqrtError);
  }
}

TEST_F(LayerNorm, RaggedRowsAndWidths) {
  for (const std::size_t rows : {1U, 2U, 13U}) {
    for (const std::size_t width : {16U, 48U, 208U, 1008U}) {
      Operands o(rows, width);
      FillNormal(o.x.span(), rows * width, 0.7, -1.5);
      CheckKernel("layer_norm " + std::to_string(rows) + " x " + std::to_string(width),
                  layer_norm_bf16, o, kInvSqrtError);
    }
  }
}

TEST_F(LayerNorm, InverseRootsWithZeroToThreeNewtonSteps) {
  const Kernel kernels[] = {layer_norm_nosqrt0_bf16, layer_norm_nosqrt1_bf16,
                            layer_norm_nosqrt2_bf16, layer_norm_nosqrt3_bf16};
  const double errors[] = {3.45e-2, 1.76e-3, 4.8e-6, 5e-7};
  for (int steps = 0; steps < 4; ++steps) {
    // Rows of scales from 2^-4 to 2^4: the root's argument goes through all its mantissas.
    Operands o(64, 512);
    for (std::size_t r = 0; r < o.rows; ++r) {
      FillNormal(o.x.span().subspan(r * 512, 512), 200 + r,
                 std::exp2(static_cast<double>(r) / 8 - 4), 0.1);
    }
    CheckKernel("layer_norm nosqrt, Newton steps: " + std::to_string(steps), kernels[steps], o,
                errors[steps]);
    if (steps == 0) continue;
    // One step less is not within this one's limits: the element-wise bound of one step sees it,
    // the later steps differ by less than a bf16's rounding and are told apart by the bias.
    Run(o.y, [&] {
      kernels[steps - 1](o.x.data(), o.gamma.data(), o.beta.data(), o.y.data(), 64, 512);
    });
    const Expected e = Reference(o, errors[steps], true);
    const bool passes = Judge(ToFloats(o.y.span()), e.want, e.bound, o.rows,
                              errors[steps] + RoundingBias(o.x.size()), "")
                            .passed();
    EXPECT_EQ(passes, steps == 3) << steps;
  }
}

TEST_F(LayerNorm, FoldedRowsSumToZero) {
  Operands o(31, 512);
  FillNormal(o.x.span(), 5, 3, 1);
  Run(o.y, [&] { layer_norm_folded_bf16(o.x.data(), o.y.data(), 31, 512); });
  const Expected e = Reference(o, kInvSqrtError, false);
  const std::vector<float> got = ToFloats(o.y.span());
  Check("layer_norm folded 31 x 512", got, e.want, e.bound, o.rows,
        kInvSqrtError + RoundingBias(o.x.size()), kProvenance);
  // Whatever the root's error: it scales a sum that is zero.
  double sum = 0, magnitude = 0;
  for (const float v : got) sum += v, magnitude += std::abs(v);
  EXPECT_LT(std::abs(sum) / magnitude, RoundingBias(o.x.size()));
}

TEST_F(LayerNorm, OnePassBreaksWhereTheMeanIsLarge) {
  Operands o(8, 512);
  FillNormal(o.x.span(), 6, 1, 0.5);
  CheckKernel("layer_norm one pass, mean 0.5 deviation 1", layer_norm_one_pass_bf16, o,
              kInvSqrtError);
  // Means of 2992, deviations of 1: E[x^2] is 9e6 times the variance, and f32 has 1.7e7 steps.
  Operands far(8, 768);
  for (std::size_t i = 0; i < far.x.size(); ++i) {
    far.x[i] = i % (181 + i / 768) == 77 ? 3008.0F : 2992.0F;
  }
  CheckKernel("layer_norm two passes, mean 2992 deviation 1", layer_norm_bf16, far, kInvSqrtError);
  Run(far.y, [&] {
    layer_norm_one_pass_bf16(far.x.data(), far.gamma.data(), far.beta.data(), far.y.data(), 8, 768);
  });
  const Expected e = Reference(far, kInvSqrtError, true);
  const golden::Verdict verdict =
      Judge(ToFloats(far.y.span()), e.want, e.bound, far.rows, golden::kNoLimit, "");
  EXPECT_FALSE(verdict.passed());
  EXPECT_GT(verdict.rel_l2, 0.05);
}

TEST_F(LayerNorm, InPlaceAndConstantRows) {
  Operands o(3, 64);
  FillNormal(o.x.span(), 8);
  Operands same(3, 64);
  FillNormal(same.x.span(), 8);
  layer_norm_bf16(o.x.data(), o.gamma.data(), o.beta.data(), o.y.data(), 3, 64);
  layer_norm_bf16(same.x.data(), o.gamma.data(), o.beta.data(), same.x.data(), 3, 64);
  EXPECT_EQ(ToFloats(o.y.span()), ToFloats(same.x.span()));
  // A constant row has no deviation: beta is left.
  for (bfloat16& v : o.x.span()) v = 1.5F;
  layer_norm_bf16(o.x.data(), o.gamma.data(), o.beta.data(), o.y.data(), 3, 64);
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(o.y[i].bits(), o.beta[i].bits());
}

TEST_F(LayerNorm, NoRowsWriteNothing) {
  Guarded<bfloat16> x(16), y(16);
  layer_norm_folded_bf16(x.data(), y.data(), 0, 16);
  for (const bfloat16 v : y.span()) EXPECT_EQ(v.bits(), 0xA5A5);
}

}  // namespace
}  // namespace xdna::kernels::testing
