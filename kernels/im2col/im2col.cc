#include "kernels/im2col/im2col.h"

#include <aie_api/aie.hpp>

namespace {

constexpr int32 kLanes = 16;
constexpr int32 kTaps = 3;

}  // namespace

TILE_FUNCTIONS_BEGIN

void im2col_bf16(const bfloat16* x, bfloat16* y, const xdna::kernels::Im2colWindow* window) {
  event0();
  const auto [channels, outputs, stride, first, offset, total] = *window;
  for (int32 u = 0; u < outputs; ++u) {
    for (int32 tap = 0; tap < kTaps; ++tap, y += channels) chess_loop_range(3, 3) {
        const int32 frame = stride * (first + u) + tap - 1;
        const bool inside = frame >= 0 && frame < total;
        for (int32 c = 0; c < channels; c += kLanes) chess_prepare_for_pipelining {
            v16bfloat16 v = aie::zeros<bfloat16, 16>();
            if (inside) v = aie::load_v<16>(x + (frame - offset) * channels + c);
            aie::store_v(y + c, v);
          }
      }
  }
  event1();
}

TILE_FUNCTIONS_END
