#include "reports/dashboard/steps.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <vector>

namespace xdna::dashboard {
namespace {

std::vector<double> Noisy(const std::vector<double>& levels, int runs, double noise,
                          std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(1, noise);
  std::vector<double> values;
  for (const double level : levels) {
    for (int i = 0; i < runs; ++i) values.push_back(level * normal(random));
  }
  return values;
}

TEST(StepsTest, FindsWhereAndHowMuch) {
  const std::vector<Step> steps = FindSteps(Noisy({10, 11, 8}, 10, 0.01, 1));
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].at, 10U);
  EXPECT_NEAR(steps[0].before, 10, 0.1);
  EXPECT_NEAR(steps[0].after, 11, 0.1);
  EXPECT_EQ(steps[1].at, 20U);
  EXPECT_NEAR(steps[1].after, 8, 0.1);
}

TEST(StepsTest, TenPercentIsFoundInTwoPercentOfNoise) {
  int found = 0;
  for (std::uint32_t seed = 0; seed < 100; ++seed) {
    found += FindSteps(Noisy({10, 11}, 8, 0.02, seed)).empty() ? 0 : 1;
  }
  EXPECT_GE(found, 90);
}

TEST(StepsTest, NoiseAloneIsNoStep) {
  int found = 0;
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    found += FindSteps(Noisy({10}, 30, 0.03, seed)).empty() ? 0 : 1;
  }
  EXPECT_LE(found, 2);
}

TEST(StepsTest, SmallChangesAndSingleRunsAreNoSteps) {
  EXPECT_TRUE(FindSteps(Noisy({10, 10.2}, 20, 0.001, 1)).empty());
  std::vector<double> values = Noisy({10}, 20, 0.01, 1);
  values[7] = 30;
  EXPECT_TRUE(FindSteps(values).empty());
}

TEST(StepsTest, ShortHistoriesHaveNone) {
  EXPECT_TRUE(FindSteps({}).empty());
  EXPECT_TRUE(FindSteps({1}).empty());
  EXPECT_TRUE(FindSteps({1, 2, 3}).empty());
  EXPECT_EQ(FindSteps({1, 1, 2, 2}), (std::vector<Step>{{2, 1, 2}}));
}

TEST(StepsTest, ExactStepsAreAllChanges) {
  EXPECT_TRUE(FindExactSteps({}).empty());
  EXPECT_TRUE(FindExactSteps({2, 2, 2}).empty());
  EXPECT_EQ(FindExactSteps({2, 2, 2.0001, 1}), (std::vector<Step>{{2, 2, 2.0001}, {3, 2.0001, 1}}));
}

}  // namespace
}  // namespace xdna::dashboard
