#include "kernels/gelu/gelu.h"

#include <lut_based_ops.h>

#include <aie_api/aie.hpp>

#include "kernels/gelu/gelu_lanes.h"

namespace {

constexpr int32 kLanes = 16;
constexpr bfloat16 kHalf = 0.5F;
constexpr bfloat16 kOne = 1.0F;
constexpr bfloat16 kSqrt2OverPi = 0.79788456F;
constexpr bfloat16 kCubic = 0.044715F;

v16bfloat16 Product(const v16bfloat16& a, const v16bfloat16& b) {
  return aie::mul(a, b).to_vector<bfloat16>();
}

template <typename F>
void Map(const bfloat16* x, bfloat16* y, int32 n, F gelu) {
  event0();
  aie::set_rounding(aie::rounding_mode::conv_even);
  for (int32 i = 0; i < n; i += kLanes) chess_prepare_for_pipelining {
      const v16accfloat wide(aie::load_v<16>(x + i));
      const v16accfloat result = gelu(wide);
      aie::store_v(y + i, result.to_vector<bfloat16>());
    }
  event1();
}

}  // namespace

TILE_FUNCTIONS_BEGIN

void gelu_bf16(const bfloat16* x, bfloat16* y, int32 n) {
  Map(x, y, n, [](const v16accfloat& v) { return xdna::kernels::GeluErf(v.to_vector<float>()); });
}

void gelu_table_bf16(const bfloat16* x, bfloat16* y, int32 n) {
  Map(x, y, n, [](const v16accfloat& v) { return xdna::kernels::GeluByTable(v); });
}

void gelu_stock_bf16(const bfloat16* x, bfloat16* y, int32 n) {
  event0();
  aie::set_rounding(aie::rounding_mode::floor);
  for (int32 i = 0; i < n; i += kLanes) chess_prepare_for_pipelining {
      const v16bfloat16 v = aie::load_v<16>(x + i);
      const v16bfloat16 cube = Product(v, Product(v, v));
      const v16bfloat16 cubic = Product(cube, aie::broadcast<bfloat16, 16>(kCubic));
      const v16bfloat16 inner =
          Product(aie::add(v, cubic), aie::broadcast<bfloat16, 16>(kSqrt2OverPi));
      const v16bfloat16 sum = aie::add(getTanhBf16(inner), kOne);
      const v16bfloat16 half = Product(sum, aie::broadcast<bfloat16, 16>(kHalf));
      aie::store_v(y + i, Product(v, half));
    }
  event1();
}

TILE_FUNCTIONS_END
