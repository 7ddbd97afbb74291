// f32 lanes as sums of two bf16: AIE2 multiplies bf16 only, and two or three such products cost far
// less than the toolchain's f32 product (13 VMACs).
#ifndef KERNELS_COMMON_PAIR_H_
#define KERNELS_COMMON_PAIR_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

namespace xdna::kernels {
inline namespace TILE_BUILD {

// high + low = x to 2^-16 of x under rounding to nearest (2^-8 each): high is x as bf16, low the
// rest, which the subtraction gives exactly.
struct Pair {
  v16bfloat16 high, low;
};

inline Pair Split(const v16accfloat& x) {
  const v16bfloat16 high = x.to_vector<bfloat16>();
  return {high, aie::sub(x, high).to_vector<bfloat16>()};
}

// The same number in each lane.
inline Pair Split(float x) { return Split(v16accfloat(aie::broadcast<float, 16>(x))); }

// a b to 3 * 2^-16 of it: the splits, and the product of the low parts, which is left out.
inline v16accfloat Multiply(const Pair& a, const Pair& b) {
  return aie::mac(aie::mac(aie::mul(a.high, b.high), a.high, b.low), a.low, b.high);
}

// acc + a b with b exact.
inline v16accfloat MultiplyAdd(const v16accfloat& acc, const Pair& a, const v16bfloat16& b) {
  return aie::mac(aie::mac(acc, a.high, b), a.low, b);
}

}  // namespace TILE_BUILD
}  // namespace xdna::kernels

#endif  // KERNELS_COMMON_PAIR_H_
