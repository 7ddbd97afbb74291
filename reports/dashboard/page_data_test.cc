#include "reports/dashboard/page_data.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "bench/run_record.h"
#include "encoder/schedule.h"
#include "golden/compare.h"

namespace xdna::dashboard {
namespace {

using bench::Provenance;
using bench::RunRecord;

RunRecord Record(const std::string& series, const std::string& date, double seconds,
                 Provenance provenance = Provenance::kMeasured) {
  bench::RecordedVerdict verdict;
  verdict.status = seconds > 0 ? golden::Status::kPassed : golden::Status::kFailed;
  verdict.reason = "because";
  RunRecord record(bench::SeriesKey::Parse(series), provenance, verdict);
  record.environment.date = date;
  record.environment.machine_class = "m";
  if (seconds > 0) {
    record.SetTimes({{"total", seconds}, {"mel", seconds / 8}}, {seconds, 2 * seconds, seconds});
  }
  return record;
}

PageInput InputOf(const std::vector<RunRecord>& records) {
  PageInput input;
  for (const RunRecord& record : records) {
    input.records.push_back(
        {record.series().ToString(), &record, ParseDate(record.environment.date)});
  }
  return input;
}

TEST(PageDataTest, DatesAreCheckedToTheDay) {
  EXPECT_EQ(ParseDate("1970-01-02T00:00:01Z"), 86401);
  EXPECT_EQ(ParseDate("2026-11-23T18:00:00Z"), 1795456800);
  for (const char* bad :
       {"", "2026-11-23", "2026-11-31T00:00:00Z", "2026-13-01T00:00:00Z", "2026-11-23T25:00:00Z",
        "2026-11-23T18:00:00", "2026-11-23T18:00:00Z ", "2026-11-23 18:00:00Z"}) {
    EXPECT_THROW(ParseDate(bad), Error) << bad;
  }
}

TEST(PageDataTest, ColumnsHaveTheOldestFirst) {
  const std::vector<RunRecord> records = {
      Record("gelu/-/f32/cpu/-/fast/-/-/-", "2026-11-02T00:00:00Z", 0.123456789),
      Record("add/-/f32/cpu/-/fast/-/-/-", "2026-11-01T00:00:00Z", 0),
  };
  const nlohmann::json data = PageData(InputOf(records));
  const auto& columns = data["columns"];
  const auto text = [&](const char* column, int i) {
    return data["text"][columns[column][i].get<int>()].get<std::string>();
  };
  for (const auto& [name, column] : columns.items()) EXPECT_EQ(column.size(), 2U) << name;
  EXPECT_EQ(text("status", 0), "failed");
  EXPECT_EQ(text("status", 1), "passed");
  EXPECT_TRUE(columns["median"][0].is_null());
  EXPECT_DOUBLE_EQ(columns["median"][1], 0.123457);
  EXPECT_DOUBLE_EQ(columns["least"][1], 0.123457);
  EXPECT_DOUBLE_EQ(columns["spread"][1], 100);
  EXPECT_EQ(columns["samples"], nlohmann::json({0, 3}));
  EXPECT_EQ(columns["times"][0].size(), 0U);
  EXPECT_EQ(columns["times"][1].size(), 4U);
  EXPECT_EQ(data["series"].size(), 2U);
  EXPECT_EQ(data["environments"].size(), 1U);
  EXPECT_EQ(data["text"][data["series"][0][0].get<int>()], "add");
}

TEST(PageDataTest, StepsNameTheRecord) {
  std::vector<RunRecord> records;
  for (int day = 1; day <= 8; ++day) {
    records.push_back(Record("add/-/f32/cpu/-/fast/-/-/-",
                             "2026-11-0" + std::to_string(day) + "T00:00:00Z", day < 5 ? 1 : 2));
    records.push_back(Record("add/-/f32/npu/-/fast/-/-/-",
                             "2026-11-0" + std::to_string(day) + "T01:00:00Z", day < 8 ? 1 : 1.01,
                             Provenance::kModelled));
  }
  const nlohmann::json steps = PageData(InputOf(records))["steps"];
  EXPECT_EQ(steps, nlohmann::json({{{"record", 8}, {"before", 1}, {"after", 2}},
                                   {{"record", 15}, {"before", 1}, {"after", 1.01}}}));
}

TEST(PageDataTest, ClaimsAreTheSchedulesOwn) {
  const nlohmann::json claims = PageData({})["claims"];
  const std::vector<std::string> names = encoder::ScheduleNames();
  ASSERT_EQ(claims.size(), names.size());
  EXPECT_EQ(claims.front()["schedule"], "phase0-naive");
  EXPECT_EQ(claims.front()["rtf"], 0.12);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const encoder::Schedule schedule = encoder::FindSchedule(names[i]);
    EXPECT_EQ(claims[i]["rtf"].get<double>(), schedule.claimed_rtf) << names[i];
    EXPECT_EQ(claims[i]["text"], schedule.claim);
  }
}

TEST(PageDataTest, InvalidAndFailedRunsAreNoPartOfAHistory) {
  std::vector<RunRecord> records;
  for (int day = 1; day <= 4; ++day) {
    records.push_back(Record("add/-/f32/cpu/-/fast/-/-/-",
                             "2026-11-0" + std::to_string(day) + "T00:00:00Z", day < 3 ? 1 : 2));
  }
  EXPECT_EQ(PageData(InputOf(records))["steps"].size(), 1U);
  std::vector<RunRecord> busy = records;
  busy[3].environment.threads = busy[3].environment.cpus = 2;
  busy[3].environment.load_average = 2.4;
  EXPECT_EQ(PageData(InputOf(busy))["steps"].size(), 1U);
  busy[3].environment.load_average = 2.6;
  EXPECT_EQ(PageData(InputOf(busy))["steps"].size(), 0U) << "beside other programs";
  records[3].Invalidate("too fast");
  EXPECT_EQ(PageData(InputOf(records))["steps"].size(), 0U);
}

}  // namespace
}  // namespace xdna::dashboard
