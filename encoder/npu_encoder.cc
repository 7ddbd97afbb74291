#include "encoder/npu_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <optional>
#include <span>
#include <utility>

#include "base/bf16.h"
#include "base/error.h"
#include "device/array/instructions.h"
#include "device/container/container.h"
#include "device/session.h"
#include "encoder/npu_designs.h"
#include "encoder/npu_window.h"
#include "kernels/npu/kernels.h"

namespace xdna::encoder {
namespace {

constexpr double kMicro = 1e6;

std::size_t Size(std::int64_t value) { return static_cast<std::size_t>(value); }

}  // namespace

// What the host writes and reads of one window, and its runs.
struct NpuEncoder::Window {
  device::DeviceBuffer mel, output;
  std::vector<device::Run> runs = {};
  std::optional<device::RunList> list = {};
};

struct NpuEncoder::State {
  std::optional<device::Session> session;
  CompiledWindow window;
  std::string overlay;
  std::size_t program_bytes = 0;
  std::optional<device::DeviceBuffer> shared;
  std::deque<device::DeviceBuffer> instructions;
  std::vector<device::Run> single;  // an op each, of the first window
  std::deque<Window> windows;       // as many as are in flight at once

  const device::DeviceBuffer& MakeInstructions(const std::vector<device::Instruction>& stream) {
    return instructions.emplace_back(session->MakeInstructions(device::EncodeInstructions(stream)));
  }
  device::Run MakeRun(const device::DeviceBuffer& words, const Window& of) const {
    const device::DeviceBuffer* data[kBuffers] = {&*shared, &of.mel, &of.output};
    return session->MakeRun(words, data);
  }
};

NpuEncoder::NpuEncoder(const Model& model, const EncoderShape& shape,
                       const NpuEncoderOptions& options)
    : shape_(shape), options_(options), state_(std::make_unique<State>()) {
  kernels::RegisterNpuKernels();
  options_.attention.d = Size(shape.d / shape.heads);
  if (options.submission == Submission::kRun && options.in_flight > 1) {
    Throw(ErrorCode::kUnsupported, "{} windows in flight: each run is waited for; use a runlist",
          options.in_flight);
  }
  State& s = *state_;
  s.window = CompileWindow(model, shape_, options_);
  const device::Overlay overlay = WindowOverlay(shape_, options_);
  s.overlay = overlay.name;
  s.program_bytes = overlay.programs.front().program_bytes;
  for (const device::Overlay& other : overlay.alternatives) {
    s.overlay += fmt::format(" | {}", other.name);
    s.program_bytes += other.programs.front().program_bytes;
  }
  s.session.emplace(device::Session::FromBytes("encoder", device::EncodeContainer(overlay)));
  s.shared.emplace(s.session->MakeData(kShared, s.window.shared_bytes));
  const std::span<std::byte> memory = s.shared->As<std::byte>();
  for (const WindowConstant& constant : std::exchange(s.window.constants, {})) {
    std::ranges::copy(constant.bytes,
                      memory.begin() + static_cast<std::ptrdiff_t>(constant.offset));
  }
  s.shared->ToDevice();
  for (std::size_t i = 0; i < std::max<std::size_t>(1, options.in_flight); ++i) {
    Window& window =
        s.windows.emplace_back(Window{s.session->MakeData(kMel, s.window.mel_bytes),
                                      s.session->MakeData(kOutput, s.window.output_bytes)});
    window.mel.ToDevice();  // rows of zeros around the spectrogram
  }
  MakeRuns();
}

void NpuEncoder::MakeRuns() {
  State& s = *state_;
  // The configuration that a window leaves is the one that the next begins with, and a new
  // context's, because the first and the last op are products.
  unsigned configuration = 0;
  std::vector<device::Instruction> whole;
  for (CompiledStep& step : s.window.steps) {
    if (std::exchange(configuration, step.configuration) != step.configuration) {
      step.instructions.insert(step.instructions.begin(), device::Configure{step.configuration});
    }
    const device::DeviceBuffer& words = s.MakeInstructions(step.instructions);
    s.single.push_back(s.MakeRun(words, s.windows.front()));
    if (options_.submission == Submission::kRunlist) {
      for (Window& window : s.windows) window.runs.push_back(s.MakeRun(words, window));
    }
    whole.insert(whole.end(), step.instructions.begin(), step.instructions.end());
  }
  if (options_.submission == Submission::kWindow) {
    const device::DeviceBuffer& words = s.MakeInstructions(whole);
    for (Window& window : s.windows) window.runs.push_back(s.MakeRun(words, window));
  }
  if (options_.submission != Submission::kRunlist) return;
  for (Window& window : s.windows) {
    window.list.emplace(*s.session);
    for (const device::Run& run : window.runs) window.list->Add(run);
  }
}

NpuEncoder::~NpuEncoder() = default;

void NpuEncoder::Upload(const TensorView& mel, Window& window) {
  if (mel.shape() != Shape{shape_.n_mels, shape_.frames}) {
    Throw(ErrorCode::kInvalidArgument, "{} takes a mel spectrogram of shape {}, not {}",
          shape_.name, ShapeString({shape_.n_mels, shape_.frames}), ShapeString(mel.shape()));
  }
  // Time-major, one frame of zeros before and after.
  const std::span<Bf16> to = window.mel.As<Bf16>();
  const float* from = mel.data<float>();
  for (std::int64_t t = 0; t < shape_.frames; ++t) {
    for (std::int64_t c = 0; c < shape_.n_mels; ++c) {
      to[Size((t + 1) * shape_.n_mels + c)] = Bf16::FromFloat(from[c * shape_.frames + t]);
    }
  }
  device::Idle(static_cast<double>(mel.size()) / options_.cpu.convert_values * kMicro);
  window.mel.ToDevice();
}

Tensor NpuEncoder::Download(device::DeviceBuffer& buffer, std::size_t offset, bool stream) const {
  Tensor result(DType::kF32, {shape_.positions, shape_.d});
  const std::size_t count = Size(result.size()), bytes = count * (stream ? 4 : 2);
  buffer.FromDevice(offset, bytes);
  buffer.CheckWritten(offset, bytes);
  if (stream) {
    std::copy_n(buffer.As<float>().begin() + static_cast<std::ptrdiff_t>(offset / 4), count,
                result.data<float>());
  } else {
    std::transform(buffer.As<Bf16>().begin() + static_cast<std::ptrdiff_t>(offset / 2),
                   buffer.As<Bf16>().begin() + static_cast<std::ptrdiff_t>(offset / 2 + count),
                   result.data<float>(), [](Bf16 value) { return value.ToFloat(); });
  }
  return result;
}

Tensor NpuEncoder::Finish(Window& window) {
  switch (options_.submission) {
    case Submission::kRun:
      break;
    case Submission::kRunlist:
      window.list->Wait();
      break;
    case Submission::kWindow:
      window.runs.front().Wait();
      break;
  }
  Tensor result = Download(window.output, 0, false);
  device::Idle(static_cast<double>(result.size()) / options_.cpu.convert_values * kMicro);
  return result;
}

void NpuEncoder::Begin(const TensorView& mel, Window& window) {
  Upload(mel, window);
  switch (options_.submission) {
    case Submission::kRun:
      for (device::Run& run : state_->single) run.Execute();
      break;
    case Submission::kRunlist:
      window.list->Start();
      break;
    case Submission::kWindow:
      window.runs.front().Start();
      break;
  }
}

Tensor NpuEncoder::Encode(const TensorView& mel) {
  const device::RunTimer timer;
  Window& window = state_->windows.front();
  Begin(mel, window);
  Tensor result = Finish(window);
  last_ms_ = timer.ElapsedUs() / 1e3;
  last_split_ = timer.Split().value_or(device::TimeSplit{});
  return result;
}

std::vector<Tensor> NpuEncoder::EncodeAll(const std::vector<TensorView>& mels) {
  const device::RunTimer timer;
  const std::size_t depth = state_->windows.size();
  std::vector<Tensor> results;
  for (std::size_t i = 0; i < mels.size() + depth; ++i) {
    Window& window = state_->windows[i % depth];
    if (i >= depth && results.size() < mels.size()) results.push_back(Finish(window));
    if (i < mels.size()) Begin(mels[i], window);
  }
  last_ms_ = timer.ElapsedUs() / 1e3;
  last_split_ = timer.Split().value_or(device::TimeSplit{});
  return results;
}

Tensor NpuEncoder::EncodeWithTaps(const TensorView& mel, const NpuTapFn& tap) {
  Window& window = state_->windows.front();
  Upload(mel, window);
  for (std::size_t i = 0; i < state_->window.steps.size(); ++i) {
    state_->single[i].Execute();
    const CompiledStep& step = state_->window.steps[i];
    if (step.tap.empty()) continue;
    device::DeviceBuffer& buffer = step.tap_at.buffer == kShared ? *state_->shared : window.output;
    tap(step.tap, Download(buffer, step.tap_at.offset, step.tap_stream));
  }
  return Download(window.output, 0, false);
}

std::vector<NpuStepTime> NpuEncoder::Profile() {
  std::vector<NpuStepTime> times;
  for (std::size_t i = 0; i < state_->window.steps.size(); ++i) {
    const device::RunTimer timer;
    state_->single[i].Execute();
    NpuStepTime time{state_->window.steps[i].step};
    if (const auto split = timer.Split()) time.array_us = split->array;
    if (const auto result = device::LastArrayResult()) {
      const double us = result->cycles > 0 ? time.array_us / result->cycles : 0;
      time.instruction_us = us * result->instruction_cycles;
      time.core_us = us * result->core_cycles_max;
      for (const device::LaneTotals& lane : result->lanes) {
        if (lane.name.starts_with("shim")) time.shim_us = std::max(time.shim_us, us * lane.busy);
      }
      time.bytes_read = static_cast<double>(result->bytes_read);
      time.bytes_written = static_cast<double>(result->bytes_written);
    }
    times.push_back(std::move(time));
  }
  return times;
}

std::size_t NpuEncoder::runs() const {
  return options_.submission == Submission::kWindow ? 1 : state_->window.steps.size();
}
std::size_t NpuEncoder::memory_bytes() const { return state_->shared->bytes(); }
std::string NpuEncoder::Describe() const {
  return fmt::format("{}: {} of {} B of program memory", state_->overlay, state_->program_bytes,
                     device::kTileProgramBytes);
}

NpuEncoderOptions DefaultNpuOptions(const EncoderShape& shape) {
  NpuEncoderOptions options;
  options.gemm = ProductTile(shape.d, 64, 64, 64);
  options.attention.keys = 64;
  options.submission = Submission::kWindow;
  options.cpu = FindCpuProfile("numpy");
  return options;
}

}  // namespace xdna::encoder
