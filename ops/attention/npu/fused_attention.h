// The heads of attention by the fused kernel: scores never leave the tile.
#ifndef OPS_ATTENTION_NPU_FUSED_ATTENTION_H_
#define OPS_ATTENTION_NPU_FUSED_ATTENTION_H_

#include <cstdint>
#include <vector>

#include "base/tensor.h"
#include "kernels/attention/attention_tiles.h"
#include "ops/contract.h"
#include "ops/linear/npu/tile_product.h"

namespace xdna::ops {

// softmax(Q K^T / sqrt(d_head)) V for all heads by kernels/attention, bf16. Q holds
// kernels::AttentionScale's factor.
class FusedScaledDotProduct {
 public:
  // Throws kInvalidArgument unless `heads` divides d, kUnsupported where a head's width is no
  // multiple of 16 or does not fit a tile.
  FusedScaledDotProduct(std::int64_t m, std::int64_t d, std::int64_t heads, TileHost host,
                        const CpuContext& context);

  const kernels::AttentionTile& tile() const { return tile_; }

  // qkv [m,3d], y [m,d]: bf16, contiguous. Profiled as "attention.core".
  void Run(const TensorView& qkv, const TensorView& y) const;

 private:
  void Block(const bfloat16* qkv, std::int64_t head, std::int64_t first, bfloat16* y) const;

  CpuContext context_;
  std::int64_t m_, d_, heads_, head_;
  kernels::AttentionTile tile_;
  bool bulk_;
};

// Contract::tiles of it, up to 128 queries ("64x48": queries x keys) of `m` positions.
std::vector<TileShape> FusedTiles(std::int64_t m, std::int64_t head);

}  // namespace xdna::ops

#endif  // OPS_ATTENTION_NPU_FUSED_ATTENTION_H_
