// y[i] = a[i] + b[i] on one tile for i < n; aligned to 32 bytes, n a multiple of 16. y may be a or
// b.
#ifndef KERNELS_ADD_ADD_H_
#define KERNELS_ADD_ADD_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

TILE_FUNCTIONS_BEGIN

// f32 sum, rounded to bf16 to nearest even.
void add_bf16(const bfloat16* a, const bfloat16* b, bfloat16* y, int32 n);
void add_f32(const float* a, const float* b, float* y, int32 n);
// A block's bf16 output onto a residual stream in f32, which no rounding to bf16 wears down.
void add_residual_f32(const float* a, const bfloat16* b, float* y, int32 n);

TILE_FUNCTIONS_END

#endif  // KERNELS_ADD_ADD_H_
