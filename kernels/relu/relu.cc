#include "kernels/relu/relu.h"

TILE_FUNCTIONS_BEGIN

void relu_bf16(const bfloat16* x, bfloat16* y, int32 n) {
  const auto zero = aie::zeros<bfloat16, 16>();
  for (int32 i = 0; i < n; i += 16) chess_prepare_for_pipelining {
      aie::store_v(y + i, aie::max(zero, aie::load_v<16>(x + i)));
    }
}

TILE_FUNCTIONS_END
