#include "reports/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/error.h"
#include "reports/record_samples.h"

namespace xdna::reports {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// Shortened output of Google Benchmark 1.7 with --benchmark_repetitions=2.
constexpr char kForeign[] = R"({
  "context": {"date": "2026-11-23T19:00:00+01:00", "host_name": "x", "executable": "./bench",
    "num_cpus": 2, "mhz_per_cpu": 2000, "cpu_scaling_enabled": false, "caches": [],
    "load_avg": [0.5, 0.4, 0.3], "library_build_type": "release"},
  "benchmarks": [
    {"name": "BM_linear/512/2048/threads:2", "run_name": "BM_linear/512/2048/threads:2",
     "run_type": "iteration", "repetitions": 2, "repetition_index": 0, "threads": 2,
     "iterations": 100, "real_time": 2.5, "cpu_time": 2.4, "time_unit": "ms"},
    {"name": "BM_linear/512/2048/threads:2", "run_name": "BM_linear/512/2048/threads:2",
     "run_type": "iteration", "repetitions": 2, "repetition_index": 1, "threads": 2,
     "iterations": 100, "real_time": 2.7, "cpu_time": 2.4, "time_unit": "ms"},
    {"name": "BM_linear/512/2048/threads:2_mean", "run_name": "BM_linear/512/2048/threads:2",
     "run_type": "aggregate", "aggregate_name": "mean", "threads": 2, "iterations": 2,
     "real_time": 2.6, "cpu_time": 2.4, "time_unit": "ms"},
    {"name": "BM_broken", "run_name": "BM_broken", "run_type": "iteration", "threads": 1,
     "iterations": 0, "real_time": 0, "cpu_time": 0, "time_unit": "ns",
     "error_occurred": true, "error_message": "out of memory"}]})";

RecordSet Several() {
  return SetOf({MeasuredRecord(), ModelledRecord(), RecordWithStatus(golden::Status::kFailed)});
}

TEST(GoogleBenchmark, OursComesBackWhole) {
  const RecordSet set = Several();
  const RecordSet again = FromGoogleBenchmark(ToGoogleBenchmark(set), "runs.json", "");
  ASSERT_EQ(again.records.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(again.records[i].record, set.records[i].record);
}

TEST(GoogleBenchmark, EntriesAreWhatItsToolsRead) {
  const json out = json::parse(ToGoogleBenchmark(Several()));
  ASSERT_EQ(out["benchmarks"].size(), 20U + 1 + 1);
  const json& second = out["benchmarks"][1];
  EXPECT_EQ(second["name"], kSomeSeries);
  EXPECT_EQ(second["run_type"], "iteration");
  EXPECT_EQ(second["repetition_index"], 1);
  EXPECT_EQ(second["time_unit"], "ns");
  EXPECT_DOUBLE_EQ(second["real_time"].get<double>(), 1e9 * MeasuredRecord().samples_s()[1]);
  EXPECT_EQ(second["rtf"], 100);
  EXPECT_EQ(out["benchmarks"][21]["error_occurred"], true);
  EXPECT_FALSE(out["benchmarks"][21].contains("real_time"));
}

TEST(GoogleBenchmark, ItsOwnFilesAreRead) {
  const RecordSet set = FromGoogleBenchmark(kForeign, "theirs.json", "their unit tests");
  ASSERT_EQ(set.records.size(), 2U);
  const bench::RunRecord& linear = set.records[0].record;
  EXPECT_EQ(linear.series().ToString(), "BM_linear/512,2048,threads:2/-/cpu/-/-/-/-/-");
  EXPECT_THAT(linear.samples_s(), ::testing::ElementsAre(0.0025, 0.0027));
  EXPECT_NEAR(linear.times_s().at("total"), 0.0026, 1e-12);
  EXPECT_EQ(linear.environment.date, "2026-11-23T18:00:00Z");
  EXPECT_EQ(linear.environment.threads, 2);
  EXPECT_EQ(linear.environment.load_average, 0.5);
  EXPECT_THAT(linear.verdict().reason, HasSubstr("their unit tests"));
  EXPECT_EQ(set.records[1].record.verdict().reason, "out of memory");
  for (const LoadedRecord& loaded : set.records) {
    EXPECT_EQ(bench::ParseRecord(loaded.record.ToJsonLine()), loaded.record);
  }
}

TEST(GoogleBenchmark, NoTimeWithoutAVerdict) {
  EXPECT_THROW(FromGoogleBenchmark(kForeign, "theirs.json", ""), Error);
}

TEST(GoogleBenchmark, NamesWhatIsWrong) {
  const std::pair<std::string, const char*> kCases[] = {
      {"", "not JSON"},
      {"[]", "is not an object"},
      {"{}", "context: missing"},
      {R"({"context":{},"benchmarks":{}})", "benchmarks: not an array"},
      {R"({"context":{},"benchmarks":[{}]})", "benchmarks[0].name: missing"},
      {R"({"context":{},"benchmarks":[{"name":"a","time_unit":"min","real_time":1}]})",
       "benchmarks[0].time_unit: 'min'; known: ns us ms s"},
      {R"({"context":{},"benchmarks":[{"name":"a","time_unit":"ms","real_time":"1"}]})",
       "benchmarks[0].real_time: "},
      {R"({"context":{},"benchmarks":[{"name":"a","time_unit":"ms","real_time":1}]})",
       "context.date: missing"},
      {R"({"context":{"date":"","num_cpus":1},
           "benchmarks":[{"name":"a","time_unit":"ms","real_time":-1}]})",
       "positive samples"},
      {R"({"context":{},"benchmarks":[{"name":"a","run_record":{}}]})",
       "benchmarks[0]: record: schema_version: missing"},
  };
  for (const auto& [text, expected] : kCases) {
    try {
      FromGoogleBenchmark(text, "theirs.json", "me");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
      EXPECT_THAT(error.message(), ::testing::StartsWith("theirs.json: "));
      EXPECT_THAT(error.message(), HasSubstr(expected)) << text;
    }
  }
}

TEST(GithubAction, RowsOfBothDirections) {
  const json bigger = json::parse(ToGithubAction(Several(), GithubRows::kBiggerIsBetter));
  ASSERT_EQ(bigger.size(), 1U) << "only one has an RTF";
  EXPECT_EQ(bigger[0]["name"], std::string(kSomeSeries) + " RTF encoder");
  EXPECT_EQ(bigger[0]["unit"], "x");
  EXPECT_EQ(bigger[0]["value"], 100);
  EXPECT_THAT(bigger[0]["range"].get<std::string>(), HasSubstr("± "));
  EXPECT_THAT(bigger[0]["extra"].get<std::string>(), HasSubstr("measured, passed with 60 %"));
  const json smaller = json::parse(ToGithubAction(Several(), GithubRows::kSmallerIsBetter));
  ASSERT_EQ(smaller.size(), 2U) << "a wrong result has no row";
  EXPECT_EQ(smaller[1]["unit"], "ms");
  EXPECT_EQ(smaller[1]["value"], 10);
  EXPECT_THAT(smaller[1]["extra"].get<std::string>(), HasSubstr("modelled"));
}

TEST(GithubAction, NoRowsIsAnError) {
  EXPECT_THROW(ToGithubAction(SetOf({ModelledRecord()}), GithubRows::kBiggerIsBetter), Error);
  EXPECT_THROW(ToGithubAction(SetOf({RecordWithStatus(golden::Status::kFailed)}),
                              GithubRows::kSmallerIsBetter),
               Error);
}

}  // namespace
}  // namespace xdna::reports
