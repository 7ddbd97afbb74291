#include "reports/calibration.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <time.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "reports/gate.h"
#include "reports/record_samples.h"

namespace xdna::reports {
namespace {

using ::testing::HasSubstr;

std::vector<RecordSet> RunsIn(const std::string& records) {
  return SplitRuns(LoadRecords({RunfilePath("reports/testdata/" + records)}));
}

// 24 runs of //bench:linear on a busy virtual machine of two CPUs, 60 samples kept of each.
std::vector<RecordSet> RecordedRuns() { return RunsIn("aa_linear.jsonl"); }

TEST(Calibrate, RecordedRunsGiveAtMostOneFalseAlarmInAHundred) {
  const Policy policy = Calibrate(RecordedRuns(), Policy(), "", "");
  ASSERT_EQ(policy.calibrations.size(), 1U);
  EXPECT_EQ(policy.calibrations[0].runs, 24);
  EXPECT_EQ(policy.calibrations[0].comparisons, 3 * 2 * 12 * 11);
  EXPECT_LE(policy.calibrations[0].false_alarm_rate, 0.01);
}

TEST(Calibrate, TwentyPercentAreCaughtInRecordedRuns) {
  const std::vector<RecordSet> runs = RecordedRuns();
  const Policy policy = Calibrate(runs, Policy(), "", "");
  ASSERT_EQ(policy.calibrations[0].smallest_caught.size(), 3U);
  for (const auto& [series, caught] : policy.calibrations[0].smallest_caught) {
    EXPECT_EQ(CatchesOf(runs, series, policy, 0).slower, 0) << series;
    EXPECT_LE(CatchesOf(runs, series, policy, 0.05).rate(), 0.9) << series;
    EXPECT_EQ(CatchesOf(runs, series, policy, 0.20).rate(), 1) << series;
    EXPECT_GT(caught, 0.05) << series;
    EXPECT_LT(caught, 0.15) << series;
    EXPECT_GE(CatchesOf(runs, series, policy, caught).rate(), 0.9) << series;
    EXPECT_LT(CatchesOf(runs, series, policy, caught - 0.01).rate(), 0.9) << series;
  }
}

TEST(Calibrate, TheProjectsPolicyIsWhatTheRecordedRunsGive) {
  const Policy own = LoadPolicy(RunfilePath("reports/policy.json"));
  Policy again;
  for (const Calibration& c : own.calibrations) {
    const std::vector<RecordSet> runs = RunsIn(c.records);
    again = Calibrate(runs, again, c.command, c.records);
    EXPECT_LE(c.false_alarm_rate, 0.01) << c.records;
    EXPECT_GE(c.comparisons, 100) << c.records;
    for (const auto& [series, caught] : c.smallest_caught) EXPECT_LE(caught, 0.25) << series;
  }
  EXPECT_EQ(ToJson(own), ToJson(again));
}

TEST(Calibrate, ASecondProgramIsAddedAndASecondTimeReplaces) {
  const std::vector<RecordSet> linear = RecordedRuns();
  std::vector<RecordSet> other;
  for (unsigned seed = 1; seed <= 5; ++seed) {
    other.push_back(SetOf({MeasuredRecord(kSomeSeries, 0.01, seed)}));
  }
  const Policy one = Calibrate(linear, Policy(), "linear", "aa_linear.jsonl");
  const Policy two = Calibrate(other, one, "other", "aa_other.jsonl");
  ASSERT_EQ(two.calibrations.size(), 2U);
  EXPECT_EQ(two.calibrations[0], one.calibrations[0]);
  EXPECT_EQ(two.calibrations[1].records, "aa_other.jsonl");
  EXPECT_EQ(two.spread.size(), 4U);
  EXPECT_EQ(two.default_spread, one.default_spread);
  const Policy again = Calibrate(linear, two, "linear again", "aa_linear.jsonl");
  ASSERT_EQ(again.calibrations.size(), 2U);
  EXPECT_EQ(again.calibrations[1].command, "linear again");
  EXPECT_EQ(again.spread, two.spread);
}

TEST(Calibrate, ThinnedRecordsKeepTheirTimes) {
  const RecordSet all = SetOf({MeasuredRecord(), RecordWithStatus(golden::Status::kFailed)});
  const RecordSet thin = Thinned(all, 5);
  const std::vector<double>& samples = all.records[0].record.samples_s();
  ASSERT_EQ(samples.size(), 20U);
  EXPECT_EQ(thin.records[0].record.samples_s(),
            (std::vector<double>{samples[0], samples[4], samples[8], samples[12], samples[16]}));
  EXPECT_EQ(thin.records[0].record.times_s(), all.records[0].record.times_s());
  EXPECT_EQ(thin.records[1].record, all.records[1].record);
}

TEST(Calibrate, ReportNamesWhatIsCaught) {
  const std::vector<RecordSet> runs = RecordedRuns();
  const std::string report = CalibrationReport(runs, Calibrate(runs, Policy(), "", ""));
  EXPECT_THAT(report, HasSubstr("9 in 10 caught at"));
  EXPECT_THAT(report, HasSubstr("of 792 comparisons"));
}

TEST(Calibrate, RefusesWhatIsNoAATest) {
  const auto error_of = [](const std::vector<RecordSet>& runs) {
    try {
      Calibrate(runs, Policy(), "", "");
      return std::string("taken");
    } catch (const Error& error) {
      return error.message();
    }
  };
  const std::vector<RecordSet> good(4, SetOf({MeasuredRecord()}));
  EXPECT_EQ(error_of(good), "taken");
  EXPECT_THAT(error_of({good[0], good[1], good[2]}), HasSubstr("3 runs, at least 4"));
  std::vector<RecordSet> bad = good;
  bad[2].records[0].record.environment.git_revision = std::string(40, 'f');
  EXPECT_THAT(error_of(bad), HasSubstr("runs of 2 builds"));
  bad = good;
  bad[2].records[0].record.environment.machine_class = "intel";
  EXPECT_THAT(error_of(bad), HasSubstr("2 machine classes"));
  bad.assign(4, SetOf({ModelledRecord()}));
  EXPECT_THAT(error_of(bad), HasSubstr("no measured series"));
}

// A benchmark whose work is `1 + slow_down` times the normal: CPU seconds of one sample.
double BusySample(double slow_down) {
  constexpr int kSteps = 200000;
  const auto now = [] {
    timespec t = {};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  const double begin = now();
  volatile double sum = 0;
  for (int i = 0; i < static_cast<int>(kSteps * (1 + slow_down)); ++i) sum = sum + i;
  return now() - begin;
}

// All slow-downs in turns, so that a slow phase of the machine is everybody's.
std::vector<bench::RunRecord> BusyRuns(const std::vector<double>& slow_downs) {
  std::vector<std::vector<double>> samples(slow_downs.size());
  for (int round = 0; round < 40; ++round) {
    for (std::size_t i = 0; i < slow_downs.size(); ++i) {
      samples[i].push_back(BusySample(slow_downs[i]));
    }
  }
  std::vector<bench::RunRecord> records;
  for (const std::vector<double>& s : samples) {
    records.push_back(MeasuredRecord());
    records.back().SetTimes({{"total", s[0]}}, s);
  }
  return records;
}

TEST(Gate, CatchesWhatIsInjectedIntoARealBenchmark) {
  const std::vector<double> slow_downs = {0, 0, 0, 0, 0, 0.05, 0.1, 0.2};
  std::string story;
  // Other programs may take the machine's caches and clock at any time: three attempts.
  for (int attempt = 0; attempt < 3; ++attempt) {
    const std::vector<bench::RunRecord> runs = BusyRuns(slow_downs);
    std::vector<RecordSet> same;
    for (std::size_t i = 0; i < 4; ++i) same.push_back(SetOf({runs[i]}));
    const Policy policy = Calibrate(same, Policy(), "", "");
    std::vector<Outcome> outcomes;
    story.clear();
    for (std::size_t i = 4; i < slow_downs.size(); ++i) {
      const Finding f = Judge(same[0], SetOf({runs[i]}), policy).findings.front();
      outcomes.push_back(f.outcome);
      story += fmt::format("injected {:.0f} %: found {:+.1f} %, noise {:.1f} %: {} {}\n",
                           100 * slow_downs[i], 100 * f.change, 100 * f.threshold,
                           OutcomeName(f.outcome), f.why);
    }
    fmt::print("{}", story);
    if (outcomes[0] == Outcome::kSame && outcomes[2] == Outcome::kSlower &&
        outcomes[3] == Outcome::kSlower) {
      return;
    }
  }
  ADD_FAILURE() << story;
}

}  // namespace
}  // namespace xdna::reports
