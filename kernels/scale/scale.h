// y[i] = factor x[i] on one tile for i < n, bf16, aligned to 32 bytes, n a multiple of 16. y may be
// x. The factor takes part to 2^-16 (two bf16); one rounding to nearest even.
#ifndef KERNELS_SCALE_SCALE_H_
#define KERNELS_SCALE_SCALE_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

TILE_FUNCTIONS_BEGIN

void scale_bf16(const bfloat16* x, bfloat16* y, float factor, int32 n);

TILE_FUNCTIONS_END

#endif  // KERNELS_SCALE_SCALE_H_
