// Fused attention over the whole array: each core keeps a block of queries of one head, and K and V
// stream past; scores never leave the tile.
//
// A column takes one unit of work at a time: a head and 4 blocks of queries, one a core. Its shim
// reads K and V of a block of keys by one descriptor, and its memory tile puts both into the
// kernel's order and broadcasts them to the four cores. Units go round the columns.
#ifndef KERNELS_ARRAY_ATTENTION_H_
#define KERNELS_ARRAY_ATTENTION_H_

#include <cstddef>
#include <vector>

#include "device/array/instructions.h"
#include "device/array/overlay.h"

namespace xdna::kernels {

struct AttentionArrayConfig {
  std::size_t queries = 64;  // of a core: a multiple of 4
  std::size_t keys = 32;     // of a block: a multiple of 8
  std::size_t d = 64;        // of a head: a multiple of 16
  std::size_t columns = 4;   // 1 to 4
};

struct AttentionProblem {
  std::size_t rows = 0;  // positions, 1 or more
  std::size_t heads = 0;
};

// Rows in whole blocks of queries of four cores, and of keys: what buffers are sized for.
std::size_t PaddedPositions(const AttentionArrayConfig& config, std::size_t rows);

device::Fit AttentionArrayFits(const AttentionArrayConfig& config);

// Throws kInvalidArgument with AttentionArrayFits' reason.
device::Overlay AttentionOverlay(const AttentionArrayConfig& config);

// Buffers of a run, in argument order: QKV [padded rows, 3 heads d] bf16 (Q times AttentionScale(),
// K, V, each by head) and Y [padded rows, heads d] bf16. What lies beyond `rows` must be finite,
// and does not count. Throws kUnsupported where the shims' registers can't express it.
std::vector<device::Instruction> AttentionInstructions(const AttentionArrayConfig& config,
                                                       const AttentionProblem& problem);

}  // namespace xdna::kernels

#endif  // KERNELS_ARRAY_ATTENTION_H_
