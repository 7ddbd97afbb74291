// The two attentions of a decoder layer: over the tokens so far, and over the audio.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/error.h"
#include "decoder/decoder.h"
#include "decoder/gemv_kernels.h"
#include "ops/internal/profile.h"
#include "ops/internal/row_kernels.h"

namespace xdna::decoder {
namespace {

constexpr std::int64_t kWidth = encoder::kHeadWidth;
const float kScale = 1 / std::sqrt(static_cast<float>(kWidth));

void Multiply(float* row, float factor) {
  ops::RowMap map;
  map.in = map.out = row;
  map.scale = factor;
  ops::MapRow(map, kWidth);
}

}  // namespace

std::size_t DecoderState::cache_bytes() const {
  std::vector<bool> seen(window_capacity_);
  for (int window : windows_) seen[window] = true;
  const auto windows = static_cast<std::size_t>(std::count(seen.begin(), seen.end(), true));
  return tokens_.bytes_in_use() + windows * cross_window_;
}

std::byte* DecoderState::CrossHeadData(int window, std::int64_t layer, std::int64_t head) const {
  return cross_data_ + window * cross_window_ +
         (layer * heads_ + head) * (cross_keys_ + cross_values_);
}

void Decoder::SetAudio(DecoderState& state, int window, const TensorView& encoded) {
  const ops::ScopedSpan span(context_.profile, "cross_keys_values");
  const std::int64_t m = geometry_.n_audio_ctx;
  const std::int64_t d = geometry_.d_model;
  if (encoded.shape() != Shape{m, d} || encoded.dtype() != DType::kF32) {
    Throw(ErrorCode::kInvalidArgument,
          "the decoder of {} takes an encoder's output f32 [{},{}], "
          "not {} {}",
          geometry_.name, m, d, DTypeName(encoded.dtype()), ShapeString(encoded.shape()));
  }
  TensorView x = encoded;
  if (audio_type_ != DType::kF32) {
    context_.pool->ParallelFor(m, [&](std::int64_t row, int) {
      ops::RowMap map;
      map.in = encoded.data<const float>() + row * d;
      map.out = audio_.view().Rows(row, 1).raw();
      map.out_dtype = audio_type_;
      ops::MapRow(map, d);
    });
    x = audio_;
  }
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    layers_[l].cross_kv->Run(x, cross_kv_);
    context_.pool->ParallelFor(2 * geometry_.n_decoder_heads, [&](std::int64_t i, int) {
      const std::int64_t head = i / 2;
      const bool keys = i % 2 == 0;
      std::byte* blocks = state.CrossHeadData(window, static_cast<std::int64_t>(l), head);
      PackArgs pack;
      pack.rows = cross_kv_.data<float>() + (keys ? 0 : d) + head * kWidth;
      pack.stride = 2 * d;
      pack.n = keys ? m : kWidth;
      pack.k = keys ? kWidth : m;
      pack.transposed = !keys;
      pack.dtype = state.cache_type_;
      pack.blocks = keys ? blocks : blocks + state.cross_keys_;
      PackBlocks(pack, 0, (pack.n + kBlockRows - 1) / kBlockRows);
    });
  }
}

void Decoder::AttendTokens(DecoderState& state, int layer) const {
  const std::int64_t heads = geometry_.n_decoder_heads;
  const auto groups = static_cast<std::int64_t>(state.row_groups_.size());
  context_.pool->ParallelFor(groups * heads, [&](std::int64_t i, int thread) {
    const DecoderState::Group& group = state.row_groups_[i / heads];
    // One after the other: a token sees those before it and itself.
    for (std::int64_t item = group.first; item < group.first + group.count; ++item) {
      AttendTokensHead(state, layer, item, i % heads, state.threads_[thread]);
    }
  });
}

void Decoder::AttendTokensHead(DecoderState& state, int layer, std::int64_t item, std::int64_t head,
                               DecoderState::ThreadScratch& scratch) const {
  const std::int64_t d = geometry_.d_model;
  const DecoderState::Item& at = state.items_[item];
  const float* query = state.qkv_.data<float>() + item * 3 * d + head * kWidth;
  state.tokens_.Put(at.row, at.position, layer, head, query + d, query + 2 * d);

  auto* scores = scratch.token_scores.data<float>();
  const std::int64_t length = at.position + 1;
  const std::int64_t pages = (length + kBlockRows - 1) / kBlockRows;
  GemvArgs product;
  product.dtype = state.cache_type_;
  product.n = kBlockRows;
  product.k = kWidth;
  product.x = query;
  for (std::int64_t page = 0; page < pages; ++page) {
    product.blocks = state.tokens_.Keys(at.row, page, layer, head);
    product.out = scores + page * kBlockRows;
    Gemv(product, 0, 1);
  }
  const float sum = ops::ExpRow(scores, kScale, length, scores, DType::kF32);
  std::fill(scores + length, scores + pages * kBlockRows, 0.0F);

  float* mixed = state.mixed_.data<float>() + item * d + head * kWidth;
  product.n = kWidth;
  product.k = kBlockRows;
  product.out = mixed;
  for (std::int64_t page = 0; page < pages; ++page) {
    product.blocks = state.tokens_.Values(at.row, page, layer, head);
    product.x = scores + page * kBlockRows;
    product.accumulate = page > 0;
    Gemv(product, 0, kWidth / kBlockRows);
  }
  Multiply(mixed, 1 / sum);
}

void Decoder::AttendAudio(DecoderState& state, int layer) const {
  const std::int64_t heads = geometry_.n_decoder_heads;
  const auto groups = static_cast<std::int64_t>(state.window_groups_.size());
  context_.pool->ParallelFor(groups * heads, [&](std::int64_t i, int thread) {
    AttendAudioHead(state, layer, state.window_groups_[i / heads], i % heads,
                    state.threads_[thread]);
  });
}

void Decoder::AttendAudioHead(DecoderState& state, int layer, const DecoderState::Group& group,
                              std::int64_t head, DecoderState::ThreadScratch& scratch) const {
  const std::int64_t m = geometry_.n_audio_ctx;
  const std::int64_t d = geometry_.d_model;
  auto* scores = scratch.audio_scores.data<float>();
  const std::int64_t stride = scratch.audio_scores.dim(1);
  const std::byte* blocks =
      state.CrossHeadData(state.window(state.items_[group.first].row), layer, head);
  GemvArgs product;
  product.blocks = blocks;
  product.dtype = state.cache_type_;
  product.n = m;
  product.k = kWidth;
  product.x = state.block_.data<float>() + group.first * d + head * kWidth;  // the queries
  product.x_stride = d;
  product.vectors = static_cast<int>(group.count);
  product.out = scores;
  product.out_stride = stride;
  Gemv(product, 0, (m + kBlockRows - 1) / kBlockRows);
  Capture(state, layer, group, head, scores, stride);

  float sums[DecoderState::kGroupItems];
  for (std::int64_t i = 0; i < group.count; ++i) {
    float* row = scores + i * stride;
    sums[i] = ops::ExpRow(row, kScale, m, row, DType::kF32);
  }
  float* mixed = state.mixed_.data<float>() + group.first * d + head * kWidth;
  product.blocks = blocks + state.cross_keys_;
  product.n = kWidth;
  product.k = m;
  product.x = scores;
  product.x_stride = stride;
  product.out = mixed;
  product.out_stride = d;
  Gemv(product, 0, kWidth / kBlockRows);
  for (std::int64_t i = 0; i < group.count; ++i) Multiply(mixed + i * d, 1 / sums[i]);
}

void Decoder::Capture(DecoderState& state, int layer, const DecoderState::Group& group,
                      std::int64_t head, const float* scores, std::int64_t stride) const {
  for (std::size_t c = 0; c < state.capture_.size(); ++c) {
    if (state.capture_[c].layer != layer || state.capture_[c].head != head) continue;
    for (std::int64_t i = 0; i < group.count; ++i) {
      const DecoderState::Item& item = state.items_[group.first + i];
      if (item.row != 0) continue;
      const std::int64_t m = geometry_.n_audio_ctx;
      float* out = state.captured_.data<float>() + (c * geometry_.n_text_ctx + item.position) * m;
      for (std::int64_t t = 0; t < m; ++t) out[t] = kScale * scores[i * stride + t];
    }
  }
}

}  // namespace xdna::decoder
