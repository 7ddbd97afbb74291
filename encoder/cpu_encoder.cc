#include "encoder/cpu_encoder.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

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
      plan_(MakePrecisionPlan(options.variant.precision, shape.layers)),
      workspace_(context.pool->threads()),
      graph_(EncoderGraph(shape)),
      context_(context),
      activation_(ops::ActivationType(plan_.lowest())) {
  context_.workspace = &workspace_;
  const Shape rows = {shape.positions, shape.d};
  padded_mel_ = Tensor(activation_, {shape.frames + 2, shape.n_mels});
  padded_mel_rows_ = Inner(padded_mel_);
  stem_ = Tensor(activation_, rows);
  stream_ = Tensor(DType::kF32, rows);
  normed_ = Tensor(activation_, rows);
  if (options.taps) block_ = Tensor(DType::kF32, rows);
  for (const Node& node : graph_) steps_.push_back({node.name, node.layer, Compile(node)});
  model_ = nullptr;
  graph_.clear();
  smoothing_.clear();
}

void CpuEncoder::Run(const TensorView& mel, const TensorView& out, const TapFn& tap) {
  if (mel.rank() != 2 || mel.dim(0) != shape_.n_mels || mel.dim(1) != shape_.frames) {
    Throw(ErrorCode::kInvalidArgument, "{} takes a mel spectrogram of shape {}, not {}",
          shape_.name, ShapeString({shape_.n_mels, shape_.frames}), ShapeString(mel.shape()));
  }
  if (tap && !options_.taps) Throw(ErrorCode::kInternal, "this encoder was made without taps");
  mel_ = mel;
  out_ = out;
  for (const Step& step : steps_) {
    if (context_.profile != nullptr) context_.profile->set_layer(step.layer);
    const TensorView& result = step.run();
    if (tap) tap(step.name, result);
  }
}

ops::Precision CpuEncoder::PrecisionFor(const Node& node) const {
  if (node.layer < 0) return plan_.stem;
  const PrecisionPlan::Layer& layer = plan_.layers.at(node.layer);
  return node.op == "attention" ? layer.attention : layer.fc1;
}

ops::Variant CpuEncoder::VariantFor(const Node& node) const {
  ops::Variant variant = options_.variant;
  variant.precision = PrecisionFor(node);
  return variant;
}

void CpuEncoder::Smooth(const Node& norm, const Tensor& gamma, const Tensor& beta) {
  if (options_.taps || norm.layer < 0) return;
  const auto user = std::find_if(graph_.begin(), graph_.end(), [&norm](const Node& node) {
    const auto x = node.inputs.find("x");
    return x != node.inputs.end() && x->second == norm.name;
  });
  if (user == graph_.end() || PrecisionFor(*user) != ops::Precision::kInt8) return;
  std::vector<std::shared_ptr<Tensor>> held;
  std::vector<TensorView> weights;
  for (const char* operand : {"wq", "wk", "wv", "w1"}) {
    if (user->weights.find(operand) == user->weights.end()) continue;
    held.push_back(Weight(*user, operand));
    weights.push_back(held.back()->view());
  }
  const std::vector<float> factors = SmoothingFactors(gamma, beta, weights);
  for (std::size_t j = 0; j < factors.size(); ++j) {
    gamma.data<float>()[j] /= factors[j];
    beta.data<float>()[j] /= factors[j];
  }
  smoothing_.emplace(norm.name, factors);
}

std::shared_ptr<Tensor> CpuEncoder::Smoothed(const Node& node, const char* operand) const {
  const std::shared_ptr<Tensor> weight = Weight(node, operand);
  const auto found = smoothing_.find(node.inputs.find("x")->second);
  if (found == smoothing_.end()) return weight;
  const std::vector<float>& factors = found->second;
  for (std::int64_t i = 0; i < weight->size(); ++i) {
    weight->data<float>()[i] *= factors[i % factors.size()];
  }
  return weight;
}

void CpuEncoder::AddWork(const std::string& stage, ops::Precision precision, double flops,
                         double exps) {
  for (Work& work : work_) {
    if (work.stage == stage && work.precision == precision) {
      work.flops += flops;
      work.exps += exps;
      return;
    }
  }
  work_.push_back({stage, precision, flops, exps});
}

std::shared_ptr<Tensor> CpuEncoder::Weight(const Node& node, const char* operand) const {
  return std::make_shared<Tensor>(LoadWeight(*model_, shape_, node.weights.at(operand)));
}

CpuEncoder::Action CpuEncoder::Compile(const Node& node) {
  if (node.op == "conv1d") return CompileConvolution(node);
  if (node.op == "linear") return CompileProjection(node);
  if (node.op == "add") return CompileAdd(node);
  if (node.op == "layer_norm") return CompileNorm(node);
  if (node.op == "attention") return CompileAttention(node);
  if (node.op == "ffn") return CompileFfn(node);
  Throw(ErrorCode::kInternal, "node {} has op {}, which the CPU encoder does not know", node.name,
        node.op);
}

CpuEncoder::Action CpuEncoder::CompileConvolution(const Node& node) {
  ops::Conv1d::Options options;
  options.variant = VariantFor(node);
  AddWork(node.name, options.variant.precision, ops::FindOp(node.op).flops(node.dims));
  options.stride = static_cast<int>(node.dims.at("stride"));
  options.gelu = true;
  options.y_dtype = activation_;
  const auto conv = std::make_shared<ops::Conv1d>(*Weight(node, "weight"), *Weight(node, "bias"),
                                                  node.dims.at("t"), options, context_);
  if (node.name == "conv2") {
    return [this, conv]() -> const TensorView& {
      const ops::ScopedSpan span(context_.profile, "conv2");
      conv->Run(padded_conv1_, stem_);
      return stem_.view();
    };
  }
  padded_conv1_ = Tensor(activation_, {shape_.frames + 2, shape_.d});
  padded_conv1_rows_ = Inner(padded_conv1_);
  return [this, conv]() -> const TensorView& {
    const ops::ScopedSpan span(context_.profile, "conv1");
    ops::TransposePadded(mel_, padded_mel_, *context_.pool);
    conv->Run(padded_mel_, padded_conv1_rows_);
    return padded_conv1_rows_;
  };
}

CpuEncoder::Action CpuEncoder::CompileProjection(const Node& node) {
  ops::Linear::Options options;
  options.variant = VariantFor(node);
  AddWork(node.name, options.variant.precision, ops::FindOp(node.op).flops(node.dims));
  options.x_dtype = options.y_dtype = activation_;
  const auto linear = std::make_shared<ops::Linear>(*Weight(node, "weight"), *Weight(node, "bias"),
                                                    node.dims.at("m"), options, context_);
  return [this, linear]() -> const TensorView& {
    const ops::ScopedSpan span(context_.profile, "projection");
    ops::TransposePadded(mel_, padded_mel_, *context_.pool);
    linear->Run(padded_mel_rows_, stem_);
    return stem_.view();
  };
}

CpuEncoder::Action CpuEncoder::CompileAdd(const Node& node) {
  if (node.name == "embedded") {
    const std::shared_ptr<Tensor> positions = Weight(node, "b");
    return [this, positions]() -> const TensorView& {
      const ops::ScopedSpan span(context_.profile, "embed");
      ops::Add(stem_, *positions, stream_, options_.variant.backend, *context_.pool);
      return stream_.view();
    };
  }
  if (!options_.taps)
    return [this]() -> const TensorView& { return stream_.view(); };  // the block added itself
  return [this]() -> const TensorView& {
    ops::Add(stream_, block_, stream_, options_.variant.backend, *context_.pool);
    return stream_.view();
  };
}

CpuEncoder::Action CpuEncoder::CompileNorm(const Node& node) {
  const std::shared_ptr<Tensor> gamma = Weight(node, "gamma");
  const std::shared_ptr<Tensor> beta = Weight(node, "beta");
  Smooth(node, *gamma, *beta);
  const bool last = node.name == "ln_post";
  return [this, gamma, beta, last]() -> const TensorView& {
    const ops::ScopedSpan span(context_.profile, "layer_norm");
    const TensorView& y = last ? out_ : normed_.view();
    ops::LayerNorm(stream_, *gamma, *beta, y, options_.variant.backend, *context_.pool);
    return y;
  };
}

CpuEncoder::Action CpuEncoder::CompileAttention(const Node& node) {
  ops::Attention::Options options;
  options.variant = VariantFor(node);
  const auto m = static_cast<double>(shape_.positions);
  const auto d = static_cast<double>(shape_.d);
  const ops::Precision precision = options.variant.precision;
  AddWork("attention.qkv", precision, 6 * m * d * d);
  AddWork("attention.out", precision, 2 * m * d * d);
  options.heads = shape_.heads;
  options.integers = plan_.layers.at(node.layer).integers;
  options.x_range = ops::Linear::XRange::kSkewed;
  options.accumulate = !options_.taps;
  const auto w = [&](const char* operand) { return Weight(node, operand); };
  const auto wq = Smoothed(node, "wq"), wk = Smoothed(node, "wk"), wv = Smoothed(node, "wv"),
             wo = w("wo");
  const auto bq = w("bq"), bv = w("bv"), bo = w("bo");
  const auto attention =
      std::make_shared<ops::Attention>(ops::Attention::Weights{*wq, *bq, *wk, *wv, *bv, *wo, *bo},
                                       shape_.positions, options, context_);
  const auto part = [&](bool integers) {
    return integers ? ops::Precision::kInt8 : std::min(precision, ops::Precision::kBf16);
  };
  AddWork("attention.core", part(attention->integers() != ops::Integers::kNone), 2 * m * m * d);
  AddWork("attention.core", part(attention->integers() == ops::Integers::kAll), 2 * m * m * d,
          static_cast<double>(shape_.heads) * m * m);
  return [this, attention]() -> const TensorView& {
    const TensorView& y = options_.taps ? block_.view() : stream_.view();
    attention->Run(normed_, y);
    return y;
  };
}

CpuEncoder::Action CpuEncoder::CompileFfn(const Node& node) {
  ops::Ffn::Options options;
  options.variant = VariantFor(node);
  options.fc2 = plan_.layers.at(node.layer).fc2;
  const double flops = ops::FindOp(node.op).flops(node.dims) / 2;
  AddWork("ffn.fc1", options.variant.precision, flops);
  AddWork("ffn.fc2", *options.fc2, flops);
  options.accumulate = !options_.taps;
  options.x_range = ops::Linear::XRange::kSkewed;
  const auto w1 = Smoothed(node, "w1"), b1 = Weight(node, "b1"), w2 = Weight(node, "w2"),
             b2 = Weight(node, "b2");
  const auto ffn =
      std::make_shared<ops::Ffn>(*w1, *b1, *w2, *b2, shape_.positions, options, context_);
  return [this, ffn]() -> const TensorView& {
    const TensorView& y = options_.taps ? block_.view() : stream_.view();
    ffn->Run(normed_, y);
    return y;
  };
}

}  // namespace xdna::encoder
