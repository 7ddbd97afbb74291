// GELU on one tile: y[i] of x[i] for i < n, bf16, aligned to 32 bytes, n a multiple of 16. y may be
// x. NaN gives NaN; the infinities give infinity and 0.
#ifndef KERNELS_GELU_GELU_H_
#define KERNELS_GELU_GELU_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

TILE_FUNCTIONS_BEGIN

// x Phi(x) by the polynomial of gelu_lanes.h in f32, rounded to nearest once.
void gelu_bf16(const bfloat16* x, bfloat16* y, int32 n);
// The same by its table, which takes sizeof(GeluTable) of the tile's memory: within 2.4e-5 before
// the one rounding, and 18 times as fast (compiled by xchesscc; 6 times by Peano).
void gelu_table_bf16(const bfloat16* x, bfloat16* y, int32 n);
// As mlir-aie's aie2 kernel, for comparison: the tanh form, every step rounded to bf16 by floor,
// tanh from its 32 segments. Off by up to 0.023, and low on average.
void gelu_stock_bf16(const bfloat16* x, bfloat16* y, int32 n);

TILE_FUNCTIONS_END

#endif  // KERNELS_GELU_GELU_H_
