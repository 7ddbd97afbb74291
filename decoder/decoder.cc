#include "decoder/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "decoder/gemv_kernels.h"
#include "ops/internal/profile.h"
#include "ops/internal/row_kernels.h"

namespace xdna::decoder {
namespace {

// Tokens that go through the layers together: enough for weights to be read for many of them.
constexpr std::int64_t kPrefillItems = 32;
constexpr float kEpsilon = 1e-5F;  // of LayerNorm, PyTorch's default

std::size_t WeightBytes(const encoder::Geometry& g, ops::Precision precision) {
  const auto bytes = [precision](std::int64_t n, std::int64_t k) {
    return Projection::Bytes(precision, n, k);
  };
  const std::int64_t d = g.d_model;
  const std::size_t layer =
      bytes(3 * d, d) + 3 * bytes(d, d) + bytes(g.d_ffn(), d) + bytes(d, g.d_ffn());
  return bytes(g.n_vocab, d) + g.n_decoder_layers * layer;
}

DType CacheType(ops::Precision precision) {
  return precision == ops::Precision::kF32 ? DType::kF32 : DType::kBf16;
}

std::int64_t RoundUp(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

// The query, key and value weights (or two of them) of an attention, one after the other.
std::pair<Tensor, Tensor> Stack(const encoder::Model& model, const std::string& name,
                                const std::vector<const char*>& parts) {
  const std::int64_t d = model.geometry().d_model;
  const auto rows = static_cast<std::int64_t>(parts.size()) * d;
  Tensor weight(DType::kF32, {rows, d});
  Tensor bias(DType::kF32, {rows});
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string part = fmt::format("{}.{}", name, parts[i]);
    const Tensor w = model.Load(part + ".weight");
    std::memcpy(weight.data<float>() + i * d * d, w.data<float>(), w.bytes());
    if (std::string_view(parts[i]) == "key") continue;  // has no bias
    const Tensor b = model.Load(part + ".bias");
    std::memcpy(bias.data<float>() + i * d, b.data<float>(), b.bytes());
  }
  return {std::move(weight), std::move(bias)};
}

}  // namespace

DecoderState::DecoderState(const encoder::Geometry& g, ops::Precision precision, int windows,
                           int rows, std::vector<CrossHead> capture, int threads)
    : window_capacity_(windows),
      tokens_(rows, g.n_text_ctx, g.n_decoder_layers, g.n_decoder_heads, encoder::kHeadWidth,
              CacheType(precision)),
      cache_type_(CacheType(precision)),
      heads_(g.n_decoder_heads),
      cross_keys_(RoundUp(g.n_audio_ctx, kBlockRows) / kBlockRows *
                  BlockBytes(cache_type_, encoder::kHeadWidth)),
      cross_values_(encoder::kHeadWidth / kBlockRows * BlockBytes(cache_type_, g.n_audio_ctx)),
      cross_window_(g.n_decoder_layers * heads_ * (cross_keys_ + cross_values_)),
      cross_(windows * cross_window_),
      cross_data_(static_cast<std::byte*>(cross_.Take(0))),
      capture_(std::move(capture)),
      scratch_(std::max<std::int64_t>(rows, kPrefillItems), g.d_ffn()),
      threads_(threads) {
  windows_.reserve(rows);
  next_windows_.reserve(rows);
  const std::int64_t items = std::max<std::int64_t>(rows, kPrefillItems);
  items_.reserve(items);
  row_groups_.reserve(items);
  window_groups_.reserve(items);
  const auto make = [items](std::int64_t width) { return Tensor(DType::kF32, {items, width}); };
  stream_ = make(g.d_model);
  normed_ = make(g.d_model);
  mixed_ = make(g.d_model);
  block_ = make(g.d_model);
  wanted_ = make(g.d_model);
  qkv_ = make(3 * g.d_model);
  hidden_ = make(g.d_ffn());
  logits_ = Tensor(DType::kF32, {rows, g.n_vocab});
  for (ThreadScratch& scratch : threads_) {
    scratch.token_scores = Tensor(DType::kF32, {RoundUp(g.n_text_ctx, kBlockRows)});
    scratch.audio_scores = Tensor(DType::kF32, {kGroupItems, RoundUp(g.n_audio_ctx, kBlockRows)});
  }
  if (capture_.empty()) return;
  for (const CrossHead& head : capture_) {
    if (head.layer < 0 || head.layer >= g.n_decoder_layers || head.head < 0 ||
        head.head >= g.n_decoder_heads) {
      Throw(ErrorCode::kInvalidArgument, "no head {} in layer {}: {} has {} layers of {} heads",
            head.head, head.layer, g.name, g.n_decoder_layers, g.n_decoder_heads);
    }
  }
  captured_ = Tensor(DType::kF32,
                     {static_cast<std::int64_t>(capture_.size()), g.n_text_ctx, g.n_audio_ctx});
}

TensorView DecoderState::CrossScores() const {
  if (captured_.empty())
    Throw(ErrorCode::kInternal, "this state was made without heads to capture");
  const Shape shape = {captured_.dim(0), tokens_.length(0), captured_.dim(2)};
  return {captured_.view().raw(), DType::kF32, shape, captured_.view().strides()};
}

Decoder::Decoder(const encoder::Model& model, ops::Precision precision,
                 const ops::CpuContext& context)
    : geometry_(model.geometry()),
      precision_(precision),
      context_(context),
      step_bytes_(WeightBytes(geometry_, precision)),
      arena_(step_bytes_) {
  const auto norm = [&](const std::string& name) {
    return Norm{model.Load(name + ".weight"), model.Load(name + ".bias")};
  };
  embedding_ = std::make_unique<Projection>(model.Load("decoder.token_embedding.weight"),
                                            TensorView(), precision, arena_, *context.pool);
  positions_ = model.Load("decoder.positional_embedding");
  layers_.resize(geometry_.n_decoder_layers);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    const std::string name = fmt::format("decoder.blocks.{}", i);
    layer.attn_ln = norm(name + ".attn_ln");
    layer.qkv = LoadQkv(model, name + ".attn");
    layer.out = Load(model, name + ".attn.out");
    layer.cross_ln = norm(name + ".cross_attn_ln");
    layer.cross_query = Load(model, name + ".cross_attn.query");
    layer.cross_out = Load(model, name + ".cross_attn.out");
    layer.mlp_ln = norm(name + ".mlp_ln");
    layer.fc1 = Load(model, name + ".mlp.0");
    layer.fc2 = Load(model, name + ".mlp.2");
    LoadCrossKv(model, name + ".cross_attn", layer);
  }
  ln_ = norm("decoder.ln");
  const Shape audio = {geometry_.n_audio_ctx, geometry_.d_model};
  if (audio_type_ != DType::kF32) audio_ = Tensor(audio_type_, audio);
  cross_kv_ = Tensor(DType::kF32, {audio[0], 2 * audio[1]});
}

std::unique_ptr<Projection> Decoder::Load(const encoder::Model& model, const std::string& name) {
  return std::make_unique<Projection>(model.Load(name + ".weight"), model.Load(name + ".bias"),
                                      precision_, arena_, *context_.pool);
}

std::unique_ptr<Projection> Decoder::LoadQkv(const encoder::Model& model, const std::string& name) {
  const auto [weight, bias] = Stack(model, name, {"query", "key", "value"});
  return std::make_unique<Projection>(weight, bias, precision_, arena_, *context_.pool);
}

void Decoder::LoadCrossKv(const encoder::Model& model, const std::string& name, Layer& layer) {
  const std::pair<Tensor, Tensor> stacked = Stack(model, name, {"key", "value"});
  const auto make = [&](ops::Precision precision) {
    audio_type_ = CacheType(precision);
    ops::Linear::Options options;
    options.variant.precision = precision;
    options.x_dtype = audio_type_;
    layer.cross_kv = std::make_unique<ops::Linear>(stacked.first, stacked.second,
                                                   geometry_.n_audio_ctx, options, context_);
  };
  if (precision_ == ops::Precision::kF32) return make(precision_);
  try {
    make(ops::Precision::kBf16);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    make(ops::Precision::kF32);
  }
}

std::unique_ptr<DecoderState> Decoder::NewState(int windows, int rows,
                                                std::vector<CrossHead> capture) const {
  return std::unique_ptr<DecoderState>(new DecoderState(
      geometry_, precision_, windows, rows, std::move(capture), context_.pool->threads()));
}

void Decoder::Start(DecoderState& state, std::span<const int> windows) const {
  for (int window : windows) {
    if (window < 0 || window >= state.window_capacity_) {
      Throw(ErrorCode::kInternal, "window {} in a state for {}", window, state.window_capacity_);
    }
  }
  state.tokens_.Clear(static_cast<int>(windows.size()));
  state.windows_.assign(windows.begin(), windows.end());
}

void Decoder::Reorder(DecoderState& state, std::span<const int> from) const {
  state.tokens_.Reorder(from);
  state.next_windows_.clear();
  for (int row : from) state.next_windows_.push_back(state.windows_[row]);
  state.windows_.swap(state.next_windows_);
}

void Decoder::CheckTokens(const DecoderState& state, int row, std::span<const int> tokens) const {
  const auto length = state.length(row) + static_cast<std::int64_t>(tokens.size());
  if (length > geometry_.n_text_ctx) {
    Throw(ErrorCode::kInvalidArgument, "{} tokens; {} has positions for {}", length, geometry_.name,
          geometry_.n_text_ctx);
  }
  for (int token : tokens) {
    if (token >= 0 && token < geometry_.n_vocab) continue;
    Throw(ErrorCode::kInvalidArgument, "token {}; the vocabulary of {} has {}", token,
          geometry_.name, geometry_.n_vocab);
  }
}

void Decoder::AddItem(DecoderState& state, int row, int token) const {
  const auto item = static_cast<std::int64_t>(state.items_.size());
  const auto add = [item](std::vector<DecoderState::Group>& groups, bool join) {
    if (join) {
      ++groups.back().count;
    } else {
      groups.push_back({item, 1});
    }
  };
  const int last = item > 0 ? state.items_.back().row : -1;
  add(state.row_groups_, last == row);
  add(state.window_groups_, last >= 0 && state.window(last) == state.window(row) &&
                                state.window_groups_.back().count < DecoderState::kGroupItems);
  state.items_.push_back({row, token, state.tokens_.Extend(row)});
}

void Decoder::Prefill(DecoderState& state, int row, std::span<const int> tokens,
                      std::span<const int> wanted, const TensorView& logits) const {
  CheckTokens(state, row, tokens);
  std::size_t answered = 0;
  for (std::size_t first = 0; first < tokens.size(); first += kPrefillItems) {
    const std::size_t end = std::min(tokens.size(), first + kPrefillItems);
    state.items_.clear();
    state.row_groups_.clear();
    state.window_groups_.clear();
    for (std::size_t i = first; i < end; ++i) AddItem(state, row, tokens[i]);
    Forward(state);
    const std::size_t begin = answered;
    for (; answered < wanted.size() && wanted[answered] < static_cast<int>(end); ++answered) {
      const std::int64_t from = wanted[answered] - static_cast<std::int64_t>(first);
      std::memcpy(state.wanted_.data<float>() + (answered - begin) * geometry_.d_model,
                  state.stream_.data<float>() + from * geometry_.d_model,
                  geometry_.d_model * sizeof(float));
    }
    if (answered > begin) {
      Logits(state, static_cast<std::int64_t>(answered - begin),
             logits.data<float>() + begin * geometry_.n_vocab);
    }
  }
}

TensorView Decoder::Step(DecoderState& state, std::span<const int> tokens) const {
  if (tokens.size() != static_cast<std::size_t>(state.rows())) {
    Throw(ErrorCode::kInternal, "{} tokens for {} rows", tokens.size(), state.rows());
  }
  state.items_.clear();
  state.row_groups_.clear();
  state.window_groups_.clear();
  for (int row = 0; row < state.rows(); ++row) CheckTokens(state, row, tokens.subspan(row, 1));
  for (int row = 0; row < state.rows(); ++row) AddItem(state, row, tokens[row]);
  Forward(state);
  std::memcpy(state.wanted_.data<float>(), state.stream_.data<float>(),
              state.rows() * geometry_.d_model * sizeof(float));
  Logits(state, state.rows(), state.logits_.data<float>());
  return state.logits_.view().Rows(0, state.rows());
}

void Decoder::Logits(DecoderState& state, std::int64_t rows, float* logits) const {
  const ops::ScopedSpan span(context_.profile, "logits");
  auto* x = state.wanted_.data<float>();
  const std::int64_t d = geometry_.d_model;
  for (std::int64_t i = 0; i < rows; ++i) {
    ops::LayerNormRow(x + i * d, ln_.gamma.data<float>(), ln_.beta.data<float>(), kEpsilon, d,
                      x + i * d, DType::kF32);
  }
  embedding_->Run(x, rows, logits, false, state.scratch_);
  if (!state.tap_) return;
  state.tap_("ln", TensorView(x, {rows, d}));
  state.tap_("logits", TensorView(logits, {rows, geometry_.n_vocab}));
}

void Decoder::Embed(DecoderState& state) const {
  const std::int64_t d = geometry_.d_model;
  for (std::size_t i = 0; i < state.items_.size(); ++i) {
    const DecoderState::Item& item = state.items_[i];
    float* row = state.stream_.data<float>() + i * d;
    embedding_->Row(item.token, row);
    const float* position = positions_.data<float>() + item.position * d;
    for (std::int64_t j = 0; j < d; ++j) row[j] += position[j];
  }
}

void Decoder::Forward(DecoderState& state) const {
  const std::size_t items = state.items_.size();
  const auto tap = [&](int layer, const char* name, const Tensor& result) {
    if (!state.tap_) return;
    const std::string full = layer < 0 ? name : fmt::format("layer{}.{}", layer, name);
    state.tap_(full, result.view().Rows(0, static_cast<std::int64_t>(items)));
  };
  const auto normalize = [&](const Norm& norm, int layer, const char* name) {
    for (std::size_t i = 0; i < items; ++i) {
      const std::int64_t at = static_cast<std::int64_t>(i) * geometry_.d_model;
      ops::LayerNormRow(state.stream_.data<float>() + at, norm.gamma.data<float>(),
                        norm.beta.data<float>(), kEpsilon, geometry_.d_model,
                        state.normed_.data<float>() + at, DType::kF32);
    }
    tap(layer, name, state.normed_);
  };
  const auto add_block = [&](int layer, const char* name) {
    tap(layer, name, state.block_);
    ops::RowMap add;
    add.in = state.block_.data<float>();
    add.addend = add.out = state.stream_.data<float>();
    ops::MapRow(add, items * geometry_.d_model);
  };
  const auto project = [&](const Projection& weights, const Tensor& x, const Tensor& y,
                           bool gelu = false) {
    weights.Run(x.data<float>(), static_cast<std::int64_t>(items), y.data<float>(), gelu,
                state.scratch_);
  };

  Embed(state);
  tap(-1, "embedded", state.stream_);
  for (int l = 0; l < static_cast<int>(layers_.size()); ++l) {
    const Layer& layer = layers_[l];
    {
      const ops::ScopedSpan span(context_.profile, "self_attention");
      normalize(layer.attn_ln, l, "attn_ln");
      project(*layer.qkv, state.normed_, state.qkv_);
      AttendTokens(state, l);
      project(*layer.out, state.mixed_, state.block_);
      add_block(l, "attn");
    }
    {
      const ops::ScopedSpan span(context_.profile, "cross_attention");
      normalize(layer.cross_ln, l, "cross_attn_ln");
      project(*layer.cross_query, state.normed_, state.block_);
      AttendAudio(state, l);
      project(*layer.cross_out, state.mixed_, state.block_);
      add_block(l, "cross_attn");
    }
    const ops::ScopedSpan span(context_.profile, "ffn");
    normalize(layer.mlp_ln, l, "mlp_ln");
    project(*layer.fc1, state.normed_, state.hidden_, true);
    project(*layer.fc2, state.hidden_, state.block_);
    add_block(l, "mlp");
    tap(l, "out", state.stream_);
  }
}

}  // namespace xdna::decoder
