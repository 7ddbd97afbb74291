#include "bench/encoder_record.h"

#include <fmt/format.h>

#include <map>
#include <string>

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
  // The floor with the margin of the peak's own measurement: see RunRecord::CheckFloor.
  record.CheckFloor(result.floor_s / 1.05);
  return record;
}

}  // namespace xdna::bench
