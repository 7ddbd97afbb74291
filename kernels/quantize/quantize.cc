#include "kernels/quantize/quantize.h"

#include <aie_api/aie.hpp>

namespace {

constexpr int32 kLanes = 16;
constexpr float kTop = 127.0F;
constexpr float kSmallest = 0x1p-100F;
// f32 of this exponent have units of 1: adding it rounds to an integer, to nearest even whatever
// the rounding register says, and leaves the integer in the low bits. (bf16 -> integer always
// floors.)
constexpr float kShift = 0x1.8p23F;
constexpr int32 kShiftBits = 0x4B400000;

template <typename T>
v16float Load(const T* x) {
  return v16accfloat(aie::load_v<16>(x)).template to_vector<float>();
}

void Quantize(const v16float& x, float inverse_scale, int8* q) {
  v16float scaled = aie::mul(x, inverse_scale).to_vector<float>();
  scaled = aie::min(aie::max(scaled, -kTop), kTop);
  const v16float shifted = aie::add(scaled, kShift);
  const v16int32 rounded = aie::sub(shifted.cast_to<int32>(), kShiftBits);
  aie::store_v(q, aie::accum<acc32, 16>(rounded).to_vector<int8>());
}

template <typename T>
void QuantizeAll(const T* x, int8* q, float inverse_scale, int32 n) {
  for (int32 i = 0; i < n; i += kLanes) chess_prepare_for_pipelining {
      Quantize(Load(x + i), inverse_scale, q + i);
    }
}

// The f32 products split by the rounding register.
void SetModes() {
  aie::set_rounding(aie::rounding_mode::conv_even);
  aie::set_saturation(aie::saturation_mode::saturate);
}

template <typename T>
void QuantizeRows(const T* x, int8* q, float* scale, int32 rows, int32 width) {
  event0();
  SetModes();
  for (int32 row = 0; row < rows; ++row, x += width, q += width) {
    v16float largest = aie::zeros<float, 16>();
    for (int32 i = 0; i < width; i += kLanes) chess_prepare_for_pipelining {
        largest = aie::max(largest, aie::abs(Load(x + i)));
      }
    const float top = aie::reduce_max(largest);
    const bool zero = top < kSmallest;
    scale[row] = zero ? 0.0F : top * (1.0F / kTop);
    QuantizeAll(x, q, zero ? 0.0F : kTop / top, width);
  }
  event1();
}

template <typename T>
void QuantizeGiven(const T* x, int8* q, float inverse_scale, int32 n) {
  event0();
  SetModes();
  QuantizeAll(x, q, inverse_scale, n);
  event1();
}

}  // namespace

TILE_FUNCTIONS_BEGIN

void quantize_rows_bf16(const bfloat16* x, int8* q, float* scale, int32 rows, int32 width) {
  QuantizeRows(x, q, scale, rows, width);
}

void quantize_rows_f32(const float* x, int8* q, float* scale, int32 rows, int32 width) {
  QuantizeRows(x, q, scale, rows, width);
}

void quantize_bf16(const bfloat16* x, int8* q, float inverse_scale, int32 n) {
  QuantizeGiven(x, q, inverse_scale, n);
}

void quantize_f32(const float* x, int8* q, float inverse_scale, int32 n) {
  QuantizeGiven(x, q, inverse_scale, n);
}

TILE_FUNCTIONS_END
