#include "kernels/dequantize/dequantize.h"

#include <aie_api/aie.hpp>

namespace {

constexpr int32 kLanes = 16;

template <typename Y>
void Dequantize(const int32* x, const float* row_scale, const float* column_scale, Y* y, int32 rows,
                int32 width) {
  event0();
  aie::set_rounding(aie::rounding_mode::conv_even);
  for (int32 row = 0; row < rows; ++row, x += width, y += width) {
    const v16float scale_of_row = aie::broadcast<float, 16>(row_scale[row]);
    for (int32 i = 0; i < width; i += kLanes) chess_prepare_for_pipelining {
        const v16float sums = aie::to_float(aie::load_v<16>(x + i));
        const v16float scaled =
            aie::mul(sums, aie::load_v<16>(column_scale + i)).to_vector<float>();
        aie::store_v(y + i, aie::mul(scaled, scale_of_row).template to_vector<Y>());
      }
  }
  event1();
}

}  // namespace

TILE_FUNCTIONS_BEGIN

void dequantize_bf16(const int32* x, const float* row_scale, const float* column_scale, bfloat16* y,
                     int32 rows, int32 width) {
  Dequantize(x, row_scale, column_scale, y, rows, width);
}

void dequantize_f32(const int32* x, const float* row_scale, const float* column_scale, float* y,
                    int32 rows, int32 width) {
  Dequantize(x, row_scale, column_scale, y, rows, width);
}

TILE_FUNCTIONS_END
