#include "bench/encoder_sizes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "base/error.h"
#include "bench/encoder_lines.h"
#include "bench/encoder_npu_report.h"
#include "bench/encoder_record.h"
#include "bench/progress.h"
#include "encoder/audio/log_mel.h"
#include "encoder/reference_encoder.h"
#include "encoder/weights/model.h"

namespace xdna::bench {
namespace {

constexpr std::string_view kPrefix = "synthetic-";
constexpr std::uint64_t kSeed = 1;  // as encoder::ChooseModel()'s

encoder::Geometry GeometryOf(const std::string& option) {
  if (!option.starts_with(kPrefix)) {
    Throw(ErrorCode::kInvalidArgument,
          "--geometry: \"{}\" among several; a list takes synthetic-NAME only, with NAME of: {}",
          option, fmt::join(encoder::KnownGeometryNames(), " "));
  }
  return encoder::KnownGeometry(option.substr(kPrefix.size()));
}

EncoderJob JobOf(encoder::Model model, encoder::EncoderShape shape, const encoder::Audio& audio,
                 Tensor mel) {
  EncoderJob job{
      {std::move(model), true, "one of several sizes"}, std::move(shape), audio, {}, 0, 1, {0}, {}};
  job.mel = std::move(mel);
  return job;
}

std::string Header() {
  return fmt::format(
      "{:28}{:17}{:>5} {:>5} | {:>8} {:<14}{:>9} | {:>10} {:>8} | {:>10} {:>8} | "
      "{:>8} {:<14}",
      "geometry", "schedule", "cols", "batch", "GFLOP", "verdict", "rel-L2", "one, ms", "RTF",
      "many, ms", "RTF", "of peak", "bound by");
}

std::string Row(const std::string& geometry, const EncoderJob& job, const EncoderPoint& point,
                const NpuResult& r, const NpuRunOptions& options) {
  const double flops = encoder::EncoderFlops(encoder::EncoderGraph(job.shape));
  const std::string begin =
      fmt::format("{:28}{:17}{:>5} {:>5} | {:8.1f}", geometry, point.schedule.name,
                  point.schedule.columns, point.batch, flops * 1e-9);
  if (!r.timed()) return fmt::format("{} {}", begin, golden::Describe(r.verdict));
  return fmt::format(
      "{} {:<14}{:9.1e} | {:10.2f} {:>8} | {:10.2f} {:>8} | {:>8} {:<14}", begin,
      fmt::format("passed {:.0f} %{}", r.verdict.headroom_percent(), r.kept_proof ? " k" : ""),
      r.verdict.rel_l2, r.time.total, TimesRealTime(r.Rtf(job)), r.time.throughput,
      TimesRealTime(r.RtfInFlight(job)), fmt::format("{:.1f} %", r.PercentOfPeak(job, options)),
      r.Bound());
}

}  // namespace

EncoderJob SizeJob(const std::string& geometry, const encoder::Audio& audio) {
  encoder::Model model = encoder::SyntheticModel(GeometryOf(geometry), kSeed);
  encoder::EncoderShape shape = encoder::WhisperShape(model.geometry());
  // Times do not depend on what is in it.
  const auto windows = static_cast<std::int64_t>(
      (audio.samples.size() + encoder::kWindowSamples - 1) / encoder::kWindowSamples);
  Tensor mel(DType::kF32, {std::max<std::int64_t>(1, windows), shape.n_mels, shape.frames});
  std::fill_n(mel.data<float>(), mel.size(), 0.0F);
  return JobOf(std::move(model), std::move(shape), audio, std::move(mel));
}

EncoderJob SizeProof(const std::string& geometry, const encoder::Audio& audio) {
  encoder::Geometry shorter = GeometryOf(geometry);
  shorter.n_audio_ctx = kProofPositions;
  shorter.n_layers = std::min(shorter.n_layers, kProofLayers);
  shorter.name = encoder::GeometryName(shorter);
  encoder::Model model = encoder::SyntheticModel(shorter, kSeed);
  encoder::EncoderShape shape = encoder::WhisperShape(model.geometry());
  const encoder::LogMel log_mel(static_cast<int>(shape.n_mels));
  const Tensor whole = log_mel.Windows(audio, encoder::kWhisperFrames, nullptr);
  Tensor mel(DType::kF32, {1, shape.n_mels, shape.frames});
  for (std::int64_t c = 0; c < shape.n_mels; ++c) {
    std::copy_n(whole.data<float>() + c * encoder::kWhisperFrames, shape.frames,
                mel.data<float>() + c * shape.frames);
  }
  EncoderJob job = JobOf(std::move(model), std::move(shape), audio, std::move(mel));
  TensorMap results = encoder::RunReference(job.chosen.model, job.shape, job.Window(0));
  job.references.push_back({std::move(results.at("ln_post")), "float64, computed here"});
  return job;
}

bool RunSizes(const std::vector<std::string>& geometries, const encoder::Audio& audio,
              const std::vector<encoder::Schedule>& schedules, const EncoderSweep& sweep,
              const NpuRunOptions& options, const SweepRun& run, const Environment& environment) {
  Lines line(true);
  bool right = true;
  bool first = true;
  for (const std::string& geometry : geometries) {
    const EncoderJob job = SizeJob(geometry, audio), proof = SizeProof(geometry, audio);
    if (std::exchange(first, false)) {
      fmt::print("{}", ModelLines(proof, options, "several sizes"));
      line("{}", "");
      line("{}", Header());
    }
    const std::vector<EncoderPoint> points = EncoderPoints(geometry, schedules, sweep);
    Progress progress(points.size());
    for (const EncoderPoint& point : points) {
      progress.Next(point.name);
      const NpuResult r = RunPoint(job, proof, point, options);
      right = right && (r.timed() || r.verdict.status == golden::Status::kUnsupported);
      if (!run.json.empty()) {
        AppendRecord(run.json, NpuEncoderRecord(job, r, options, environment));
      }
      line("{}", Row(geometry, job, point, r, options));
      fmt::print("{}", line.Take());
      std::fflush(stdout);
    }
  }
  line(
      "verdicts: of {} positions and {} layers of the same widths, seeded weights and real speech, "
      "against float64;",
      kProofPositions, kProofLayers);
  line(
      "times: of the whole encoder. GFLOP: of a window. one, many: as in a sweep (--columns, "
      "--batch).");
  fmt::print("{}", line.Take());
  return right;
}

}  // namespace xdna::bench
