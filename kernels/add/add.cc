#include "kernels/add/add.h"

#include <aie_api/aie.hpp>

namespace {

constexpr int32 kLanes = 16;

template <typename A, typename B, typename Y>
void Add(const A* a, const B* b, Y* y, int32 n) {
  event0();
  aie::set_rounding(aie::rounding_mode::conv_even);
  for (int32 i = 0; i < n; i += kLanes) chess_prepare_for_pipelining {
      const v16accfloat left(aie::load_v<16>(a + i));
      aie::store_v(y + i, aie::add(left, aie::load_v<16>(b + i)).template to_vector<Y>());
    }
  event1();
}

}  // namespace

TILE_FUNCTIONS_BEGIN

void add_bf16(const bfloat16* a, const bfloat16* b, bfloat16* y, int32 n) { Add(a, b, y, n); }
void add_f32(const float* a, const float* b, float* y, int32 n) { Add(a, b, y, n); }
void add_residual_f32(const float* a, const bfloat16* b, float* y, int32 n) { Add(a, b, y, n); }

TILE_FUNCTIONS_END
