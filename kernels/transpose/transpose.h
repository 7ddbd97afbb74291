// Transposes of 8- and 16-bit elements, which a DMA can't do: it moves 32-bit words.
//
// x [rows, cols] -> y [cols, rows], row-major and dense, bits unchanged; rows and cols are
// multiples of 16, buffers aligned to 32 bytes, y is not x.
#ifndef KERNELS_TRANSPOSE_TRANSPOSE_H_
#define KERNELS_TRANSPOSE_TRANSPOSE_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

TILE_FUNCTIONS_BEGIN

void transpose_bf16(const bfloat16* x, bfloat16* y, int32 rows, int32 cols);
void transpose_int8(const int8* x, int8* y, int32 rows, int32 cols);

TILE_FUNCTIONS_END

#endif  // KERNELS_TRANSPOSE_TRANSPOSE_H_
