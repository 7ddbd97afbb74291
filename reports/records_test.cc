#include "reports/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "reports/record_samples.h"

namespace xdna::reports {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kOld[] = "a/b/c/d/e/f/g/h/old";
constexpr char kNow[] = "a/b/c/d/e/f/g/h/now";

std::string Good() { return MeasuredRecord().ToJsonLine(); }

std::string ErrorOf(const std::string& text) {
  try {
    ParseRecords(text, "runs.jsonl");
    return "taken";
  } catch (const Error& error) {
    return error.message();
  }
}

std::string With(const std::string& from, const std::string& to) {
  std::string line = Good();
  line.replace(line.find(from), from.size(), to);
  return line;
}

TEST(ParseRecords, KnowsFileAndLine) {
  const RecordSet set = ParseRecords(Good() + "\n\n" + Good() + "\r\n", "runs.jsonl");
  ASSERT_EQ(set.records.size(), 2U);
  EXPECT_EQ(set.records[1].file, "runs.jsonl");
  EXPECT_EQ(set.records[1].line, 3);
  EXPECT_EQ(set.records[1].record, MeasuredRecord());
  EXPECT_TRUE(ParseRecords("", "empty").records.empty());
}

TEST(ParseRecords, NamesWhatIsWrongAndWhere) {
  const std::string half = Good().substr(0, 300);
  const std::pair<std::string, const char*> kCases[] = {
      {half, "not JSON"},
      {With("\"total\":0.01", "\"total\":NaN"), "not JSON"},
      {With("\"total\":0.01", "\"total\":1e999"), "not JSON"},
      {With("\"total\":0.01", "\"total\":\"fast\""), "times_s.total"},
      {With("\"total\":0.01", "\"total\":-1"), "'total' is -1"},
      {With("\"seed\":1", "\"seed\":1,\"seed\":2"), "'seed': there twice"},
      {With("\"schema_version\":1", "\"schema_version\":2"), "this program reads 1"},
      {With("\"scope\"", "\"skope\""), "scope: missing"},
      {std::string(5 << 20, 'x'), "bytes, expected at most"},
      {std::string(1 << 20, '['), "not JSON"},
      {R"({"schema_version":1,"alias":"a","now":"b","reason":""})", "note: alias: a series key is"},
      {R"({"schema_version":2,"removed":"a","reason":""})", "this program reads 1"},
      {R"({"schema_version":1,"removed":"a/b/c/d/e/f/g/h/i"})", "note: reason: missing"},
      {R"({"schema_version":1,"removed":"a/b/c/d/e/f/g/h/i","reason":"","why":1})", "'why'"},
  };
  for (const auto& [line, expected] : kCases) {
    const std::string message = ErrorOf(Good() + "\n" + line + "\n" + Good() + "\n");
    EXPECT_THAT(message, HasSubstr("runs.jsonl:2: ")) << line.substr(0, 80);
    EXPECT_THAT(message, HasSubstr(expected)) << line.substr(0, 80);
    EXPECT_LT(message.size(), 500U);
  }
}

TEST(ParseRecords, ATornLastLineIsLeftOutAndReported) {
  const std::string text = Good() + "\n" + Good();
  for (const std::size_t cut : {Good().size() + 2, Good().size() + 300, text.size() - 1}) {
    const RecordSet set = ParseRecords(text.substr(0, cut), "runs.jsonl");
    EXPECT_EQ(set.records.size(), 1U);
    EXPECT_THAT(set.torn, ElementsAre(HasSubstr("runs.jsonl:2: torn last line, left out")));
  }
  EXPECT_EQ(ParseRecords(text, "runs.jsonl").records.size(), 2U) << "only its end is missing";
}

// Whatever a file holds: records, or one line of error that names file and line.
TEST(ParseRecords, FuzzedFilesGiveRecordsOrAnError) {
  const std::string good =
      Good() + "\n" + ModelledRecord().ToJsonLine() + "\n" +
      R"({"schema_version":1,"alias":"a/b/c/d/e/f/g/h/i","now":"a/b/c/d/e/f/g/h/j","reason":""})" +
      "\n";
  const std::string alphabet = "{}[]\",:0123456789eE+-.truefalsn\\u \n\x01\xc3";
  std::mt19937 random(8);
  int taken = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string text = good;
    for (unsigned edits = 1 + random() % 3; edits > 0 && !text.empty(); --edits) {
      const std::size_t at = random() % text.size();
      switch (random() % 5) {
        case 0:
          text.erase(at, 1 + random() % 30);
          break;
        case 1:
          text.insert(at, text.substr(random() % text.size(), random() % 60));
          break;
        case 2:
          text.resize(at);
          break;
        default:
          text[at] = alphabet[random() % alphabet.size()];
      }
    }
    try {
      const RecordSet set = ParseRecords(text, "runs.jsonl");
      EXPECT_LE(set.torn.size(), 1U);
      ++taken;
    } catch (const Error& error) {
      EXPECT_THAT(error.message(), ::testing::StartsWith("runs.jsonl:"));
      for (const char c : error.message()) ASSERT_TRUE(c >= ' ' && c <= '~') << error.message();
    }
  }
  EXPECT_GT(taken, 100);
}

TEST(SeriesNotes, AliasesAreFollowed) {
  SeriesNotes notes;
  notes.AddAlias(kOld, "a/b/c/d/e/f/g/h/mid", "first");
  notes.AddAlias("a/b/c/d/e/f/g/h/mid", kNow, "second");
  notes.AddAlias(kOld, "a/b/c/d/e/f/g/h/mid", "said twice");
  EXPECT_EQ(notes.Current(kOld), kNow);
  EXPECT_EQ(notes.Current(kNow), kNow);
  EXPECT_THROW(notes.AddAlias(kNow, kOld, ""), Error) << "a circle";
  EXPECT_THROW(notes.AddAlias(kNow, kNow, ""), Error);
  EXPECT_THROW(notes.AddAlias(kOld, kNow, ""), Error) << "of two";
}

TEST(SeriesNotes, LinesReadBack) {
  SeriesNotes notes;
  notes.AddAlias(kOld, kNow, "threads are \"preset\" now");
  notes.AddRemoval(kNow, "no longer built");
  EXPECT_THROW(notes.AddRemoval(kNow, "another reason"), Error);
  std::string text;
  for (const std::string& line : notes.Lines()) text += line + "\n";
  EXPECT_EQ(ParseRecords(text, "notes").notes, notes);
  ASSERT_NE(notes.Removal(kNow), nullptr);
  EXPECT_EQ(*notes.Removal(kNow), "no longer built");
  EXPECT_EQ(notes.Removal(kOld), nullptr);
}

TEST(BySeries, GoesByTodaysKeysAndDates) {
  bench::RunRecord late = MeasuredRecord(kNow);
  late.environment.date = "2026-11-24T00:00:00Z";
  RecordSet set = SetOf({late, MeasuredRecord(kOld), MeasuredRecord()});
  set.notes.AddAlias(kOld, kNow, "renamed");
  const auto series = BySeries(set);
  ASSERT_EQ(series.size(), 2U);
  ASSERT_EQ(series.at(kNow).size(), 2U);
  EXPECT_EQ(series.at(kNow)[1]->record, late);
}

TEST(SplitRuns, ByDate) {
  bench::RunRecord late = MeasuredRecord();
  late.environment.date = "2026-11-24T00:00:00Z";
  const auto runs = SplitRuns(SetOf({late, MeasuredRecord(kOld), MeasuredRecord()}));
  ASSERT_EQ(runs.size(), 2U);
  EXPECT_EQ(runs[0].records.size(), 2U);
  EXPECT_EQ(runs[1].records[0].record, late);
}

class LoadTest : public ::testing::Test {
 protected:
  LoadTest() : folder_(std::filesystem::path(::testing::TempDir()) / "load_test") {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ / "deep");
    for (const char* name : {"b.jsonl", "a.jsonl", "deep/c.jsonl", "note.txt"}) {
      std::ofstream(folder_ / name) << Good() << "\n";
    }
  }
  std::string In(const std::string& name) const { return (folder_ / name).string(); }
  std::filesystem::path folder_;
};

TEST_F(LoadTest, FilesFoldersAndPatterns) {
  EXPECT_THAT(ExpandPaths({folder_.string()}),
              ElementsAre(In("a.jsonl"), In("b.jsonl"), In("deep/c.jsonl")));
  EXPECT_THAT(ExpandPaths({In("?.jsonl")}), ElementsAre(In("a.jsonl"), In("b.jsonl")));
  EXPECT_EQ(LoadRecords({In("note.txt"), In("a.jsonl")}).records.size(), 2U);
}

TEST_F(LoadTest, SaysWhatCanNotBeRead) {
  std::filesystem::create_directories(folder_ / "empty");
  for (const char* name : {"none.jsonl", "x*.jsonl", "empty"}) {
    try {
      LoadRecords({In(name)});
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kNotFound);
      EXPECT_THAT(error.message(), HasSubstr(name));
    }
  }
}

}  // namespace
}  // namespace xdna::reports
