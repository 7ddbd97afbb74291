// Symmetric quantisation to int8 on one tile: q = x / scale rounded to nearest even, within
// [-127, 127], so that x is about q scale. x [rows, width] finite, q likewise, scale [rows] f32; x
// aligned to 32 bytes, q to 16; width and n are multiples of 16.
#ifndef KERNELS_QUANTIZE_QUANTIZE_H_
#define KERNELS_QUANTIZE_QUANTIZE_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

TILE_FUNCTIONS_BEGIN

// scale = largest |x| of the row / 127. Rows all below 2^-100 get scale 0 and zeros.
void quantize_rows_bf16(const bfloat16* x, int8* q, float* scale, int32 rows, int32 width);
void quantize_rows_f32(const float* x, int8* q, float* scale, int32 rows, int32 width);

// By 1/scale, which the caller has; larger values end at -127 and 127.
void quantize_bf16(const bfloat16* x, int8* q, float inverse_scale, int32 n);
void quantize_f32(const float* x, int8* q, float inverse_scale, int32 n);

TILE_FUNCTIONS_END

#endif  // KERNELS_QUANTIZE_QUANTIZE_H_
