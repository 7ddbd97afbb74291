#include "kernels/quantize/quantize.h"

#include <aie_api/aie.hpp>

#include "kernels/common/pair.h"

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

constexpr int32 kBlockColumns = 32;  // that four rows give four blocks of 4x8 of
constexpr int32 kGroup = 4;          // rows

v32bfloat16 LargestOf(const bfloat16* row, int32 i, const v32bfloat16& largest) {
  return aie::max(largest, aie::abs(aie::load_v<32>(row + i)));
}

// The largest magnitude of each of four rows.
void LargestOfRows(const bfloat16* x, int32 width, float* tops) {
  v32bfloat16 largest[kGroup];
  for (v32bfloat16& lanes : largest) lanes = aie::zeros<bfloat16, 32>();
  for (int32 i = 0; i < width; i += kBlockColumns) chess_prepare_for_pipelining {
      for (int32 r = 0; r < kGroup; ++r) largest[r] = LargestOf(x + r * width, i, largest[r]);
    }
  for (int32 r = 0; r < kGroup; ++r) tops[r] = aie::reduce_max(largest[r]);
}

// All 24 bits of an f32, the same in each lane.
struct Triple {
  v16bfloat16 high, middle, low;
};
Triple SplitWhole(float x) {
  const v16accfloat whole(aie::broadcast<float, 16>(x));
  const v16bfloat16 high = whole.to_vector<bfloat16>();
  const v16accfloat rest = aie::sub(whole, high);
  const v16bfloat16 middle = rest.to_vector<bfloat16>();
  return {high, middle, aie::sub(rest, middle).to_vector<bfloat16>()};
}

// x / scale of 16 lanes to the nearest integers, in the low bytes: the products are exact and
// their sum rounded to 24 bits, the shift rounds to units. None is beyond 127.5: nothing is to
// clamp.
aie::vector<int8, 16> Quotients(const v16bfloat16& x, const Triple& inverse,
                                const v16accfloat& shift) {
  const v16accfloat rest = aie::mac(aie::mul(x, inverse.low), x, inverse.middle);
  const v16accfloat quotient = aie::mac(rest, x, inverse.high);
  return aie::add(quotient, shift).cast_to<acc32>().to_vector<int8>();
}

aie::vector<int8, 32> QuotientsOf(const bfloat16* x, const Triple& inverse,
                                  const v16accfloat& shift) {
  const v32bfloat16 lanes = aie::load_v<32>(x);
  return aie::concat(Quotients(lanes.extract<16>(0), inverse, shift),
                     Quotients(lanes.extract<16>(1), inverse, shift));
}

// k columns of four rows, `width` apart.
void QuantizePart(const bfloat16* x, int8* q, int32 width, int32 k,
                  const Triple (&inverse)[kGroup]) {
  const v16accfloat shift(aie::broadcast<float, 16>(kShift));
  for (int32 i = 0; i < k; i += kBlockColumns) chess_prepare_for_pipelining {
      aie::vector<int8, 32> rows[kGroup];
      for (int32 r = 0; r < kGroup; ++r)
        rows[r] = QuotientsOf(x + r * width + i, inverse[r], shift);
      const auto [a, b] = aie::interleave_zip(rows[0], rows[1], 8);
      const auto [c, d] = aie::interleave_zip(rows[2], rows[3], 8);
      const auto [first, second] = aie::interleave_zip(a, c, 16);
      const auto [third, fourth] = aie::interleave_zip(b, d, 16);
      aie::store_v(q + kGroup * i, aie::concat(first, second));
      aie::store_v(q + kGroup * i + 64, aie::concat(third, fourth));
    }
}

void QuantizeBlocks(const bfloat16* x, int8* q, int32 rows, int32 parts, int32 k) {
  event0();
  aie::set_rounding(aie::rounding_mode::conv_even);
  aie::set_saturation(aie::saturation_mode::none);
  const int32 width = parts * k;
  for (int32 done = 0; done < rows; done += kGroup, x += kGroup * width) {
    float tops[kGroup];
    LargestOfRows(x, width, tops);
    Triple inverse[kGroup];
    v16bfloat16 scales = aie::zeros<bfloat16, 16>();
    for (int32 r = 0; r < kGroup; ++r) {
      const bool tiny = tops[r] < kSmallest;
      inverse[r] = SplitWhole(tiny ? 0.0F : kTop / tops[r]);
      const xdna::kernels::Pair scale = xdna::kernels::Split(tiny ? 0.0F : tops[r] * (1.0F / kTop));
      scales.set(scale.high[0], static_cast<unsigned>(r));
      scales.set(scale.low[0], static_cast<unsigned>(kGroup + r));
    }
    for (int32 part = 0; part < parts; ++part, q += xdna::kernels::QuantizedPart(k)) {
      QuantizePart(x + part * k, q, width, k, inverse);
      aie::store_v(reinterpret_cast<bfloat16*>(q + kGroup * k), scales);
    }
  }
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

void quantize_blocks_bf16(const bfloat16* x, int8* q, int32 rows, int32 parts, int32 k) {
  QuantizeBlocks(x, q, rows, parts, k);
}

TILE_FUNCTIONS_END
