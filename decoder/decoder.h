// Whisper's decoder: from an encoded window and the tokens so far to the next token's logits.
#ifndef DECODER_DECODER_H_
#define DECODER_DECODER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "decoder/arena.h"
#include "decoder/projection.h"
#include "decoder/token_cache.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/model.h"
#include "ops/contract.h"
#include "ops/linear/linear.h"

namespace xdna::decoder {

// One head of a layer's cross-attention.
struct CrossHead {
  int layer = 0;
  int head = 0;
};

// Called with the name and the result [tokens,...] f32 of each part as it is made: "embedded",
// for each layer L "layerL.attn_ln", ".attn", ".cross_attn_ln", ".cross_attn", ".mlp_ln", ".mlp"
// (each before the residual sum) and ".out", then "ln" and "logits" of the positions asked for.
using TapFn = std::function<void(const std::string& name, const TensorView& result)>;

// What one decoding works on: audio of some windows, and rows of tokens, each about one of the
// windows. Belongs to one decoder and one thread.
class DecoderState {
 public:
  int rows() const { return tokens_.rows(); }
  int window(int row) const { return windows_.at(row); }
  // Tokens that a row holds.
  std::int64_t length(int row) const { return tokens_.length(row); }

  // Scores (queries times keys / 8, before the softmax) of the captured heads over the audio,
  // [heads,length(0),n_audio_ctx] f32, of row 0 since Start. A caller who wants probabilities of
  // a part of the audio takes the softmax over that part.
  TensorView CrossScores() const;

  // Shows every part of the next calls; empty to stop.
  void set_tap(TapFn tap) { tap_ = std::move(tap); }

  // Memory that the next Step reads beside the weights: keys and values.
  std::size_t cache_bytes() const;

 private:
  friend class Decoder;
  struct Item {
    int row;
    int token;
    std::int64_t position;
  };
  // Items that follow each other and share a row (self-attention) or a window (cross-attention).
  struct Group {
    std::int64_t first;
    std::int64_t count;
  };
  struct ThreadScratch {
    Tensor token_scores;  // [n_text_ctx], whole pages
    Tensor audio_scores;  // [kGroupItems,n_audio_ctx], whole blocks
  };
  // Vectors that share one pass over a window's keys.
  static constexpr std::int64_t kGroupItems = 16;

  DecoderState(const encoder::Geometry& geometry, ops::Precision precision, int windows, int rows,
               std::vector<CrossHead> capture, int threads);
  // Packed keys of a head, followed by its values.
  std::byte* CrossHeadData(int window, std::int64_t layer, std::int64_t head) const;

  std::vector<int> windows_, next_windows_;  // of each row
  int window_capacity_;
  TokenCache tokens_;
  DType cache_type_;
  std::int64_t heads_;
  std::size_t cross_keys_, cross_values_;  // bytes of one head
  std::size_t cross_window_;               // of a window
  Arena cross_;                            // [window][layer][head] keys, values
  std::byte* cross_data_;
  std::vector<CrossHead> capture_;
  Tensor captured_;  // [heads,n_text_ctx,n_audio_ctx]
  TapFn tap_;

  std::vector<Item> items_;
  std::vector<Group> row_groups_, window_groups_;
  Tensor stream_, normed_, qkv_, mixed_, block_, hidden_;  // [items,...]
  Tensor wanted_;                                          // [items,d]
  Tensor logits_;                                          // [rows,n_vocab]
  Projection::Scratch scratch_;
  std::vector<ThreadScratch> threads_;
};

// Const after construction but for SetAudio; several states may take turns.
class Decoder {
 public:
  // Loads and packs the weights. All activations are f32. With bf16 and int8, weights are kept in
  // that type (projection.h), keys and values in bf16; the product that makes a window's keys and
  // values runs in bf16 for both, or in f32 where this machine has no bf16 products.
  Decoder(const encoder::Model& model, ops::Precision precision, const ops::CpuContext& context);

  const encoder::Geometry& geometry() const { return geometry_; }
  ops::Precision precision() const { return precision_; }
  // Memory of the weights that each Step reads.
  std::size_t weight_bytes() const { return step_bytes_; }

  // Room for that many windows, and rows in all. Everything that later calls need is allocated
  // here. With `capture`, CrossScores() is kept for those heads; throws kInvalidArgument for one
  // that the model has not.
  std::unique_ptr<DecoderState> NewState(int windows, int rows,
                                         std::vector<CrossHead> capture = {}) const;

  // Makes window `window` that of `encoded` [n_audio_ctx,d] f32, the encoder's output. Throws
  // kInvalidArgument for another shape.
  void SetAudio(DecoderState& state, int window, const TensorView& encoded);

  // Rows without tokens: row i is about windows[i].
  void Start(DecoderState& state, std::span<const int> windows) const;

  // Adds tokens to one row. `logits` is [wanted.size(), n_vocab] f32 or empty: row i of it is what
  // follows tokens[wanted[i]]; `wanted` ascends. Throws kInvalidArgument for a token that the
  // vocabulary has not, and for more tokens than the model has positions for.
  void Prefill(DecoderState& state, int row, std::span<const int> tokens,
               std::span<const int> wanted, const TensorView& logits) const;

  // Adds one token to each row, and returns [rows,n_vocab] f32 logits: the state's, good until its
  // next call. Throws like Prefill.
  TensorView Step(DecoderState& state, std::span<const int> tokens) const;

  // Row i goes on as what row from[i] was; there may be more rows than before, or fewer.
  void Reorder(DecoderState& state, std::span<const int> from) const;

 private:
  struct Norm {
    Tensor gamma, beta;
  };
  struct Layer {
    Norm attn_ln, cross_ln, mlp_ln;
    std::unique_ptr<Projection> qkv, out, cross_query, cross_out, fc1, fc2;
    std::unique_ptr<ops::Linear> cross_kv;  // [2d]: keys, values
  };

  std::unique_ptr<Projection> Load(const encoder::Model& model, const std::string& name);
  std::unique_ptr<Projection> LoadQkv(const encoder::Model& model, const std::string& name);
  void LoadCrossKv(const encoder::Model& model, const std::string& name, Layer& layer);
  void AddItem(DecoderState& state, int row, int token) const;
  void CheckTokens(const DecoderState& state, int row, std::span<const int> tokens) const;
  void Forward(DecoderState& state) const;
  void Embed(DecoderState& state) const;
  void AttendTokens(DecoderState& state, int layer) const;
  void AttendTokensHead(DecoderState& state, int layer, std::int64_t item, std::int64_t head,
                        DecoderState::ThreadScratch& scratch) const;
  void AttendAudio(DecoderState& state, int layer) const;
  void AttendAudioHead(DecoderState& state, int layer, const DecoderState::Group& group,
                       std::int64_t head, DecoderState::ThreadScratch& scratch) const;
  void Capture(DecoderState& state, int layer, const DecoderState::Group& group, std::int64_t head,
               const float* scores, std::int64_t stride) const;
  // Of the first `rows` rows of state.wanted_, the residual stream where logits are asked for.
  void Logits(DecoderState& state, std::int64_t rows, float* logits) const;

  encoder::Geometry geometry_;
  ops::Precision precision_;
  ops::CpuContext context_;
  std::size_t step_bytes_;
  Arena arena_;
  std::unique_ptr<Projection> embedding_;  // of tokens; tied: the output projection, too
  Tensor positions_;                       // [n_text_ctx,d]
  std::vector<Layer> layers_;
  Norm ln_;
  DType audio_type_ = DType::kF32;  // of what cross_kv takes
  Tensor audio_, cross_kv_;         // of the present SetAudio
};

}  // namespace xdna::decoder

#endif  // DECODER_DECODER_H_
