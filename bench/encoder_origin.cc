#include "bench/encoder_origin.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <utility>

#include "base/random.h"
#include "bench/encoder_lines.h"
#include "bench/encoder_npu_report.h"
#include "bench/encoder_report.h"
#include "bench/progress.h"
#include "device/array/overlay.h"
#include "device/array/pattern.h"
#include "device/sim/timing.h"
#include "encoder/graph.h"
#include "encoder/weights/geometry.h"
#include "golden/compare.h"
#include "kernels/cost/cost.h"

namespace xdna::bench {
namespace {

// What the report says, in its words' order; milliseconds.
constexpr double kTotal = 41025, kNorms = 31809, kFinalNorm = 2644, kNormKernel = 0.453;
constexpr double kGuessedFrame = 1.7, kGuessedNorms = 61221;
constexpr double kTarget = 220, kTargetMs = 23, kWindowMs = 1e3 * kWindowSeconds / kTarget;
constexpr double kNormSpeedUp = 100, kPhase1 = 0.94, kStart = 0.12;
constexpr double kSpeedUpListed = 1783;
constexpr int kRowsNamed = 6;

constexpr const char* kStartSchedule = "phase0-naive";
constexpr const char* kBatchedSchedule = "phase1-batched";
constexpr const char* kResidentSchedule = "phase6-resident";

struct Answers {
  const EncoderJob& job;
  const NpuRunOptions& options;
  NpuResult start, batched, resident;

  double norms() const { return 2.0 * static_cast<double>(job.shape.layers * job.shape.positions); }
  double flops() const { return encoder::EncoderFlops(encoder::EncoderGraph(job.shape)); }
};

// A modelled number, or why there is none.
std::string Found(const NpuResult& result, double value, const char* unit, int digits) {
  if (!result.timed()) return golden::Describe(result.verdict);
  return fmt::format("{:.{}f}{}", value, digits, unit);
}

void Frames(const Answers& a, Lines& line) {
  line("1. \"1.7 ms a frame, {:.0f} ms of normalisations\" beside {:.0f} ms measured",
       kGuessedNorms, kNorms);
  line("   {:.0f} dispatches at {} ms are {:.0f} ms; the measured total is {:.3f} ms each.",
       a.norms(), kGuessedFrame, a.norms() * kGuessedFrame, kNorms / a.norms());
  line("   found, with the host's costs fitted to that: {} a dispatch, {} in all.",
       Found(a.start, a.start.mixed.norm / a.norms(), " ms", 3),
       Found(a.start, a.start.mixed.norm, " ms", 0));
}

void PeakLimit(const Answers& a, Lines& line) {
  line("2. 220x of 5 s is {:.0f} ms, yet the 5 s are padded to a window of 30 s", kTargetMs);
  line("   {:.1f} GFLOP in {:.0f} ms are {:.1f} TFLOP/s.", a.flops() * 1e-9, kTargetMs,
       a.flops() / kTargetMs * 1e-9);
  for (const char* preset : {"phx-1.0", "hpt-1.6"}) {
    const double peak = PeakFlops(preset, "bf16");
    line(
        "   {}: bf16 peak {:.1f} TFLOP/s: no less than {:.1f} ms, no more than {:.0f}x for {:.0f} "
        "s.",
        preset, peak * 1e-12, 1e3 * a.flops() / peak, a.job.audio.seconds / (a.flops() / peak),
        a.job.audio.seconds);
  }
  line("   220x of a window full of speech is {:.1f} ms: that is the target here.", kWindowMs);
  line("   found: {} takes {} for any window of this geometry: {} for {:.0f} s, {} for 30 s.",
       kResidentSchedule, Found(a.resident, a.resident.time.total, " ms", 1),
       Found(a.resident, a.resident.Rtf(a.job), "x", 0), a.job.audio.seconds,
       Found(a.resident, 1e3 * kWindowSeconds / a.resident.time.total, "x", 0));
}

void Phase1(const Answers& a, Lines& line) {
  const double norms = kNorms + kFinalNorm, rest = kTotal - norms;
  const double left = rest + norms / kNormSpeedUp;
  line("3. Phase 1, normalisations {:.0f} times as fast, to {}x", kNormSpeedUp, kPhase1);
  line("   {:.2f} s of them become {:.2f} s, {:.2f} s stay: {:.2f} s, {:.2f}x.", norms / 1e3,
       norms / kNormSpeedUp / 1e3, rest / 1e3, left / 1e3, 5e3 / left);
  line("   found: normalisations {} times as fast, {} in all.",
       a.start.timed() ? Found(a.batched, a.start.mixed.norm / a.batched.mixed.norm, "", 0) : "-",
       Found(a.batched, a.batched.Rtf(a.job), "x", 2));
}

double EncoderWeights(const encoder::Geometry& geometry) {
  double count = 0;
  for (const encoder::TensorSpec& tensor : encoder::ExpectedTensors(geometry)) {
    if (!tensor.name.starts_with("encoder.")) continue;
    double size = 1;
    for (const std::int64_t dim : tensor.shape) size *= static_cast<double>(dim);
    count += size;
  }
  return count;
}

void Claims(const Answers& a, Lines& line) {
  line("4. Speed-ups, cores and memory");
  line("   {:.0f}x over {}x is {:.0f} times; {:.0f} is listed.", kTarget, kStart, kTarget / kStart,
       kSpeedUpListed);
  line("   \"4x{} array\": of {} rows {} have cores, {} usable in all.", kRowsNamed, kRowsNamed,
       device::kCoreRows, device::kColumns * device::kCoreRows);
  const double weights = EncoderWeights(a.job.chosen.model.geometry());
  const double memory =
      static_cast<double>(device::kColumns) *
      static_cast<double>(device::kMemTileBytes + device::kCoreRows * device::kTileDataBytes);
  line(
      "   \"zero DRAM access\": {:.1f} M weights, {:.1f} MB even in int8, and {:.1f} MB on the "
      "chip.",
      weights * 1e-6, weights * 1e-6, memory * 1e-6);
  double bytes = 0;
  for (const encoder::NpuStepTime& step : a.resident.steps) {
    bytes += step.bytes_read + step.bytes_written;
  }
  line("   found: {} moves {} through host memory for a window.", kResidentSchedule,
       Found(a.resident, bytes * 1e-6, " MB", 0));
}

void RowKernel(const Answers& a, Lines& line) {
  const encoder::Schedule& s = a.start.schedule;
  const double cycles =
      kernels::CoreCycles(s.norm, {1, a.job.shape.d}, kernels::CodeGenerator::kChess);
  const double us = 1e6 * cycles / device::FindPreset(a.options.preset).array.clock_hz;
  line("5. {} ms are no kernel time for a row of {} values", kNormKernel, a.job.shape.d);
  line("   {} takes {:.0f} cycles for one, {:.2f} us; the rest is dispatch and transfer.", s.norm,
       cycles, us);
  line("   found: {} from submission to end, of which the kernel is {}.",
       Found(a.start, a.start.mixed.dispatch_kernel, " ms", 3),
       Found(a.start, 0.1 * us / a.start.mixed.dispatch_kernel, " %", 2));
}

// Noise, normalised as LayerNorm does without gamma and beta.
Tensor NormalisedNoise(std::int64_t rows, std::int64_t d) {
  Tensor y(DType::kF32, {rows, d});
  FillSeededNormal(1, 0, 1, 0, {y.data<float>(), static_cast<std::size_t>(y.size())});
  for (std::int64_t i = 0; i < rows; ++i) {
    float* row = y.data<float>() + i * d;
    double sum = 0, squares = 0;
    for (std::int64_t j = 0; j < d; ++j) {
      sum += row[j];
      squares += static_cast<double>(row[j]) * row[j];
    }
    const double n = static_cast<double>(d), mean = sum / n;
    const double scale = 1 / std::sqrt(squares / n - mean * mean);
    for (std::int64_t j = 0; j < d; ++j) row[j] = static_cast<float>((row[j] - mean) * scale);
  }
  return y;
}

void OutputCheck(const Answers& a, Lines& line) {
  const Tensor noise = NormalisedNoise(a.job.shape.positions, a.job.shape.d);
  const TapStatistics s = StatisticsOf("noise", noise);
  const golden::Verdict verdict =
      golden::Compare(noise, a.job.references.front().output, NpuTolerance("bf16"));
  line("6. \"mean about 0, std about 1\" as the check of the output");
  line("   normalised noise: mean {:.3f}, std {:.3f}; the verdict here: {}, rel-L2 {:.2f}.",
       std::abs(s.mean), s.deviation, golden::StatusName(verdict.status), verdict.rel_l2);
  line("   found: {}, rel-L2 {:.1e} of at most {:g}.", kStartSchedule, a.start.verdict.rel_l2,
       a.start.tolerance.rel_l2);
}

}  // namespace

NpuRunOptions OriginOptions(NpuRunOptions options) {
  options.preset = "hpt-1.6";
  options.host = "pyxrt";
  options.codegen = "chess";
  options.cpu = "numpy";
  options.trace.clear();
  return options;
}

bool PrintOrigin(const EncoderJob& job, const NpuRunOptions& options) {
  Answers answers{job, options, {}, {}, {}};
  {
    Progress progress(3);
    for (const auto& [name, result] :
         {std::pair{kStartSchedule, &answers.start}, std::pair{kBatchedSchedule, &answers.batched},
          std::pair{kResidentSchedule, &answers.resident}}) {
      progress.Next(name);
      *result = RunSchedule(job, encoder::FindSchedule(name), options);
    }
  }
  fmt::print("{}", ModelLines(job, options, job.shape.name));
  Lines line(job);
  for (const auto& answer : {Frames, PeakLimit, Phase1, Claims, RowKernel, OutputCheck}) {
    line("{}", "");
    answer(answers, line);
  }
  fmt::print("{}", line.Take());
  return answers.start.timed() && answers.batched.timed() && answers.resident.timed();
}

}  // namespace xdna::bench
