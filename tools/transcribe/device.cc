#include "tools/transcribe/device.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

#include "base/error.h"
#include "device/measure.h"
#include "encoder/cpu_profile.h"
#include "encoder/graph.h"
#include "encoder/npu_options.h"
#include "encoder/schedule.h"
#include "encoder/verify.h"

namespace xdna::transcribe {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kDefaultSchedule[] = "phase6-resident";

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

DeviceEncoder::DeviceEncoder(const encoder::Model& model, const Options& options, ThreadPool& pool)
    : precision_(ChosenPrecision(options)) {
  const bool on_npu = ops::DeviceFromName(options.device) == ops::Device::kNpu;
  if (!on_npu && (!options.schedule.empty() || !options.preset.empty())) {
    Throw(ErrorCode::kInvalidArgument, "--schedule and --preset are the NPU's; the device is cpu");
  }
  const encoder::EncoderShape shape = encoder::WhisperShape(model.geometry());
  const auto make = [&](ops::Precision precision, ops::Backend backend) {
    return std::make_unique<encoder::CpuEncoder>(
        model, shape, encoder::CpuEncoder::Options{{precision, backend}, false},
        ops::CpuContext{&pool, nullptr});
  };
  if (on_npu) {
    OpenNpu(model, shape, options);
  } else {
    cpu_ = make(precision_, ops::Backend::kFast);
  }
  if (!options.verify) return;
  reference_ = make(ops::Precision::kF32, precision_ == ops::Precision::kF32 ? ops::Backend::kEigen
                                                                             : ops::Backend::kFast);
  want_ = Tensor(DType::kF32, {shape.positions, shape.d});
}

void DeviceEncoder::OpenNpu(const encoder::Model& model, const encoder::EncoderShape& shape,
                            const Options& options) {
  const encoder::Schedule schedule =
      encoder::FindSchedule(options.schedule.empty() ? kDefaultSchedule : options.schedule);
  if (!schedule.WholeOnNpu()) {
    Throw(ErrorCode::kUnsupported,
          "--schedule={}: parts of it run on the CPU; transcription takes schedules that are whole "
          "on the NPU, as {}",
          schedule.name, kDefaultSchedule);
  }
  if (precision_ != ops::Precision::kBf16) {
    Throw(ErrorCode::kUnsupported, "--precision={}: schedule {} computes in bf16",
          ops::PrecisionName(precision_), schedule.name);
  }
  device::DeviceOptions device;
  if (!options.preset.empty()) device.preset = options.preset;
  device.threads = options.threads;
  device::ConfigureDevice(device);
  npu_ = std::make_unique<encoder::NpuEncoder>(
      model, shape, encoder::NpuOptionsOf(schedule, shape, encoder::FindCpuProfile("numpy")));
}

decoder::EncodeWindow DeviceEncoder::function() {
  return [this](const TensorView& mel, const TensorView& out) { return Encode(mel, out); };
}

decoder::EncodeTime DeviceEncoder::Encode(const TensorView& mel, const TensorView& out) {
  decoder::EncodeTime time;
  if (npu_) {
    const Tensor encoded = npu_->Encode(mel);
    std::copy_n(encoded.data<float>(), encoded.size(), out.data<float>());
    const double seconds = npu_->last_ms() / 1e3;
    (device::IsSimulated() ? time.modelled.emplace() : time.measured) = seconds;
  } else {
    const auto begin = Clock::now();
    cpu_->Run(mel, out);
    time.measured = SecondsSince(begin);
  }
  if (reference_) Verify(mel, out);
  return time;
}

void DeviceEncoder::Verify(const TensorView& mel, const TensorView& got) {
  const auto begin = Clock::now();
  reference_->Run(mel, want_);
  const golden::Verdict verdict = golden::Compare(got, want_, encoder::OutputTolerance(precision_));
  const golden::Verdict& worst = verdict_.worst;
  if (verdict_.windows == 0 ||
      (worst.passed() && !(verdict.passed() && verdict.used <= worst.used)))
    verdict_.worst = verdict;
  ++verdict_.windows;
  verdict_.seconds += SecondsSince(begin);
}

}  // namespace xdna::transcribe
