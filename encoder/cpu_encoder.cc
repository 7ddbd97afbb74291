#include "encoder/cpu_encoder.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "ops/add/add.h"
#include "ops/attention/attention.h"
#include "ops/conv1d/conv1d.h"
#include "ops/ffn/ffn.h"
#include "ops/internal/instance.h"
#include "ops/internal/profile.h"
#include "ops/layer_norm/layer_norm.h"
#include "ops/linear/linear.h"
#include "ops/registry.h"

namespace xdna::encoder {
namespace {

// All but the first and the last row.
TensorView Inner(const Tensor& padded) { return padded.view().Rows(1, padded.dim(0) - 2); }

}  // namespace

CpuEncoder::CpuEncoder(const Model& model, const EncoderShape& shape, const Options& options,
                       const ops::CpuContext& context)
    : model_(&model),
      shape_(shape),
      options_(options),
      context_(context),
      activation_(ops::ActivationType(options.variant.precision)) {
  const Shape rows = {shape.positions, shape.d};
  padded_mel_ = Tensor(activation_, {shape.frames + 2, shape.n_mels});
  stem_ = Tensor(activation_, rows);
  stream_ = Tensor(DType::kF32, rows);
  normed_ = Tensor(activation_, rows);
  if (options.taps) block_ = Tensor(DType::kF32, rows);
  for (const Node& node : EncoderGraph(shape))
    steps_.push_back({node.name, node.layer, Compile(node)});
  model_ = nullptr;
}

void CpuEncoder::Run(const TensorView& mel, const TensorView& out, const TapFn& tap) {
  if (mel.shape() != Shape{shape_.n_mels, shape_.frames}) {
    Throw(ErrorCode::kInvalidArgument, "{} takes a mel spectrogram of shape {}, not {}",
          shape_.name, ShapeString({shape_.n_mels, shape_.frames}), ShapeString(mel.shape()));
  }
  if (tap && !options_.taps) Throw(ErrorCode::kInternal, "this encoder was made without taps");
  mel_ = mel;
  out_ = out;
  for (const Step& step : steps_) {
    if (context_.profile != nullptr) context_.profile->set_layer(step.layer);
    const TensorView result = step.run();
    if (tap) tap(step.name, result);
  }
}

ops::Variant CpuEncoder::VariantFor(int layer, std::string_view op) const {
  ops::Variant variant = options_.variant;
  const bool sensitive = layer < 0 || (layer == 0 && op == "attention");
  if (variant.precision == ops::Precision::kInt8 && sensitive)
    variant.precision = ops::Precision::kBf16;
  return variant;
}

void CpuEncoder::AddWork(const std::string& stage, ops::Precision precision, double flops) {
  for (Work& work : work_) {
    if (work.stage == stage && work.precision == precision) {
      work.flops += flops;
      return;
    }
  }
  work_.push_back({stage, precision, flops});
}

std::shared_ptr<Tensor> CpuEncoder::Weight(const Node& node, const char* operand) const {
  return std::make_shared<Tensor>(LoadWeight(*model_, shape_, node.weights.at(operand)));
}

std::function<TensorView()> CpuEncoder::Compile(const Node& node) {
  if (node.op == "conv1d") return CompileConvolution(node);
  if (node.op == "linear") return CompileProjection(node);
  if (node.op == "add") return CompileAdd(node);
  if (node.op == "layer_norm") return CompileNorm(node);
  if (node.op == "attention") return CompileAttention(node);
  if (node.op == "ffn") return CompileFfn(node);
  Throw(ErrorCode::kInternal, "node {} has op {}, which the CPU encoder does not know", node.name,
        node.op);
}

std::function<TensorView()> CpuEncoder::CompileConvolution(const Node& node) {
  ops::Conv1d::Options options;
  options.variant = VariantFor(node.layer, node.op);
  AddWork(node.name, options.variant.precision, ops::FindOp(node.op).flops(node.dims));
  options.stride = static_cast<int>(node.dims.at("stride"));
  options.gelu = true;
  options.y_dtype = activation_;
  const auto conv = std::make_shared<ops::Conv1d>(*Weight(node, "weight"), *Weight(node, "bias"),
                                                  node.dims.at("t"), options, context_);
  if (node.name == "conv2") {
    return [this, conv]() -> TensorView {
      const ops::ScopedSpan span(context_.profile, "conv2");
      conv->Run(padded_conv1_, stem_);
      return stem_;
    };
  }
  padded_conv1_ = Tensor(activation_, {shape_.frames + 2, shape_.d});
  return [this, conv]() -> TensorView {
    const ops::ScopedSpan span(context_.profile, "conv1");
    ops::TransposePadded(mel_, padded_mel_, *context_.pool);
    conv->Run(padded_mel_, Inner(padded_conv1_));
    return Inner(padded_conv1_);
  };
}

std::function<TensorView()> CpuEncoder::CompileProjection(const Node& node) {
  ops::Linear::Options options;
  options.variant = VariantFor(node.layer, node.op);
  AddWork(node.name, options.variant.precision, ops::FindOp(node.op).flops(node.dims));
  options.x_dtype = options.y_dtype = activation_;
  const auto linear = std::make_shared<ops::Linear>(*Weight(node, "weight"), *Weight(node, "bias"),
                                                    node.dims.at("m"), options, context_);
  return [this, linear]() -> TensorView {
    const ops::ScopedSpan span(context_.profile, "projection");
    ops::TransposePadded(mel_, padded_mel_, *context_.pool);
    linear->Run(Inner(padded_mel_), stem_);
    return stem_;
  };
}

std::function<TensorView()> CpuEncoder::CompileAdd(const Node& node) {
  if (node.name == "embedded") {
    const std::shared_ptr<Tensor> positions = Weight(node, "b");
    return [this, positions]() -> TensorView {
      const ops::ScopedSpan span(context_.profile, "embed");
      ops::Add(stem_, *positions, stream_, options_.variant.backend, *context_.pool);
      return stream_;
    };
  }
  if (!options_.taps) return [this]() -> TensorView { return stream_; };  // the block added itself
  return [this]() -> TensorView {
    ops::Add(stream_, block_, stream_, options_.variant.backend, *context_.pool);
    return stream_;
  };
}

std::function<TensorView()> CpuEncoder::CompileNorm(const Node& node) {
  const std::shared_ptr<Tensor> gamma = Weight(node, "gamma");
  const std::shared_ptr<Tensor> beta = Weight(node, "beta");
  const bool last = node.name == "ln_post";
  return [this, gamma, beta, last]() -> TensorView {
    const ops::ScopedSpan span(context_.profile, "layer_norm");
    const TensorView y = last ? out_ : normed_.view();
    ops::LayerNorm(stream_, *gamma, *beta, y, options_.variant.backend, *context_.pool);
    return y;
  };
}

std::function<TensorView()> CpuEncoder::CompileAttention(const Node& node) {
  ops::Attention::Options options;
  options.variant = VariantFor(node.layer, node.op);
  const auto m = static_cast<double>(shape_.positions);
  const auto d = static_cast<double>(shape_.d);
  const ops::Precision precision = options.variant.precision;
  AddWork("attention.qkv", precision, 6 * m * d * d);
  AddWork("attention.core", precision == ops::Precision::kInt8 ? ops::Precision::kBf16 : precision,
          4 * m * m * d);
  AddWork("attention.out", precision, 2 * m * d * d);
  options.heads = shape_.heads;
  options.accumulate = !options_.taps;
  const auto w = [&](const char* operand) { return Weight(node, operand); };
  const auto wq = w("wq"), wk = w("wk"), wv = w("wv"), wo = w("wo");
  const auto bq = w("bq"), bv = w("bv"), bo = w("bo");
  const auto attention =
      std::make_shared<ops::Attention>(ops::Attention::Weights{*wq, *bq, *wk, *wv, *bv, *wo, *bo},
                                       shape_.positions, options, context_);
  return [this, attention]() -> TensorView {
    const Tensor& y = options_.taps ? block_ : stream_;
    attention->Run(normed_, y);
    return y;
  };
}

std::function<TensorView()> CpuEncoder::CompileFfn(const Node& node) {
  ops::Ffn::Options options;
  options.variant = VariantFor(node.layer, node.op);
  for (const char* stage : {"ffn.fc1", "ffn.fc2"}) {
    AddWork(stage, options.variant.precision, ops::FindOp(node.op).flops(node.dims) / 2);
  }
  options.accumulate = !options_.taps;
  const auto w1 = Weight(node, "w1"), b1 = Weight(node, "b1"), w2 = Weight(node, "w2"),
             b2 = Weight(node, "b2");
  const auto ffn =
      std::make_shared<ops::Ffn>(*w1, *b1, *w2, *b2, shape_.positions, options, context_);
  return [this, ffn]() -> TensorView {
    const Tensor& y = options_.taps ? block_ : stream_;
    ffn->Run(normed_, y);
    return y;
  };
}

}  // namespace xdna::encoder
