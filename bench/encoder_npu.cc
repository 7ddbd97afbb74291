#include "bench/encoder_npu.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <utility>

#include "base/error.h"
#include "bench/encoder_proof.h"
#include "device/array/overlay.h"
#include "device/sim/timing.h"
#include "encoder/npu_options.h"

namespace xdna::bench {
namespace {

using encoder::Schedule;

constexpr std::int64_t kBatches = 2;  // that are timed one behind the other

device::DeviceOptions DeviceOf(const NpuRunOptions& options, bool functional) {
  device::DeviceOptions device;
  device.preset = options.preset;
  device.host = options.host;
  device.codegen = options.codegen;
  device.functional = functional;
  device.threads = options.threads;
  device.keep_trace = !functional && !options.trace.empty();
  return device;
}

// Either executor.
class Executor {
 public:
  Executor(const EncoderJob& job, const NpuResult& point, const NpuRunOptions& options, bool data) {
    const Schedule& s = point.schedule;
    if (s.WholeOnNpu()) {
      encoder::NpuEncoderOptions npu =
          encoder::NpuOptionsOf(s, job.shape, encoder::FindCpuProfile(options.cpu));
      npu.in_flight = static_cast<std::size_t>(point.batch);
      npu.weights = data;
      npu_ = std::make_unique<encoder::NpuEncoder>(job.chosen.model, job.shape, npu);
    } else {
      mixed_ = std::make_unique<encoder::MixedEncoder>(job.chosen.model, job.shape, s,
                                                       encoder::FindCpuProfile(options.cpu), data);
    }
  }

  Tensor Encode(const TensorView& mel) { return npu_ ? npu_->Encode(mel) : mixed_->Encode(mel); }
  void EncodeWithTaps(const TensorView& mel,
                      const std::function<void(const std::string&, const Tensor&)>& tap) {
    if (npu_) {
      npu_->EncodeWithTaps(mel, tap);
    } else {
      mixed_->EncodeWithTaps(mel, tap);
    }
  }
  std::vector<Tensor> EncodeAll(const std::vector<TensorView>& mels) {
    if (npu_) return npu_->EncodeAll(mels);
    std::vector<Tensor> results;
    for (const TensorView& mel : mels) results.push_back(mixed_->Encode(mel));
    return results;
  }
  double ms() const { return npu_ ? npu_->last_ms() : mixed_->last().total; }
  const device::TimeSplit& split() const {
    return npu_ ? npu_->last_split() : mixed_->last_split();
  }
  encoder::NpuEncoder* npu() { return npu_.get(); }
  encoder::MixedEncoder* mixed() { return mixed_.get(); }

 private:
  std::unique_ptr<encoder::NpuEncoder> npu_;
  std::unique_ptr<encoder::MixedEncoder> mixed_;
};

// --- the two passes ----------------------------------------------------------------------------

void Verify(const EncoderJob& job, const NpuRunOptions& options, NpuResult& result) {
  const auto begin = std::chrono::steady_clock::now();
  device::ConfigureDevice(DeviceOf(options, true));
  Executor executor(job, result, options, true);
  // As many as are in flight at once, each with its own buffers.
  const std::size_t windows = std::max(job.checked.size(), static_cast<std::size_t>(result.batch));
  std::vector<TensorView> mels;
  for (std::size_t i = 0; i < windows; ++i) {
    mels.push_back(job.Window(job.checked[i % job.checked.size()]));
  }
  const std::vector<Tensor> found = executor.EncodeAll(mels);
  for (std::size_t i = 0; i < windows; ++i) {
    const golden::Verdict verdict = golden::Compare(
        found[i], job.references[i % job.references.size()].output, result.tolerance);
    const bool worse = i == 0 || !verdict.passed() || verdict.used > result.verdict.used;
    if (worse) result.verdict = verdict;
    if (!verdict.passed()) break;
  }
  result.taps.push_back(StatisticsOf("ln_post", found.front()));
  for (const device::Violation& violation : device::Violations()) {
    result.verdict.status = golden::Status::kMistrusted;
    result.verdict.reason = fmt::format("{}: {}", violation.rule, violation.message);
    break;
  }
  result.verdict_s =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void Time(const EncoderJob& job, const NpuRunOptions& options, NpuResult& result) {
  device::ConfigureDevice(DeviceOf(options, false));
  Executor executor(job, result, options, false);
  const TensorView mel = job.Window(0);
  double core_ms = 0, array_ms = 0;
  if (encoder::NpuEncoder* npu = executor.npu()) {
    result.steps = npu->Profile();
    result.design = npu->Describe();
    result.runs = static_cast<std::int64_t>(npu->runs());
    for (const encoder::NpuStepTime& step : result.steps) {
      core_ms += step.core_us / 1e3;
      array_ms += step.array_us / 1e3;
    }
  }
  // The first loads overlays and makes buffers; the second is what every further window takes.
  executor.Encode(mel);
  if (encoder::MixedEncoder* mixed = executor.mixed()) {
    result.mixed = mixed->last();
    result.runs = result.mixed.runs;
    core_ms = result.mixed.core;
    array_ms = result.mixed.array;
  }
  executor.Encode(mel);
  if (executor.mixed() != nullptr && result.schedule.keep != device::Keep::kRunlists) {
    result.mixed = executor.mixed()->last();
  }
  const device::TimeSplit split = executor.split();
  NpuTime& t = result.time;
  t.total = executor.ms();
  const double array = split.array / 1e3;
  t.compute = array_ms > 0 ? std::min(array, array * core_ms / array_ms) : 0;
  t.dma = array - t.compute;
  t.dispatch = (split.submit + split.firmware + split.buffers + split.sync) / 1e3;
  t.change = (split.context_create + split.load + split.context_switch) / 1e3;
  t.cpu = split.idle / 1e3;
  t.throughput = t.total;
  if (result.batch > 1) {
    const std::vector<TensorView> mels(static_cast<std::size_t>(kBatches * result.batch), mel);
    const device::RunTimer timer;
    executor.EncodeAll(mels);
    t.throughput = timer.ElapsedUs() / 1e3 / static_cast<double>(mels.size());
  }
  if (!options.trace.empty()) device::WriteTrace(options.trace);
}

}  // namespace

TapStatistics StatisticsOf(const std::string& name, const TensorView& values) {
  TapStatistics s{
      name, 0, 0, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
      true};
  const float* v = values.data<float>();
  double sum = 0, squares = 0;
  for (std::int64_t i = 0; i < values.size(); ++i) {
    const double x = v[i];
    s.finite = s.finite && std::isfinite(x);
    sum += x;
    squares += x * x;
    s.least = std::min(s.least, x);
    s.most = std::max(s.most, x);
  }
  const auto n = static_cast<double>(values.size());
  s.mean = sum / n;
  s.deviation = std::sqrt(std::max(0.0, squares / n - s.mean * s.mean));
  return s;
}

double NpuResult::Rtf(const EncoderJob& job) const {
  return 1e3 * job.audio.seconds / (time.total * static_cast<double>(job.windows()));
}

double NpuResult::RtfInFlight(const EncoderJob& job) const {
  return 1e3 * job.audio.seconds / (time.throughput * static_cast<double>(job.windows()));
}

double PeakFlops(const std::string& preset, const std::string& precision) {
  constexpr double kBf16PerCycle = 2 * 128;
  const double cores = device::kCoreRows * device::kColumns;
  return cores * kBf16PerCycle * (precision == "int8" ? 2 : 1) *
         device::FindPreset(preset).array.clock_hz;
}

double NpuResult::PercentOfPeak(const EncoderJob& job, const NpuRunOptions& options) const {
  const double flops = encoder::EncoderFlops(encoder::EncoderGraph(job.shape));
  return 100 * flops / (1e-3 * time.total) / PeakFlops(options.preset, schedule.precision);
}

std::string NpuResult::Bound() const {
  const std::pair<double, const char*> parts[] = {{time.compute, "compute"},
                                                  {time.dma, "DMA"},
                                                  {time.dispatch, "dispatch"},
                                                  {time.change, "switches"},
                                                  {time.cpu, "CPU"}};
  const auto* most = std::max_element(std::begin(parts), std::end(parts));
  return fmt::format("{} {:.0f} %", most->second, 100 * most->first / time.total);
}

golden::Tolerance NpuTolerance(const std::string& precision) {
  const bool int8 = precision == "int8";
  golden::Tolerance t =
      encoder::OutputTolerance(int8 ? ops::Precision::kInt8 : ops::Precision::kBf16);
  if (int8) return t;
  t.rel_l2 = 2.5e-2;
  t.cosine = 0.9995;
  t.provenance =
      "2.5e-2: bf16 between all ops, rounded to nearest even; what a float64 encoder "
      "with those roundings loses is 0.9e-2 on real speech";
  return t;
}

void CheckNpuOptions(const NpuRunOptions& options) {
  device::FindPreset(options.preset);
  device::FindHostProfile(options.host);
  encoder::FindCpuProfile(options.cpu);
  if (options.codegen != "chess" && options.codegen != "peano") {
    Throw(ErrorCode::kInvalidArgument, "--codegen={}: there are chess and peano", options.codegen);
  }
}

void RunWithTaps(const EncoderJob& job, const EncoderPoint& point, const NpuRunOptions& options,
                 const std::function<void(const std::string& name, const Tensor& result)>& tap) {
  if (!point.refused.empty()) Throw(ErrorCode::kUnsupported, "{}", point.refused);
  device::ConfigureDevice(DeviceOf(options, true));
  NpuResult plain;
  plain.schedule = point.schedule;
  Executor(job, plain, options, true).EncodeWithTaps(job.Window(0), tap);
}

NpuResult RunSchedule(const EncoderJob& job, const Schedule& schedule,
                      const NpuRunOptions& options) {
  EncoderPoint point;
  point.schedule = schedule;
  return RunPoint(job, point, options);
}

NpuResult RunPoint(const EncoderJob& job, const EncoderPoint& point, const NpuRunOptions& options) {
  return RunPoint(job, job, point, options);
}

NpuResult RunPoint(const EncoderJob& job, const EncoderJob& proof, const EncoderPoint& point,
                   const NpuRunOptions& options) {
  NpuResult result;
  result.schedule = point.schedule;
  result.variant = point.variant;
  result.batch = point.batch;
  result.reuse = point.reuse;
  result.tolerance = NpuTolerance(point.schedule.precision);
  if (!point.refused.empty()) {
    result.verdict = golden::Verdict::Unsupported(point.refused);
    return result;
  }
  const std::filesystem::path kept =
      options.proofs.empty() ? ""
                             : std::filesystem::path(options.proofs) /
                                   (ProofKey(proof, point.schedule, point.batch) + ".json");
  try {
    if (options.fast_verdicts && !kept.empty()) {
      if (const auto verdict = ReadProof(kept)) {
        result.verdict = *verdict;
        result.kept_proof = true;
      }
    }
    if (!result.kept_proof) {
      Verify(proof, options, result);
      if (result.verdict.passed() && !kept.empty()) WriteProof(kept, result.verdict);
    }
    if (result.verdict.passed()) Time(job, options, result);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    result.verdict = golden::Verdict::Unsupported(error.message());
  }
  return result;
}

}  // namespace xdna::bench
