#include "bench/encoder_sweep.h"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>

#include "base/error.h"
#include "bench/encoder_lines.h"
#include "bench/encoder_npu_report.h"
#include "bench/encoder_record.h"
#include "bench/progress.h"
#include "encoder/graph.h"

namespace xdna::bench {
namespace {

std::string Choice(const EncoderPoint& point) {
  const encoder::Schedule& s = point.schedule;
  return fmt::format("{:17}{:>5} {:<12} {:<8} {:>5}", s.name, s.columns,
                     fmt::format("{}x{}x{}", s.tile_m, s.tile_k, s.tile_n),
                     encoder::KeepName(s.keep), point.batch);
}

std::string Header() {
  return fmt::format(
      "{:17}{:>5} {:<12} {:<8} {:>5} | {:<14}{:>9} | {:>10} {:>8} | {:>10} {:>8} | "
      "{:>8} {:<14}",
      "schedule", "cols", "tile", "reuse", "batch", "verdict", "rel-L2", "one, ms", "RTF",
      "many, ms", "RTF", "of peak", "bound by");
}

constexpr const char* kFooter =
    "one: the latency of one window alone, spectrogram in to output out. many: a window of many "
    "that follow\neach other, `batch` of them submitted at once. of peak: of the whole array's "
    "products, in the latency of one.\nk: proof kept. r: record kept. Only real speech counts as "
    "audio.";

std::string Row(const EncoderJob& job, const EncoderPoint& point, const NpuResult& r,
                const NpuRunOptions& options) {
  if (!r.timed()) return fmt::format("{} | {}", Choice(point), golden::Describe(r.verdict));
  return fmt::format(
      "{} | {:<14}{:9.1e} | {:10.2f} {:>8} | {:10.2f} {:>8} | {:>8} {:<14}", Choice(point),
      fmt::format("passed {:.0f} %{}", r.verdict.headroom_percent(), r.kept_proof ? " k" : ""),
      r.verdict.rel_l2, r.time.total, TimesRealTime(r.Rtf(job)), r.time.throughput,
      TimesRealTime(r.RtfInFlight(job)), fmt::format("{:.1f} %", r.PercentOfPeak(job, options)),
      r.Bound());
}

double MetricOf(const RunRecord& record, const char* name) {
  const auto found = record.metrics().find(name);
  return found == record.metrics().end() ? 0 : found->second;
}

std::string KeptRow(const EncoderPoint& point, const RunRecord& record) {
  return fmt::format(
      "{} | {:<14}{:>9} | {:10.2f} {:>8} | {:10.2f} {:>8} | {:>8} {:<14}", Choice(point),
      fmt::format("passed {:.0f} % r", record.verdict().headroom_percent.value_or(0)), "-",
      1e3 * record.times_s().at("total"), TimesRealTime(MetricOf(record, "rtf")),
      MetricOf(record, "ms_per_window_in_flight"), TimesRealTime(MetricOf(record, "rtf_in_flight")),
      fmt::format("{:.1f} %", MetricOf(record, "percent_of_peak")), "-");
}

// The record of a point before it has run: its series and what it depends on.
RunRecord RecordToBe(const EncoderJob& job, const EncoderPoint& point, const NpuRunOptions& options,
                     const Environment& environment) {
  NpuResult none;
  none.schedule = point.schedule;
  none.variant = point.variant;
  none.batch = point.batch;
  none.reuse = point.reuse;
  none.verdict = golden::Verdict::Skipped("not run yet");
  return NpuEncoderRecord(job, none, options, environment);
}

bool SameOrigin(const RunRecord& a, const RunRecord& b) {
  return a.series() == b.series() && a.hashes == b.hashes &&
         a.environment.git_revision == b.environment.git_revision &&
         a.environment.git_dirty == b.environment.git_dirty && a.model == b.model;
}

}  // namespace

std::string PointList(const encoder::EncoderShape& shape, const std::vector<EncoderPoint>& points,
                      int threads, bool estimate) {
  std::string text;
  const double flops = encoder::EncoderFlops(encoder::EncoderGraph(shape));
  double all = 0;
  for (const EncoderPoint& point : points) {
    const double seconds = EstimatedSeconds(point, flops, threads);
    all += seconds;
    text += fmt::format(
        "{}{}{}\n", point.name, estimate ? fmt::format("  about {}", Duration(seconds)) : "",
        point.refused.empty() ? "" : fmt::format("  unsupported: {}", point.refused));
  }
  return text + fmt::format("{} points{}\n", points.size(),
                            estimate ? fmt::format(", about {} on this host; nothing was run",
                                                   Duration(all))
                                     : "");
}

std::optional<RunRecord> EarlierRecord(const std::string& path, const RunRecord& like) {
  std::ifstream file(path);
  std::optional<RunRecord> found;
  for (std::string text; std::getline(file, text);) {
    try {
      const RunRecord record = ParseRecord(text);
      if (record.verdict().passed() && record.valid() && SameOrigin(record, like)) found = record;
    } catch (const Error&) {
      continue;  // a line that a killed run cut short, or another program's
    }
  }
  return found;
}

bool RunSweep(const EncoderJob& job, const std::vector<EncoderPoint>& points,
              const NpuRunOptions& options, const SweepRun& run, const Environment& environment) {
  Lines line(job);
  fmt::print("{}", ModelLines(job, options, job.shape.name));
  line("{}", "");
  line("{}", Header());
  bool right = true;
  std::size_t kept = 0;
  Progress progress(points.size());
  for (const EncoderPoint& point : points) {
    progress.Next(point.name);
    if (run.resume) {
      const auto earlier = EarlierRecord(run.json, RecordToBe(job, point, options, environment));
      if (earlier) {
        ++kept;
        line("{}", KeptRow(point, *earlier));
        continue;
      }
    }
    const NpuResult result = RunPoint(job, point, options);
    right = right && (result.timed() || result.verdict.status == golden::Status::kUnsupported);
    if (!run.json.empty()) {
      AppendRecord(run.json, NpuEncoderRecord(job, result, options, environment));
    }
    line("{}", Row(job, point, result, options));
    fmt::print("{}", line.Take());
    std::fflush(stdout);
  }
  line("{}", kFooter);
  if (kept > 0) line("resumed: {} of {} points are in {} already", kept, points.size(), run.json);
  fmt::print("{}", line.Take());
  return right;
}

}  // namespace xdna::bench
