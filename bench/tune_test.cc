#include "bench/tune.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "bench/encoder_tune.h"
#include "bench/environment.h"
#include "bench/progress.h"
#include "bench/resume.h"
#include "bench/run_record.h"
#include "bench/schedule_tune.h"
#include "bench/tune_cache.h"
#include "bench/user_cache.h"
#include "encoder/graph.h"
#include "encoder/schedule.h"
#include "golden/compare.h"
#include "ops/contract.h"

namespace xdna::bench {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

RecordedVerdict VerdictOf(golden::Status status, const std::string& reason = "") {
  RecordedVerdict verdict;
  verdict.status = status;
  verdict.reason = reason;
  if (verdict.passed()) verdict.headroom_percent = 50;
  return verdict;
}

// Times by name; what is not there can't run.
class FakeArray : public TuneEvaluator {
 public:
  std::map<std::string, double> us;
  std::map<std::string, std::string> wrong;  // and why
  std::vector<std::string> simulated, checked;

  Time Simulate(const TuneChoice& choice) override {
    simulated.push_back(Name(choice));
    const auto found = us.find(choice.tile);
    if (found == us.end()) Throw(ErrorCode::kUnsupported, "no room for {}", choice.tile);
    return {found->second, found->second < 100 ? "compute" : "ddr"};
  }
  RecordedVerdict Check(const TuneChoice& choice) override {
    checked.push_back(Name(choice));
    const auto found = wrong.find(choice.tile);
    return found == wrong.end() ? VerdictOf(golden::Status::kPassed)
                                : VerdictOf(golden::Status::kFailed, found->second);
  }
  static std::string Name(const TuneChoice& choice) {
    return fmt::format("{}@{}", choice.tile, choice.columns);
  }
};

TuneSpace::Entry Entry(const std::string& tile, std::size_t columns, double cycles) {
  return {{tile, columns}, cycles, "ddr"};
}

TEST(SearchTiles, TakesTheFastestAndChecksOnlyIt) {
  FakeArray array;
  array.us = {{"a", 30}, {"b", 20}, {"c", 150}};
  const TuneResult result = SearchTiles(
      {{Entry("a", 4, 1), Entry("b", 4, 2), Entry("c", 4, 3)}, {{"core memory", 7}}}, array);
  EXPECT_EQ(result.best().choice.tile, "b");
  EXPECT_EQ(result.legal, 3);
  EXPECT_THAT(array.simulated, ElementsAre("a@4", "b@4", "c@4"));
  EXPECT_THAT(array.checked, ElementsAre("b@4"));
  const std::string text = ExplainTune(result);
  EXPECT_THAT(text, HasSubstr("3 legal tiles, 3 simulated; refused: 7 core memory"));
  EXPECT_THAT(text,
              HasSubstr("winner       b on 4 columns: 0.0200 ms, bound by compute; passed 50 %"));
  EXPECT_THAT(text, HasSubstr("runner-up    a on 4 columns: 50.0 % slower"));
  EXPECT_THAT(text, HasSubstr("losers bound by  1 compute, 1 ddr"));
}

TEST(SearchTiles, AWrongResultLosesToTheNextThatIsRight) {
  FakeArray array;
  array.us = {{"a", 10}, {"b", 20}, {"c", 30}};
  array.wrong = {{"a", "rel-L2 0.5"}, {"b", "rel-L2 0.7"}};
  const TuneSpace space = {{Entry("a", 4, 1), Entry("b", 4, 2), Entry("c", 4, 3)}, {}};
  TuneResult result = SearchTiles(space, array);
  EXPECT_EQ(result.best().choice.tile, "c");
  EXPECT_THAT(array.checked, ElementsAre("a@4", "b@4", "c@4"));
  EXPECT_THAT(ExplainTune(result), HasSubstr("discarded    a on 4 columns: failed: rel-L2 0.5"));

  array.wrong["c"] = "rel-L2 0.9";
  result = SearchTiles(space, array);
  EXPECT_FALSE(result.winner);
  EXPECT_TRUE(RanWrong(result));
  EXPECT_THAT(ExplainTune(result), HasSubstr("no tile both runs and passes"));
}

TEST(SearchTiles, WhatCantRunIsNoFault) {
  FakeArray array;
  array.us = {{"b", 20}};
  const TuneResult result = SearchTiles({{Entry("a", 4, 1), Entry("b", 4, 2)}, {}}, array);
  EXPECT_EQ(result.best().choice.tile, "b");
  EXPECT_THAT(ExplainTune(result),
              HasSubstr("discarded    a on 4 columns: unsupported: no room for a"));
  array.us.clear();
  EXPECT_FALSE(RanWrong(SearchTiles({{Entry("a", 4, 1)}, {}}, array)));
  EXPECT_FALSE(SearchTiles({}, array).winner);
}

TEST(SearchTiles, SimulatesTheBestAndTwoOfEachColumns) {
  FakeArray array;
  array.us = {{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}};
  SearchTiles({{Entry("d", 4, 4), Entry("a", 4, 1), Entry("c", 4, 3), Entry("b", 4, 2),
                Entry("a", 1, 11), Entry("b", 1, 12), Entry("c", 1, 13)},
               {}},
              array, 3);
  EXPECT_THAT(array.simulated, ElementsAre("a@4", "b@4", "c@4", "a@1", "b@1"));
}

TEST(SearchTiles, TiesGoToTheFewestColumnsThenTheEstimateThenTheName) {
  FakeArray array;
  array.us = {{"a", 10}, {"b", 10}};
  const std::vector<TuneSpace::Entry> entries = {
      Entry("b", 4, 5), Entry("a", 4, 5), Entry("b", 2, 5), Entry("a", 2, 5), Entry("b", 2, 4)};
  const TuneResult result = SearchTiles({entries, {}}, array);
  EXPECT_EQ(FakeArray::Name(result.best().choice), "b@2");
  EXPECT_EQ(result.best().cycles, 4);
  const TuneResult turned = SearchTiles({{entries.rbegin(), entries.rend()}, {}}, array);
  EXPECT_EQ(turned, result);
}

// --- the cache ---------------------------------------------------------------------------------

class Cache : public ::testing::Test {
 protected:
  Cache() : folder_(fs::path(::testing::TempDir()) / "tune_cache_test") {
    fs::remove_all(folder_);
    FakeArray array;
    array.us = {{"a", 10}, {"b", 20.25}};
    array.wrong = {{"a", "rel-L2 \"0.5\""}};
    result_ = SearchTiles(
        {{Entry("a", 4, 1.5), Entry("b", 2, 2), Entry("no", 4, 3)}, {{"core memory", 7}}}, array);
  }
  ~Cache() override { fs::remove_all(folder_); }

  TuneKey Key() const { return {{"op", "linear"}, {"model", "2"}, {"program", "abc"}}; }
  TuneCache Make() const { return TuneCache(folder_.string()); }
  std::string KeepOne() const {
    std::string warning;
    Make().Keep(Key(), result_, "2026-11-24T00:00:00Z", warning);
    EXPECT_EQ(warning, "");
    return Make().PathOf(Key());
  }
  // What Find says of a file with this text in the place of Key()'s.
  std::string WarningOf(const std::string& text) const {
    std::ofstream(KeepOne()) << text;
    std::string warning;
    EXPECT_FALSE(Make().Find(Key(), warning)) << text;
    return warning;
  }

  fs::path folder_;
  TuneResult result_;
};

std::string TextOf(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string Replaced(std::string text, const std::string& what, const std::string& by) {
  return text.replace(text.find(what), what.size(), by);
}

TEST_F(Cache, FindsWhatWasKept) {
  std::string warning;
  EXPECT_FALSE(Make().Find(Key(), warning));
  EXPECT_EQ(warning, "");
  KeepOne();
  const auto found = Make().Find(Key(), warning);
  ASSERT_TRUE(found) << warning;
  EXPECT_EQ(found->result, result_);
  EXPECT_EQ(found->date, "2026-11-24T00:00:00Z");
  for (const auto& entry : fs::directory_iterator(folder_)) {
    EXPECT_EQ(entry.path().extension(), ".json") << "left over: " << entry.path();
  }
}

TEST_F(Cache, AStaleKeyFindsNothing) {
  const std::string path = KeepOne();
  std::string warning;
  for (const char* part : {"op", "model", "program"}) {
    TuneKey other = Key();
    other[part] += "x";
    EXPECT_FALSE(Make().Find(other, warning)) << part;
    EXPECT_EQ(warning, "");
    // Not even where somebody renames the file.
    fs::copy_file(path, Make().PathOf(other));
    EXPECT_FALSE(Make().Find(other, warning)) << part;
    EXPECT_THAT(warning, HasSubstr("key: made for something else; not used"));
    warning.clear();
  }
}

TEST_F(Cache, ADamagedFileIsNamedAndNotUsed) {
  const std::string good = TextOf(KeepOne());
  EXPECT_THAT(WarningOf(""), HasSubstr("not JSON"));
  EXPECT_THAT(WarningOf(good.substr(0, good.size() / 2)), HasSubstr("not JSON"));
  EXPECT_THAT(WarningOf("[]"), HasSubstr(".json: "));
  EXPECT_THAT(WarningOf(std::string(2 << 20, ' ')), HasSubstr("expected at most"));
  EXPECT_THAT(WarningOf(Replaced(good, "\"format\": 1", "\"format\": 2")), HasSubstr("format"));
  EXPECT_THAT(WarningOf(Replaced(good, "\"winner\": 1", "\"winner\": 9")), HasSubstr("winner"));
  EXPECT_THAT(WarningOf(Replaced(good, "\"winner\": 1", "\"winner\": 0")),
              HasSubstr("no passed verdict"));
  EXPECT_THAT(WarningOf(Replaced(good, "\"legal\": 3", "\"legal\": -3")), HasSubstr("legal"));
  EXPECT_THAT(WarningOf(Replaced(good, "\"verdict\": \"passed\"", "\"verdict\": \"fine\"")),
              HasSubstr("rows[1].verdict"));
  EXPECT_THAT(WarningOf(Replaced(good, "\"core memory\": 7", "\"core memory\": 1e300")),
              HasSubstr("refused"));
}

TEST_F(Cache, TwoWritersLeaveAWholeFile) {
  const auto write = [&](double us) {
    TuneResult result = result_;
    result.rows[*result.winner].us = us;
    for (int i = 0; i < 50; ++i) {
      std::string warning;
      Make().Keep(Key(), result, "now", warning);
      EXPECT_EQ(warning, "");
      const auto found = Make().Find(Key(), warning);
      ASSERT_TRUE(found) << warning;
      EXPECT_TRUE(found->result.best().us == 1 || found->result.best().us == 2);
    }
  };
  std::thread other(write, 1);
  write(2);
  other.join();
}

TEST_F(Cache, NoPlaceToWriteIsAWarning) {
  std::string warning;
  TuneCache("/proc/no/such").Keep(Key(), result_, "now", warning);
  EXPECT_THAT(warning, HasSubstr("can't be written"));
  warning.clear();
  TuneCache("").Keep(Key(), result_, "now", warning);
  EXPECT_EQ(warning, "");
  TuneResult none = result_;
  none.winner.reset();
  Make().Keep(Key(), none, "now", warning);
  EXPECT_FALSE(fs::exists(folder_));
}

TEST(ReplaceFile, LeavesNothingButTheWholeFile) {
  const fs::path folder = fs::path(::testing::TempDir()) / "replace_file_test";
  const auto text = [&folder] {
    std::ifstream file(folder / "a" / "x");
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  fs::remove_all(folder);
  EXPECT_TRUE(ReplaceFile(folder / "a" / "x", "old"));
  EXPECT_TRUE(ReplaceFile(folder / "a" / "x", "new"));
  EXPECT_EQ(text(), "new");
  EXPECT_FALSE(ReplaceFile(folder / "a", "a folder is in the way"));
  EXPECT_FALSE(ReplaceFile("/proc/no/such", "nowhere"));
  EXPECT_EQ(text(), "new");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder / "a"), {}), 1);
  fs::remove_all(folder);
}

TEST(UserCacheFolder, FollowsTheEnvironment) {
  setenv("XDG_CACHE_HOME", "/x", 1);
  EXPECT_EQ(UserCacheFolder("tiles"), "/x/xdna-whisper-bench/tiles");
  unsetenv("XDG_CACHE_HOME");
  setenv("HOME", "/h", 1);
  EXPECT_EQ(UserCacheFolder("tiles"), "/h/.cache/xdna-whisper-bench/tiles");
  unsetenv("HOME");
  EXPECT_EQ(UserCacheFolder("tiles"), "");
}

// --- what is done already ----------------------------------------------------------------------

struct Line {
  std::string tile = "64x64x64", revision = std::string(40, 'a'), version = "2", of = "";
  golden::Status status = golden::Status::kPassed;
  bool valid = true;
};

SeriesKey KeyOf(const std::string& tile) {
  SeriesKey key;
  key.op = "linear";
  key.tile = tile;
  return key;
}

RunRecord RecordOf(const Line& line) {
  const bool modelled = !line.version.empty();
  RunRecord record(KeyOf(line.tile), modelled ? Provenance::kModelled : Provenance::kMeasured,
                   VerdictOf(line.status));
  record.environment = CurrentEnvironment(1);
  record.environment.git_revision = line.revision;
  record.environment.git_dirty = false;
  record.hashes = {{"golden", std::string(64, 'a')}};
  if (line.status == golden::Status::kPassed) record.SetTimes({{"total", 1}}, {1});
  if (!line.valid) record.Invalidate("too fast");
  if (modelled) record.model = TimeModel{line.version, "p", "h", "c", {}, {{"bound", "ddr"}}};
  if (!line.of.empty()) record.model->schedule["of"] = line.of;
  return record;
}

TEST(DoneSeries, CountsWhatIsOfThisRevisionAndModelAndPassed) {
  const std::string path = ::testing::TempDir() + "/resume.jsonl";
  fs::remove(path);
  Environment now;
  now.git_revision = std::string(40, 'a');
  now.git_dirty = false;
  EXPECT_FALSE(DoneSeries(path, now, "2").Has(KeyOf("64x64x64")));
  for (const Line& line : std::vector<Line>{{.tile = "old", .revision = std::string(40, 'b')},
                                            {.tile = "model", .version = "1"},
                                            {.tile = "wrong", .status = golden::Status::kFailed},
                                            {.tile = "invalid", .valid = false},
                                            {.tile = "cpu", .version = ""}}) {
    AppendRecord(path, RecordOf(line));
    EXPECT_FALSE(DoneSeries(path, now, "2").Has(KeyOf(line.tile))) << line.tile;
  }
  EXPECT_TRUE(DoneSeries(path, now, "").Has(KeyOf("cpu")));
  AppendRecord(path, RecordOf({}));
  std::ofstream(path, std::ios::app) << "{\"schema_version\": 1, \"ser";
  AppendRecord(path, RecordOf({.tile = "best", .of = "tile=*"}));
  DoneSeries done(path, now, "2");
  EXPECT_TRUE(done.Has(KeyOf("64x64x64")));
  EXPECT_FALSE(done.HasAllTiles({}));
  EXPECT_TRUE(done.HasAllTiles(KeyOf("*")));
  EXPECT_THAT(done.Describe(), Not(HasSubstr("resumed")));
  done.Skip();
  EXPECT_THAT(done.Describe(), HasSubstr("resumed: 1 points are in " + path));
  EXPECT_THAT(done.Describe(), HasSubstr("1 lines are no records"));
  now.git_dirty = true;
  EXPECT_FALSE(DoneSeries(path, now, "2").Has(KeyOf("64x64x64")));
  fs::remove(path);
}

TEST(EncoderTuneJobs, HasEveryShapeOnceInThePrecisionsOfTheArray) {
  encoder::EncoderShape shape;
  shape.d = 64;
  shape.heads = 2;
  shape.layers = 3;
  std::map<std::string, std::string> serves;
  for (const EncoderTuneJob& job : EncoderTuneJobs(shape, {"f32", "bf16", "int8"})) {
    EXPECT_TRUE(serves.emplace(job.point.name, job.serves).second) << job.point.name;
    EXPECT_NE(job.point.variant.precision, ops::Precision::kF32) << job.point.name;
  }
  EXPECT_EQ(serves.size(), 15U);
  EXPECT_EQ(serves["layer_norm/m=1500,d=64/bf16/array"], "layer0.attn_ln and 6 more");
  EXPECT_EQ(serves["linear/m=1500,k=64,n=192/int8/array"], "layer0.attn.qkv and 2 more");
  EXPECT_EQ(serves["linear/m=1500,k=256,n=64/bf16/array"], "layer0.mlp.fc2 and 2 more");
  EXPECT_EQ(serves["conv1d/c=80,t=3000,d=64,gelu=1,stride=1/bf16/array"], "conv1");
  EXPECT_TRUE(EncoderTuneJobs(shape, {"f32"}).empty());
}

TEST(ScheduleTile, IsAmongThoseThatTheEncoderTakes) {
  encoder::EncoderShape shape;
  encoder::Schedule schedule;
  const TuneSpace space = ScheduleTiles(shape, schedule);
  const std::vector<TuneSpace::Entry> ranked = RankTiles(space, 3);
  ASSERT_EQ(ranked.size(), 3U);
  EXPECT_EQ(ranked.front().choice.tile, "64x64x64+64x48") << "not the schedule's own";
  for (const TuneSpace::Entry& entry : space.legal) {
    const encoder::Schedule tuned = WithTile(schedule, entry.choice.tile);
    EXPECT_EQ(shape.d % tuned.tile_k, 0) << entry.choice.tile;
    EXPECT_EQ(shape.d % (4 * tuned.tile_n), 0) << entry.choice.tile;
  }
  schedule.attention = encoder::AttentionForm::kChained;
  for (const TuneSpace::Entry& entry : ScheduleTiles(shape, schedule).legal) {
    EXPECT_THAT(entry.choice.tile, Not(HasSubstr("+")));
  }
}

TEST(ScheduleTile, TakesNamesAndNothingElse) {
  const encoder::Schedule tuned = WithTile({}, "96x32x16+32x64");
  EXPECT_EQ(tuned.tile_m, 96);
  EXPECT_EQ(tuned.tile_k, 32);
  EXPECT_EQ(tuned.tile_n, 16);
  EXPECT_EQ(tuned.queries, 32);
  EXPECT_EQ(tuned.keys, 64);
  EXPECT_EQ(WithTile({}, "96x32x16").queries, encoder::Schedule().queries);
  for (const char* wrong : {"", "64", "64x64", "64x64x64x64", "64x64x64+", "64x64x64+64", "axbxc",
                            "64x64x0", "64x-64x64", "64x64x64 ", "99999999999999999999x1x1"}) {
    EXPECT_THROW(WithTile({}, wrong), Error) << wrong;
  }
}

TEST(Progress, SaysWhatIsLeft) {
  EXPECT_EQ(TimeLeft(0, 10, 5), "");
  EXPECT_EQ(TimeLeft(5, 10, 20), "left 20 s");
  EXPECT_EQ(TimeLeft(1, 11, 60), "left 10 min");
  EXPECT_EQ(TimeLeft(10, 10, 60), "");
}

}  // namespace
}  // namespace xdna::bench
