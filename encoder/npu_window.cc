#include "encoder/npu_window.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <utility>
#include <variant>

#include "base/error.h"
#include "encoder/npu_designs.h"
#include "kernels/array/add_norm.h"

namespace xdna::encoder {
namespace {

using device::Instruction;
using kernels::GemmProblem;

// kDeepGemm is kGemm with memory tiles for rows of A four times as long, where there is one.
enum Configuration : unsigned { kGemm, kAttention, kNorm, kDeepGemm };

constexpr std::size_t kAlign = 4096;

std::size_t Size(std::int64_t value) { return static_cast<std::size_t>(value); }

kernels::AddNormConfig NormConfig(const NpuEncoderOptions& options, std::int64_t d) {
  return {options.norm_rows, Size(d), options.gemm.columns};
}

// The designs of products. Where memory tiles can hold the rows of A that the cores work on, A is
// read from host memory once for all columns of a d wide result. FC2's rows are too long for that:
// there they hold columns of the weights for all rows of a window.
struct ProductDesigns {
  kernels::GemmConfig gemm;
  std::optional<kernels::GemmConfig> deep;

  ProductDesigns(const NpuEncoderOptions& options, const EncoderShape& shape)
      : gemm(WithGelu(options.gemm, options.table_gelu)) {
    const std::size_t d = Size(shape.d), rows = gemm.m * device::kCoreRows;
    kernels::GemmConfig wide = gemm, tall = gemm;
    wide.k_mem = d;
    wide.a_times = d / (gemm.n * gemm.columns);
    tall.b_panels = 4 * d / gemm.k_mem;
    tall.b_times = (Size(shape.positions) + rows - 1) / rows;
    if (options.keep_operands && wide.a_times > 1 && tall.b_times > 1 && kernels::GemmFits(wide) &&
        kernels::GemmFits(tall)) {
      gemm = wide;
      deep = tall;
    }
  }

  bool IsDeep(std::size_t k) const { return deep && k > gemm.k_mem; }
  const kernels::GemmConfig& For(std::size_t k) const { return IsDeep(k) ? *deep : gemm; }
};

// A linear layer's weights on their way into a product: y = x W^T + b, W [n,k].
struct Weights {
  Tensor w, b;  // empty where only times are wanted
  std::size_t n = Size(w.dim(0)), k = Size(w.dim(1));
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

// Room in the shared buffer.
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

// The steps of a window, their memory and their constants.
class Compiler {
 public:
  Compiler(const Model& model, const EncoderShape& shape, const NpuEncoderOptions& options)
      : model_(model),
        shape_(shape),
        options_(options),
        designs_(options, shape),
        d_(Size(shape.d)),
        rows_(RowsPadded(Size(shape.positions))) {
    const std::size_t n = options.gemm.n * options.gemm.columns;
    if (d_ % n != 0) {
      Throw(ErrorCode::kUnsupported, "width {} is no multiple of {}: columns of {} on {} columns",
            d_, n, options.gemm.n, options.gemm.columns);
    }
  }

  CompiledWindow Compile() && {
    normed_ = arena_.Take(2 * rows_ * d_ + Slack());
    delta_ = arena_.Take(2 * rows_ * d_);
    qkv_ = arena_.Take(6 * rows_ * d_);
    attended_ = arena_.Take(2 * rows_ * d_ + Slack());
    hidden_ = arena_.Take(8 * rows_ * d_ + Slack());
    for (std::size_t& stream : stream_) stream = arena_.Take(4 * rows_ * d_);
    window_.output_bytes = 2 * rows_ * d_;
    const std::size_t positions = Positions();
    Stem();
    Norm("embedded", -1, positions);
    for (layer_ = 0; layer_ < shape_.layers; ++layer_) Layer();
    layer_ = -1;
    const Weights last = Make(d_, d_, [this] {
      return Weights{Diagonal(Load("encoder.ln_post.weight")), Load("encoder.ln_post.bias")};
    });
    const Address output(kOutput, 0);
    Product({"ln_post", "norm", -1, 0, 0}, last, shape_.positions, normed_, d_, output, false);
    Tap("ln_post", output, false);
    window_.shared_bytes = arena_.bytes();
    return std::move(window_);
  }

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
    if (!options_.weights) return Room(4 * rows_ * d_);
    const Tensor positions =
        Load(shape_.stem == Stem::kConvolutions ? "encoder.positional_embedding"
                                                : "projection.positions");
    std::vector<std::byte> bytes(4 * rows_ * d_);
    std::memcpy(bytes.data(), positions.view().raw(), positions.bytes());
    return AddConstant(std::move(bytes));
  }

  // For what is never read: all of a size share it.
  std::size_t Room(std::size_t bytes) {
    const auto [found, made] = rooms_.try_emplace(bytes, 0);
    if (made) found->second = arena_.Take(bytes);
    return found->second;
  }

  std::size_t AddConstant(std::vector<std::byte> bytes) {
    const std::size_t offset = arena_.Take(bytes.size());
    window_.constants.push_back({offset, std::move(bytes)});
    return offset;
  }

  void Stem() {
    const std::int64_t mels = shape_.n_mels;
    if (shape_.stem == Stem::kProjection) {
      const Weights w = Make(d_, Size(mels), [this] {
        return Weights{Load("projection.weight"), Load("projection.bias")};
      });
      TakeMel(w, shape_.frames, mels);
      // Row 0 is the frame before the first, which only convolutions need.
      Product({"projection", "conv", -1, 0, 0}, w, shape_.frames, Address(kMel, 2 * Size(mels)),
              Size(mels), delta_, false);
      return Tap("projection", delta_, false);
    }
    const auto conv = [this](int number) {
      const std::string name = fmt::format("encoder.conv{}", number);
      return Weights{ByFrame(Load(name + ".weight")), Load(name + ".bias")};
    };
    const Weights w = Make(d_, 3 * Size(mels), [&] { return conv(1); });
    const Weights second = Make(d_, 3 * d_, [&] { return conv(2); });
    TakeMel(w, shape_.frames, mels);
    const GemmProblem p1{Size(shape_.frames), w.k, w.n, Size(mels)};
    const GemmProblem p2{Size(shape_.positions), second.k, second.n, 2 * d_};
    const std::size_t conv1 =
        arena_.Take(std::max(2 * d_ * (kernels::Padded(designs_.For(p1.k), p1).m + 1),
                             kernels::GemmBufferBytes(designs_.For(p2.k), p2).a));
    Product({"conv1", "conv", -1, 0, 0}, w, shape_.frames, Address(kMel, 0), Size(mels),
            conv1 + 2 * d_, true);
    Product({"conv2", "conv", -1, 0, 0}, second, shape_.positions, conv1, 2 * d_, delta_, true);
    Tap("conv2", delta_, false);
  }

  void TakeMel(const Weights& w, std::int64_t rows, std::int64_t stride) {
    const GemmProblem p{Size(rows), w.k, w.n, Size(stride)};
    window_.mel_bytes = kernels::GemmBufferBytes(designs_.For(p.k), p).a + 2 * Size(stride);
  }

  void Layer() {
    const std::string layer = fmt::format("layer{}.", layer_);
    const auto qkv = [this] {
      return NormedBy("attn_ln", Stacked({Scaled(Linear("attn.query"), QueryScale(true, shape_)),
                                          Linear("attn.key"), Linear("attn.value")}));
    };
    Product({layer + "qkv", "qkv", layer_, 0, 0}, Make(3 * d_, d_, qkv), shape_.positions, normed_,
            d_, qkv_, false);
    Attention(layer);
    Product({layer + "out", "out", layer_, 0, 0},
            Make(d_, d_, [this] { return Linear("attn.out"); }), shape_.positions, attended_, d_,
            delta_, false);
    Tap(layer + "attn", delta_, false);
    Norm(layer + "mid", layer_, stream_[current_]);
    Product({layer + "fc1", "fc1", layer_, 0, 0},
            Make(4 * d_, d_, [this] { return NormedBy("mlp_ln", Linear("mlp.0")); }),
            shape_.positions, normed_, d_, hidden_, true);
    Product({layer + "fc2", "fc2", layer_, 0, 0},
            Make(d_, 4 * d_, [this] { return Linear("mlp.2"); }), shape_.positions, hidden_, 4 * d_,
            delta_, false);
    Tap(layer + "mlp", delta_, false);
    Norm(layer + "out", layer_, stream_[current_]);
  }

  // [n,k] by `make`, or nothing but the size where only times are wanted.
  Weights Make(std::size_t n, std::size_t k, const std::function<Weights()>& make) const {
    return options_.weights ? make() : Weights{{}, {}, n, k};
  }

  Weights Linear(const char* name) const {
    const std::string block = Block(name);
    const bool key = block.ends_with("attn.key");  // has no bias
    return Weights{Load(block + ".weight"),
                   key ? Tensor(DType::kF32, {shape_.d}) : Load(block + ".bias")};
  }

  Weights NormedBy(const char* norm, Weights w) const {
    const std::string block = Block(norm);
    FoldNorm(Load(block + ".weight"), Load(block + ".bias"), w.w, w.b);
    return w;
  }

  // Arguments of a design become addresses.
  void Add(NpuStep step, unsigned configuration, std::vector<Instruction> instructions,
           std::initializer_list<Address> addresses) {
    for (Instruction& instruction : instructions) {
      auto* descriptor = std::get_if<device::WriteDescriptor>(&instruction);
      if (descriptor == nullptr) continue;
      const Address& address = std::data(addresses)[descriptor->argument];
      descriptor->offset += address.offset;
      descriptor->argument = address.buffer;
    }
    window_.steps.push_back({std::move(step), configuration, std::move(instructions)});
  }

  void Tap(const std::string& name, Address at, bool stream) {
    window_.steps.back().tap = name;
    window_.steps.back().tap_at = at;
    window_.steps.back().tap_stream = stream;
  }

  // Rows of A are `stride` elements apart.
  void Product(NpuStep step, const Weights& w, std::int64_t m, Address a, std::size_t stride,
               Address c, bool gelu) {
    const GemmProblem problem{Size(m), w.k, w.n, stride};
    const kernels::GemmConfig& design = designs_.For(problem.k);
    const std::size_t weights = options_.weights
                                    ? AddConstant(PackLinear(design, problem, w.w, w.b))
                                    : Room(kernels::GemmBufferBytes(design, problem).b);
    const double m_k_n = static_cast<double>(m) * static_cast<double>(w.k * w.n);
    if (step.name != "ln_post") step.flops = 2 * m_k_n;
    step.bytes = 2.0 * static_cast<double>(Size(m) * (w.k + w.n) + w.k * w.n);
    Add(std::move(step), designs_.IsDeep(problem.k) ? kDeepGemm : kGemm,
        ProductInstructions(design, problem, gelu), {a, weights, c});
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
        kernels::AddNormInstructions(NormConfig(options_, shape_.d), Size(shape_.positions)),
        {from, delta_, stream_[current_], normed_});
    Tap(name, stream_[current_], true);
  }

  CompiledWindow window_;
  Arena arena_;
  std::map<std::size_t, std::size_t> rooms_;  // by bytes
  const Model& model_;
  const EncoderShape& shape_;
  const NpuEncoderOptions& options_;
  const ProductDesigns designs_;
  std::size_t d_, rows_;
  int layer_ = -1;
  std::size_t normed_ = 0, delta_ = 0, qkv_ = 0, attended_ = 0, hidden_ = 0;
  std::size_t stream_[2] = {};
  std::size_t current_ = 0;
};

}  // namespace

device::Overlay WindowOverlay(const EncoderShape& shape, const NpuEncoderOptions& options) {
  const ProductDesigns designs(options, shape);
  device::Overlay overlay = kernels::GemmOverlay(designs.gemm);
  overlay.alternatives = {kernels::AttentionOverlay(options.attention),
                          kernels::AddNormOverlay(NormConfig(options, shape.d))};
  if (designs.deep) {
    overlay.alternatives.push_back(kernels::GemmOverlay(*designs.deep));
    // Its cores run the programs that the first configuration's run.
    for (device::Program& program : overlay.alternatives.back().programs) program.program_bytes = 0;
  }
  return overlay;
}

CompiledWindow CompileWindow(const Model& model, const EncoderShape& shape,
                             const NpuEncoderOptions& options) {
  return Compiler(model, shape, options).Compile();
}

}  // namespace xdna::encoder
