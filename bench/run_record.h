// A run record: what one benchmark found out about one series, as one JSON line.
// Reports, gates and dashboards read these and nothing else.
#ifndef BENCH_RUN_RECORD_H_
#define BENCH_RUN_RECORD_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/environment.h"
#include "golden/compare.h"

namespace xdna::bench {

// reports/run_record.schema.json says the same in JSON Schema. A new field that old readers can do
// without keeps the version; anything else raises it.
inline constexpr int kRunRecordVersion = 1;
// A longer line is not a record.
inline constexpr std::size_t kMostRecordBytes = std::size_t{4} << 20;

// Which results belong together over time; "-" where a part means nothing. Never
// rename a part: history would be cut.
struct SeriesKey {
  std::string op = "-";        // "linear", "encoder"
  std::string shape = "-";     // "m=1500,k=512,n=2048", "whisper-base"
  std::string dtype = "-";     // "bf16"
  std::string device = "-";    // "cpu", "npu"
  std::string preset = "-";    // npu: speed bin; cpu: "threads=2"
  std::string schedule = "-";  // cpu: backend, "fast"
  std::string tile = "-";
  std::string reuse = "-";
  std::string batch = "-";

  std::string ToString() const;  // the nine parts with '/' between
  // Throws kInvalidArgument unless there are nine parts of printable text.
  static SeriesKey Parse(const std::string& text);

  bool operator==(const SeriesKey&) const = default;
};

enum class Provenance : std::uint8_t { kMeasured, kModelled };
const char* ProvenanceName(Provenance provenance);  // "measured", "modelled"

// What a modelled time follows from: with all of this and the code unchanged, it is the same to
// the last bit. A gate explains a change by what differs here.
struct TimeModel {
  std::string version;                          // device::TimeModelVersion()
  std::string preset;                           // speed bin, "phx-1.0"
  std::string host_profile;                     // "cpp"
  std::string codegen;                          // "chess", "peano"
  std::map<std::string, double> constants;      // of the preset and the profile, by name
  std::map<std::string, std::string> schedule;  // what ran: "overlay" -> SHA-256, "steps" -> ...

  bool operator==(const TimeModel&) const = default;
};

struct RecordedVerdict {
  golden::Status status = golden::Status::kSkipped;
  std::string reason;
  std::optional<double> headroom_percent;  // empty where nothing was compared
  std::string tolerance;                   // where its limits come from

  RecordedVerdict() = default;
  RecordedVerdict(const golden::Verdict& verdict, const golden::Tolerance& limits);
  bool passed() const { return status == golden::Status::kPassed; }
  bool operator==(const RecordedVerdict&) const = default;
};

// No time without a verdict: times, samples and all that follows from them can be
// set only where the verdict is `passed`.
class RunRecord {
 public:
  // Throws kInternal for a part of the key with '/' or control characters in it.
  RunRecord(SeriesKey series, Provenance provenance, RecordedVerdict verdict);

  const SeriesKey& series() const { return series_; }
  Provenance provenance() const { return provenance_; }
  const RecordedVerdict& verdict() const { return verdict_; }

  // Seconds: medians by name, one of them "total" ("mel", "attention", ...; "total"
  // need not be their sum where parts overlap), and the samples of "total". More than
  // kMostSamples are thinned evenly, in order. Throws kInternal where the verdict is
  // not `passed`, and for a number that is not positive and finite.
  void SetTimes(std::map<std::string, double> times_s, const std::vector<double>& samples_s);
  static constexpr std::size_t kMostSamples = 1000;
  const std::map<std::string, double>& times_s() const { return times_s_; }
  const std::vector<double>& samples_s() const { return samples_s_; }

  // "flops", "bytes", "audio_s", "peak_flops" (a second) and "peak_bandwidth" (bytes a
  // second) hold without a run. Any other name ("percent_of_peak", "rtf", ...) follows
  // from its time. Throws kInternal like SetTimes, and for "rtf" without a scope.
  void SetMetric(const std::string& name, double value);
  const std::map<std::string, double>& metrics() const { return metrics_; }

  // Of an RTF: "encoder", "encoder+mel", "end-to-end"; "-" where there is none.
  void set_scope(std::string scope) { scope_ = std::move(scope); }
  const std::string& scope() const { return scope_; }

  // Marks the record invalid, and why. A time below `floor_s`, what flops take at 1.05
  // times the measured peak, can't be true.
  void Invalidate(std::string why);
  void CheckFloor(double floor_s);
  bool valid() const { return invalid_.empty(); }
  const std::string& invalid_reason() const { return invalid_; }

  Environment environment;
  std::map<std::string, std::string> hashes;  // "model", "audio", "golden" -> SHA-256
  std::uint64_t seed = 0;
  std::optional<TimeModel> model;  // only of modelled records

  // Without the line's end. Throws kInternal for a record that passed and has no times, and for a
  // measured one with a time model.
  std::string ToJsonLine() const;
  bool operator==(const RunRecord&) const = default;

 private:
  void RequirePassed(const std::string& what) const;

  SeriesKey series_;
  Provenance provenance_;
  RecordedVerdict verdict_;
  std::string scope_ = "-";
  std::map<std::string, double> times_s_;
  std::vector<double> samples_s_;
  std::map<std::string, double> metrics_;
  std::string invalid_;
};

// Reads and checks one line. Throws kCorrupt naming the field, what was found and
// what would be right (not JSON, a field missing, unknown, there twice or of the wrong
// type, a number out of bounds, a time beside a verdict other than passed), and
// kUnsupported for another schema version.
RunRecord ParseRecord(std::string_view line);

// Adds the record's line to the end of `path`, in one write, so that lines of two
// programs do not mix; makes the file where there is none, and begins a new line where
// the last one was cut short. Throws kUnavailable where it can't be written.
void AppendRecord(const std::string& path, const RunRecord& record);

// Throws kUnavailable where AppendRecord could not: to be known before hours of work.
void CheckAppendable(const std::string& path);

}  // namespace xdna::bench

#endif  // BENCH_RUN_RECORD_H_
