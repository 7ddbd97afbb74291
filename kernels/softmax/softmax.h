// Softmax by rows on one tile, exp by the tables of lut_based_ops.h.
//
// x, y [rows, width] bf16, aligned to 32 bytes; width is a multiple of 16. The first `valid`
// columns (1 .. width) take part, whatever the others hold; y is zero in these. y may be x. x is
// finite or, beside a finite number in the same row, -infinity. All but the stock form narrow by
// conv_even; lookups run under floor, which the gather needs.
#ifndef KERNELS_SOFTMAX_SOFTMAX_H_
#define KERNELS_SOFTMAX_SOFTMAX_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

TILE_FUNCTIONS_BEGIN

// exp(x - max) / sum, differences below -127 taken as -127 (exp is 0 there, and the table wraps
// below -128), 1/sum as two bf16: rows sum to 1 but for the last rounding.
void softmax_bf16(const bfloat16* x, bfloat16* y, int32 rows, int32 width, int32 valid);
// 1/sum as one bf16: a VMAC less per vector; a row is off by up to 2^-8 as a whole.
void softmax_inverse_bf16(const bfloat16* x, bfloat16* y, int32 rows, int32 width, int32 valid);
// As mlir-aie's aie2 kernel, for comparison: no maximum, 1/sum as one bf16, everything rounded by
// floor. Wrong below -128 (wraps) and where exp or its sum leaves f32.
void softmax_stock_bf16(const bfloat16* x, bfloat16* y, int32 rows, int32 width, int32 valid);

// The online form, for rows that come in blocks of columns. state [rows, 2] f32: the maximum and
// the sum so far. Each block updates it (the `first` one ignores what is there), then each block
// can be finished in any order. Each block that raises the maximum multiplies the sum's error by
// that of one exp.
void softmax_online_block_bf16(const bfloat16* x, float* state, int32 rows, int32 width,
                               int32 valid, int32 first);
void softmax_online_finish_bf16(const bfloat16* x, const float* state, bfloat16* y, int32 rows,
                                int32 width, int32 valid);

TILE_FUNCTIONS_END

#endif  // KERNELS_SOFTMAX_SOFTMAX_H_
