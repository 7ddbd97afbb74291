// What a block of queries of one head asks of its core tile, for any tile shape, and all shapes
// that fit.
#ifndef KERNELS_ATTENTION_ATTENTION_DESIGN_H_
#define KERNELS_ATTENTION_ATTENTION_DESIGN_H_

#include <cstddef>
#include <vector>

#include "kernels/aie/slot_model/slot_model.h"
#include "kernels/design/design.h"

namespace xdna::kernels {

struct AttentionConfig {
  std::size_t queries = 0, keys = 0;  // of a call: multiples of 4 and 8
  std::size_t d = 64;                 // a multiple of 16
  std::size_t blocks = 1;             // of keys for each block of queries
  unsigned depth = 2;                 // buffers of Q and of Y; K and V have two
};

// One call is a block of queries with all blocks of keys: attention_block_bf16 for each, then
// attention_finish_bf16. Q and K come on channel 0, V on channel 1, all as the memory tile's blocks
// of row-major matrices; Y leaves in blocks of 4 x 4.
// Cycles: the slot model's, of the loops of attention.cc as `generator` compiles them, for blocks
// whose scores stay within the range of their references. A block that doesn't takes up to half as
// long again. Throws kInvalidArgument if a size is no multiple.
Design AttentionDesign(const AttentionConfig& config,
                       CodeGenerator generator = CodeGenerator::kChess);

// MACs of both products over 128 a cycle: what the core uses of its peak, without waiting.
double MacUtilization(const Design& design);

// All queries and keys up to `most` whose design fits, the others of `like` as given; queries
// outermost.
std::vector<AttentionConfig> LegalAttentionTiles(const AttentionConfig& like, std::size_t most);

}  // namespace xdna::kernels

#endif  // KERNELS_ATTENTION_ATTENTION_DESIGN_H_
