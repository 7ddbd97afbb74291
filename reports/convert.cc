#include "reports/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bench/run_record.h"
#include "bench/samples.h"
#include "bench/strict_json.h"
#include "bench/suggest.h"
#include "golden/compare.h"

namespace xdna::reports {
namespace {

using bench::JsonFields;
using bench::RunRecord;
using Json = nlohmann::json;
using OrderedJson = nlohmann::ordered_json;

constexpr std::size_t kMostBytes = std::size_t{256} << 20;

std::string Dump(const OrderedJson& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

OrderedJson ContextOf(const RecordSet& set) {
  OrderedJson context;
  if (set.records.empty()) return context;
  const bench::Environment& e = set.records.front().record.environment;
  context["date"] = e.date;
  context["num_cpus"] = e.cpus;
  context["load_avg"] = {e.load_average};
  context["library_build_type"] = "release";
  return context;
}

void AddEntries(const RunRecord& record, OrderedJson& entries) {
  const std::string name = record.series().ToString();
  OrderedJson entry;
  entry["name"] = name;
  entry["run_name"] = name;
  entry["run_type"] = "iteration";
  entry["repetitions"] = record.samples_s().size();
  entry["repetition_index"] = 0;
  entry["threads"] = record.environment.threads;
  entry["iterations"] = 1;
  entry["label"] = golden::StatusName(record.verdict().status);
  if (!record.verdict().passed()) {
    entry["error_occurred"] = true;
    entry["error_message"] = record.verdict().reason;
    entry["run_record"] = OrderedJson::parse(record.ToJsonLine());
    entries.push_back(entry);
    return;
  }
  for (std::size_t i = 0; i < record.samples_s().size(); ++i) {
    OrderedJson sample = entry;
    sample["repetition_index"] = i;
    sample["real_time"] = 1e9 * record.samples_s()[i];
    sample["cpu_time"] = 1e9 * record.samples_s()[i];
    sample["time_unit"] = "ns";
    for (const auto& [metric, value] : record.metrics()) sample[metric] = value;
    if (i == 0) sample["run_record"] = OrderedJson::parse(record.ToJsonLine());
    entries.push_back(std::move(sample));
  }
}

double SecondsIn(const Json& entry, const std::string& path) {
  JsonFields fields(entry, path);
  const std::string unit = fields.Text("time_unit");
  const std::map<std::string, double> kUnits = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}};
  const auto it = kUnits.find(unit);
  if (it == kUnits.end()) {
    Throw(ErrorCode::kCorrupt, "{}: {};{}", fields.PathOf("time_unit"), bench::Quoted(unit),
          bench::Suggest(unit, {"ns", "us", "ms", "s"}));
  }
  return it->second * fields.Number("real_time");
}

// "BM_linear/512/2048/threads:2" is the op BM_linear of the shape 512,2048,threads:2.
bench::SeriesKey KeyOf(const std::string& name) {
  bench::SeriesKey key;
  key.device = "cpu";
  const std::size_t slash = std::min(name.find('/'), name.size());
  const auto clean = [](std::string text) {
    for (char& c : text) c = c == '/' ? ',' : (c > ' ' && c <= '~' ? c : '_');
    return text.empty() ? std::string("-") : text;
  };
  key.op = clean(name.substr(0, slash));
  key.shape = clean(name.substr(std::min(slash + 1, name.size())));
  return key;
}

// "2026-11-23T18:00:00+01:00" as UTC; as it is where it can't be read.
std::string UtcDate(const std::string& date) {
  std::tm local = {};
  const char* end = strptime(date.c_str(), "%Y-%m-%dT%H:%M:%S%z", &local);
  if (end == nullptr || *end != '\0') return date;
  const long offset = local.tm_gmtoff;  // timegm() resets it
  const std::time_t seconds = timegm(&local) - offset;
  std::tm utc = {};
  gmtime_r(&seconds, &utc);
  std::string text(20, '\0');
  text.resize(std::strftime(text.data(), text.size() + 1, "%Y-%m-%dT%H:%M:%SZ", &utc));
  return text;
}

bench::Environment EnvironmentOf(const Json& context) {
  JsonFields fields(context, "context");
  bench::Environment e;
  e.date = UtcDate(fields.Text("date"));
  e.cpus = static_cast<int>(fields.Integer("num_cpus", 1, 1 << 20));
  e.threads = 1;
  e.compiler = e.flags = e.cpu_model = e.cpu_features = "unknown";
  e.machine_class = fmt::format("unknown-{}cpu", e.cpus);
  if (fields.Has("load_avg") && !context["load_avg"].empty() && context["load_avg"].is_array()) {
    e.load_average = JsonFields::NumberIn(context["load_avg"][0], "context.load_avg[0]");
  }
  return e;
}

// What the entries of one name say, none of which is a record of ours.
struct ForeignRun {
  std::vector<double> samples;
  int threads = 1;
  std::string error;
};

RunRecord RecordOf(const std::string& name, const ForeignRun& run, bench::Environment environment,
                   const std::string& verified_by) {
  bench::RecordedVerdict verdict;
  verdict.status = run.error.empty() ? golden::Status::kPassed : golden::Status::kFailed;
  verdict.reason = run.error.empty() ? "checked elsewhere: " + verified_by : run.error;
  verdict.tolerance = "not known: from a file of Google Benchmark";
  RunRecord record(KeyOf(name), bench::Provenance::kMeasured, verdict);
  record.environment = std::move(environment);
  record.environment.threads = run.threads;
  if (!run.error.empty()) return record;
  try {
    record.SetTimes({{"total", bench::Summarize(run.samples).median}}, run.samples);
  } catch (const Error& error) {
    throw Error(ErrorCode::kCorrupt, error.message());
  }
  return record;
}

RecordSet ReadEntries(const Json& json, const std::string& file, const std::string& verified_by) {
  JsonFields fields(json, "");
  const Json& context = fields.Take("context");
  const Json& entries = fields.Take("benchmarks");
  if (!entries.is_array()) Throw(ErrorCode::kCorrupt, "benchmarks: not an array");
  RecordSet set;
  std::vector<std::string> names;
  std::map<std::string, ForeignRun> foreign;
  std::string ours;  // whose repetitions follow
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::string path = fmt::format("benchmarks[{}]", i);
    JsonFields entry(entries[i], path);
    const std::string name = entry.Text(entry.Has("run_name") ? "run_name" : "name");
    if (entry.Has("run_type") && entry.Text("run_type") != "iteration") continue;
    if (entry.Has("run_record")) {
      const std::string line =
          entry.Take("run_record").dump(-1, ' ', false, Json::error_handler_t::replace);
      set.records.push_back({WithContext(path, [&] { return bench::ParseRecord(line); }), file, 1});
      ours = name;
      continue;
    }
    if (name == ours) continue;
    if (!foreign.contains(name)) names.push_back(name);
    ForeignRun& run = foreign[name];
    if (entry.Has("threads")) run.threads = static_cast<int>(entry.Integer("threads", 1, 1 << 20));
    if (entry.Has("error_occurred") && entry.Flag("error_occurred")) {
      run.error = entry.Has("error_message") ? entry.Text("error_message") : "an error";
    } else {
      run.samples.push_back(SecondsIn(entries[i], path));
    }
  }
  if (!names.empty() && verified_by.empty()) {
    Throw(ErrorCode::kInvalidArgument,
          "{} and others: times without a verdict; --verified_by=TEXT says who checked the results",
          bench::Quoted(names.front()));
  }
  for (const std::string& name : names) {
    set.records.push_back(
        {RecordOf(name, foreign[name], EnvironmentOf(context), verified_by), file, 1});
  }
  return set;
}

}  // namespace

std::string ToGoogleBenchmark(const RecordSet& set) {
  OrderedJson json;
  json["context"] = ContextOf(set);
  json["benchmarks"] = OrderedJson::array();
  for (const LoadedRecord& loaded : set.records) AddEntries(loaded.record, json["benchmarks"]);
  return Dump(json);
}

RecordSet FromGoogleBenchmark(std::string_view text, const std::string& file,
                              const std::string& verified_by) {
  return WithContext(file, [&] {
    return ReadEntries(bench::ParseStrictJson(text, kMostBytes), file, verified_by);
  });
}

std::string ToGithubAction(const RecordSet& set, GithubRows rows) {
  OrderedJson json = OrderedJson::array();
  for (const LoadedRecord& loaded : set.records) {
    const RunRecord& record = loaded.record;
    if (!record.verdict().passed() || !record.valid()) continue;
    const auto rtf = record.metrics().find("rtf");
    const bool bigger = rows == GithubRows::kBiggerIsBetter;
    if (bigger && rtf == record.metrics().end()) continue;
    const bench::SampleSummary summary = bench::Summarize(record.samples_s());
    OrderedJson row;
    row["name"] = fmt::format("{}{}", set.notes.Current(record.series().ToString()),
                              bigger ? " RTF " + record.scope() : "");
    row["unit"] = bigger ? "x" : "ms";
    row["value"] = bigger ? rtf->second : 1e3 * summary.median;
    // Half of the quartile distance, to either side.
    row["range"] = fmt::format("± {:.2f} %", 50 * summary.spread);
    const auto& headroom = record.verdict().headroom_percent;
    row["extra"] =
        fmt::format("{}, {}{}; {} samples; {}; {}; {}", ProvenanceName(record.provenance()),
                    golden::StatusName(record.verdict().status),
                    headroom ? fmt::format(" with {:.0f} % of its tolerance left", *headroom) : "",
                    record.samples_s().size(), bench::RevisionString(record.environment),
                    record.environment.machine_class, record.environment.date);
    json.push_back(std::move(row));
  }
  if (json.empty()) {
    Throw(ErrorCode::kInvalidArgument, "none of the {} records has {}", set.records.size(),
          rows == GithubRows::kBiggerIsBetter ? "an RTF" : "a time");
  }
  return Dump(json);
}

}  // namespace xdna::reports
