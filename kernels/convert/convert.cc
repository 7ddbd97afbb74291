#include "kernels/convert/convert.h"

#include <aie_api/aie.hpp>

namespace {

constexpr int32 kLanes = 16;

template <typename X, typename Y>
void Convert(const X* x, Y* y, int32 n) {
  event0();
  for (int32 i = 0; i < n; i += kLanes) chess_prepare_for_pipelining {
      const v16accfloat v(aie::load_v<16>(x + i));
      aie::store_v(y + i, v.to_vector<Y>());
    }
  event1();
}

}  // namespace

TILE_FUNCTIONS_BEGIN

void convert_f32_bf16(const float* x, bfloat16* y, int32 n, int32 rounding) {
  aie::set_rounding(static_cast<aie::rounding_mode>(rounding));
  Convert(x, y, n);
}

void convert_bf16_f32(const bfloat16* x, float* y, int32 n) { Convert(x, y, n); }

TILE_FUNCTIONS_END
