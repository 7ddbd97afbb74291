#include "kernels/layer_norm/layer_norm.h"

#include <aie_api/aie.hpp>
#include <bit>

#include "kernels/common/pair.h"

namespace {

using xdna::kernels::Pair;
using xdna::kernels::Split;

constexpr int32 kLanes = 16;
constexpr float kEpsilon = 1e-5F;

// 1 / sqrt(v) by aie::invsqrt, whose error is 6.6e-4.
struct InvSqrt {
  static float Of(float v) { return aie::invsqrt(aie::broadcast<float, 16>(v))[0]; }
};

// 1 / sqrt(v) from v's bits, then Newton's y (3 - v y^2) / 2. The constant: C. Lomont, "Fast
// inverse square root", 2003.
template <int kSteps>
struct NoSqrt {
  static float Of(float v) {
    float y = std::bit_cast<float>(0x5F3759DF - (std::bit_cast<uint32>(v) >> 1));
    for (int step = 0; step < kSteps; ++step) y *= 1.5F - 0.5F * v * y * y;
    return y;
  }
};

struct Moments {
  float mean, variance;
};

float Sum(const v16accfloat& lanes) { return aie::reduce_add(lanes.to_vector<float>()); }

// x - mean of one vector, in f32.
Pair Centred(const bfloat16* x, const v16accfloat& mean) {
  return Split(aie::sub(v16accfloat(aie::load_v<16>(x)), mean));
}

struct TwoPass {
  static Moments Of(const bfloat16* x, int32 width, float inverse_width) {
    v16accfloat sum = aie::zeros<accfloat, 16>();
    for (int32 i = 0; i < width; i += kLanes) chess_prepare_for_pipelining {
        sum = aie::add(sum, aie::load_v<16>(x + i));
      }
    const float mean = Sum(sum) * inverse_width;
    const v16accfloat means(aie::broadcast<float, 16>(mean));
    v16accfloat squares = aie::zeros<accfloat, 16>();
    v16accfloat cross = aie::zeros<accfloat, 16>();  // high * low, of which there are two
    for (int32 i = 0; i < width; i += kLanes) chess_prepare_for_pipelining {
        const Pair c = Centred(x + i, means);
        squares = aie::mac(squares, c.high, c.high);
        cross = aie::mac(cross, c.high, c.low);
      }
    return {mean, Sum(aie::add(squares, aie::add(cross, cross))) * inverse_width};
  }
};

struct OnePass {
  static Moments Of(const bfloat16* x, int32 width, float inverse_width) {
    v16accfloat sum = aie::zeros<accfloat, 16>();
    v16accfloat squares = aie::zeros<accfloat, 16>();
    for (int32 i = 0; i < width; i += kLanes) chess_prepare_for_pipelining {
        const v16bfloat16 v = aie::load_v<16>(x + i);
        sum = aie::add(sum, v);
        squares = aie::mac(squares, v, v);
      }
    const float mean = Sum(sum) * inverse_width;
    const float variance = Sum(squares) * inverse_width - mean * mean;
    return {mean, variance > 0 ? variance : 0};
  }
};

struct Affine {
  const bfloat16* gamma;
  const bfloat16* beta;
  v16bfloat16 Apply(const v16accfloat& normal, int32 i) const {
    const v16accfloat offset(aie::load_v<16>(beta + i));
    return xdna::kernels::MultiplyAdd(offset, Split(normal), aie::load_v<16>(gamma + i))
        .to_vector<bfloat16>();
  }
};

struct Folded {
  v16bfloat16 Apply(const v16accfloat& normal, int32) const { return normal.to_vector<bfloat16>(); }
};

template <typename MomentsOf, typename InverseRoot, typename Output>
void LayerNorm(const bfloat16* x, bfloat16* y, int32 rows, int32 width, const Output& output) {
  event0();
  aie::set_rounding(aie::rounding_mode::conv_even);
  const float inverse_width = 1.0F / static_cast<float>(width);
  for (int32 row = 0; row < rows; ++row, x += width, y += width) {
    const Moments m = MomentsOf::Of(x, width, inverse_width);
    const Pair scale = Split(InverseRoot::Of(m.variance + kEpsilon));
    const v16accfloat means(aie::broadcast<float, 16>(m.mean));
    for (int32 i = 0; i < width; i += kLanes) chess_prepare_for_pipelining {
        const v16accfloat normal = xdna::kernels::Multiply(Centred(x + i, means), scale);
        aie::store_v(y + i, output.Apply(normal, i));
      }
  }
  event1();
}

}  // namespace

TILE_FUNCTIONS_BEGIN

void layer_norm_bf16(const bfloat16* x, const bfloat16* gamma, const bfloat16* beta, bfloat16* y,
                     int32 rows, int32 width) {
  LayerNorm<TwoPass, InvSqrt>(x, y, rows, width, Affine{gamma, beta});
}

void layer_norm_folded_bf16(const bfloat16* x, bfloat16* y, int32 rows, int32 width) {
  LayerNorm<TwoPass, InvSqrt>(x, y, rows, width, Folded{});
}

void layer_norm_one_pass_bf16(const bfloat16* x, const bfloat16* gamma, const bfloat16* beta,
                              bfloat16* y, int32 rows, int32 width) {
  LayerNorm<OnePass, InvSqrt>(x, y, rows, width, Affine{gamma, beta});
}

void layer_norm_nosqrt0_bf16(const bfloat16* x, const bfloat16* gamma, const bfloat16* beta,
                             bfloat16* y, int32 rows, int32 width) {
  LayerNorm<TwoPass, NoSqrt<0>>(x, y, rows, width, Affine{gamma, beta});
}

void layer_norm_nosqrt1_bf16(const bfloat16* x, const bfloat16* gamma, const bfloat16* beta,
                             bfloat16* y, int32 rows, int32 width) {
  LayerNorm<TwoPass, NoSqrt<1>>(x, y, rows, width, Affine{gamma, beta});
}

void layer_norm_nosqrt2_bf16(const bfloat16* x, const bfloat16* gamma, const bfloat16* beta,
                             bfloat16* y, int32 rows, int32 width) {
  LayerNorm<TwoPass, NoSqrt<2>>(x, y, rows, width, Affine{gamma, beta});
}

void layer_norm_nosqrt3_bf16(const bfloat16* x, const bfloat16* gamma, const bfloat16* beta,
                             bfloat16* y, int32 rows, int32 width) {
  LayerNorm<TwoPass, NoSqrt<3>>(x, y, rows, width, Affine{gamma, beta});
}

TILE_FUNCTIONS_END
