// ParseRecord: from a line that anybody may have written to a record, or an error.
#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bench/run_record.h"
#include "bench/strict_json.h"
#include "bench/suggest.h"
#include "golden/compare.h"

namespace xdna::bench {
namespace {

using Json = nlohmann::json;

constexpr const char* kInThisVersion = " in version 1";
static_assert(kRunRecordVersion == 1);
constexpr golden::Status kStatuses[] = {golden::Status::kPassed, golden::Status::kFailed,
                                        golden::Status::kMistrusted, golden::Status::kSkipped,
                                        golden::Status::kUnsupported};

template <typename... Args>
[[noreturn]] void Fail(const std::string& field, fmt::format_string<Args...> why, Args&&... args) {
  Throw(ErrorCode::kCorrupt, "{}: {}", field, fmt::format(why, std::forward<Args>(args)...));
}

Environment ParseEnvironment(const Json& json) {
  JsonFields fields(json, "environment");
  Environment e;
  e.git_revision = fields.Text("git_revision");
  if (!fields.Take("git_dirty").is_null()) e.git_dirty = fields.Flag("git_dirty");
  e.compiler = fields.Text("compiler");
  e.flags = fields.Text("flags");
  e.cpu_model = fields.Text("cpu_model");
  e.cpu_features = fields.Text("cpu_features");
  e.cpus = static_cast<int>(fields.Integer("cpus", 1, 1 << 20));
  e.threads = static_cast<int>(fields.Integer("threads", 1, 1 << 20));
  e.machine_class = fields.Text("machine_class");
  e.governor = fields.Text("governor");
  e.load_average = fields.Number("load_average");
  e.libraries = fields.Texts("libraries");
  e.date = fields.Text("date");
  fields.ExpectNoMore(kInThisVersion);
  return e;
}

RecordedVerdict ParseVerdict(const Json& json) {
  JsonFields fields(json, "verdict");
  RecordedVerdict verdict;
  const std::string status = fields.Text("status");
  std::vector<std::string> known;
  bool found = false;
  for (const golden::Status candidate : kStatuses) {
    known.emplace_back(golden::StatusName(candidate));
    if (status != known.back()) continue;
    verdict.status = candidate;
    found = true;
  }
  if (!found) Fail("verdict.status", "{};{}", Quoted(status), Suggest(status, known));
  verdict.reason = fields.Text("reason");
  if (!fields.Take("headroom_percent").is_null()) {
    verdict.headroom_percent = fields.Number("headroom_percent");
  }
  verdict.tolerance = fields.Text("tolerance");
  fields.ExpectNoMore(kInThisVersion);
  return verdict;
}

std::vector<double> ParseSamples(const Json& json) {
  if (!json.is_array() || json.size() > RunRecord::kMostSamples) {
    Fail("samples_s", "expected an array of at most {} numbers", RunRecord::kMostSamples);
  }
  std::vector<double> samples;
  for (std::size_t i = 0; i < json.size(); ++i) {
    samples.push_back(JsonFields::NumberIn(json[i], fmt::format("samples_s[{}]", i)));
  }
  return samples;
}

std::map<std::string, std::string> ParseHashes(JsonFields& fields) {
  auto hashes = fields.Texts("hashes");
  for (const auto& [name, hash] : hashes) {
    if (name != "model" && name != "audio" && name != "golden") {
      Fail("hashes." + Quoted(name), "no such hash;{}",
           Suggest(name, {"model", "audio", "golden"}));
    }
    if (hash.size() != 64 || hash.find_first_not_of("0123456789abcdef") != std::string::npos) {
      Fail("hashes." + name, "{} is not the 64 hexadecimal digits of a SHA-256", Quoted(hash));
    }
  }
  return hashes;
}

std::uint64_t ParseSeed(const Json& json) {
  if (!json.is_number_unsigned()) Fail("seed", "{} is not an integer from 0", ShownJson(json));
  return json.get<std::uint64_t>();
}

std::optional<TimeModel> ParseModel(JsonFields& fields, Provenance provenance) {
  if (!fields.Has("model")) return std::nullopt;
  if (provenance == Provenance::kMeasured) Fail("model", "beside the provenance measured");
  JsonFields inner(fields.Take("model"), "model");
  TimeModel model;
  model.version = inner.Text("version");
  model.preset = inner.Text("preset");
  model.host_profile = inner.Text("host_profile");
  model.codegen = inner.Text("codegen");
  model.constants = inner.Numbers("constants");
  model.schedule = inner.Texts("schedule");
  inner.ExpectNoMore(kInThisVersion);
  return model;
}

Provenance ParseProvenance(JsonFields& fields) {
  const std::string provenance = fields.Text("provenance");
  if (provenance == "measured") return Provenance::kMeasured;
  if (provenance == "modelled") return Provenance::kModelled;
  Fail("provenance", "{} is not measured or modelled", Quoted(provenance));
}

RunRecord ReadRecord(const Json& json) {
  JsonFields fields(json, "");
  if (const std::int64_t version = fields.Integer("schema_version", 0, INT64_MAX);
      version != kRunRecordVersion) {
    Throw(ErrorCode::kUnsupported, "schema_version: {}, this program reads {}", version,
          kRunRecordVersion);
  }
  // What the record's own setters refuse is the line's fault here.
  try {
    const Provenance provenance = ParseProvenance(fields);
    RunRecord record(SeriesKey::Parse(fields.Text("series")), provenance,
                     ParseVerdict(fields.Take("verdict")));
    record.set_scope(fields.Text("scope"));
    const bool timed = fields.Has("times_s") || fields.Has("samples_s");
    if (timed || record.verdict().passed()) {
      record.SetTimes(fields.Numbers("times_s"), ParseSamples(fields.Take("samples_s")));
    }
    for (const auto& [name, value] : fields.Numbers("metrics")) record.SetMetric(name, value);
    record.environment = ParseEnvironment(fields.Take("environment"));
    record.hashes = ParseHashes(fields);
    record.seed = ParseSeed(fields.Take("seed"));
    record.model = ParseModel(fields, provenance);
    const bool valid = fields.Flag("valid");
    record.Invalidate(fields.Text("invalid_reason"));
    if (valid != record.valid()) {
      Fail("valid", "{} beside the reason {}", valid, Quoted(record.invalid_reason()));
    }
    fields.ExpectNoMore(kInThisVersion);
    return record;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kCorrupt) throw;
    throw Error(ErrorCode::kCorrupt, error.message());
  }
}

}  // namespace

RunRecord ParseRecord(std::string_view line) {
  return WithContext("record",
                     [line] { return ReadRecord(ParseStrictJson(line, kMostRecordBytes)); });
}

}  // namespace xdna::bench
