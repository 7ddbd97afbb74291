#include "tools/transcribe/device.h"

#include <chrono>
#include <cmath>
#include <memory>

#include "base/error.h"
#include "encoder/graph.h"
#include "encoder/verify.h"

namespace xdna::transcribe {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

DeviceEncoder::DeviceEncoder(const encoder::Model& model, const Options& options, ThreadPool& pool)
    : precision_(ChosenPrecision(options)) {
  if (ops::DeviceFromName(options.device) == ops::Device::kNpu) {
    Throw(ErrorCode::kUnsupported, "--device=npu: this build transcribes on the CPU only");
  }
  if (!options.schedule.empty() || !options.preset.empty()) {
    Throw(ErrorCode::kInvalidArgument, "--schedule and --preset are the NPU's; the device is cpu");
  }
  const encoder::EncoderShape shape = encoder::WhisperShape(model.geometry());
  const auto make = [&](ops::Precision precision, ops::Backend backend) {
    return std::make_unique<encoder::CpuEncoder>(
        model, shape, encoder::CpuEncoder::Options{{precision, backend}, false},
        ops::CpuContext{&pool, nullptr});
  };
  cpu_ = make(precision_, ops::Backend::kFast);
  if (!options.verify) return;
  reference_ = make(ops::Precision::kF32, precision_ == ops::Precision::kF32 ? ops::Backend::kEigen
                                                                             : ops::Backend::kFast);
  want_ = Tensor(DType::kF32, {shape.positions, shape.d});
}

decoder::EncodeWindow DeviceEncoder::function() {
  return [this](const TensorView& mel, const TensorView& out) { return Encode(mel, out); };
}

decoder::EncodeTime DeviceEncoder::Encode(const TensorView& mel, const TensorView& out) {
  const auto begin = Clock::now();
  cpu_->Run(mel, out);
  decoder::EncodeTime time;
  time.measured = SecondsSince(begin);
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
