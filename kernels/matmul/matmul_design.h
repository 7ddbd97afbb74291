// What a tile product asks of its core tile, for any tile shape, and all shapes that fit.
#ifndef KERNELS_MATMUL_MATMUL_DESIGN_H_
#define KERNELS_MATMUL_MATMUL_DESIGN_H_

#include <cstddef>
#include <vector>

#include "kernels/aie/slot_model/slot_model.h"
#include "kernels/design/design.h"

namespace xdna::kernels {

struct MatmulConfig {
  std::size_t m = 0, k = 0, n = 0;  // the tile: multiples of 4, 8 and 4 (int8: 8)
  std::size_t steps = 1;            // of k for each tile of C
  std::size_t in_bytes = 2;         // 2: bf16, 1: int8
  std::size_t out_bytes = 2;        // bf16: 2, 4; int8: 1, 2, 4
  bool bias = false, residual = false;
  bool reload = false;                // C as bf16 from step to step, in the output's buffer
  bool scaled = false, gelu = false;  // of the epilogue, bf16 only
};

// One call is a tile of C, all steps of k. A comes on channel 0; B, bias and residual on channel 1.
// A C of 4 bytes is made in the output's object, others in memory of their own. The memory tile
// brings row-major panels into blocks, and C back. Cycles are kernels/cost's of the products, the
// first of them from zero, and of the epilogue, which a C of the output's type goes without if it
// has no work. Throws kInvalidArgument if a size is no multiple or a type or epilogue does not
// exist.
Design MatmulDesign(const MatmulConfig& config, CodeGenerator generator = CodeGenerator::kChess);

// All m, k, n up to `most` whose design fits, the others of `like` as given; m outermost.
std::vector<MatmulConfig> LegalMatmulTiles(const MatmulConfig& like, std::size_t most);

}  // namespace xdna::kernels

#endif  // KERNELS_MATMUL_MATMUL_DESIGN_H_
