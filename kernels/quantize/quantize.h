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

// Rows of x as kernels/matmul's scaled int8 products take them: for each four rows, and in these
// for each `k` of the parts * k columns, blocks of 4x8 as [k/8][4][8], then 16 bf16: the four rows'
// scales (as above, within 2^-16), what these leave of them, zeros. Parts take QuantizedPart(k)
// bytes; q is aligned to 32. rows is a multiple of 4, k of 32.
void quantize_blocks_bf16(const bfloat16* x, int8* q, int32 rows, int32 parts, int32 k);

TILE_FUNCTIONS_END

namespace xdna::kernels {

// Bytes of four rows of k columns and of their scales.
constexpr int32 QuantizedPart(int32 k) { return 4 * k + 32; }

}  // namespace xdna::kernels

#endif  // KERNELS_QUANTIZE_QUANTIZE_H_
