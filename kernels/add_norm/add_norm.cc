#include "kernels/add_norm/add_norm.h"

#include <aie_api/aie.hpp>

#include "kernels/common/pair.h"

namespace {

using xdna::kernels::Pair;
using xdna::kernels::Split;

constexpr int32 kLanes = 16;
constexpr float kEpsilon = 1e-5F;

float Sum(const v16accfloat& lanes) { return aie::reduce_add(lanes.to_vector<float>()); }

// x - mean of one vector, in f32.
Pair Centred(const float* x, const v16accfloat& mean) {
  return Split(aie::sub(v16accfloat(aie::load_v<kLanes>(x)), mean));
}

// sum = x + delta of one row; returns its mean.
float AddRow(const float* x, const bfloat16* delta, float* sum, int32 width, float inverse_width) {
  v16accfloat total = aie::zeros<accfloat, kLanes>();
  for (int32 i = 0; i < width; i += kLanes) chess_prepare_for_pipelining {
      const v16float s =
          aie::add(v16accfloat(aie::load_v<kLanes>(x + i)), aie::load_v<kLanes>(delta + i))
              .to_vector<float>();
      aie::store_v(sum + i, s);
      total = aie::add(total, s);
    }
  return Sum(total) * inverse_width;
}

float Variance(const float* x, int32 width, float inverse_width, const v16accfloat& means) {
  v16accfloat squares = aie::zeros<accfloat, kLanes>();
  v16accfloat cross = aie::zeros<accfloat, kLanes>();  // high * low, of which there are two
  for (int32 i = 0; i < width; i += kLanes) chess_prepare_for_pipelining {
      const Pair c = Centred(x + i, means);
      squares = aie::mac(squares, c.high, c.high);
      cross = aie::mac(cross, c.high, c.low);
    }
  return Sum(aie::add(squares, aie::add(cross, cross))) * inverse_width;
}

}  // namespace

TILE_FUNCTIONS_BEGIN

void add_norm_f32(const float* x, const bfloat16* delta, float* sum, bfloat16* y, int32 rows,
                  int32 width) {
  event0();
  aie::set_rounding(aie::rounding_mode::conv_even);
  const float inverse_width = 1.0F / static_cast<float>(width);
  for (int32 row = 0; row < rows; ++row) {
    const float mean = AddRow(x, delta, sum, width, inverse_width);
    const v16accfloat means(aie::broadcast<float, kLanes>(mean));
    const float variance = Variance(sum, width, inverse_width, means);
    const Pair scale = Split(aie::invsqrt(aie::broadcast<float, kLanes>(variance + kEpsilon))[0]);
    for (int32 i = 0; i < width; i += kLanes) chess_prepare_for_pipelining {
        const v16accfloat normal = xdna::kernels::Multiply(Centred(sum + i, means), scale);
        aie::store_v(y + i, normal.to_vector<bfloat16>());
      }
    x += width, delta += width, sum += width, y += width;
  }
  event1();
}

TILE_FUNCTIONS_END
