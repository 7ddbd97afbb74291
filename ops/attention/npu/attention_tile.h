// attention on one core tile: products of kernels/matmul, scores through kernels/softmax.
#ifndef OPS_ATTENTION_NPU_ATTENTION_TILE_H_
#define OPS_ATTENTION_NPU_ATTENTION_TILE_H_

#include <aie_api/aie.hpp>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "ops/attention/npu/fused_attention.h"
#include "ops/contract.h"
#include "ops/linear/npu/linear_tile.h"
#include "ops/linear/npu/tile_product.h"

namespace xdna::ops {

// Width of a head. Throws kInvalidArgument unless `heads` divides d.
std::int64_t HeadWidth(std::int64_t d, std::int64_t heads);

// What the fused kernel wants Q multiplied by.
float FusedFactor(std::int64_t d, std::int64_t heads);

// [3d,d] of wq, wk, wv, and [3d] of bq, 0 (K has no bias in Whisper), bv; those of Q times a
// factor.
Tensor StackedWeights(const TensorMap& weights, float q_factor);
Tensor StackedBiases(const TensorMap& weights, float q_factor);

// softmax(Q K^T / sqrt(d_head)) V for all heads, bf16. A block of queries of one head goes through
// three calls: scores, rounded to bf16 with 1/sqrt(d_head) in the epilogue; softmax by rows, of
// which a tile holds a few; the product with V. Positions and the head's width are padded with
// zeros to whole vectors; the softmax masks the padded positions.
class TileScaledDotProduct {
 public:
  // Throws kInvalidArgument unless `heads` divides d, kUnsupported where a row of m scores does not
  // fit a tile.
  TileScaledDotProduct(std::int64_t m, std::int64_t d, std::int64_t heads,
                       const TileOptions& options, const CpuContext& context);

  // qkv [m,3d], y [m,d]: bf16, contiguous. Profiled as "attention.pack" and "attention.core".
  void Run(const TensorView& qkv, const TensorView& y);

 private:
  void Pack(const bfloat16* qkv, std::int64_t head);
  void Block(const bfloat16* qkv, std::int64_t head, std::int64_t first, bfloat16* y) const;

  CpuContext context_;
  std::int64_t m_, d_, heads_, head_;
  std::int64_t m_padded_, head_padded_;
  std::int64_t softmax_rows_;  // of a call
  aie::rounding_mode rounding_;
  TileProduct qk_, pv_;
  Tensor keys_;    // [heads, head_padded, m_padded]
  Tensor values_;  // [heads, m_padded, head_padded]
};

// A layer's attention half: Q, K and V in one product, the heads, the output projection. In int8
// the projections are int8, all between them bf16. `fused`: the heads by FusedScaledDotProduct,
// with its factor in the weights of Q.
class TileAttention {
 public:
  // `weights`: wq, bq, wk, wv, bv, wo, bo as the contract has them, copied; `m` rows.
  TileAttention(const TensorMap& weights, std::int64_t m, std::int64_t heads, bool fused,
                const TileOptions& options, const CpuContext& context);

  // x [m,d], y [m,d]: bf16, contiguous. Profiled as "attention.qkv", "attention.pack",
  // "attention.core" and "attention.out".
  void Run(const TensorView& x, const TensorView& y);

 private:
  CpuContext context_;
  Tensor qkv_, heads_out_;
  TileLinear in_;
  std::unique_ptr<TileScaledDotProduct> core_;
  std::unique_ptr<FusedScaledDotProduct> fused_;  // in its place
  TileLinear out_;
};

// For AttentionContract; kernels as TileOptionsOf, and "fused".
std::unique_ptr<Instance> MakeAttentionTile(const Dims& dims, const TensorMap& in, Variant variant,
                                            const CpuContext& context);
golden::Tolerance AttentionTileTolerance(const Dims& dims, Variant variant, std::string_view data);
// Of the scores' product, or of the fused kernel.
std::vector<TileShape> AttentionTiles(const Dims& dims, Variant variant);

}  // namespace xdna::ops

#endif  // OPS_ATTENTION_NPU_ATTENTION_TILE_H_
