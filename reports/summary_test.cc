#include "reports/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/error.h"
#include "reports/record_samples.h"

namespace xdna::reports {
namespace {

using ::testing::HasSubstr;

constexpr char kOther[] = "gelu/m=8/bf16/cpu/threads=1/fast/-/-/-";

bench::RunRecord On(const std::string& date, char revision, double seconds = 0.01) {
  bench::RunRecord record = MeasuredRecord(kSomeSeries, seconds);
  record.environment.date = date;
  record.environment.git_revision = std::string(40, revision);
  return record;
}

TEST(FindLastRun, NewestRevisionAndTheOneBefore) {
  const LastRun last =
      FindLastRun(SetOf({On("2026-11-23T03:00:00Z", 'b'), On("2026-11-23T01:00:00Z", 'a'),
                         On("2026-11-23T02:00:00Z", 'b')}));
  ASSERT_EQ(last.now.records.size(), 1U);
  EXPECT_EQ(last.now.records[0].record.environment.date, "2026-11-23T03:00:00Z");
  EXPECT_EQ(last.base.records.at(0).record.environment.date, "2026-11-23T01:00:00Z");
  const LastRun same =
      FindLastRun(SetOf({On("2026-11-23T01:00:00Z", 'a'), On("2026-11-23T02:00:00Z", 'a')}));
  EXPECT_EQ(same.base.records.at(0).record.environment.date, "2026-11-23T01:00:00Z");
  EXPECT_TRUE(FindLastRun(SetOf({On("2026-11-23T01:00:00Z", 'a')})).base.records.empty());
}

TEST(Summary, SaysWhatBoundsItAndWhatIsNext) {
  bench::RunRecord record = MeasuredRecord();
  record.SetMetric("percent_of_peak", 42);
  const std::string text = Summary(SetOf({record}), RecordSet(), Policy(), false);
  EXPECT_THAT(text, HasSubstr("100x"));
  EXPECT_THAT(text, HasSubstr("no base"));
  EXPECT_THAT(text, HasSubstr("attention 50 %; compute at 42 % of peak"));
  EXPECT_THAT(text, HasSubstr("it must get 2.20 times as fast; attention in half the time would "
                              "make 133x"));
  record.SetMetric("percent_of_bandwidth", 90);
  EXPECT_THAT(Summary(SetOf({record}), RecordSet(), Policy(), false),
              HasSubstr("memory at 90 % of peak"));
}

TEST(Summary, WrongComesFirstThenSlower) {
  const RecordSet base = SetOf({MeasuredRecord(), MeasuredRecord(kOther)});
  const std::string slower =
      Summary(SetOf({MeasuredRecord(), MeasuredRecord(kOther, 0.02)}), base, Policy(), false);
  EXPECT_THAT(slower, HasSubstr("next      find what made " + std::string(kOther)));
  EXPECT_LT(slower.find(kOther), slower.find(kSomeSeries));
  const std::string wrong =
      Summary(SetOf({RecordWithStatus(golden::Status::kFailed), MeasuredRecord(kOther, 0.02)}),
              base, Policy(), false);
  EXPECT_THAT(wrong, HasSubstr("next      repair " + std::string(kSomeSeries)));
  EXPECT_THAT(Summary(SetOf({MeasuredRecord(kSomeSeries, 0.004)}), RecordSet(), Policy(), false),
              HasSubstr("the goal is met"));
  bench::RunRecord modelled = ModelledRecord(0.004);
  modelled.set_scope("encoder");
  modelled.SetMetric("rtf", 250);
  EXPECT_THAT(Summary(SetOf({modelled}), RecordSet(), Policy(), false),
              HasSubstr("holds 220x in the model: measure it on hardware"));
}

TEST(Summary, FitsOneScreen) {
  RecordSet many;
  for (int i = 0; i < 100; ++i) {
    many.records.push_back(
        {MeasuredRecord("gelu/m=" + std::to_string(i) + "/bf16/cpu/-/fast/-/-/-"), "x", i});
  }
  const std::string text = Summary(many, many, Policy(), false);
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 24);
  EXPECT_THAT(text, HasSubstr("and 86 more"));
  EXPECT_EQ(text.find('\033'), std::string::npos);
  EXPECT_NE(Summary(many, many, Policy(), true).find('\033'), std::string::npos);
  EXPECT_THROW(Summary(RecordSet(), many, Policy(), false), Error);
}

}  // namespace
}  // namespace xdna::reports
