// GELU of 16 lanes, for gelu.cc and for kernels that fuse it.
#ifndef KERNELS_GELU_GELU_LANES_H_
#define KERNELS_GELU_GELU_LANES_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

namespace xdna::kernels {
inline namespace TILE_BUILD {

// x Phi(x) with Phi(x) = 1/2 + x P(x^2) for |x| <= 4.5255 (4.5255^2 = 20.48), 0 and 1 beyond. P is
// the minimax polynomial of degree 9 of erf(x / sqrt 2) / 2x, by Remez exchange with the weight
// x^2 + 0.05, written in u = x^2 25/256 - 1, which lies in [-1, 1]: so f32 loses little, and 25/256
// is a bf16. |error| <= 8.0e-6 x^2 / (x^2 + 0.05) within, 1.4e-5 beyond.
// The products are the toolchain's emulated f32: the rounding register should be conv_even.
inline constexpr float kGeluEnd = 4.5254834F;
inline constexpr float kGeluPolynomial[10] = {
    0.15603563F,   -0.07681851F, 0.05453929F,    -0.040380823F, 0.028886768F,
    -0.018427522F, 0.010298865F, -0.0068933567F, 0.004924274F,  -0.0016802335F};

inline v16accfloat GeluErf(const v16float& x) {
  const v16float square = aie::mul(x, x).to_vector<float>();
  const v16float u = aie::mac(v16accfloat(aie::broadcast<float, 16>(-1.0F)), square,
                              aie::broadcast<float, 16>(0.09765625F))
                         .to_vector<float>();
  v16float p = aie::broadcast<float, 16>(kGeluPolynomial[9]);
  for (int k = 8; k >= 0; --k) {
    p = aie::mac(v16accfloat(aie::broadcast<float, 16>(kGeluPolynomial[k])), p, u)
            .to_vector<float>();
  }
  const v16float phi =
      aie::mac(v16accfloat(aie::broadcast<float, 16>(0.5F)), x, p).to_vector<float>();
  v16float y = aie::mul(x, phi).to_vector<float>();
  const v16float end = aie::broadcast<float, 16>(kGeluEnd);
  y = aie::select(y, x, aie::gt(x, end));
  y = aie::select(y, aie::zeros<float, 16>(), aie::lt(x, aie::neg(end)));
  return v16accfloat(y);
}

}  // namespace TILE_BUILD
}  // namespace xdna::kernels

#endif  // KERNELS_GELU_GELU_LANES_H_
