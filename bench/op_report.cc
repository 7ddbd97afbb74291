#include "bench/op_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "bench/samples.h"

namespace xdna::bench {
namespace {

constexpr double kPeakMargin = 1.05;

std::string VerdictText(const OpPoint& point) {
  if (!point.verdict.passed()) return golden::StatusName(point.verdict.status);
  return fmt::format("passed {:.0f} %", point.verdict.headroom_percent());
}

const char* LimitName(const OpLimits& limits) {
  return limits.memory_bound() ? "memory" : "compute";
}

std::string Percent(double part) { return fmt::format("{:.1f} %", 100 * part); }

}  // namespace

OpLimits LimitsOf(const ops::Contract& op, const OpPoint& point, const MachinePeak& peak) {
  OpLimits limits;
  limits.flops = op.flops(point.dims);
  limits.bytes = op.bytes(point.dims, point.variant.precision);
  limits.peak_flops = peak.Of(point.variant.precision).flops;
  limits.peak_bandwidth = ReadBandwidth(peak.threads, static_cast<std::size_t>(limits.bytes));
  return limits;
}

double FloorSeconds(const OpLimits& limits) { return limits.compute_s() / kPeakMargin; }

SeriesKey SeriesOf(const ops::Contract& op, const OpPoint& point, int threads) {
  SeriesKey key;
  key.op = op.name;
  key.shape = point.shape;
  key.dtype = ops::PrecisionName(point.variant.precision);
  key.device = ops::DeviceName(point.variant.device());
  key.preset = fmt::format("threads={}", threads);
  key.schedule = ops::BackendName(point.variant);
  return key;
}

RunRecord RecordOf(const ops::Contract& op, const OpPoint& point, const OpLimits& limits,
                   const OpSession& session) {
  const SeriesKey key = SeriesOf(op, point, session.environment.threads);
  RunRecord record(key, Provenance::kMeasured, RecordedVerdict(point.verdict, point.tolerance));
  record.environment = session.environment;
  record.hashes = {{"golden", session.golden_sha256}};
  record.seed = session.seed;
  record.SetMetric("flops", limits.flops);
  record.SetMetric("bytes", limits.bytes);
  record.SetMetric("peak_flops", limits.peak_flops);
  record.SetMetric("peak_bandwidth", limits.peak_bandwidth);
  if (!point.verdict.passed()) return record;
  const SampleSummary summary = Summarize(point.samples);
  record.SetTimes({{"total", summary.median}}, point.samples);
  record.SetMetric("flops_per_s", limits.flops / summary.median);
  record.SetMetric("percent_of_peak", 100 * limits.compute_s() / summary.median);
  record.SetMetric("percent_of_bandwidth", 100 * limits.memory_s() / summary.median);
  record.CheckFloor(FloorSeconds(limits));
  return record;
}

OpTable::OpTable(const std::vector<OpPoint>& points, bool color) : color_(color) {
  for (const OpPoint& point : points) shape_width_ = std::max(shape_width_, point.shape.size());
}

std::string OpTable::Colored(const std::string& text, bool good) const {
  return color_ ? fmt::format("\033[{}m{}\033[0m", good ? 32 : 31, text) : text;
}

std::string OpTable::Header() const {
  return fmt::format("{:<{}} {:<9} {:<7} {:<12} {:>10} {:>10} {:>7} {:>9} {:>8} {:>9}  {}\n",
                     "shape", shape_width_, "precision", "backend", "verdict", "median ms",
                     "least ms", "spread", "GFLOP/s", "of peak", "of memory", "bound by");
}

std::string OpTable::Row(const OpPoint& point, const OpLimits& limits,
                         const RunRecord& record) const {
  // Padded first: colours have no width.
  const std::string verdict = fmt::format("{:<12}", VerdictText(point));
  std::string row =
      fmt::format("{:<{}} {:<9} {:<7} {}", point.shape, shape_width_,
                  ops::PrecisionName(point.variant.precision), ops::BackendName(point.variant),
                  Colored(verdict, point.verdict.passed()));
  if (!point.verdict.passed()) {
    row += point.verdict.status == golden::Status::kUnsupported
               ? " " + point.verdict.reason + "\n"
               : fmt::format("\n  {}\n", golden::Describe(point.verdict));
    if (!point.repro.empty()) row += fmt::format("  repro: {}\n", point.repro);
    return row;
  }
  const SampleSummary times = Summarize(point.samples);
  row += fmt::format(" {:>10.4f} {:>10.4f} {:>7} {:>9.1f} {:>8} {:>9}  {}\n", 1e3 * times.median,
                     1e3 * times.least, Percent(times.spread), 1e-9 * limits.flops / times.median,
                     Percent(limits.compute_s() / times.median),
                     Percent(limits.memory_s() / times.median), LimitName(limits));
  if (!record.valid()) {
    row += fmt::format("  {}\n", Colored("invalid: " + record.invalid_reason(), false));
  }
  return row;
}

std::string OpTable::DryHeader() const {
  return fmt::format("{:<{}} {:<9} {:<7} {:>10} {:>10} {:>12}  {}\n", "shape", shape_width_,
                     "precision", "backend", "GFLOP", "MB", "ms at limit", "bound by");
}

std::string OpTable::DryRow(const OpPoint& point, const OpLimits& limits) const {
  return fmt::format("{:<{}} {:<9} {:<7} {:>10.4g} {:>10.4g} {:>12.4f}  {}\n", point.shape,
                     shape_width_, ops::PrecisionName(point.variant.precision),
                     ops::BackendName(point.variant), 1e-9 * limits.flops, 1e-6 * limits.bytes,
                     1e3 * limits.seconds(), LimitName(limits));
}

std::string MachineLine(const Environment& environment, const MachinePeak& peak) {
  std::string text = fmt::format("{}, {} thread{}", environment.cpu_model, environment.threads,
                                 environment.threads == 1 ? "" : "s");
  if (environment.threads > environment.cpus) {
    text += fmt::format(" taking turns on {} CPUs", environment.cpus);
  }
  text += "; measured peak:";
  for (const ops::Precision precision : ops::kAllPrecisions) {
    const Peak& p = peak.Of(precision);
    text += fmt::format(" {} {:.0f} GFLOP/s ({}),", ops::PrecisionName(precision), 1e-9 * p.flops,
                        p.instruction);
  }
  return text + fmt::format(" DRAM {:.1f} GB/s\n", 1e-9 * peak.bandwidth);
}

std::string ProvenanceLine(const OpSession& session) {
  const Environment& e = session.environment;
  return fmt::format(
      "measured {} on {}; {}; {} {}\noneDNN {}, Eigen {}; governor {}, load {:.1f}; seed {}; "
      "golden "
      "{:.12}\n",
      e.date, e.machine_class, RevisionString(e), e.compiler, e.flags, e.libraries.at("onednn"),
      e.libraries.at("eigen"), e.governor, e.load_average, session.seed, session.golden_sha256);
}

}  // namespace xdna::bench
