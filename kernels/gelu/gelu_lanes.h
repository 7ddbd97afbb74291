// GELU of lanes, for gelu.cc and for kernels that fuse it.
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

// 16 lanes on a tile; more at a time let the host work on several vectors at once.
template <unsigned N>
inline aie::accum<accfloat, N> GeluErf(const aie::vector<float, N>& x) {
  using Vector = aie::vector<float, N>;
  using Sum = aie::accum<accfloat, N>;
  const Vector square = aie::mul(x, x).template to_vector<float>();
  const Vector u =
      aie::mac(Sum(aie::broadcast<float, N>(-1.0F)), square, aie::broadcast<float, N>(0.09765625F))
          .template to_vector<float>();
  Vector p = aie::broadcast<float, N>(kGeluPolynomial[9]);
  for (int k = 8; k >= 0; --k) {
    p = aie::mac(Sum(aie::broadcast<float, N>(kGeluPolynomial[k])), p, u)
            .template to_vector<float>();
  }
  const Vector phi =
      aie::mac(Sum(aie::broadcast<float, N>(0.5F)), x, p).template to_vector<float>();
  Vector y = aie::mul(x, phi).template to_vector<float>();
  const Vector end = aie::broadcast<float, N>(kGeluEnd);
  y = aie::select(y, x, aie::gt(x, end));
  y = aie::select(y, aie::zeros<float, N>(), aie::lt(x, aie::neg(end)));
  return Sum(y);
}

}  // namespace TILE_BUILD
}  // namespace xdna::kernels

#endif  // KERNELS_GELU_GELU_LANES_H_
