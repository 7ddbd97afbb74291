// The canary: y = x, words of 32 bits (what a DMA moves), any number of them; aligned to 32 bytes.
// If this one fails, look at the data's way before the arithmetic.
#ifndef KERNELS_PASSTHROUGH_PASSTHROUGH_H_
#define KERNELS_PASSTHROUGH_PASSTHROUGH_H_

#include <aie_api/aie.hpp>

extern "C" {

void passthrough_words(const int32* x, int32* y, int32 words);

}  // extern "C"

#endif  // KERNELS_PASSTHROUGH_PASSTHROUGH_H_
