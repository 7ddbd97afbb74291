#include "decoder/logit_rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/random.h"

namespace xdna::decoder {
namespace {

// Text 0 to 19, eot 20, other specials to 29, time stamps 30 to 39.
constexpr SpecialTokens kSpecial = {20, 21, 22, 23, 24, 25, 26, 27, 30};

// What is left of equal logits: '.' where a token is ruled out. `text`: logit of all tokens below
// the time stamps.
std::string Allowed(const std::vector<int>& sampled, float text = 5, int last_initial = 3) {
  std::vector<float> logits(40, text);
  std::fill(logits.begin() + 30, logits.end(), 0.0F);
  TimestampRule{kSpecial, last_initial}.Apply(sampled, logits);
  std::string picture;
  for (int token : {0, 19, 20, 27, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39})
    picture += std::isfinite(logits[token]) ? 'x' : '.';
  return picture;
}

TEST(TimestampRule, FollowsOpenaiWhisper) {
  //                  text, eot, no_timestamps, ten time stamps
  EXPECT_EQ(Allowed({}), "....xxxx......") << "begins with a time, bounded";
  EXPECT_EQ(Allowed({}, 5, -1), "....xxxxxxxxxx") << "not bounded";
  EXPECT_EQ(Allowed({}, 5, 20), "....xxxxxxxxxx") << "a bound beyond the last";
  EXPECT_EQ(Allowed({30}), "xxx...........") << "text follows the first time";
  EXPECT_EQ(Allowed({30, 5}), "xxx..xxxxxxxxx") << "a segment is not empty";
  EXPECT_EQ(Allowed({30, 5, 33}), "..x....xxxxxxx") << "its pair, or the end";
  EXPECT_EQ(Allowed({30, 5, 33, 33}), "xxx...........") << "text after a pair";
  EXPECT_EQ(Allowed({30, 5, 33, 33, 6}), "xxx.....xxxxxx") << "never back";
}

TEST(TimestampRule, TimesThatTogetherBeatAnyTextMustCome) {
  // ln 9 = 2.197: nine time stamps of logit 0 are as likely as one token of that.
  EXPECT_EQ(Allowed({30, 5}, 2.1F), ".....xxxxxxxxx");
  EXPECT_EQ(Allowed({30, 5}, 2.3F), "xxx..xxxxxxxxx");
  EXPECT_EQ(Allowed({30, 5}, -std::numeric_limits<float>::infinity()), ".....xxxxxxxxx");
}

TEST(Rules, SuppressAlwaysAndAtTheBeginning) {
  std::vector<float> logits(4, 1.0F);
  SuppressRule{{2}}.Apply(logits);
  BlankRule{{0}}.Apply(std::vector<int>{1}, logits);
  EXPECT_EQ(logits[0], 1);
  EXPECT_TRUE(std::isinf(logits[2]));
  BlankRule{{0}}.Apply({}, logits);
  EXPECT_TRUE(std::isinf(logits[0]));
  EXPECT_EQ(logits[1], 1);
}

TEST(LargestOf, SortsAsAFullSortWould) {
  for (std::size_t n : {1, 5, 63, 64, 65, 1000}) {
    std::vector<float> x(n);
    FillSeededNormal(n, 0, 3, 0, x);
    for (float& v : x) v = std::round(v);  // ties
    if (n > 5) x[2] = -std::numeric_limits<float>::infinity();
    std::vector<int> want;
    for (std::size_t i = 0; i < n; ++i) {
      if (std::isfinite(x[i])) want.push_back(static_cast<int>(i));
    }
    std::stable_sort(want.begin(), want.end(), [&](int a, int b) { return x[a] > x[b]; });
    for (std::size_t count : {1, 6, 100}) {
      std::vector<int> got = {7, 7};
      LargestOf(x, count, got);
      EXPECT_EQ(got, std::vector<int>(want.begin(), want.begin() + std::min(count, want.size())))
          << n << ", " << count;
    }
  }
}

TEST(LogSumExp, MatchesItsDefinition) {
  std::vector<float> x(1000), scratch(1000);
  FillSeededNormal(1, 0, 10, 100, x);
  double sum = 0;
  for (float v : x) sum += std::exp(static_cast<double>(v));
  x.push_back(-std::numeric_limits<float>::infinity());
  scratch.push_back(0);
  EXPECT_NEAR(LogSumExp(x, scratch), std::log(sum), 1e-5);
}

}  // namespace
}  // namespace xdna::decoder
