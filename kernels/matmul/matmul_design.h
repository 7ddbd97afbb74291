// What a tile product asks of its core tile, for any tile shape, and all shapes that fit.
#ifndef KERNELS_MATMUL_MATMUL_DESIGN_H_
#define KERNELS_MATMUL_MATMUL_DESIGN_H_

#include <cstddef>
#include <vector>

#include "kernels/design/design.h"

namespace xdna::kernels {

struct MatmulConfig {
  std::size_t m = 0, k = 0, n = 0;  // the tile: multiples of 4, 8 and 4 (int8: 8)
  std::size_t steps = 1;            // of k for each tile of C
  std::size_t in_bytes = 2;         // 2: bf16, 1: int8
  std::size_t out_bytes = 2;        // bf16: 2, 4; int8: 1, 2, 4
  bool bias = false, residual = false;
  bool reload = false;  // C as bf16 from step to step, in the output's buffer
};

// One call is a tile of C, all steps of k. A comes on channel 0; B, bias and residual on channel 1.
// A C of 4 bytes is made in the output's object, others in memory of their own. The memory tile
// brings row-major panels into blocks, and C back. Cycles: a VMAC each, one every cycle in the loop
// over k, and for each block of C the load and store of its accumulators at 32 bytes a cycle and a
// loop's fill of 16 cycles (VMAC and load latencies); with chess-like software pipelining. Throws
// kInvalidArgument if a size is no multiple or a type does not exist.
Design MatmulDesign(const MatmulConfig& config);

// All m, k, n up to `most` whose design fits, the others of `like` as given; m outermost.
std::vector<MatmulConfig> LegalMatmulTiles(const MatmulConfig& like, std::size_t most);

}  // namespace xdna::kernels

#endif  // KERNELS_MATMUL_MATMUL_DESIGN_H_
