#include "bench/sweep.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"

namespace xdna::bench {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

const std::vector<SweepAxis>& Axes() {
  static const std::vector<SweepAxis> axes = {
      {"m"}, {"k"}, {"n"}, {"gelu", {}, 0, 1}, {"precision", {"f32", "bf16", "int8"}}};
  return axes;
}

std::vector<SweepPoint> Points(const std::string& text) {
  return ExpandSweep(ParseSweep(text, Axes()));
}

std::string ErrorOf(const std::string& text) {
  try {
    Points(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument) << text;
    return error.message();
  }
  return "no error";
}

TEST(Sweep, LaterAxesVaryFastest) {
  const std::vector<SweepPoint> points = Points("m=1500 n=512,2048 precision=f32,bf16");
  ASSERT_EQ(points.size(), 4U);
  EXPECT_THAT(points[0],
              ElementsAre(Pair("m", "1500"), Pair("n", "512"), Pair("precision", "f32")));
  EXPECT_THAT(points[1],
              ElementsAre(Pair("m", "1500"), Pair("n", "512"), Pair("precision", "bf16")));
  EXPECT_THAT(points[2],
              ElementsAre(Pair("m", "1500"), Pair("n", "2048"), Pair("precision", "f32")));
  EXPECT_THAT(points[3],
              ElementsAre(Pair("m", "1500"), Pair("n", "2048"), Pair("precision", "bf16")));
}

TEST(Sweep, ValuesOfAnAxis) {
  const struct {
    const char* text;
    std::vector<std::string> values;
  } kCases[] = {
      {"m=7", {"7"}},
      {"m=007", {"7"}},
      {"m=1000000000", {"1000000000"}},
      {"m=1:4:1", {"1", "2", "3", "4"}},
      {"m=64:200:64", {"64", "128", "192"}},
      {"m=5:5:3", {"5"}},
      {"m=1,8:16:8,3", {"1", "8", "16", "3"}},
      {"  m=1,2\t", {"1", "2"}},
      {"gelu=0,1", {"0", "1"}},
      {"gelu=0:1:1", {"0", "1"}},
      {"precision=*", {"f32", "bf16", "int8"}},
      {"precision=int8,f32", {"int8", "f32"}},
  };
  for (const auto& c : kCases) {
    const std::vector<SweepChoice> choices = ParseSweep(c.text, Axes());
    ASSERT_EQ(choices.size(), 1U) << c.text;
    EXPECT_EQ(choices[0].values, c.values) << c.text;
  }
}

TEST(Sweep, ErrorsNameAxisValueAndColumn) {
  const struct {
    const char* text;
    std::vector<const char*> parts;
  } kCases[] = {
      {"", {"empty", "AXIS=VALUE"}},
      {"   ", {"empty"}},
      {"m", {"'m'", "column 1", "AXIS=VALUE"}},
      {"m = 3", {"'m'", "column 1", "AXIS=VALUE"}},
      {"mm=3", {"'mm'", "column 1", "did you mean 'm'?", "known: m k n"}},
      {"m=3 precison=f32", {"'precison'", "column 5", "did you mean 'precision'?"}},
      {"m=3 zzzzzz=4", {"'zzzzzz'", "column 5", "known: m k n gelu precision"}},
      {"=3", {"''", "column 1", "no such axis"}},
      {"m=", {"'m'", "value ''", "column 3", "empty"}},
      {"m=1,,2", {"'m'", "value ''", "column 5", "empty"}},
      {"m=1,", {"'m'", "value ''", "column 5", "empty"}},
      {"m=1 k=x", {"'k'", "'x'", "column 7", "not an integer"}},
      {"m=1.5", {"'1.5'", "not an integer"}},
      {"m=3k", {"'3k'", "not an integer"}},
      {"m=+3", {"'+3'", "not an integer"}},
      {"m=0x10", {"not an integer"}},
      {"m=0", {"'m'", "column 3", "0 is not from 1 to 1000000000"}},
      {"m=-5", {"'m'", "-5 is not from 1 to"}},
      {"m=1000000001", {"1000000001 is not from 1 to 1000000000"}},
      {"m=99999999999999999999", {"is not from 1 to 1000000000"}},
      {"gelu=2", {"'gelu'", "2 is not from 0 to 1"}},
      {"m=1,2,1", {"'m'", "column 7", "1 is there twice"}},
      {"m=1:3:1,2", {"column 9", "2 is there twice"}},
      {"m=1,01", {"1 is there twice"}},
      {"m=1 k=2 m=3", {"'m'", "column 9", "is there twice"}},
      {"m=1:4", {"'1:4'", "first:last:step"}},
      {"m=1:2:3:4", {"first:last:step"}},
      {"m=4:1:1", {"'4:1:1'", "ends before it begins"}},
      {"m=1:4:0", {"0 is not from 1 to"}},
      {"m=1::1", {"'' is not an integer"}},
      {"m=0:4:1", {"0 is not from 1"}},
      {"m=1:1000000000:1", {"more than 100000 values"}},
      {"m=1:400:1 k=1:400:1", {"'k'", "column 13", "160000 points", "100000"}},
      {"m=*", {"'m'", "'*'", "list of values"}},
      {"precision=fp32", {"'precision'", "'fp32'", "column 11", "did you mean 'f32'?"}},
      {"precision=f32,*", {"f32 is there twice"}},
      {"precision=F32", {"did you mean 'f32'?"}},
      {"m=a\x01"
       "b",
       {"'a?b'"}},
  };
  for (const auto& c : kCases) {
    const std::string message = ErrorOf(c.text);
    for (const char* part : c.parts) EXPECT_THAT(message, HasSubstr(part)) << c.text;
  }
}

TEST(Sweep, ValuesOfAnOption) {
  EXPECT_THAT(ParseSweepValues("int8,f32", Axes()[4]), ElementsAre("int8", "f32"));
  try {
    ParseSweepValues("f32,fp16", Axes()[4]);
    FAIL() << "took fp16";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), AllOf(HasSubstr("'fp16'"), HasSubstr("column 5")));
  }
}

TEST(Sweep, ExpansionIsBounded) {
  EXPECT_EQ(ExpandSweep({}).size(), 1U);
  const std::vector<std::string> many(400, "1");
  EXPECT_THROW(ExpandSweep({{"m", many}, {"k", many}}), Error);
}

// Whatever is typed: points within bounds, or one printable line.
TEST(Sweep, AnyTextGivesPointsOrOneLine) {
  std::mt19937 random(20261123);
  const std::string alphabet = "mkn=,: 0123456789*gelu-+.xprecison\t\n\x01\xff";
  const std::string seed = "m=1500 k=64:256:64 n=512,2048 gelu=0,1 precision=f32,bf16,int8";
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string text = i % 2 == 0 ? seed : "m=1 precision=*";
    for (unsigned edits = 1 + random() % 4; edits > 0; --edits) {
      const std::size_t at = random() % (text.size() + 1);
      const char c = alphabet[random() % alphabet.size()];
      if (random() % 3 == 0 && at < text.size()) {
        text.erase(at, 1 + random() % 3);
      } else {
        text.insert(at, 1, c);
      }
    }
    try {
      const std::vector<SweepPoint> points = Points(text);
      ASSERT_LE(points.size(), kMostSweepPoints) << text;
      ASSERT_GE(points.size(), 1U) << text;
      ++accepted;
    } catch (const Error& error) {
      ASSERT_EQ(error.code(), ErrorCode::kInvalidArgument) << text;
      ASSERT_LT(error.message().size(), 400U) << text;
      for (unsigned char c : error.message()) ASSERT_TRUE(std::isprint(c)) << error.message();
    }
  }
  EXPECT_GT(accepted, 100);
}

}  // namespace
}  // namespace xdna::bench
