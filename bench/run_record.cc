#include "bench/run_record.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace xdna::bench {
namespace {

constexpr int kKeyParts = 9;
constexpr const char* kStaticMetrics[] = {"flops", "bytes", "audio_s", "peak_flops",
                                          "peak_bandwidth"};

std::array<const std::string*, kKeyParts> Parts(const SeriesKey& key) {
  return {&key.op,       &key.shape, &key.dtype, &key.device, &key.preset,
          &key.schedule, &key.tile,  &key.reuse, &key.batch};
}

bool IsPart(const std::string& part) {
  return !part.empty() && std::all_of(part.begin(), part.end(),
                                      [](char c) { return c > ' ' && c <= '~' && c != '/'; });
}

bool IsStatic(const std::string& metric) {
  return std::find(std::begin(kStaticMetrics), std::end(kStaticMetrics), metric) !=
         std::end(kStaticMetrics);
}

std::vector<double> Thinned(const std::vector<double>& samples, std::size_t most) {
  if (samples.size() <= most) return samples;
  std::vector<double> kept;
  kept.reserve(most);
  for (std::size_t i = 0; i < most; ++i) kept.push_back(samples[i * samples.size() / most]);
  return kept;
}

nlohmann::ordered_json ToJson(const Environment& e) {
  nlohmann::ordered_json json;
  json["git_revision"] = e.git_revision;
  json["git_dirty"] = e.git_dirty ? nlohmann::ordered_json(*e.git_dirty) : nullptr;
  json["compiler"] = e.compiler;
  json["flags"] = e.flags;
  json["cpu_model"] = e.cpu_model;
  json["cpu_features"] = e.cpu_features;
  json["cpus"] = e.cpus;
  json["threads"] = e.threads;
  json["machine_class"] = e.machine_class;
  json["governor"] = e.governor;
  json["load_average"] = e.load_average;
  json["libraries"] = e.libraries;
  json["date"] = e.date;
  return json;
}

nlohmann::ordered_json ToJson(const TimeModel& m) {
  nlohmann::ordered_json json;
  json["version"] = m.version;
  json["preset"] = m.preset;
  json["host_profile"] = m.host_profile;
  json["codegen"] = m.codegen;
  json["constants"] = m.constants;
  json["schedule"] = m.schedule;
  return json;
}

class File {
 public:
  explicit File(const std::string& path) : path_(path) {
    // Read too: the last line may have been cut short.
    fd_ = open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd_ < 0) Fail("can't be opened for appending");
  }
  ~File() { close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool EndsInMidLine() const {
    struct stat info = {};
    char last = '\n';
    if (fstat(fd_, &info) != 0) Fail("can't be read");
    if (S_ISREG(info.st_mode) && info.st_size > 0 && pread(fd_, &last, 1, info.st_size - 1) != 1) {
      Fail("can't be read");
    }
    return last != '\n';
  }

  void Write(const std::string& text) {
    const ssize_t written = write(fd_, text.data(), text.size());
    if (written < 0) Fail("can't be written");
    if (static_cast<std::size_t>(written) != text.size()) {
      Throw(ErrorCode::kUnavailable, "{}: only {} of {} bytes of a record could be written", path_,
            written, text.size());
    }
  }

 private:
  [[noreturn]] void Fail(const char* what) const {
    Throw(ErrorCode::kUnavailable, "{}: {} ({})", path_, what, std::strerror(errno));
  }

  std::string path_;
  int fd_ = -1;
};

}  // namespace

std::string SeriesKey::ToString() const {
  std::vector<std::string> parts;
  for (const std::string* part : Parts(*this)) parts.push_back(*part);
  return fmt::format("{}", fmt::join(parts, "/"));
}

SeriesKey SeriesKey::Parse(const std::string& text) {
  std::vector<std::string> parts(1);
  for (char c : text) {
    if (c == '/') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  if (parts.size() != kKeyParts || !std::all_of(parts.begin(), parts.end(), IsPart)) {
    Throw(
        ErrorCode::kInvalidArgument,
        "a series key is op/shape/dtype/device/preset/schedule/tile/reuse/batch with '-' for what "
        "is not used; this has {} parts",
        parts.size());
  }
  return {parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], parts[6], parts[7], parts[8]};
}

const char* ProvenanceName(Provenance provenance) {
  return provenance == Provenance::kMeasured ? "measured" : "modelled";
}

RecordedVerdict::RecordedVerdict(const golden::Verdict& verdict, const golden::Tolerance& limits)
    : status(verdict.status), reason(verdict.reason), tolerance(limits.provenance) {
  if (std::isfinite(verdict.used)) headroom_percent = verdict.headroom_percent();
}

RunRecord::RunRecord(SeriesKey series, Provenance provenance, RecordedVerdict verdict)
    : series_(std::move(series)), provenance_(provenance), verdict_(std::move(verdict)) {
  for (const std::string* part : Parts(series_)) {
    if (!IsPart(*part)) Throw(ErrorCode::kInternal, "'{}' can't be part of a series key", *part);
  }
}

void RunRecord::RequirePassed(const std::string& what) const {
  if (verdict_.passed()) return;
  Throw(ErrorCode::kInternal, "{}: {} beside the verdict '{}', only 'passed' has it",
        series_.ToString(), what, golden::StatusName(verdict_.status));
}

void RunRecord::SetTimes(std::map<std::string, double> times_s,
                         const std::vector<double>& samples_s) {
  RequirePassed("a time");
  const auto good = [](double s) { return std::isfinite(s) && s > 0; };
  if (times_s.count("total") == 0 || samples_s.empty() ||
      !std::all_of(samples_s.begin(), samples_s.end(), good)) {
    Throw(ErrorCode::kInternal, "{}: times need a 'total' and positive samples",
          series_.ToString());
  }
  for (const auto& [name, seconds] : times_s) {
    if (!good(seconds)) {
      Throw(ErrorCode::kInternal, "{}: time '{}' is {} s", series_.ToString(), name, seconds);
    }
  }
  times_s_ = std::move(times_s);
  samples_s_ = Thinned(samples_s, kMostSamples);
}

void RunRecord::SetMetric(const std::string& name, double value) {
  if (!IsStatic(name)) RequirePassed("the metric " + name);
  if (!std::isfinite(value)) {
    Throw(ErrorCode::kInternal, "{}: metric '{}' is {}", series_.ToString(), name, value);
  }
  if (name == "rtf" && scope_ == "-") {
    Throw(ErrorCode::kInternal, "{}: an RTF without its scope", series_.ToString());
  }
  metrics_[name] = value;
}

void RunRecord::Invalidate(std::string why) { invalid_ = std::move(why); }

void RunRecord::CheckFloor(double floor_s) {
  if (samples_s_.empty()) return;
  const double least = *std::min_element(samples_s_.begin(), samples_s_.end());
  if (least >= floor_s) return;
  Invalidate(
      fmt::format("{:.4g} ms is less than the {:.4g} ms that this work takes at 1.05 times "
                  "the measured peak",
                  1e3 * least, 1e3 * floor_s));
}

std::string RunRecord::ToJsonLine() const {
  if (verdict_.passed() && times_s_.empty()) {
    Throw(ErrorCode::kInternal, "{}: passed, but was not timed", series_.ToString());
  }
  if (model && provenance_ == Provenance::kMeasured) {
    Throw(ErrorCode::kInternal, "{}: measured, but with a time model", series_.ToString());
  }
  nlohmann::ordered_json json;
  json["schema_version"] = kRunRecordVersion;
  json["series"] = series_.ToString();
  json["provenance"] = ProvenanceName(provenance_);
  json["scope"] = scope_;
  auto& verdict = json["verdict"];
  verdict["status"] = golden::StatusName(verdict_.status);
  verdict["reason"] = verdict_.reason;
  const auto& headroom = verdict_.headroom_percent;
  verdict["headroom_percent"] = headroom ? nlohmann::ordered_json(*headroom) : nullptr;
  verdict["tolerance"] = verdict_.tolerance;
  if (verdict_.passed()) {
    json["times_s"] = times_s_;
    json["samples_s"] = samples_s_;
  }
  json["metrics"] = metrics_;
  json["environment"] = ToJson(environment);
  json["hashes"] = hashes;
  json["seed"] = seed;
  if (model) json["model"] = ToJson(*model);
  json["valid"] = valid();
  json["invalid_reason"] = invalid_;
  // Bytes that are not UTF-8 (a path in a reason) must not cost the record.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void AppendRecord(const std::string& path, const RunRecord& record) {
  File file(path);
  file.Write((file.EndsInMidLine() ? "\n" : "") + record.ToJsonLine() + "\n");
}

void CheckAppendable(const std::string& path) { File(path).EndsInMidLine(); }

}  // namespace xdna::bench
