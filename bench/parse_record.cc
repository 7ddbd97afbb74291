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
#include "bench/suggest.h"
#include "golden/compare.h"

namespace xdna::bench {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostBytes = std::size_t{4} << 20;
constexpr golden::Status kStatuses[] = {golden::Status::kPassed, golden::Status::kFailed,
                                        golden::Status::kMistrusted, golden::Status::kSkipped,
                                        golden::Status::kUnsupported};

template <typename... Args>
[[noreturn]] void Fail(const std::string& field, fmt::format_string<Args...> why, Args&&... args) {
  Throw(ErrorCode::kCorrupt, "record: {}: {}", field,
        fmt::format(why, std::forward<Args>(args)...));
}

std::string Shown(const Json& value) {
  return Quoted(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

// An object whose fields are taken one by one; what is left over is an error.
class Fields {
 public:
  Fields(const Json& json, std::string path) : json_(json), path_(std::move(path)) {
    if (!json.is_object()) Fail(path_, "{} is not an object", Shown(json));
  }

  std::string PathOf(const std::string& name) const {
    return path_ == "line" ? name : path_ + "." + name;
  }

  bool Has(const std::string& name) const { return json_.contains(name); }

  const Json& Take(const std::string& name) {
    taken_.insert(name);
    const auto it = json_.find(name);
    if (it == json_.end()) Fail(PathOf(name), "missing");
    return *it;
  }

  std::string Text(const std::string& name) {
    const Json& value = Take(name);
    if (!value.is_string()) Fail(PathOf(name), "{} is not a string", Shown(value));
    return value.get<std::string>();
  }

  double Number(const std::string& name) { return NumberIn(Take(name), PathOf(name)); }

  bool Flag(const std::string& name) {
    const Json& value = Take(name);
    if (!value.is_boolean()) Fail(PathOf(name), "{} is not true or false", Shown(value));
    return value.get<bool>();
  }

  std::int64_t Integer(const std::string& name, std::int64_t least, std::int64_t most) {
    const Json& value = Take(name);
    const bool fits = value.is_number_unsigned() ? value.get<std::uint64_t>() <= INT64_MAX
                                                 : value.is_number_integer();
    if (!fits || value.get<std::int64_t>() < least || value.get<std::int64_t>() > most) {
      Fail(PathOf(name), "{} is not an integer from {} to {}", Shown(value), least, most);
    }
    return value.get<std::int64_t>();
  }

  std::map<std::string, double> Numbers(const std::string& name) {
    std::map<std::string, double> numbers;
    Fields inner(Take(name), PathOf(name));
    for (const auto& [key, value] : inner.json_.items()) {
      numbers[key] = NumberIn(value, inner.PathOf(key));
    }
    return numbers;
  }

  std::map<std::string, std::string> Texts(const std::string& name) {
    std::map<std::string, std::string> texts;
    Fields inner(Take(name), PathOf(name));
    for (const auto& [key, value] : inner.json_.items()) texts[key] = inner.Text(key);
    return texts;
  }

  static double NumberIn(const Json& value, const std::string& path) {
    if (!value.is_number() || !std::isfinite(value.get<double>())) {
      Fail(path, "{} is not a finite number", Shown(value));
    }
    return value.get<double>();
  }

  void ExpectNoMore() const {
    const std::vector<std::string> known(taken_.begin(), taken_.end());
    for (const auto& [name, value] : json_.items()) {
      if (taken_.count(name) == 0) {
        Fail(PathOf(Quoted(name)), "no such field in version {};{}", kRunRecordVersion,
             Suggest(name, known));
      }
    }
  }

 private:
  const Json& json_;
  std::string path_;
  std::set<std::string, std::less<>> taken_;
};

// The text as JSON; the same key twice in an object is an error, not the last wins.
Json ParseStrictly(std::string_view line) {
  if (line.size() > kMostBytes) {
    Fail("line", "{} bytes, expected at most {}", line.size(), kMostBytes);
  }
  std::vector<std::set<std::string>> keys;
  std::optional<std::string> twice;
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key &&
        !keys.back().insert(parsed.get<std::string>()).second) {
      twice = parsed.get<std::string>();
    }
    return true;
  };
  Json json;
  try {
    json = Json::parse(line, watch);
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 1, column 5: ..."
    const std::string_view what = error.what();
    const std::size_t text = std::min(what.find("] ") + 2, what.size());
    std::string shown(what.substr(text, 160));
    for (char& c : shown) c = c >= ' ' && c <= '~' ? c : '?';
    Fail("line", "not JSON: {}", shown);
  }
  if (twice) Fail(Quoted(*twice), "there twice");
  return json;
}

Environment ParseEnvironment(const Json& json) {
  Fields fields(json, "environment");
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
  fields.ExpectNoMore();
  return e;
}

RecordedVerdict ParseVerdict(const Json& json) {
  Fields fields(json, "verdict");
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
  fields.ExpectNoMore();
  return verdict;
}

std::vector<double> ParseSamples(const Json& json) {
  if (!json.is_array() || json.size() > RunRecord::kMostSamples) {
    Fail("samples_s", "expected an array of at most {} numbers", RunRecord::kMostSamples);
  }
  std::vector<double> samples;
  for (std::size_t i = 0; i < json.size(); ++i) {
    samples.push_back(Fields::NumberIn(json[i], fmt::format("samples_s[{}]", i)));
  }
  return samples;
}

std::map<std::string, std::string> ParseHashes(Fields& fields) {
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
  if (!json.is_number_unsigned()) Fail("seed", "{} is not an integer from 0", Shown(json));
  return json.get<std::uint64_t>();
}

}  // namespace

RunRecord ParseRecord(std::string_view line) {
  const Json json = ParseStrictly(line);
  Fields fields(json, "line");
  if (const std::int64_t version = fields.Integer("schema_version", 0, INT64_MAX);
      version != kRunRecordVersion) {
    Throw(ErrorCode::kUnsupported, "record: schema_version: {}, this program reads {}", version,
          kRunRecordVersion);
  }
  // What the record's own setters refuse is the line's fault here.
  try {
    const std::string provenance = fields.Text("provenance");
    if (provenance != "measured" && provenance != "modelled") {
      Fail("provenance", "{} is not measured or modelled", Quoted(provenance));
    }
    RunRecord record(SeriesKey::Parse(fields.Text("series")),
                     provenance == "measured" ? Provenance::kMeasured : Provenance::kModelled,
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
    const bool valid = fields.Flag("valid");
    record.Invalidate(fields.Text("invalid_reason"));
    if (valid != record.valid()) {
      Fail("valid", "{} beside the reason {}", valid, Quoted(record.invalid_reason()));
    }
    fields.ExpectNoMore();
    return record;
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kCorrupt) throw;
    Throw(ErrorCode::kCorrupt, "record: {}", error.message());
  }
}

}  // namespace xdna::bench
