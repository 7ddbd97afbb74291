// The canary: y = x, words of 32 bits (what a DMA moves), any number of them; aligned to 32 bytes.
// If this one fails, look at the data's way before the arithmetic.
#ifndef KERNELS_PASSTHROUGH_PASSTHROUGH_H_
#define KERNELS_PASSTHROUGH_PASSTHROUGH_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

TILE_FUNCTIONS_BEGIN

void passthrough_words(const int32* x, int32* y, int32 words);

TILE_FUNCTIONS_END

#endif  // KERNELS_PASSTHROUGH_PASSTHROUGH_H_
