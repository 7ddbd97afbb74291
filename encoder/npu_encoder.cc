#include "encoder/npu_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include "base/bf16.h"
#include "base/error.h"
#include "device/array/instructions.h"
#include "device/container/container.h"
#include "device/session.h"
#include "encoder/npu_designs.h"
#include "kernels/npu/kernels.h"

namespace xdna::encoder {
namespace {

using device::Instruction;
using kernels::GemmProblem;

enum Configuration : unsigned { kGemm, kAttention, kNorm };

constexpr std::size_t kAlign = 4096;
constexpr double kMicro = 1e6;

std::size_t Size(std::int64_t value) { return static_cast<std::size_t>(value); }

ResidualNormConfig NormConfig(const NpuEncoderOptions& options, std::int64_t d) {
  return {options.norm_rows, Size(d), options.gemm.columns};
}

device::Overlay MakeOverlay(const NpuEncoderOptions& options, std::int64_t d) {
  device::Overlay overlay = ProductOverlay(options.gemm, options.table_gelu);
  overlay.alternatives = {kernels::AttentionOverlay(options.attention),
                          ResidualNormOverlay(NormConfig(options, d))};
  return overlay;
}

// A linear layer's weights on their way into a product: y = x W^T + b, W [n,k].
struct Weights {
  Tensor w, b;

  std::size_t n() const { return Size(w.dim(0)); }
  std::size_t k() const { return Size(w.dim(1)); }
};

Weights Scaled(Weights weights, double scale) {
  for (Tensor* t : {&weights.w, &weights.b}) {
    for (std::int64_t i = 0; i < t->size(); ++i) {
      t->data<float>()[i] = static_cast<float>(t->data<float>()[i] * scale);
    }
  }
  return weights;
}

// One above the other.
Weights Stacked(const std::array<Weights, 3>& parts) {
  std::int64_t n = 0;
  for (const Weights& part : parts) n += part.w.dim(0);
  Weights all{Tensor(DType::kF32, {n, parts.front().w.dim(1)}), Tensor(DType::kF32, {n})};
  float *w = all.w.data<float>(), *b = all.b.data<float>();
  for (const Weights& part : parts) {
    w = std::copy_n(part.w.data<float>(), part.w.size(), w);
    b = std::copy_n(part.b.data<float>(), part.b.size(), b);
  }
  return all;
}

Tensor Diagonal(const Tensor& gamma) {
  const std::int64_t d = gamma.dim(0);
  Tensor to(DType::kF32, {d, d});
  for (std::int64_t i = 0; i < d; ++i) to.data<float>()[i * d + i] = gamma.data<float>()[i];
  return to;
}

// Everything in one buffer object, so that one run's instruction stream reaches all of it.
class Arena {
 public:
  std::size_t Take(std::size_t bytes) {
    const std::size_t at = bytes_;
    bytes_ += (bytes + kAlign - 1) / kAlign * kAlign;
    return at;
  }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

struct Constant {
  std::size_t offset = 0;
  std::vector<std::byte> bytes;
};

struct CompiledStep {
  NpuStep step;
  unsigned configuration = kGemm;
  std::vector<Instruction> instructions;
  // What EncodeWithTaps() shows: the graph's node, where its result lies, and whether that is the
  // f32 stream.
  std::string tap = {};
  std::size_t tap_offset = 0;
  bool tap_stream = false;
};

// The steps of a window, their memory and their constants.
class Compiler {
 public:
  Compiler(const Model& model, const EncoderShape& shape, const NpuEncoderOptions& options)
      : model_(model),
        shape_(shape),
        options_(options),
        d_(Size(shape.d)),
        rows_(RowsPadded(Size(shape.positions))) {
    const std::size_t n = options.gemm.n * options.gemm.columns;
    if (d_ % n != 0) {
      Throw(ErrorCode::kUnsupported, "width {} is no multiple of {}: columns of {} on {} columns",
            d_, n, options.gemm.n, options.gemm.columns);
    }
  }

  void Compile() {
    normed_ = arena.Take(2 * rows_ * d_ + Slack());
    delta_ = arena.Take(2 * rows_ * d_);
    qkv_ = arena.Take(6 * rows_ * d_);
    attended_ = arena.Take(2 * rows_ * d_ + Slack());
    hidden_ = arena.Take(8 * rows_ * d_ + Slack());
    for (std::size_t& stream : stream_) stream = arena.Take(4 * rows_ * d_);
    output = arena.Take(2 * rows_ * d_);
    const std::size_t positions = Positions();
    Stem();
    Norm("embedded", -1, positions);
    for (layer_ = 0; layer_ < shape_.layers; ++layer_) Layer();
    layer_ = -1;
    const Weights last{Diagonal(Load("encoder.ln_post.weight")), Load("encoder.ln_post.bias")};
    Product({"ln_post", "norm", -1, 0, 0}, last, shape_.positions, normed_, d_, output, false);
    Tap("ln_post", output, false);
  }

  Arena arena;
  std::vector<Constant> constants;
  std::vector<CompiledStep> steps;
  std::size_t mel = 0, output = 0;
  std::size_t mel_bytes = 0;

 private:
  Tensor Load(const std::string& name) const { return LoadWeight(model_, shape_, name); }
  std::string Block(const std::string& rest) const {
    return fmt::format("encoder.blocks.{}.{}", layer_, rest);
  }

  // What reading whole panels of K behind the last row may reach.
  std::size_t Slack() const { return 2 * 8 * options_.gemm.k; }

  std::size_t RowsPadded(std::size_t rows) const {
    const std::size_t group = options_.gemm.m * device::kCoreRows;
    const std::size_t product = (rows + group - 1) / group * group;
    return std::max({product, kernels::PaddedPositions(options_.attention, rows),
                     PaddedRows(NormConfig(options_, shape_.d), rows)});
  }

  std::size_t Positions() {
    const Tensor positions =
        Load(shape_.stem == Stem::kConvolutions ? "encoder.positional_embedding"
                                                : "projection.positions");
    std::vector<std::byte> bytes(4 * rows_ * d_);
    std::memcpy(bytes.data(), positions.view().raw(), positions.bytes());
    return AddConstant(std::move(bytes));
  }

  std::size_t AddConstant(std::vector<std::byte> bytes) {
    const std::size_t offset = arena.Take(bytes.size());
    constants.push_back({offset, std::move(bytes)});
    return offset;
  }

  void Stem() {
    const std::int64_t mels = shape_.n_mels;
    if (shape_.stem == Stem::kProjection) {
      const Weights w{Load("projection.weight"), Load("projection.bias")};
      TakeMel(w, shape_.frames, mels);
      // Row 0 is the frame before the first, which only convolutions need.
      Product({"projection", "conv", -1, 0, 0}, w, shape_.frames, mel + 2 * Size(mels), Size(mels),
              delta_, false);
      return Tap("projection", delta_, false);
    }
    const Weights w{ByFrame(Load("encoder.conv1.weight")), Load("encoder.conv1.bias")};
    const Weights second{ByFrame(Load("encoder.conv2.weight")), Load("encoder.conv2.bias")};
    TakeMel(w, shape_.frames, mels);
    const GemmProblem p1{Size(shape_.frames), w.k(), w.n(), Size(mels)};
    const GemmProblem p2{Size(shape_.positions), second.k(), second.n(), 2 * d_};
    const std::size_t conv1 =
        arena.Take(std::max(2 * d_ * (kernels::Padded(options_.gemm, p1).m + 1),
                            kernels::GemmBufferBytes(options_.gemm, p2).a));
    Product({"conv1", "conv", -1, 0, 0}, w, shape_.frames, mel, Size(mels), conv1 + 2 * d_, true);
    Product({"conv2", "conv", -1, 0, 0}, second, shape_.positions, conv1, 2 * d_, delta_, true);
    Tap("conv2", delta_, false);
  }

  void TakeMel(const Weights& w, std::int64_t rows, std::int64_t stride) {
    const GemmProblem p{Size(rows), w.k(), w.n(), Size(stride)};
    mel_bytes = kernels::GemmBufferBytes(options_.gemm, p).a + 2 * Size(stride);
    mel = arena.Take(mel_bytes);
  }

  void Layer() {
    const std::string layer = fmt::format("layer{}.", layer_);
    const auto linear = [&](const char* name) {
      const std::string block = Block(name);
      const bool key = block.ends_with("attn.key");  // has no bias
      return Weights{Load(block + ".weight"),
                     key ? Tensor(DType::kF32, {shape_.d}) : Load(block + ".bias")};
    };
    const auto normed_by = [&](const char* norm, Weights w) {
      const std::string block = Block(norm);
      FoldNorm(Load(block + ".weight"), Load(block + ".bias"), w.w, w.b);
      return w;
    };
    Weights qkv = Stacked({Scaled(linear("attn.query"), QueryScale(true, shape_)),
                           linear("attn.key"), linear("attn.value")});
    Product({layer + "qkv", "qkv", layer_, 0, 0}, normed_by("attn_ln", std::move(qkv)),
            shape_.positions, normed_, d_, qkv_, false);
    Attention(layer);
    Product({layer + "out", "out", layer_, 0, 0}, linear("attn.out"), shape_.positions, attended_,
            d_, delta_, false);
    Tap(layer + "attn", delta_, false);
    Norm(layer + "mid", layer_, stream_[current_]);
    Product({layer + "fc1", "fc1", layer_, 0, 0}, normed_by("mlp_ln", linear("mlp.0")),
            shape_.positions, normed_, d_, hidden_, true);
    Product({layer + "fc2", "fc2", layer_, 0, 0}, linear("mlp.2"), shape_.positions, hidden_,
            4 * d_, delta_, false);
    Tap(layer + "mlp", delta_, false);
    Norm(layer + "out", layer_, stream_[current_]);
  }

  // Buffer arguments become places in the arena.
  void Add(NpuStep step, unsigned configuration, std::vector<Instruction> instructions,
           std::initializer_list<std::size_t> places) {
    for (Instruction& instruction : instructions) {
      auto* descriptor = std::get_if<device::WriteDescriptor>(&instruction);
      if (descriptor == nullptr) continue;
      descriptor->offset += std::data(places)[descriptor->argument];
      descriptor->argument = 0;
    }
    steps.push_back({std::move(step), configuration, std::move(instructions)});
  }

  void Tap(const std::string& name, std::size_t offset, bool stream) {
    steps.back().tap = name;
    steps.back().tap_offset = offset;
    steps.back().tap_stream = stream;
  }

  // Rows of A are `stride` elements apart.
  void Product(NpuStep step, const Weights& w, std::int64_t m, std::size_t a, std::size_t stride,
               std::size_t c, bool gelu) {
    const GemmProblem problem{Size(m), w.k(), w.n(), stride};
    const std::size_t weights = AddConstant(PackLinear(options_.gemm, problem, w.w, w.b));
    const double m_k_n = static_cast<double>(m) * static_cast<double>(w.k() * w.n());
    if (step.name != "ln_post") step.flops = 2 * m_k_n;
    step.bytes = 2.0 * static_cast<double>(Size(m) * (w.k() + w.n()) + w.k() * w.n());
    Add(std::move(step), kGemm, ProductInstructions(options_.gemm, problem, gelu), {a, weights, c});
  }

  void Attention(const std::string& layer) {
    const double m = static_cast<double>(shape_.positions), d = static_cast<double>(d_);
    Add({layer + "attention", "attention", layer_, 4 * m * m * d, 8 * m * d}, kAttention,
        kernels::AttentionInstructions(options_.attention,
                                       {Size(shape_.positions), Size(shape_.heads)}),
        {qkv_, attended_});
  }

  // From `from` and delta to the other stream buffer.
  void Norm(const std::string& name, int layer, std::size_t from) {
    current_ = 1 - current_;
    const double values = static_cast<double>(shape_.positions) * static_cast<double>(d_);
    Add({name, "norm", layer, 0, 12 * values}, kNorm,
        ResidualNormInstructions(NormConfig(options_, shape_.d), Size(shape_.positions)),
        {from, delta_, stream_[current_], normed_});
    Tap(name, stream_[current_], true);
  }

  const Model& model_;
  const EncoderShape& shape_;
  const NpuEncoderOptions& options_;
  std::size_t d_, rows_;
  int layer_ = -1;
  std::size_t normed_ = 0, delta_ = 0, qkv_ = 0, attended_ = 0, hidden_ = 0;
  std::size_t stream_[2] = {};
  std::size_t current_ = 0;
};

}  // namespace

struct NpuEncoder::State {
  std::optional<device::Session> session;
  std::vector<CompiledStep> steps;
  std::size_t mel = 0, mel_bytes = 0, output = 0;
  std::string overlay;
  std::size_t program_bytes = 0;
  std::optional<device::DeviceBuffer> arena;
  std::vector<device::DeviceBuffer> instructions;
  std::vector<device::Run> single;  // an op each, to be run on their own
  std::vector<device::Run> listed;
  std::optional<device::RunList> list;

  device::Run MakeRun(const std::vector<Instruction>& stream) {
    instructions.push_back(session->MakeInstructions(device::EncodeInstructions(stream)));
    const device::DeviceBuffer* data[] = {&*arena};
    return session->MakeRun(instructions.back(), data);
  }
};

NpuEncoder::NpuEncoder(const Model& model, const EncoderShape& shape,
                       const NpuEncoderOptions& options)
    : shape_(shape), options_(options), state_(std::make_unique<State>()) {
  kernels::RegisterNpuKernels();
  options_.attention.d = Size(shape.d / shape.heads);
  Compiler compiler(model, shape_, options_);
  compiler.Compile();
  State& s = *state_;
  s.steps = std::move(compiler.steps);
  s.mel = compiler.mel;
  s.mel_bytes = compiler.mel_bytes;
  s.output = compiler.output;
  const device::Overlay overlay = MakeOverlay(options_, shape.d);
  s.overlay = overlay.name;
  s.program_bytes = overlay.programs.front().program_bytes;
  for (const device::Overlay& other : overlay.alternatives) {
    s.overlay += fmt::format(" | {}", other.name);
    s.program_bytes += other.programs.front().program_bytes;
  }
  s.session.emplace(device::Session::FromBytes("encoder", device::EncodeContainer(overlay)));
  s.arena.emplace(s.session->MakeData(0, compiler.arena.bytes()));
  const std::span<std::byte> memory = s.arena->As<std::byte>();
  for (const Constant& constant : compiler.constants) {
    std::ranges::copy(constant.bytes,
                      memory.begin() + static_cast<std::ptrdiff_t>(constant.offset));
  }
  s.arena->ToDevice();
  // The configuration that a window leaves is the one that the next begins with, and a new
  // context's, because the first and the last op are products.
  unsigned configuration = kGemm;
  std::vector<Instruction> whole;
  for (CompiledStep& step : s.steps) {
    if (std::exchange(configuration, step.configuration) != step.configuration) {
      step.instructions.insert(step.instructions.begin(), device::Configure{step.configuration});
    }
    s.single.push_back(s.MakeRun(step.instructions));
    if (options.submission == Submission::kRunlist)
      s.listed.push_back(s.MakeRun(step.instructions));
    whole.insert(whole.end(), step.instructions.begin(), step.instructions.end());
  }
  if (options.submission == Submission::kWindow) s.listed.push_back(s.MakeRun(whole));
  if (options.submission == Submission::kRunlist) {
    s.list.emplace(*s.session);
    for (const device::Run& run : s.listed) s.list->Add(run);
  }
}

NpuEncoder::~NpuEncoder() = default;

void NpuEncoder::Upload(const TensorView& mel) {
  if (mel.shape() != Shape{shape_.n_mels, shape_.frames}) {
    Throw(ErrorCode::kInvalidArgument, "{} takes a mel spectrogram of shape {}, not {}",
          shape_.name, ShapeString({shape_.n_mels, shape_.frames}), ShapeString(mel.shape()));
  }
  // Time-major, one frame of zeros before and after.
  const std::span<Bf16> to = state_->arena->As<Bf16>().subspan(state_->mel / 2);
  const float* from = mel.data<float>();
  for (std::int64_t t = 0; t < shape_.frames; ++t) {
    for (std::int64_t c = 0; c < shape_.n_mels; ++c) {
      to[Size((t + 1) * shape_.n_mels + c)] = Bf16::FromFloat(from[c * shape_.frames + t]);
    }
  }
  device::Idle(static_cast<double>(mel.size()) / options_.cpu.convert_values * kMicro);
  state_->arena->ToDevice(state_->mel, state_->mel_bytes);
}

Tensor NpuEncoder::Download(std::size_t offset, bool stream) const {
  Tensor result(DType::kF32, {shape_.positions, shape_.d});
  const std::size_t count = Size(result.size()), bytes = count * (stream ? 4 : 2);
  state_->arena->FromDevice(offset, bytes);
  state_->arena->CheckWritten(offset, bytes);
  if (stream) {
    std::copy_n(state_->arena->As<float>().begin() + static_cast<std::ptrdiff_t>(offset / 4), count,
                result.data<float>());
  } else {
    std::transform(
        state_->arena->As<Bf16>().begin() + static_cast<std::ptrdiff_t>(offset / 2),
        state_->arena->As<Bf16>().begin() + static_cast<std::ptrdiff_t>(offset / 2 + count),
        result.data<float>(), [](Bf16 value) { return value.ToFloat(); });
  }
  return result;
}

Tensor NpuEncoder::Encode(const TensorView& mel) {
  const device::RunTimer timer;
  Upload(mel);
  State& s = *state_;
  switch (options_.submission) {
    case Submission::kRun:
      for (device::Run& run : s.single) run.Execute();
      break;
    case Submission::kRunlist:
      s.list->Execute();
      break;
    case Submission::kWindow:
      s.listed.front().Execute();
      break;
  }
  Tensor result = Download(s.output, false);
  device::Idle(static_cast<double>(result.size()) / options_.cpu.convert_values * kMicro);
  last_ms_ = timer.ElapsedUs() / 1e3;
  last_split_ = timer.Split().value_or(device::TimeSplit{});
  return result;
}

Tensor NpuEncoder::EncodeWithTaps(const TensorView& mel, const NpuTapFn& tap) {
  Upload(mel);
  for (std::size_t i = 0; i < state_->steps.size(); ++i) {
    state_->single[i].Execute();
    const CompiledStep& step = state_->steps[i];
    if (!step.tap.empty()) tap(step.tap, Download(step.tap_offset, step.tap_stream));
  }
  return Download(state_->output, false);
}

std::vector<NpuStepTime> NpuEncoder::Profile() {
  std::vector<NpuStepTime> times;
  for (std::size_t i = 0; i < state_->steps.size(); ++i) {
    const device::RunTimer timer;
    state_->single[i].Execute();
    NpuStepTime time{state_->steps[i].step};
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
  return options_.submission == Submission::kWindow ? 1 : state_->steps.size();
}
std::size_t NpuEncoder::memory_bytes() const { return state_->arena->bytes(); }
std::string NpuEncoder::Describe() const {
  return fmt::format("{}: {} of {} B of program memory", state_->overlay, state_->program_bytes,
                     device::kTileProgramBytes);
}

NpuEncoderOptions DefaultNpuOptions(const EncoderShape& shape) {
  NpuEncoderOptions options;
  options.gemm = ProductTile(shape.d, 64, 64, 64);
  options.attention.keys = 48;
  options.submission = Submission::kWindow;
  options.cpu = FindCpuProfile("numpy");
  return options;
}

}  // namespace xdna::encoder
