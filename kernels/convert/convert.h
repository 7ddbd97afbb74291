// f32 <-> bf16 on one tile for i < n; aligned to 32 bytes, n a multiple of 16.
#ifndef KERNELS_CONVERT_CONVERT_H_
#define KERNELS_CONVERT_CONVERT_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

TILE_FUNCTIONS_BEGIN

// `rounding`: a value of the rounding register, 0 (floor) .. 3, 8 .. 13 (12: nearest even).
// Subnormals round like other values; a NaN stays one.
void convert_f32_bf16(const float* x, bfloat16* y, int32 n, int32 rounding);
void convert_bf16_f32(const bfloat16* x, float* y, int32 n);  // exact

TILE_FUNCTIONS_END

#endif  // KERNELS_CONVERT_CONVERT_H_
