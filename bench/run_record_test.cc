#include "bench/run_record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"

namespace xdna::bench {
namespace {

using ::testing::HasSubstr;

constexpr char kHash[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

SeriesKey Key() {
  SeriesKey key;
  key.op = "linear";
  key.shape = "m=1500,k=512,n=2048";
  key.dtype = "bf16";
  key.device = "cpu";
  return key;
}

RecordedVerdict Passed() {
  RecordedVerdict verdict;
  verdict.status = golden::Status::kPassed;
  verdict.reason = "rel-L2 is closest to its limit: 40.0 % of it";
  verdict.headroom_percent = 60;
  verdict.tolerance = "two roundings of 2^-9";
  return verdict;
}

RecordedVerdict Failed() {
  RecordedVerdict verdict;
  verdict.status = golden::Status::kFailed;
  verdict.reason = "1 of 12 elements beyond their limit";
  return verdict;
}

Environment SomeEnvironment() {
  Environment e;
  e.git_revision = "0123456789012345678901234567890123456789";
  e.git_dirty = true;
  e.compiler = "GCC 12.2.0";
  e.flags = "-O3";
  e.cpu_model = "AMD EPYC";
  e.cpu_features = "avx2";
  e.cpus = 2;
  e.threads = 2;
  e.machine_class = "amd-family26-model2-avx512_bf16-2cpu";
  e.load_average = 0.1;
  e.libraries = {{"onednn", "2.6.3"}};
  e.date = "2026-11-23T18:00:00Z";
  return e;
}

RunRecord Sample() {
  RunRecord record(Key(), Provenance::kMeasured, Passed());
  record.SetTimes({{"total", 0.0021}, {"scores", 0.1 / 3}}, {0.0021, 0.0022, 1e-9});
  record.SetMetric("flops", 3.145728e9);
  record.SetMetric("percent_of_peak", 91.25);
  record.set_scope("encoder");
  record.SetMetric("rtf", 123.4);
  record.environment = SomeEnvironment();
  record.hashes = {{"golden", kHash}};
  record.seed = std::numeric_limits<std::uint64_t>::max();
  return record;
}

TimeModel SomeModel() {
  TimeModel model;
  model.version = "7";
  model.preset = "phx-1.0";
  model.host_profile = "cpp";
  model.codegen = "peano";
  model.constants = {{"clock_hz", 1e9}, {"lock_latency", 0.1 / 3}};
  model.schedule = {{"overlay", kHash}};
  return model;
}

TEST(SeriesKey, RoundTripsAndKeepsItsSpelling) {
  EXPECT_EQ(Key().ToString(), "linear/m=1500,k=512,n=2048/bf16/cpu/-/-/-/-/-");
  EXPECT_EQ(SeriesKey::Parse(Key().ToString()), Key());
  EXPECT_THROW(SeriesKey::Parse("linear/bf16"), Error);
  EXPECT_THROW(SeriesKey::Parse("a/b/c/d/e/f/g/h/"), Error);
  EXPECT_THROW(SeriesKey::Parse("a/b/c/d/e/f/g/h/i/j"), Error);
}

TEST(RunRecord, RoundTrips) {
  const RunRecord record = Sample();
  const std::string line = record.ToJsonLine();
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(ParseRecord(line), record);
  EXPECT_EQ(ParseRecord(line).ToJsonLine(), line);
}

TEST(RunRecord, RoundTripsWithoutATime) {
  RunRecord record(Key(), Provenance::kModelled, Failed());
  record.SetMetric("flops", 12);
  record.environment = SomeEnvironment();
  record.environment.git_dirty.reset();
  record.model = SomeModel();
  const std::string line = record.ToJsonLine();
  EXPECT_THAT(line, ::testing::Not(HasSubstr("times_s")));
  EXPECT_EQ(ParseRecord(line), record);
}

TEST(RunRecord, OnlyAPassHasATime) {
  RunRecord record(Key(), Provenance::kMeasured, Failed());
  EXPECT_THROW(record.SetTimes({{"total", 1}}, {1}), Error);
  EXPECT_THROW(record.SetMetric("rtf", 100), Error);
  EXPECT_THROW(record.SetMetric("percent_of_peak", 100), Error);
  EXPECT_NO_THROW(record.SetMetric("bytes", 100));
  try {
    record.SetTimes({{"total", 1}}, {1});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInternal);
  }
}

TEST(RunRecord, TimesArePositiveAndFinite) {
  RunRecord record(Key(), Provenance::kMeasured, Passed());
  EXPECT_THROW(record.ToJsonLine(), Error) << "passed without a time";
  EXPECT_THROW(record.SetTimes({}, {1}), Error);
  EXPECT_THROW(record.SetTimes({{"total", 1}}, {}), Error);
  EXPECT_THROW(record.SetTimes({{"total", 0}}, {1}), Error);
  EXPECT_THROW(record.SetTimes({{"total", 1}}, {1, -1}), Error);
  EXPECT_THROW(record.SetTimes({{"total", std::nan("")}}, {1}), Error);
  EXPECT_THROW(record.SetMetric("flops", INFINITY), Error);
  EXPECT_THROW(record.SetMetric("rtf", 5), Error) << "no scope";
}

TEST(RunRecord, ManySamplesAreThinnedEvenly) {
  RunRecord record(Key(), Provenance::kMeasured, Passed());
  std::vector<double> samples;
  for (int i = 1; i <= 12345; ++i) samples.push_back(i);
  record.SetTimes({{"total", 1}}, samples);
  ASSERT_EQ(record.samples_s().size(), RunRecord::kMostSamples);
  EXPECT_EQ(record.samples_s().front(), 1);
  EXPECT_NEAR(record.samples_s()[500], 12345 / 2.0, 13);
  EXPECT_GT(record.samples_s().back(), 12300);
}

TEST(RunRecord, ATimeBelowTheFloorIsInvalid) {
  RunRecord record = Sample();
  record.CheckFloor(1e-10);
  EXPECT_TRUE(record.valid());
  record.CheckFloor(1e-3);
  EXPECT_FALSE(record.valid());
  EXPECT_THAT(record.invalid_reason(), HasSubstr("measured peak"));
  EXPECT_EQ(ParseRecord(record.ToJsonLine()), record);
}

TEST(RunRecord, OnlyAModelledTimeHasAModel) {
  RunRecord record = Sample();
  record.model = SomeModel();
  EXPECT_THROW(record.ToJsonLine(), Error);
}

TEST(RunRecord, AKeyMayNotHoldASlash) {
  SeriesKey key = Key();
  key.tile = "64/32";
  EXPECT_THROW(RunRecord(key, Provenance::kMeasured, Passed()), Error);
  key.tile = "";
  EXPECT_THROW(RunRecord(key, Provenance::kMeasured, Passed()), Error);
}

TEST(ParseRecord, NamesTheFieldThatIsWrong) {
  const struct {
    const char* pointer;   // what to replace
    nlohmann::json value;  // null: remove it
    const char* expected;
  } kCases[] = {
      {"/schema_version", 2, "schema_version: 2, this program reads 1"},
      {"/schema_version", "1", "schema_version: '\"1\"' is not an integer"},
      {"/schema_version", nullptr, "schema_version: missing"},
      {"/series", "linear", "series key is op/shape"},
      {"/series", 3, "series: '3' is not a string"},
      {"/series", nullptr, "series: missing"},
      {"/provenance", "guessed", "provenance: 'guessed'"},
      {"/scope", 1, "scope: '1' is not a string"},
      {"/scope", "-", "RTF without its scope"},
      {"/verdict", "passed", "verdict: '\"passed\"' is not an object"},
      {"/verdict/status", "pased", "did you mean 'passed'?"},
      {"/verdict/status", "failed", "only 'passed' has it"},
      {"/verdict/reason", nullptr, "verdict.reason: missing"},
      {"/verdict/headroom_percent", "60", "verdict.headroom_percent"},
      {"/verdict/extra", 1, "verdict.'extra': no such field"},
      {"/times_s", nullptr, "times_s: missing"},
      {"/times_s/total", nullptr, "'total'"},
      {"/times_s/total", -1, "time 'total' is -1"},
      {"/times_s/total", "fast", "times_s.total"},
      {"/samples_s", nullptr, "samples_s: missing"},
      {"/samples_s", nlohmann::json::array(), "positive samples"},
      {"/samples_s", 5, "samples_s: expected an array"},
      {"/samples_s/1", "x", "samples_s[1]: '\"x\"' is not a finite number"},
      {"/samples_s/1", 0, "positive samples"},
      {"/metrics", nlohmann::json::array(), "metrics: '[]' is not an object"},
      {"/metrics/rtf", true, "metrics.rtf: 'true' is not a finite number"},
      {"/environment/threads", 0, "environment.threads: '0' is not an integer from 1"},
      {"/environment/cpus", 2.5, "environment.cpus: '2.5' is not an integer"},
      {"/environment/git_dirty", "no", "environment.git_dirty"},
      {"/environment/libraries", 1, "environment.libraries"},
      {"/environment/date", nullptr, "environment.date: missing"},
      {"/hashes/golden", "abc", "hashes.golden: 'abc' is not the 64 hexadecimal digits"},
      {"/hashes/goldn", kHash, "did you mean 'golden'?"},
      {"/seed", -1, "seed: '-1' is not an integer"},
      {"/seed", 1.5, "seed: '1.5'"},
      {"/valid", false, "valid: false beside the reason ''"},
      {"/valid", 1, "valid: '1' is not true or false"},
      {"/invalid_reason", "too fast", "valid: true beside the reason 'too fast'"},
      {"/model", {{"version", "7"}}, "model: beside the provenance measured"},
      {"/sead", 1, "'sead': no such field in version 1; did you mean 'seed'?"},
  };
  const nlohmann::json good = nlohmann::json::parse(Sample().ToJsonLine());
  for (const auto& c : kCases) {
    nlohmann::json bad = good;
    const nlohmann::json::json_pointer pointer(c.pointer);
    bad[pointer] = c.value;
    if (c.value.is_null()) bad.at(pointer.parent_pointer()).erase(pointer.back());
    try {
      ParseRecord(bad.dump());
      ADD_FAILURE() << c.pointer << " = " << c.value << " was taken";
    } catch (const Error& error) {
      EXPECT_THAT(error.message(), HasSubstr(c.expected)) << c.pointer << " = " << c.value;
      const bool version = error.message().find("this program reads") != std::string::npos;
      EXPECT_EQ(error.code(), version ? ErrorCode::kUnsupported : ErrorCode::kCorrupt);
    }
  }
}

TEST(ParseRecord, NamesTheModelsFieldThatIsWrong) {
  RunRecord record(Key(), Provenance::kModelled, Failed());
  record.environment = SomeEnvironment();
  record.model = SomeModel();
  const nlohmann::json good = nlohmann::json::parse(record.ToJsonLine());
  const std::pair<const char*, nlohmann::json> kCases[] = {
      {"version", 7},
      {"preset", nullptr},
      {"constants", {{"clock_hz", "fast"}}},
      {"schedule", {{"overlay", 1}}},
      {"presset", "phx-1.0"},
  };
  for (const auto& [field, value] : kCases) {
    nlohmann::json bad = good;
    bad["model"][field] = value;
    try {
      ParseRecord(bad.dump());
      ADD_FAILURE() << field << " = " << value << " was taken";
    } catch (const Error& error) {
      EXPECT_THAT(error.message(), HasSubstr("model.")) << field;
      EXPECT_THAT(error.message(), HasSubstr(field)) << field;
    }
  }
}

TEST(ParseRecord, TextThatIsNoRecord) {
  const std::string good = Sample().ToJsonLine();
  const std::pair<std::string, const char*> kCases[] = {
      {"", "not JSON"},
      {"null", "is not an object"},
      {"[]", "is not an object"},
      {"{}", "schema_version: missing"},
      {good.substr(0, good.size() / 2), "not JSON"},
      {good + good, "not JSON"},
      {"{\"seed\":1," + good.substr(1), "'seed': there twice"},
      {good.substr(0, good.size() - 1) + ",\"valid\":true}", "'valid': there twice"},
      {"{\"schema_version\":NaN}", "not JSON"},
      {"{\"schema_version\":1e999}", "not JSON"},
      {"{\"schema_version\":99999999999999999999999}", "is not an integer"},
      {"{\"schema_version\":18446744073709551615}", "is not an integer"},
      {std::string(5 << 20, ' '), "bytes, expected at most"},
      {std::string(1 << 20, '['), "not JSON"},
      {"\xff\xfe", "not JSON"},
  };
  for (const auto& [text, expected] : kCases) {
    try {
      ParseRecord(text);
      ADD_FAILURE() << "taken: " << text.substr(0, 80);
    } catch (const Error& error) {
      EXPECT_THAT(error.message(), HasSubstr(expected)) << text.substr(0, 80);
      EXPECT_LT(error.message().size(), 500U);
    }
  }
}

// Whatever a file holds: a record that can be written again, or one line of error.
TEST(ParseRecord, AnyLineGivesARecordOrAnError) {
  const std::string good = Sample().ToJsonLine();
  std::mt19937 random(8);
  const std::string alphabet = "{}[]\",:0123456789eE+-.truefalsn\\u \x01\xc3";
  int accepted = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string line = good;
    for (unsigned edits = 1 + random() % 3; edits > 0; --edits) {
      const std::size_t at = random() % line.size();
      switch (random() % 4) {
        case 0:
          line.erase(at, 1 + random() % 20);
          break;
        case 1:
          line.insert(at, line.substr(random() % line.size(), random() % 40));
          break;
        default:
          line[at] = alphabet[random() % alphabet.size()];
      }
      if (line.empty()) line = " ";
    }
    try {
      const RunRecord record = ParseRecord(line);
      ASSERT_EQ(ParseRecord(record.ToJsonLine()), record) << line;
      ++accepted;
    } catch (const Error& error) {
      for (const char c : error.message()) ASSERT_TRUE(c >= ' ' && c <= '~') << error.message();
    }
  }
  EXPECT_GT(accepted, 50);
}

class AppendTest : public ::testing::Test {
 protected:
  AppendTest() : path_(::testing::TempDir() + "/run_record_test.jsonl") {
    std::remove(path_.c_str());
  }

  std::vector<std::string> Lines() const {
    std::ifstream file(path_);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) lines.push_back(line);
    return lines;
  }

  std::string path_;
};

TEST_F(AppendTest, AddsLines) {
  AppendRecord(path_, Sample());
  AppendRecord(path_, Sample());
  ASSERT_EQ(Lines().size(), 2U);
  EXPECT_EQ(ParseRecord(Lines()[1]), Sample());
}

TEST_F(AppendTest, BeginsANewLineAfterATornOne) {
  std::ofstream(path_) << R"({"schema_version":1,"ser)";
  AppendRecord(path_, Sample());
  ASSERT_EQ(Lines().size(), 2U);
  EXPECT_THROW(ParseRecord(Lines()[0]), Error);
  EXPECT_EQ(ParseRecord(Lines()[1]), Sample());
}

TEST_F(AppendTest, TwoWritersDoNotMix) {
  const auto writer = [this] {
    for (int i = 0; i < 200; ++i) AppendRecord(path_, Sample());
  };
  std::thread other(writer);
  writer();
  other.join();
  int records = 0;
  for (const std::string& line : Lines()) {
    if (line.empty()) continue;
    EXPECT_EQ(ParseRecord(line), Sample());
    ++records;
  }
  EXPECT_EQ(records, 400);
}

TEST_F(AppendTest, CanBeAskedBefore) {
  EXPECT_NO_THROW(CheckAppendable(path_));
  EXPECT_TRUE(Lines().empty());
  EXPECT_THROW(CheckAppendable("/nowhere/at/all.jsonl"), Error);
}

TEST_F(AppendTest, SaysWhatCanNotBeWritten) {
  for (const std::string path : {"/nowhere/at/all.jsonl", "/", "/dev/full"}) {
    try {
      AppendRecord(path, Sample());
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable);
      EXPECT_THAT(error.message(), HasSubstr(path));
    }
  }
}

}  // namespace
}  // namespace xdna::bench
