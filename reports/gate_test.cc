#include "reports/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "reports/gate_output.h"
#include "reports/record_samples.h"
#include "reports/statistics.h"

namespace xdna::reports {
namespace {

using bench::RunRecord;
using ::testing::HasSubstr;

constexpr char kOther[] = "gelu/m=8/bf16/cpu/threads=1/fast/-/-/-";

Policy TestPolicy() {
  Policy policy;
  policy.default_spread = 0.05;
  policy.calibrations.resize(1);
  policy.calibrations[0].machine_class = MeasuredRecord().environment.machine_class;
  return policy;
}

Finding Only(const RunRecord& base, const RunRecord& now, const Policy& policy = TestPolicy()) {
  const GateResult result = Judge(SetOf({base}), SetOf({now}), policy);
  EXPECT_EQ(result.findings.size(), 1U);
  EXPECT_EQ(result.exit_code, ExitCodeOf(result.findings.front().outcome));
  return result.findings.front();
}

TEST(MannWhitney, ExactSmallSets) {
  // Tables of the U distribution: P(U <= 0) for 3 and 3 is 1/20, P(U <= 2) for 4 and 4 is 4/70.
  EXPECT_DOUBLE_EQ(MannWhitneyP({1, 2, 3}, {4, 5, 6}), 2.0 / 20);
  EXPECT_DOUBLE_EQ(MannWhitneyP({1, 2, 3, 6}, {4, 5, 7, 8}), 2 * 4.0 / 70);
  EXPECT_DOUBLE_EQ(MannWhitneyP({4, 5, 6}, {1, 2, 3}), 2.0 / 20) << "two-sided";
  EXPECT_DOUBLE_EQ(LeastMannWhitneyP(3, 3), 2.0 / 20);
  EXPECT_DOUBLE_EQ(MannWhitneyP({1}, {2}), 1);
}

TEST(MannWhitney, LargeSetsAndTies) {
  EXPECT_DOUBLE_EQ(MannWhitneyP({1, 1, 1}, {1, 1, 1}), 1);
  std::vector<double> a;
  std::vector<double> b;
  for (int i = 0; i < 30; ++i) {
    a.push_back(i);
    b.push_back(i + 6.5);
  }
  // Counted exactly, in integers: U is 276.
  EXPECT_NEAR(MannWhitneyP(a, b), 0.00960, 0.001);
  EXPECT_LT(LeastMannWhitneyP(100, 100), 1e-30);
  EXPECT_THROW(MannWhitneyP({}, {1}), Error);
}

TEST(Gate, SameSlowerFaster) {
  EXPECT_EQ(Only(MeasuredRecord(), MeasuredRecord(kSomeSeries, 0.01, 2)).outcome, Outcome::kSame);
  const Finding slower = Only(MeasuredRecord(), MeasuredRecord(kSomeSeries, 0.012, 2));
  EXPECT_EQ(slower.outcome, Outcome::kSlower);
  EXPECT_NEAR(slower.change, 0.2, 0.02);
  EXPECT_LT(*slower.new_rtf, *slower.base_rtf);
  EXPECT_EQ(Only(MeasuredRecord(), MeasuredRecord(kSomeSeries, 0.008, 2)).outcome,
            Outcome::kFaster);
}

TEST(Gate, AChangeWithinTheMachinesSpreadOrTheLeastEffectIsNone) {
  const RunRecord slower = MeasuredRecord(kSomeSeries, 0.0104, 2);
  Policy policy = TestPolicy();
  EXPECT_EQ(Only(MeasuredRecord(), slower, policy).outcome, Outcome::kSame);
  policy.default_spread = 0.01;
  EXPECT_EQ(Only(MeasuredRecord(), slower, policy).outcome, Outcome::kSlower);
  policy.min_effect = 0.06;
  EXPECT_EQ(Only(MeasuredRecord(), slower, policy).outcome, Outcome::kSame);
  policy.min_effect = 0.03;
  policy.spread[kSomeSeries] = 0.06;
  EXPECT_EQ(Only(MeasuredRecord(), slower, policy).outcome, Outcome::kSame);
}

TEST(Gate, AmbiguousWhereSamplesAreFewOrThePhaseChanged) {
  RunRecord base = MeasuredRecord();
  RunRecord now = MeasuredRecord();
  base.SetTimes({{"total", 0.01}}, {0.01, 0.0101});
  now.SetTimes({{"total", 0.012}}, {0.012, 0.0121});
  const Finding few = Only(base, now);
  EXPECT_EQ(few.outcome, Outcome::kAmbiguous);
  EXPECT_THAT(few.why, HasSubstr("too few"));

  std::vector<double> samples(60, 0.0125);
  samples[0] = 0.01;
  now.SetTimes({{"total", 0.0125}}, samples);
  const Finding phase = Only(MeasuredRecord(), now);
  EXPECT_EQ(phase.outcome, Outcome::kAmbiguous);
  EXPECT_THAT(phase.why, HasSubstr("best sample"));
}

TEST(Gate, WhatIsNotComparable) {
  const std::pair<std::function<void(RunRecord&)>, const char*> kCases[] = {
      {[](RunRecord& r) { r.environment.machine_class = "intel"; }, "machine class differs"},
      {[](RunRecord& r) { r.environment.governor = "powersave"; }, "governor differs"},
      {[](RunRecord& r) { r.set_scope("end-to-end"); }, "scope differs"},
      {[](RunRecord& r) { r.SetMetric("peak_flops", 2e11); }, "measured peak changed by -50 %"},
      {[](RunRecord& r) {
         r.environment.threads = 2;
         r.environment.load_average = 4;
       },
       "load 4.0 on 2 CPUs"},
      {[](RunRecord& r) {
         r.SetTimes({{"total", 1}}, {0.006, 0.008, 0.012, 0.02});
       },
       "samples spread by"},
  };
  for (const auto& [change, expected] : kCases) {
    RunRecord now = MeasuredRecord();
    change(now);
    const Finding finding = Only(MeasuredRecord(), now);
    EXPECT_EQ(finding.outcome, Outcome::kNotComparable) << expected;
    EXPECT_THAT(finding.why, HasSubstr(expected));
  }
  RunRecord a = MeasuredRecord();
  RunRecord b = MeasuredRecord();
  a.hashes["model"] = std::string(64, 'a');
  b.hashes["model"] = std::string(64, 'b');
  EXPECT_THAT(Only(a, b).why, HasSubstr("model differs: aaaaaaaaaaaa"));
}

TEST(Gate, WrongResultsAndLostVerdicts) {
  const RunRecord failed = RecordWithStatus(golden::Status::kFailed);
  const RunRecord skipped = RecordWithStatus(golden::Status::kSkipped);
  EXPECT_EQ(Only(MeasuredRecord(), failed).outcome, Outcome::kWrong);
  EXPECT_EQ(Only(failed, failed).outcome, Outcome::kWrong) << "was wrong before";
  EXPECT_THAT(Only(MeasuredRecord(), skipped).why, HasSubstr("passed in the base, now skipped"));
  EXPECT_EQ(Only(skipped, skipped).outcome, Outcome::kNoTime);
  EXPECT_EQ(Only(failed, MeasuredRecord()).outcome, Outcome::kRepaired);
  RunRecord invalid = MeasuredRecord();
  invalid.Invalidate("faster than light");
  EXPECT_THAT(Only(MeasuredRecord(), invalid).why, HasSubstr("faster than light"));
  // A new series may be wrong, too; one wrong record of several is enough.
  const GateResult result = Judge(
      SetOf({MeasuredRecord()}),
      SetOf({MeasuredRecord(), RecordWithStatus(golden::Status::kFailed, kOther)}), TestPolicy());
  EXPECT_EQ(result.exit_code, kGateWrong);
}

TEST(Gate, ModelledTimesAreComparedExactlyAndExplained) {
  EXPECT_EQ(Only(ModelledRecord(), ModelledRecord()).outcome, Outcome::kSame);
  RunRecord now = ModelledRecord(0.010000001);
  const Finding code = Only(ModelledRecord(), now);
  EXPECT_EQ(code.outcome, Outcome::kSlower);
  EXPECT_THAT(code.why, HasSubstr("the code changed between git 012345678901"));
  now.model->schedule["overlay"] = std::string(64, 'f');
  EXPECT_THAT(Only(ModelledRecord(), now).why,
              HasSubstr("schedule: overlay 0123456789ab... -> ffffffffffff..."));
  EXPECT_EQ(Only(now, ModelledRecord()).outcome, Outcome::kFaster);
  now.model->constants["lock_latency"] = 9;
  const Finding model = Only(ModelledRecord(), now);
  EXPECT_EQ(model.outcome, Outcome::kNotComparable);
  EXPECT_THAT(model.why, HasSubstr("time model: lock_latency 8 -> 9"));
  now = ModelledRecord();
  now.model->version = "2";
  EXPECT_THAT(Only(ModelledRecord(), now).why, HasSubstr("model version 1 -> 2"));
  now.model.reset();
  EXPECT_THAT(Only(ModelledRecord(), now).why, HasSubstr("no time model"));
}

TEST(Gate, AVanishedSeriesNeedsANote) {
  const RecordSet base = SetOf({MeasuredRecord(), MeasuredRecord(kOther)});
  RecordSet now = SetOf({MeasuredRecord()});
  const GateResult vanished = Judge(base, now, TestPolicy());
  EXPECT_EQ(vanished.exit_code, kGateBadInput);
  EXPECT_EQ(vanished.findings[0].outcome, Outcome::kVanished);
  EXPECT_EQ(vanished.findings[0].series, kOther);
  now.notes.AddRemoval(kOther, "no longer built");
  const GateResult removed = Judge(base, now, TestPolicy());
  EXPECT_EQ(removed.exit_code, kGateFine);
  EXPECT_EQ(removed.findings[0].why, "no longer built");

  RecordSet renamed = SetOf({MeasuredRecord("gelu/m=8/bf16/cpu/threads=1/fast/-/-/1", 0.012)});
  renamed.notes.AddAlias(kOther, "gelu/m=8/bf16/cpu/threads=1/fast/-/-/1", "batch is recorded");
  EXPECT_EQ(Judge(SetOf({MeasuredRecord(kOther)}), renamed, TestPolicy()).exit_code, kGateSlower);
}

TEST(Gate, AHistoryCountsByItsNewestRevision) {
  RunRecord old = MeasuredRecord(kSomeSeries, 0.02);
  old.environment.git_revision = std::string(40, 'a');
  old.environment.date = "2026-11-22T18:00:00Z";
  const RecordSet history = SetOf({MeasuredRecord(), old, MeasuredRecord(kSomeSeries, 0.01, 3)});
  const GateResult result =
      Judge(history, SetOf({MeasuredRecord(kSomeSeries, 0.01, 2)}), TestPolicy());
  EXPECT_EQ(result.exit_code, kGateFine);
  EXPECT_EQ(result.findings[0].outcome, Outcome::kSame);
}

TEST(Gate, NothingComparedIsAnError) {
  const RecordSet one = SetOf({MeasuredRecord()});
  EXPECT_EQ(Judge(SetOf({MeasuredRecord(kOther)}), one, TestPolicy()).exit_code, kGateBadInput);
  EXPECT_THROW(Judge(RecordSet(), one, TestPolicy()), Error);
  EXPECT_THROW(Judge(one, RecordSet(), TestPolicy()), Error);
  EXPECT_THROW(Judge(one, one, TestPolicy(), "softmax"), Error);
  EXPECT_THROW(Judge(one, one, TestPolicy(), "("), Error);
  EXPECT_EQ(Judge(one, one, TestPolicy(), "^linear/").exit_code, kGateFine);
}

TEST(Gate, TheWorstFindingDecides) {
  const GateResult result = Judge(
      SetOf({MeasuredRecord(), MeasuredRecord(kOther)}),
      SetOf({MeasuredRecord(kSomeSeries, 0.02), RecordWithStatus(golden::Status::kFailed, kOther)}),
      TestPolicy());
  EXPECT_EQ(result.exit_code, kGateWrong);
  EXPECT_EQ(result.findings[0].series, kOther);
}

TEST(Policy, RoundTripsAndIsStrict) {
  Policy policy = TestPolicy();
  policy.spread[kSomeSeries] = 0.07;
  policy.calibrations[0].smallest_caught[kSomeSeries] = 0.1;
  policy.calibrations.emplace_back().records = "aa.jsonl";
  EXPECT_EQ(ParsePolicy(ToJson(policy)), policy);
  for (const auto& [field, value] :
       std::vector<std::pair<std::string, nlohmann::json>>{{"alpha", 2},
                                                           {"alpha", "x"},
                                                           {"policy_version", 1},
                                                           {"spread", {{"a", -1}}},
                                                           {"calibrations", 1},
                                                           {"calibrations", {1}},
                                                           {"x", 1}}) {
    nlohmann::json bad = nlohmann::json::parse(ToJson(policy));
    bad[field] = value;
    try {
      ParsePolicy(bad.dump());
      ADD_FAILURE() << field;
    } catch (const Error& error) {
      EXPECT_THAT(error.message(), HasSubstr(field));
    }
  }
  EXPECT_THROW(LoadPolicy("/no/such/policy.json"), Error);
}

class OutputTest : public ::testing::Test {
 protected:
  GateResult result_ =
      Judge(SetOf({MeasuredRecord(), MeasuredRecord(kOther)}),
            SetOf({MeasuredRecord(kSomeSeries, 0.02), MeasuredRecord(kOther)}), TestPolicy());
};

TEST_F(OutputTest, Table) {
  const std::string table = GateTable(result_, false);
  EXPECT_THAT(table, HasSubstr("SLOWER"));
  EXPECT_THAT(table, HasSubstr("100x -> 50x"));
  EXPECT_THAT(table, HasSubstr("slower (exit code 1): 1 SLOWER, 1 same"));
  EXPECT_EQ(table.find('\033'), std::string::npos);
  EXPECT_NE(GateTable(result_, true).find('\033'), std::string::npos);
}

TEST_F(OutputTest, Markdown) {
  const std::string text = GateMarkdown(result_);
  EXPECT_THAT(text, HasSubstr("| `" + std::string(kSomeSeries) + "` | SLOWER |"));
  EXPECT_LT(text.find("SLOWER |"), text.find("<details>"));
  EXPECT_GT(text.find(kOther), text.find("<details>"));
}

TEST_F(OutputTest, Junit) {
  result_.findings[0].why = "a < b & \"c\" \x01";
  const std::string xml = GateJunit(result_);
  EXPECT_THAT(xml, HasSubstr("tests=\"2\" failures=\"1\""));
  EXPECT_THAT(xml, HasSubstr("message=\"a &lt; b &amp; &quot;c&quot; ?\""));
}

TEST_F(OutputTest, Json) {
  const auto json = nlohmann::json::parse(GateJson(result_));
  EXPECT_EQ(json["exit_code"], 1);
  EXPECT_EQ(json["findings"][0]["outcome"], "SLOWER");
  EXPECT_NEAR(json["findings"][0]["change"].get<double>(), 1, 0.05);
}

}  // namespace
}  // namespace xdna::reports
