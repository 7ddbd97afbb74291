// Attention of one head on one tile: what its DMA brings and takes (blocks, ping-pong) and the loop
// of its core, over a host memory that stands for the tile's.
#ifndef KERNELS_ATTENTION_ATTENTION_TILES_H_
#define KERNELS_ATTENTION_ATTENTION_TILES_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

namespace xdna::kernels {
inline namespace TILE_BUILD {

// y [queries,d] = softmax(q k^T) v, q with AttentionScale's factor; k and v are [keys,d]. Rows are
// dense, a stride is the distance of two in elements. Any sizes from 1 up; d is a multiple of 16.
struct AttentionProblem {
  int32 queries, keys, d;
  int32 q_stride, k_stride, v_stride, y_stride;
};

// Of one call: queries a multiple of 4, keys of 8.
struct AttentionTile {
  int32 queries, keys;
};

// Bytes of tile memory that RunAttention uses: K and V twice, and one each of Q, the weights of 16
// queries, the state, the sums and Y.
int32 AttentionMemoryBytes(const AttentionTile& tile, int32 d);

// `memory`: AttentionMemoryBytes, aligned to 32 bytes; what it holds before does not matter, and is
// what the kernel finds in keys beyond the last one. Queries beyond the last one are zeros.
void RunAttention(const AttentionProblem& problem, const AttentionTile& tile, const bfloat16* q,
                  const bfloat16* k, const bfloat16* v, bfloat16* y, void* memory);

}  // namespace TILE_BUILD
}  // namespace xdna::kernels

#endif  // KERNELS_ATTENTION_ATTENTION_TILES_H_
