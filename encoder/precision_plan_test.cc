#include "encoder/precision_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace xdna::encoder {
namespace {

using ops::Precision;

TEST(PrecisionPlan, KeepsWhatIsSensitiveInBf16) {
  EXPECT_EQ(Describe(MakePrecisionPlan(Precision::kF32, 6)),
            "stem f32; layers 0 to 5: attention f32, ffn f32");
  EXPECT_EQ(Describe(MakePrecisionPlan(Precision::kBf16, 1)),
            "stem bf16; layer 0: attention bf16, ffn bf16");
  EXPECT_EQ(Describe(MakePrecisionPlan(Precision::kBf16, 3)),
            "stem bf16; layer 0: attention bf16, ffn bf16; "
            "layers 1 to 2: attention bf16, scores int8 where faster, ffn bf16");
  EXPECT_EQ(Describe(MakePrecisionPlan(Precision::kInt8, 6)),
            "stem bf16; layer 0: attention bf16, scores int8 where faster, ffn int8; "
            "layers 1 to 5: attention int8, scores and results int8 where faster, ffn int8");
  EXPECT_EQ(Describe(MakePrecisionPlan(Precision::kMixed, 6)),
            "stem bf16; layer 0: attention bf16, scores int8 where faster, fc1 bf16, fc2 int8; "
            "layers 1 to 5: attention int8, scores and results int8 where faster, ffn int8");
  EXPECT_EQ(Describe(MakePrecisionPlan(Precision::kMixed, 0)), "stem bf16");
}

TEST(PrecisionPlan, KnowsItsLowest) {
  EXPECT_EQ(MakePrecisionPlan(Precision::kBf16, 2).lowest(), Precision::kBf16);
  EXPECT_EQ(MakePrecisionPlan(Precision::kMixed, 1).lowest(), Precision::kInt8);
  EXPECT_EQ(MakePrecisionPlan(Precision::kMixed, 2).lowest(), Precision::kInt8);
}

// Columns of x and of the weights come closer to each other in size, and no factor is 0.
TEST(SmoothingFactors, EvenOutColumns) {
  const Tensor gamma = Tensor::FromValues<float>({3}, {1, -16, 0});
  const Tensor beta = Tensor::FromValues<float>({3}, {0, 2, 0});
  const Tensor q = Tensor::FromValues<float>({2, 3}, {0.5, 0.1, 1, -0.25, 0.125, 1});
  const Tensor k = Tensor::FromValues<float>({1, 3}, {-1, 0, 0});
  const std::vector<TensorView> weights = {q, k};
  const std::vector<float> factors = SmoothingFactors(gamma, beta, weights);
  EXPECT_FLOAT_EQ(factors[0], std::pow(3.0F, 0.7F));
  EXPECT_FLOAT_EQ(factors[1], std::pow(50.0F, 0.7F) / std::pow(0.125F, 0.3F));
  EXPECT_LT(50 / factors[1] / (3 / factors[0]), 50.0F / 3 / 3);
  EXPECT_GT(factors[2], 0);
}

}  // namespace
}  // namespace xdna::encoder
