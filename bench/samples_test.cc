#include "bench/samples.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace xdna::bench {
namespace {

TEST(Samples, MedianLeastAndSpread) {
  const SampleSummary odd = Summarize({5, 1, 3, 2, 4});
  EXPECT_EQ(odd.median, 3);
  EXPECT_EQ(odd.least, 1);
  EXPECT_DOUBLE_EQ(odd.spread, (4.0 - 2.0) / 3.0);

  const SampleSummary even = Summarize({4, 1, 2, 3});
  EXPECT_EQ(even.median, 2.5);
  EXPECT_DOUBLE_EQ(even.spread, (3.25 - 1.75) / 2.5);
}

TEST(Samples, OneSampleHasNoSpread) {
  const SampleSummary one = Summarize({2});
  EXPECT_EQ(one.median, 2);
  EXPECT_EQ(one.least, 2);
  EXPECT_EQ(one.spread, 0);
}

TEST(Samples, NoneIsAnError) { EXPECT_THROW(Summarize({}), Error); }

}  // namespace
}  // namespace xdna::bench
