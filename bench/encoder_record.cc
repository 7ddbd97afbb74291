#include "bench/encoder_record.h"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>

#include "base/sha256.h"
#include "bench/time_model.h"

namespace xdna::bench {

RunRecord EncoderRecord(const EncoderJob& job, const EncoderResult& result, const MachinePeak& peak,
                        const Environment& environment) {
  SeriesKey key;
  key.op = "encoder";
  key.shape = job.chosen.synthetic ? "synthetic-" + job.shape.name : job.shape.name;
  key.dtype = ops::PrecisionName(result.variant.precision);
  key.device = "cpu";
  key.preset = fmt::format("threads={}", environment.threads);
  key.schedule = ops::BackendName(result.variant.backend);
  key.batch = std::to_string(job.batch);
  RunRecord record(key, Provenance::kMeasured, RecordedVerdict(result.verdict, result.tolerance));
  record.environment = environment;
  record.hashes = {{"model", job.chosen.model.sha256()}, {"audio", job.audio.sha256}};
  record.SetMetric("audio_s", job.audio.seconds);
  record.SetMetric("peak_flops", peak.Of(result.variant.precision).flops);
  if (!result.verdict.passed()) return record;

  std::map<std::string, double> times = {{"total", result.median_s()}, {"first", result.first_s}};
  for (const StageTime& stage : result.stages) times[stage.stage] = stage.seconds;
  record.SetTimes(times, result.samples_s);
  record.set_scope("encoder");
  record.SetMetric("flops", result.flops);
  record.SetMetric("rtf",
                   job.audio.seconds / (result.median_s() * static_cast<double>(job.windows())));
  record.SetMetric("percent_of_peak", 100 * result.floor_s / result.median_s());
  for (const StageTime& stage : result.stages) {
    if (stage.exps == 0) continue;
    record.SetMetric("peak_exps", stage.exps / stage.exp_s);
    record.SetMetric("exps", stage.exps);
    record.SetMetric(stage.stage + ".limit_s", stage.limit_s());
    record.SetMetric(stage.stage + ".percent_of_limit", 100 * stage.limit_s() / stage.seconds);
  }
  // The floor with the margin of the peak's own measurement: see RunRecord::CheckFloor.
  record.CheckFloor(result.floor_s / 1.05);
  return record;
}

RunRecord NpuEncoderRecord(const EncoderJob& job, const NpuResult& result,
                           const NpuRunOptions& options, const Environment& environment) {
  SeriesKey key;
  key.op = "encoder";
  key.shape = job.chosen.synthetic ? "synthetic-" + job.shape.name : job.shape.name;
  key.dtype = result.schedule.precision;
  key.device = "npu";
  key.preset = options.preset;
  key.schedule = result.schedule.name;
  key.tile = fmt::format("{}x{}x{}", result.schedule.tile_m, result.schedule.tile_k,
                         result.schedule.tile_n);
  key.batch = std::to_string(result.batch);
  if (!result.variant.empty()) key.schedule += "," + result.variant;
  if (result.reuse) key.reuse = encoder::KeepName(result.schedule.keep);
  RunRecord record(key, Provenance::kModelled, RecordedVerdict(result.verdict, result.tolerance));
  record.environment = environment;
  const std::string schedule = encoder::ScheduleJson(result.schedule);
  record.hashes = {{"model", job.chosen.model.sha256()}, {"audio", job.audio.sha256}};
  record.SetMetric("audio_s", job.audio.seconds);
  TimeModel model =
      TimeModelOf({.preset = options.preset, .host = options.host, .codegen = options.codegen});
  model.schedule = {{"schedule", Sha256(schedule.data(), schedule.size())},
                    {"cpu_profile", options.cpu}};
  record.model = model;
  if (!result.timed()) return record;
  const NpuTime& t = result.time;
  std::map<std::string, double> times = {{"total", t.total / 1e3}};
  const std::pair<const char*, double> parts[] = {{"compute", t.compute},
                                                  {"dma", t.dma},
                                                  {"dispatch", t.dispatch},
                                                  {"switch", t.change},
                                                  {"cpu", t.cpu}};
  for (const auto& [name, ms] : parts) {
    if (ms > 0) times[name] = ms / 1e3;
  }
  record.SetTimes(times, {t.total / 1e3});
  record.set_scope("encoder");
  record.SetMetric("flops", encoder::EncoderFlops(encoder::EncoderGraph(job.shape)));
  record.SetMetric("rtf", result.Rtf(job));
  record.SetMetric("peak_flops", PeakFlops(options.preset, result.schedule.precision));
  record.SetMetric("percent_of_peak", result.PercentOfPeak(job, options));
  record.SetMetric("ms_per_window_in_flight", t.throughput);
  record.SetMetric("rtf_in_flight", result.RtfInFlight(job));
  return record;
}

}  // namespace xdna::bench
