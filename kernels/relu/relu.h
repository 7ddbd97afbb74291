// y[i] = max(x[i], 0) on one tile for i < n, bf16, aligned to 32 bytes, n a multiple of 16. y may
// be x. The example of README.md.
#ifndef KERNELS_RELU_RELU_H_
#define KERNELS_RELU_RELU_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

TILE_FUNCTIONS_BEGIN

void relu_bf16(const bfloat16* x, bfloat16* y, int32 n);

TILE_FUNCTIONS_END

#endif  // KERNELS_RELU_RELU_H_
