#include "kernels/scale/scale.h"

#include <aie_api/aie.hpp>

#include "kernels/common/pair.h"

TILE_FUNCTIONS_BEGIN

void scale_bf16(const bfloat16* x, bfloat16* y, float factor, int32 n) {
  constexpr int32 kLanes = 16;
  event0();
  aie::set_rounding(aie::rounding_mode::conv_even);
  const xdna::kernels::Pair pair = xdna::kernels::Split(factor);
  for (int32 i = 0; i < n; i += kLanes) chess_prepare_for_pipelining {
      const v16bfloat16 v = aie::load_v<16>(x + i);
      aie::store_v(y + i, aie::mac(aie::mul(v, pair.high), v, pair.low).to_vector<bfloat16>());
    }
  event1();
}

TILE_FUNCTIONS_END
