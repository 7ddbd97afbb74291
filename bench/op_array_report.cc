#include "bench/op_array_report.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>

#include "base/sha256.h"
#include "bench/time_model.h"
#include "device/sim/timing.h"

namespace xdna::bench {
namespace {

std::string Verdict(const ArrayRow& row) {
  if (!row.checked) return "-";
  const golden::Verdict& verdict = row.point->verdict;
  if (!verdict.passed()) return golden::StatusName(verdict.status);
  return fmt::format("passed {:.0f} %", verdict.headroom_percent());
}

std::string Choice(const OpPoint& point) {
  const ArrayChoice& a = point.array;
  return fmt::format("  {:<7} {:<11} {:<13} {:>4}", a.batch == 0 ? "all" : std::to_string(a.batch),
                     a.reuse, a.tile.empty() ? "best" : a.tile, a.columns);
}

// What ran, so that a report can say what changed: names and bytes of the overlays.
std::map<std::string, std::string> ScheduleOf(const ArrayRow& row) {
  std::map<std::string, std::string> schedule = {{"bound", row.bound}};
  if (row.all_tiles) schedule["of"] = "tile=*";
  if (row.time.overlays.empty()) return schedule;
  std::string names, hashes;
  for (const auto& [name, hash] : row.time.overlays) {
    names += (names.empty() ? "" : " | ") + name;
    hashes += hash;
  }
  schedule["overlays"] = names;
  schedule["overlay"] =
      row.time.overlays.size() == 1 ? hashes : Sha256(hashes.data(), hashes.size());
  return schedule;
}

}  // namespace

std::string ArrayModelLine(const device::DeviceOptions& npu) {
  const device::Preset& preset = device::FindPreset(npu.preset);
  const double bf16 = ArrayPeakOf(npu.preset, ops::Precision::kBf16).flops;
  const double int8 = ArrayPeakOf(npu.preset, ops::Precision::kInt8).flops;
  return fmt::format(
      "MODELLED times of a simulated NPU: {} ({}, {:.1f} GHz), host profile {}, codegen {}, time "
      "model {}\npeak bf16 {:.2f} TFLOP/s, int8 {:.2f} TOP/s, host memory {:.1f} GB/s; nothing "
      "was measured on hardware\n",
      preset.name, preset.device, preset.array.clock_hz * 1e-9, npu.host, npu.codegen,
      device::TimeModelVersion(), bf16 * 1e-12, int8 * 1e-12,
      ArrayPeakOf(npu.preset, ops::Precision::kBf16).bytes * 1e-9);
}

std::string ArrayHeading(const ops::Contract& op, const OpPoint& point) {
  return fmt::format("{}/{}/{}/{}", op.name, point.shape,
                     ops::PrecisionName(point.variant.precision), ops::BackendName(point.variant));
}

std::string ArrayTableHeader() {
  return fmt::format(
      "  {:<7} {:<11} {:<13} {:>4} {:>6} {:<12} {:>10} {:>9} {:>9}  {:<8} {:>8} {:>7} {:>6} | "
      "{:>8} {:>8} {:>8} {:>8} {:>8} {:>8} | {:>6}\n",
      "batch", "reuse", "tile", "cols", "runs", "verdict", "ms", "us/row", "saved ms", "bound by",
      "GOP/s", "of peak", "GB/s", "submit", "buffers", "sync", "context", "firmware", "array",
      "host s");
}

std::string ArrayTableRow(const ops::Contract& op, const ArrayRow& row, const OpOptions& options,
                          std::optional<double> saved_us) {
  const OpPoint& point = *row.point;
  std::string text = Choice(point);
  if (!row.timed) {
    return text + fmt::format(" {:>6} {:<12} {}\n", "-", golden::StatusName(point.verdict.status),
                              point.verdict.reason);
  }
  const ArrayTime& t = row.time;
  const double flops = op.flops(point.dims) / t.us * 1e6;
  const ArrayPeak peak = ArrayPeakOf(options.npu.preset, point.variant.precision);
  text += fmt::format(
      " {:>6} {:<12} {:>10.4f} {:>9.3f} {:>9}  {:<8} {:>8.1f} {:>7} {:>6.2f} | {:>8.3f} {:>8.3f} "
      "{:>8.3f} {:>8.3f} {:>8.3f} {:>8.3f} | {:>6.2f}\n",
      t.totals.runs, Verdict(row), t.us / 1e3, t.us / static_cast<double>(RowsOf(point)),
      saved_us ? fmt::format("{:.3f}", *saved_us / 1e3) : "", row.bound, flops * 1e-9,
      fmt::format("{:.1f} %", 100 * flops / peak.flops), t.bytes_per_s() * 1e-9,
      t.split.submit / 1e3, t.split.buffers / 1e3, t.split.sync / 1e3, t.context_us() / 1e3,
      t.split.firmware / 1e3, t.split.array / 1e3, t.host_s);
  if (row.checked && !point.verdict.passed()) {
    text += fmt::format("    {}\n", golden::Describe(point.verdict));
    if (!point.repro.empty()) text += fmt::format("    repro: {}\n", point.repro);
  }
  return text;
}

std::string ArrayFooter() {
  return "\npassed N %: how much of the tolerance is left; -: timed, not checked. Times in ms, of "
         "one "
         "call of the op whose\noverlay was loaded before, without what the host converts and "
         "pads. saved ms: against the line above, of\nthe same batch. context: making it, loading "
         "its overlay, switching to it. GB/s: host memory that the array\nread and wrote, over the "
         "whole time.\n";
}

SeriesKey ArraySeriesOf(const ops::Contract& op, const OpPoint& point,
                        const device::DeviceOptions& npu) {
  SeriesKey key;
  key.op = op.name;
  key.shape = point.shape;
  key.dtype = ops::PrecisionName(point.variant.precision);
  key.device = ops::DeviceName(point.variant.device());
  key.preset = npu.preset;
  key.schedule = fmt::format("{},{},{},{}col", ops::BackendName(point.variant), npu.host,
                             npu.codegen, point.array.columns);
  key.tile = point.array.tile.empty() ? "best" : point.array.tile;
  key.reuse = point.array.reuse;
  key.batch = point.array.batch == 0 ? "all" : std::to_string(point.array.batch);
  return key;
}

RunRecord ArrayRecordOf(const ops::Contract& op, const ArrayRow& row,
                        const RecordedVerdict& verdict, const device::DeviceOptions& npu,
                        const OpSession& session) {
  const OpPoint& point = *row.point;
  const ArrayPeak peak = ArrayPeakOf(npu.preset, point.variant.precision);
  RunRecord record(ArraySeriesOf(op, point, npu), Provenance::kModelled, verdict);
  record.environment = session.environment;
  record.hashes = {{"golden", session.golden_sha256}};
  record.seed = session.seed;
  record.model = TimeModelOf(npu);
  record.model->schedule = ScheduleOf(row);
  record.SetMetric("flops", op.flops(point.dims));
  record.SetMetric("bytes", op.bytes(point.dims, point.variant.precision));
  record.SetMetric("peak_flops", peak.flops);
  record.SetMetric("peak_bandwidth", peak.bytes);
  if (!row.timed || !verdict.passed()) return record;
  const device::TimeSplit& s = row.time.split;
  std::map<std::string, double> times = {{"total", row.time.us * 1e-6}};
  for (const auto& [name, us] : {std::pair<const char*, double>{"submit", s.submit},
                                 {"buffers", s.buffers},
                                 {"sync", s.sync},
                                 {"context", row.time.context_us()},
                                 {"firmware", s.firmware},
                                 {"array", s.array}}) {
    if (us > 0) times[name] = us * 1e-6;
  }
  record.SetTimes(times, {row.time.us * 1e-6});
  record.SetMetric("flops_per_s", op.flops(point.dims) / row.time.us * 1e6);
  record.SetMetric("percent_of_peak", 100 * op.flops(point.dims) / row.time.us * 1e6 / peak.flops);
  record.CheckFloor(op.flops(point.dims) / peak.flops / 1.05);
  return record;
}

}  // namespace xdna::bench
