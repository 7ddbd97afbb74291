// Scores and weights as attention.h says, for the kernel and for its bulk form on the host: the
// constants of the fixed point, and how a reference changes.
#ifndef KERNELS_ATTENTION_ATTENTION_LANES_H_
#define KERNELS_ATTENTION_ATTENTION_LANES_H_

#include <aie_api/aie.hpp>

namespace xdna::kernels::weight {

// Where scores start with the reference 0: f32 from 2 to 4 as bits is 0x40000000 + 2^16 (s + 95.5).
// The half makes the lower 16 bits, as a signed number, g = f - 1/2 of the fraction f of s.
inline constexpr float kStart = 2 + 95.5F / 64;
// Upper halves of such a float.
inline constexpr int16 kBottom = 0x4000;             // scores from 96 below the reference on
inline constexpr int16 kTop = 0x4080;                // 32 above it
inline constexpr int16 kFirstBottom = kBottom + 48;  // 48 below it
// bf16 bits = (float bits + 11 round(g^2 2^11)) / 2^9 + 53 + 31 * 128: 2^7 s for the exponent and
// the fraction 1 + f; 11/32 (g^2 - 1/4) for the parabola, without the multiple of 2^7 that drops
// out; the half less the quarter, (2^15 - 11/32 2^14) / 2^9 = 53; the exponents' bias 127 - 96.
inline constexpr int32 kSquareShift = 21;
inline constexpr int16 kParabola = 11;
inline constexpr int32 kBitsShift = 9;
inline constexpr int16 kOffset = 53 + 31 * 128;

// The start that has the reference at `highest`, a score over 64, rounded to an integer: adding
// 1.5 2^17 leaves 6 bits below the binary point. Exact up to scores of 2^16.
inline v16float StartFor(const v16float& highest) {
  const v16float magic = aie::broadcast<float, 16>(0x1.8p17F);
  const v16accfloat reference = aie::sub(aie::add(v16accfloat(highest), magic), magic);
  return aie::sub(v16accfloat(aie::broadcast<float, 16>(kStart)), reference).to_vector<float>();
}

// x times 2 to the power of how much the reference falls, from one start to another, as the
// emulated product has it (1 unit off where the first part of x rounds to a power of two); 0 from
// 127 on. Needs rounding to nearest.
inline v16float Rescale(const v16float& x, const v16float& from, const v16float& to) {
  const v16float fall = aie::sub(v16accfloat(from), v16accfloat(to)).to_vector<float>();
  const v16float most = aie::broadcast<float, 16>(127.0F / 64);
  const v16bfloat16 kept = v16accfloat(aie::min(fall, most)).to_vector<bfloat16>();
  const v16int32 one = aie::broadcast<int32, 16>(0x3F800000);
  // fall * 64 * 2^23: the exponent's place.
  const v16int32 factor = aie::sub(one, aie::to_fixed<int32>(kept, 29));
  return aie::mul(x, factor.cast_to<float>()).to_vector<float>();
}

}  // namespace xdna::kernels::weight

#endif  // KERNELS_ATTENTION_ATTENTION_LANES_H_
