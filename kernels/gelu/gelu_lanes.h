// GELU of lanes, for gelu.cc and for kernels that fuse it: by a polynomial in f32, and by a table.
#ifndef KERNELS_GELU_GELU_LANES_H_
#define KERNELS_GELU_GELU_LANES_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"
#include "kernels/gelu/gelu_table.h"

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

// max(x, 0) - a Q(a) with a = |x|: Q from its table, as a sum of two bf16, since AIE2 multiplies no
// wider ones. |error| <= 2.4e-5 for an x that is a bf16. Others round to one in the second term
// alone, which is off by up to |x| 2^-8 |d(a Q)/da|: 7.7e-4 at most (|x| = 1.7), and a unit of a
// bf16 result near 0. No f32 product, 9 vector operations. The rounding register should be
// conv_even. NaN stays NaN where the core's min keeps it, as the host's does.
template <unsigned N>
inline aie::accum<accfloat, N> GeluByTable(const aie::accum<accfloat, N>& x) {
  using Narrow = aie::vector<bfloat16, N>;
  using Table = aie::lut<4, float, bfloat16>;
  const Table table(kGeluSegments, kGeluTable.ab, kGeluTable.cd);
  const aie::linear_approx<bfloat16, Table> tail(table, kGeluStepBits);
  const Narrow a = aie::min(aie::abs(x.template to_vector<bfloat16>()), bfloat16(kGeluTableEnd));
  const auto q = tail.compute(a);
  const Narrow high = q.template to_vector<bfloat16>();
  const Narrow low = aie::sub(q, high).template to_vector<bfloat16>();
  // Floats of a sign have the order of their bits.
  const auto positive =
      aie::max(x.template to_vector<float>().template cast_to<int32>(), aie::zeros<int32, N>());
  const aie::accum<accfloat, N> start(positive.template cast_to<float>());
  return aie::msc(aie::msc(start, a, high), a, low);
}

}  // namespace TILE_BUILD
}  // namespace xdna::kernels

#endif  // KERNELS_GELU_GELU_LANES_H_
