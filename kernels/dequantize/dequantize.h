// y[r][c] = x[r][c] row_scale[r] column_scale[c] on one tile: what an int8 product's int32 sums
// stand for. x [rows, width] int32, scales f32, all but row_scale aligned to 32 bytes; width a
// multiple of
// 16. Products in f32, to 2^-20; scales and results should stay within 2^+-80.
#ifndef KERNELS_DEQUANTIZE_DEQUANTIZE_H_
#define KERNELS_DEQUANTIZE_DEQUANTIZE_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

TILE_FUNCTIONS_BEGIN

void dequantize_bf16(const int32* x, const float* row_scale, const float* column_scale, bfloat16* y,
                     int32 rows, int32 width);
void dequantize_f32(const int32* x, const float* row_scale, const float* column_scale, float* y,
                    int32 rows, int32 width);

TILE_FUNCTIONS_END

#endif  // KERNELS_DEQUANTIZE_DEQUANTIZE_H_
