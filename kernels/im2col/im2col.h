// The stem's convolution as a product: rows of three neighbouring frames (kernel 3, padding 1).
//
// y [outputs, 3 channels]: row u holds frames stride * (first + u) - 1, + 0, + 1 of a sequence of
// `total` frames, one after another; frames before 0 and from `total` on are zero. x [.., channels]
// is time-major and starts at frame `offset`; it must hold those frames of the sequence. channels
// is a multiple of 16, buffers are aligned to 32 bytes. With a convolution's weight [d][c][3] as B
// [3 c, d], B[tap * channels + c][d], y B is the convolution.
#ifndef KERNELS_IM2COL_IM2COL_H_
#define KERNELS_IM2COL_IM2COL_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

namespace xdna::kernels {

struct Im2colWindow {
  int32 channels, outputs, stride;
  int32 first;   // output that y starts with
  int32 offset;  // frame that x starts with
  int32 total;   // frames of the sequence
};

}  // namespace xdna::kernels

TILE_FUNCTIONS_BEGIN

void im2col_bf16(const bfloat16* x, bfloat16* y, const xdna::kernels::Im2colWindow* window);

TILE_FUNCTIONS_END

#endif  // KERNELS_IM2COL_IM2COL_H_
