// The residual stream's step between two blocks of a transformer, in one pass over memory:
// sum = x + delta, y = (sum - mean) / sqrt(variance + 1e-5) by rows.
//
// x, sum [rows, width] f32 (the stream, which no rounding to bf16 wears down), delta, y
// [rows, width] bf16, all aligned to 32 bytes; width is a multiple of 16. sum may be x. gamma and
// beta are left to the following product's weights and bias. Moments in two passes over the row in
// tile memory, aie::invsqrt for the root; y is rounded once, to nearest even.
#ifndef KERNELS_ADD_NORM_ADD_NORM_H_
#define KERNELS_ADD_NORM_ADD_NORM_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

TILE_FUNCTIONS_BEGIN

void add_norm_f32(const float* x, const bfloat16* delta, float* sum, bfloat16* y, int32 rows,
                  int32 width);

TILE_FUNCTIONS_END

#endif  // KERNELS_ADD_NORM_ADD_NORM_H_
