#include "golden/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/bf16.h"
#include "base/error.h"
#include "base/tensor.h"

namespace xdna::golden {
namespace {

using testing::HasSubstr;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Tensor Values(const std::vector<float>& values) {
  const auto n = static_cast<std::int64_t>(values.size());
  return Tensor::FromValues<float>({n}, values);
}

// Standard normal numbers; the generator's sequence is the standard's, the distribution is ours.
Tensor Normals(const Shape& shape, unsigned seed) {
  Tensor tensor(DType::kF32, shape);
  std::mt19937 bits(seed);
  auto* x = tensor.data<float>();
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    const double u = (bits() + 0.5) * 0x1p-32;
    const double v = (bits() + 0.5) * 0x1p-32;
    x[i] = static_cast<float>(std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586 * v));
  }
  return tensor;
}

Tolerance Elementwise(double absolute, double relative = 0, double magnitude = 0) {
  Tolerance tolerance;
  tolerance.absolute = absolute;
  tolerance.relative = relative;
  tolerance.magnitude = magnitude;
  return tolerance;
}

// Only the whole-tensor criteria.
Tolerance Whole() { return Elementwise(kNoLimit); }

Status StatusOf(const Tensor& got, const Tensor& want, const Tolerance& tolerance) {
  return Compare(got, want, tolerance).status;
}

TEST(Compare, IdenticalBuffersPassTheExactTolerance) {
  const Tensor x = Normals({7, 13}, 1);
  const Verdict v = Compare(x, x, Tolerance::Exact("integers"));
  EXPECT_TRUE(v.passed()) << Describe(v);
  EXPECT_EQ(v.used, 0);
  EXPECT_EQ(v.headroom_percent(), 100);
  EXPECT_EQ(v.compared, 91);
  EXPECT_EQ(v.cosine, 1);
}

TEST(Compare, ExactToleranceSeesOneUnitInTheLastPlace) {
  const Tensor want = Values({1, 2, 3});
  const Tensor got = Values({1, std::nextafter(2.0F, 3.0F), 3});
  const Verdict v = Compare(got, want, Tolerance::Exact(""));
  EXPECT_EQ(v.status, Status::kFailed);
  EXPECT_EQ(v.used, kInf);
  EXPECT_EQ(v.first_bad, Shape{1});
}

TEST(Compare, ZerosOfBothSignsAreEqual) {
  EXPECT_EQ(StatusOf(Values({-0.0F, 1}), Values({0, 1}), Tolerance::Exact("")), Status::kPassed);
}

// For each element-wise limit: under it, at it, over it, on both sides of both signs.
TEST(Compare, ElementLimitsHoldOnBothSidesOfBothSigns) {
  const Tensor scale = Values({64, 64, 64, 64});
  const Tolerance kinds[] = {Elementwise(0.25), Elementwise(0, 0.25), Elementwise(0, 0, 1.0 / 256)};
  for (const Tolerance& tolerance : kinds) {
    for (const float sign : {1.0F, -1.0F}) {
      for (const float side : {1.0F, -1.0F}) {
        const auto verdict = [&](float error) {
          const Tensor want = Values({sign, 5, 6, 7});
          const Tensor got = Values({sign + side * error, 5, 6, 7});
          return Compare(got, want, tolerance, scale);
        };
        EXPECT_TRUE(verdict(0.2421875F).passed());
        EXPECT_TRUE(verdict(0.25F).passed());
        EXPECT_EQ(verdict(0.25F).used, 1);
        const Verdict over = verdict(0.2578125F);
        EXPECT_EQ(over.status, Status::kFailed);
        EXPECT_EQ(over.first_bad, Shape{0});
        EXPECT_EQ(over.bad, 1);
        EXPECT_EQ(over.want, sign);
        EXPECT_EQ(over.got, sign + side * 0.2578125F);
        EXPECT_EQ(over.limit, 0.25);
      }
    }
  }
}

// gemma.cpp's AssertClose divides by max(min, 1e-6), so that a pair whose larger value is not
// positive is never counted.
TEST(Compare, NegativeValuesAreJudgedLikePositiveOnes) {
  const std::pair<float, float> pairs[] = {{-3, -1}, {0, -5}, {-1, -3}, {-5, 0}, {1, -1}, {-1, 1}};
  for (const auto& [got, want] : pairs) {
    for (const double relative : {0.0, 0.01, 0.5}) {
      const Verdict v = Compare(Values({got, 9}), Values({want, 9}), Elementwise(1e-3, relative));
      EXPECT_EQ(v.status, Status::kFailed) << got << " for " << want;
    }
  }
}

TEST(Compare, RelL2AtItsLimit) {
  const Tensor want = Values({3, 4, 0, 0});  // norm 5
  Tolerance tolerance = Whole();
  tolerance.rel_l2 = 0.1;
  EXPECT_EQ(StatusOf(Values({3, 4, 0, 0.49F}), want, tolerance), Status::kPassed);
  EXPECT_EQ(StatusOf(Values({3, 4, 0, 0.5F}), want, tolerance), Status::kPassed);
  const Verdict over = Compare(Values({3, 4, 0, 0.51F}), want, tolerance);
  EXPECT_EQ(over.status, Status::kFailed);
  EXPECT_FALSE(over.first_bad);
  EXPECT_THAT(Describe(over), HasSubstr("rel-L2 0.102"));
}

TEST(Compare, CosineAtItsLimit) {
  const Tensor want = Values({1, 0, 0});
  Tolerance tolerance = Whole();
  tolerance.cosine = 0.6;
  EXPECT_EQ(StatusOf(Values({3.01F, 4, 0}), want, tolerance), Status::kPassed);
  const Verdict at = Compare(Values({3, 4, 0}), want, tolerance);
  EXPECT_TRUE(at.passed()) << Describe(at);
  EXPECT_DOUBLE_EQ(at.used, 1);
  EXPECT_EQ(StatusOf(Values({2.99F, 4, 0}), want, tolerance), Status::kFailed);
  EXPECT_EQ(StatusOf(Values({0, 0, 0}), want, tolerance), Status::kFailed);
}

TEST(Compare, BiasAtItsLimitInBothDirections) {
  constexpr int kN = 256;
  std::vector<float> want(kN);
  for (int i = 0; i < kN; ++i) want[i] = i % 2 == 0 ? 1.0F : -1.0F;
  const auto verdict = [&](float shift, float growth, int n) {
    std::vector<float> got(want.begin(), want.begin() + n);
    for (float& x : got) x += shift + growth * x;
    Tolerance tolerance = Whole();
    tolerance.bias = 0.125;
    return Compare(Values(got), Values({want.begin(), want.begin() + n}), tolerance);
  };
  for (const float sign : {1.0F, -1.0F}) {
    EXPECT_TRUE(verdict(sign * 0.1171875F, 0, kN).passed());
    EXPECT_TRUE(verdict(sign * 0.125F, 0, kN).passed());
    EXPECT_EQ(verdict(sign * 0.1328125F, 0, kN).status, Status::kFailed);
    EXPECT_TRUE(verdict(0, sign * 0.1171875F, kN).passed());
    EXPECT_TRUE(verdict(0, sign * 0.125F, kN).passed());
    EXPECT_EQ(verdict(0, sign * 0.1328125F, kN).status, Status::kFailed);
  }
  EXPECT_TRUE(verdict(0.5F, 0, kN - 1).passed());  // too few to judge a mean
}

// A final rounding that is off hides in the errors of what came before, for a norm: these bf16
// results carry 1 % of noise.
TEST(Compare, BiasSeesWrongRoundingWhereRelL2DoesNot) {
  const Tensor want = Normals({1500, 512}, 3);
  const Tensor noise = Normals({1500, 512}, 4);
  const auto rounded = [&](Rounding rounding) {
    Tensor got(DType::kBf16, want.shape());
    for (std::int64_t i = 0; i < want.size(); ++i) {
      const float value = want.data<float>()[i] + 0.01F * noise.data<float>()[i];
      got.data<Bf16>()[i] = Bf16::FromFloat(value, rounding);
    }
    return got;
  };
  Tolerance norm = Whole();
  norm.rel_l2 = 1.5 * Compare(rounded(Rounding::kConvEven), want, Whole()).rel_l2;
  Tolerance bias = Whole();
  bias.bias = 5e-4;
  const Verdict sound = Compare(rounded(Rounding::kConvEven), want, bias);
  EXPECT_TRUE(sound.passed()) << Describe(sound);
  EXPECT_LT(sound.bias, 1e-4);
  for (const Rounding rounding :
       {Rounding::kSymFloor, Rounding::kFloor, Rounding::kCeil, Rounding::kSymCeil}) {
    const Tensor wrong = rounded(rounding);
    EXPECT_TRUE(Compare(wrong, want, norm).passed()) << RoundingName(rounding);
    const Verdict v = Compare(wrong, want, bias);
    EXPECT_EQ(v.status, Status::kFailed) << RoundingName(rounding);
    EXPECT_GT(v.bias, 2e-3) << RoundingName(rounding);
  }
}

TEST(Compare, NonFiniteResultsFailWhereverTheyAre) {
  constexpr std::int64_t kN = 5000;  // more than a block
  const Tensor want = Normals({kN}, 5);
  for (const float poison : {kNan, kInf, -kInf}) {
    for (const std::int64_t at : {std::int64_t{0}, kN / 2, kN - 1}) {
      Tensor got = want.Clone();
      got.data<float>()[at] = poison;
      const Verdict v = Compare(got, want, Whole());
      EXPECT_EQ(v.status, Status::kFailed);
      EXPECT_EQ(v.first_bad, Shape{at});
      EXPECT_EQ(v.bad, 1);
      EXPECT_EQ(v.used, kInf);
    }
  }
}

TEST(Compare, NonFiniteIsRightOnlyWhereTheSameIsWanted) {
  const auto exact = Tolerance::Exact("");
  for (const float x : {kNan, kInf, -kInf}) {
    EXPECT_EQ(StatusOf(Values({1, x, 2}), Values({1, x, 2}), exact), Status::kPassed);
    EXPECT_EQ(StatusOf(Values({1, 5, 2}), Values({1, x, 2}), Whole()), Status::kFailed);
  }
  EXPECT_EQ(StatusOf(Values({1, kInf, 2}), Values({1, -kInf, 2}), Whole()), Status::kFailed);
  EXPECT_EQ(StatusOf(Values({1, kNan, 2}), Values({1, kInf, 2}), Whole()), Status::kFailed);
  EXPECT_EQ(StatusOf(Values({kNan, kInf}), Values({kNan, kInf}), exact), Status::kMistrusted);
}

TEST(Compare, EverythingAfterTheFirstBadElementIsCounted) {
  Tensor got = Normals({3000}, 6);
  const Tensor want = got.Clone();
  for (std::int64_t i = 7; i < 3000; i += 2) got.data<float>()[i] = kNan;
  const Verdict v = Compare(got, want, Elementwise(1));
  EXPECT_EQ(v.first_bad, Shape{7});
  EXPECT_EQ(v.bad, 1497);
}

TEST(Compare, AnotherShapeIsAFailureOfTheResult) {
  const Tensor want = Normals({4, 6}, 1);
  for (const Shape& shape : {Shape{6, 4}, Shape{24}, Shape{4, 5}, Shape{4, 6, 1}, Shape{}}) {
    const Verdict v = Compare(Tensor(DType::kF32, shape), want, Whole());
    EXPECT_EQ(v.status, Status::kFailed);
    EXPECT_THAT(Describe(v), HasSubstr("expected [4,6]"));
  }
  EXPECT_EQ(Compare({}, want, Whole()).status, Status::kFailed);
}

TEST(Compare, DataThatShowsNothingIsMistrusted) {
  const auto status = [](const Tensor& x, double max_zeros = 0.9) {
    return Compare(x, x, Tolerance::Exact(""), {}, max_zeros).status;
  };
  EXPECT_EQ(status(Values({0, 0, 0})), Status::kMistrusted);
  EXPECT_EQ(status(Values({2, 2, 2})), Status::kMistrusted);
  EXPECT_EQ(status(Values({2})), Status::kMistrusted);
  EXPECT_EQ(status(Tensor(DType::kF32, {0, 4})), Status::kMistrusted);
  EXPECT_EQ(Compare({}, {}, Whole()).status, Status::kMistrusted);
  EXPECT_EQ(status(Values({0, 0, 0, 1}), 0.74), Status::kMistrusted);
  EXPECT_EQ(status(Values({0, 0, 0, 1}), 0.75), Status::kPassed);
  EXPECT_EQ(status(Values({2, 2, 2, 3})), Status::kPassed);
}

TEST(Compare, AWrongResultIsWrongEvenIfTheDataIsPoor) {
  EXPECT_EQ(StatusOf(Values({0, 1}), Values({0, 0}), Tolerance::Exact("")), Status::kFailed);
}

TEST(Compare, AllZeroResultFailsRelativeLimits) {
  const Tensor want = Normals({64, 8}, 2);
  Tolerance tolerance = Elementwise(0, 0.5);
  tolerance.rel_l2 = 0.5;
  EXPECT_EQ(StatusOf(Tensor(DType::kF32, {64, 8}), want, tolerance), Status::kFailed);
}

TEST(Compare, TakesF64AndBf16) {
  const Tensor want = Values({1, -2, 0.5F});
  for (const DType dtype : {DType::kF64, DType::kBf16, DType::kF32}) {
    EXPECT_TRUE(Compare(want.To(dtype), want, Tolerance::Exact("")).passed());
  }
  EXPECT_TRUE(Compare(want, want.To(DType::kF64), Tolerance::Exact("")).passed());
}

TEST(Compare, NonsensicalLimitsAdmitNothing) {
  const Tensor x = Normals({300}, 1);
  EXPECT_EQ(StatusOf(x, x, Elementwise(kNan)), Status::kFailed);
  EXPECT_EQ(StatusOf(x, x, Elementwise(-1)), Status::kFailed);
  for (double Tolerance::*field : {&Tolerance::rel_l2, &Tolerance::cosine, &Tolerance::bias}) {
    Tolerance tolerance = Whole();
    tolerance.*field = kNan;
    const Verdict v = Compare(x, x, tolerance);
    EXPECT_EQ(v.status, Status::kFailed);
    EXPECT_GE(v.used, 1);
  }
}

TEST(Compare, MagnitudesMustComeWithAScaleOfTheSameShape) {
  const Tensor x = Normals({4, 4}, 1);
  EXPECT_THROW(Compare(x, x, Elementwise(0, 0, 1)), Error);
  EXPECT_THROW(Compare(x, x, Elementwise(0, 0, 1), Normals({16}, 1)), Error);
  Tensor scale = Normals({4, 4}, 1);
  scale.data<float>()[3] = kNan;
  EXPECT_EQ(Compare(x, x, Elementwise(0, 0, 1), scale).status, Status::kFailed);
}

TEST(Compare, StridedViewsAreRefused) {
  const Tensor x = Normals({4, 4}, 1);
  const TensorView strided(x.view().raw(), DType::kF32, {4, 4}, {1, 4});
  EXPECT_THROW(Compare(strided, x, Whole()), Error);
}

TEST(Describe, IsOneLineForPeople) {
  const Tensor want = Normals({30, 20}, 1);
  Tensor got = want.Clone();
  got.data<float>()[3 * 20 + 17] = 1.5F;
  got.data<float>()[599] = -kInf;
  const std::string text = Describe(Compare(got, want, Elementwise(0.001)));
  EXPECT_THAT(text, HasSubstr("failed at [3,17]: got 1.5, want "));
  EXPECT_THAT(text, HasSubstr("limit 0.001; 2 of 600 elements beyond"));
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(Describe(Verdict::Skipped("no model")), "skipped: no model");
  EXPECT_EQ(Describe(Verdict::Unsupported("no AMX")), "unsupported: no AMX");
  EXPECT_TRUE(std::isnan(Verdict::Skipped("no model").used));
  EXPECT_THAT(Describe(Compare(want, want, Elementwise(1))), HasSubstr("passed"));
}

TEST(UlpDistance, CountsFloatsBetween) {
  EXPECT_EQ(UlpDistance(1, 1), 0U);
  EXPECT_EQ(UlpDistance(0.0F, -0.0F), 0U);
  EXPECT_EQ(UlpDistance(1, std::nextafter(1.0F, 2.0F)), 1U);
  EXPECT_EQ(UlpDistance(-1, std::nextafter(-1.0F, 0.0F)), 1U);
  EXPECT_EQ(UlpDistance(1, 2), 1U << 23);
  const float tiny = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(UlpDistance(tiny, -tiny), 2U);
  EXPECT_EQ(UlpDistance(kInf, std::numeric_limits<float>::max()), 1U);
  EXPECT_EQ(UlpDistance(kInf, -kInf), 2 * 0x7F800000U);
  EXPECT_EQ(UlpDistance(kNan, 1), std::numeric_limits<std::uint32_t>::max());
  EXPECT_EQ(UlpDistance(kNan, kNan), std::numeric_limits<std::uint32_t>::max());
}

}  // namespace
}  // namespace xdna::golden
