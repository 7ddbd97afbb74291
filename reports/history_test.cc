#include "reports/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "reports/record_samples.h"

namespace xdna::reports {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

bench::RunRecord RecordOf(const std::string& date, unsigned seed = 1) {
  bench::RunRecord record = MeasuredRecord(kSomeSeries, 0.01, seed);
  record.environment.date = date + "T18:00:00Z";
  record.seed = seed;
  return record;
}

class HistoryTest : public ::testing::Test {
 protected:
  HistoryTest() : folder_(fs::path(::testing::TempDir()) / "history_test") {
    fs::remove_all(folder_);
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(folder_ / name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  fs::path folder_;
};

TEST_F(HistoryTest, FilesByDateAndRevision) {
  History history(folder_.string());
  bench::RunRecord dirty = RecordOf("2026-11-24");
  dirty.environment.git_dirty = true;
  bench::RunRecord unknown = RecordOf("../../etc");
  unknown.environment.git_revision = "../x";
  const HistoryChange change =
      history.Append(SetOf({RecordOf("2026-11-23", 1), RecordOf("2026-11-23", 2), dirty, unknown}));
  EXPECT_EQ(change.added, 4U);
  const std::vector<HistoryFile> files = history.List();
  ASSERT_EQ(files.size(), 3U);
  EXPECT_THAT(files[0].path, HasSubstr("0000-00-00_unknown.jsonl"));
  EXPECT_THAT(files[1].path, HasSubstr("2026-11-23_012345678901.jsonl"));
  EXPECT_EQ(files[1].records, 2U);
  EXPECT_EQ(files[1].series, 1U);
  EXPECT_EQ(files[2].revision, "012345678901-dirty");
}

TEST_F(HistoryTest, TheSameRecordIsThereOnce) {
  History history(folder_.string());
  history.Append(SetOf({RecordOf("2026-11-23", 1)}));
  const HistoryChange again =
      history.Append(SetOf({RecordOf("2026-11-23", 1), RecordOf("2026-11-23", 2)}));
  EXPECT_EQ(again.added, 1U);
  EXPECT_EQ(again.known, 1U);
  // Merging is adding what another store has.
  EXPECT_EQ(history.Append(LoadRecords({folder_.string()})).added, 0U);
}

TEST_F(HistoryTest, NotesAreKeptAndMustAgree) {
  History history(folder_.string());
  RecordSet set = SetOf({RecordOf("2026-11-23")});
  set.notes.AddRemoval("a/b/c/d/e/f/g/h/i", "no longer built");
  history.Append(set);
  EXPECT_EQ(LoadRecords({folder_.string()}).notes, set.notes);
  RecordSet other;
  other.notes.AddRemoval("a/b/c/d/e/f/g/h/i", "another reason");
  EXPECT_THROW(history.Append(other), Error);
  EXPECT_EQ(LoadRecords({folder_.string()}).notes, set.notes);
}

TEST_F(HistoryTest, PruneKeepsTheNewestAndTheNotes) {
  History history(folder_.string());
  RecordSet set = SetOf({RecordOf("2026-11-21"), RecordOf("2026-11-22"), RecordOf("2026-11-23")});
  set.notes.AddRemoval("a/b/c/d/e/f/g/h/i", "no longer built");
  history.Append(set);
  EXPECT_THAT(history.Prune(2, true), ElementsAre(HasSubstr("2026-11-21")));
  EXPECT_EQ(history.List().size(), 3U);
  EXPECT_EQ(history.Prune(2, false).size(), 1U);
  EXPECT_EQ(history.List().front().date, "2026-11-22");
  EXPECT_TRUE(history.Prune(5, false).empty());
  EXPECT_EQ(LoadRecords({folder_.string()}).notes, set.notes);
}

TEST_F(HistoryTest, RevisionsOfOneDayAreInOrderOfTimeNotOfHashes) {
  History history(folder_.string());
  for (const auto& [hash, hour] : {std::pair('f', "08"), std::pair('a', "09")}) {
    bench::RunRecord record = RecordOf("2026-11-23");
    record.environment.git_revision = std::string(40, hash);
    record.environment.date = std::string("2026-11-23T") + hour + ":00:00Z";
    history.Append(SetOf({record}));
  }
  EXPECT_EQ(history.List().back().revision, "aaaaaaaaaaaa");
  EXPECT_THAT(history.Prune(1, false), ElementsAre(HasSubstr("ffffffffffff")));
}

TEST_F(HistoryTest, ATornLineIsMovedAsideAndReported) {
  History history(folder_.string());
  history.Append(SetOf({RecordOf("2026-11-23", 1)}));
  const std::string name = "2026-11-23_012345678901.jsonl";
  std::ofstream(folder_ / name, std::ios::app) << R"({"schema_version":1,"ser)";
  EXPECT_THAT(LoadRecords({folder_.string()}).torn, ElementsAre(HasSubstr(name + ":2")));
  const HistoryChange change = history.Append(SetOf({RecordOf("2026-11-23", 2)}));
  EXPECT_THAT(change.repaired, ElementsAre(HasSubstr("24 bytes of a torn last line")));
  EXPECT_EQ(Read("torn.txt"), name + R"(: {"schema_version":1,"ser)" + "\n");
  const RecordSet set = LoadRecords({folder_.string()});
  EXPECT_EQ(set.records.size(), 2U);
  EXPECT_TRUE(set.torn.empty());
}

TEST_F(HistoryTest, SaysWhatCanNotBeWritten) {
  std::ofstream(folder_.string() + ".file") << "x";
  EXPECT_THROW(History(folder_.string() + ".file"), Error);
  EXPECT_THROW(History("/dev/null/x"), Error);
}

// A process that appends records `from`, `from` + 1, ... until it is killed or has done `count`;
// the number of each that is in the store goes through a pipe.
struct Writer {
  pid_t pid = 0;
  int pipe_end = -1;
};

Writer StartWriter(const std::string& folder, unsigned from, unsigned count) {
  int ends[2] = {};
  if (pipe(ends) != 0) return {};
  const pid_t pid = fork();
  if (pid == 0) {
    close(ends[0]);
    History history(folder);
    for (unsigned seed = from; seed < from + count; ++seed) {
      history.Append(SetOf({RecordOf("2026-11-23", seed)}));
      if (write(ends[1], &seed, sizeof(seed)) != sizeof(seed)) _exit(1);
    }
    _exit(0);
  }
  close(ends[1]);
  return {pid, ends[0]};
}

std::set<unsigned> Acknowledged(const Writer& writer) {
  std::set<unsigned> seeds;
  unsigned seed = 0;
  while (read(writer.pipe_end, &seed, sizeof(seed)) == sizeof(seed)) seeds.insert(seed);
  close(writer.pipe_end);
  waitpid(writer.pid, nullptr, 0);
  return seeds;
}

TEST_F(HistoryTest, TwoWritersAndAKillLoseNothingThatWasAcknowledged) {
  std::set<unsigned> expected;
  for (unsigned round = 0; round < 8; ++round) {
    const Writer steady = StartWriter(folder_.string(), 1000 * round, 25);
    const Writer killed = StartWriter(folder_.string(), 1000 * round + 500, 500);
    usleep(1000 + 7000 * round);
    kill(killed.pid, SIGKILL);
    // As if the kill had come in the middle of a line.
    const std::set<unsigned> steady_seeds = Acknowledged(steady);
    EXPECT_EQ(steady_seeds.size(), 25U);
    expected.insert(steady_seeds.begin(), steady_seeds.end());
    const std::set<unsigned> killed_seeds = Acknowledged(killed);
    expected.insert(killed_seeds.begin(), killed_seeds.end());
    std::ofstream(folder_ / "2026-11-23_012345678901.jsonl", std::ios::app) << R"({"schema)";
  }
  EXPECT_EQ(History(folder_.string()).Append(SetOf({RecordOf("2026-11-23", 9999)})).repaired.size(),
            1U);
  std::multiset<unsigned> found;
  for (const LoadedRecord& loaded : LoadRecords({folder_.string()}).records) {
    found.insert(static_cast<unsigned>(loaded.record.seed));
  }
  for (const unsigned seed : expected) EXPECT_EQ(found.count(seed), 1U) << seed;
}

}  // namespace
}  // namespace xdna::reports
