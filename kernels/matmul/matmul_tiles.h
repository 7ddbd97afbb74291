// A whole product on one tile: what its DMA brings (blocks, zero padding, ping-pong) and the loop
// of its core, over a host memory that stands for the tile's.
#ifndef KERNELS_MATMUL_MATMUL_TILES_H_
#define KERNELS_MATMUL_MATMUL_TILES_H_

#include <aie_api/aie.hpp>

#include "kernels/matmul/matmul.h"

namespace xdna::kernels {

// C [m,n] = A [m,k] B [k,n], dense and row-major, any sizes from 1 up.
struct MatmulProblem {
  int32 m, k, n;
};

// A core's tile: multiples of 4, 8 and 4 (int8: 8).
struct MatmulTile {
  int32 m, k, n;
};

// Bytes of tile memory that the two functions below use: A and B twice, C, and the output and the
// residual where they are apart from C. Each buffer is rounded up to 32 bytes.
int32 MatmulMemoryBytes(const MatmulTile& tile, int32 in_bytes, int32 out_bytes, bool residual);

// The epilogue's bias is [n] and its residual [m,n], row-major. `memory`: MatmulMemoryBytes,
// aligned to 32 bytes; what it holds before does not matter. Each result is computed with tiles of
// `tile`, rows and columns beyond the problem padded with zeros.
template <typename Out>  // bfloat16 or float
void RunMatmul(const MatmulProblem& problem, const MatmulTile& tile, const bfloat16* a,
               const bfloat16* b, const MatmulEpilogue& epilogue, Out* y, void* memory);
template <typename Out>  // int8, int16 or int32
void RunMatmul(const MatmulProblem& problem, const MatmulTile& tile, const int8* a, const int8* b,
               const MatmulIntEpilogue& epilogue, Out* y, void* memory);
// With C as bf16 from step to step.
void RunMatmulReload(const MatmulProblem& problem, const MatmulTile& tile, const bfloat16* a,
                     const bfloat16* b, aie::rounding_mode rounding, bfloat16* y, void* memory);

}  // namespace xdna::kernels

#endif  // KERNELS_MATMUL_MATMUL_TILES_H_
