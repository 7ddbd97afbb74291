// Functions by table as in mlir-aie's aie_runtime_lib/AIE2/lut_based_ops.h: same names, same
// results. Tables: see lut_based_ops.cc.
#ifndef KERNELS_AIE_INCLUDE_LUT_BASED_OPS_H_
#define KERNELS_AIE_INCLUDE_LUT_BASED_OPS_H_

#include <bit>
#include <cstdint>

#include "aie_api/aie.hpp"

namespace aie::host {

// Tables in the layout of aie::lut. exp of i = 0..127, -128..-1, and of i / 256 for i = 0..255,
// both rounded to nearest bf16; 32 segments of tanh over [-4, 4): slope and offset.
struct function_tables {
  alignas(32) std::uint16_t exp_integer[512];
  alignas(32) std::uint16_t exp_fraction[512];
  alignas(32) float tanh[128];
  unsigned char inverse[128];  // fraction of 1/m for the mantissa m = 1 + i / 128
};
const function_tables& tables();

}  // namespace aie::host

// exp(x) as f32: floor(256 x) as int16, exp of its upper byte times exp of its lower byte, each
// rounded to bf16. Errors of up to 1.2 % with the caller's rounding to bf16 (mostly since x is
// floored to 1/256). Saturates at 1.65e38 from 88 up; wraps below -128, since 256 x no longer fits:
// exp(-129) gives 1.65e38. Needs rounding mode floor, see parallel_lookup.
inline v16accfloat getExpBf16(v16bfloat16 x) {
  using lut_type = aie::lut<4, bfloat16, bfloat16>;
  const aie::host::function_tables& t = aie::host::tables();
  const lut_type integers(256, t.exp_integer, t.exp_integer);
  const lut_type fractions(256, t.exp_fraction, t.exp_fraction);
  const aie::parallel_lookup<uint16, lut_type, aie::lut_oor_policy::truncate> integer(integers, 8);
  const aie::parallel_lookup<uint16, lut_type, aie::lut_oor_policy::truncate> fraction(fractions,
                                                                                       0);
  const auto keys = aie::to_fixed<int16>(x, 8).cast_to<uint16>();
  return aie::mul(integer.fetch(keys), fraction.fetch(keys));
}

// tanh(x) by 32 linear segments, rounded to bf16 by the register.
inline v16bfloat16 getTanhBf16(v16bfloat16 x) {
  using lut_type = aie::lut<4, float, bfloat16>;
  const lut_type table(32, aie::host::tables().tanh);
  const aie::linear_approx<bfloat16, lut_type> approximation(table, -2, 16);
  return approximation.compute(x).to_vector<bfloat16>();
}

// 1/x of a positive normal f32: x to 7 fraction bits (halves up), the fraction by table. At most
// 0.6 % off. Signs are lost, and exponents from 253 up wrap.
inline bfloat16 getInvBf16(float x) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x) + 0x8000;
  const std::uint32_t exponent = (bits >> 23) & 0xFF;
  const std::uint32_t fraction = (bits >> 16) & 0x7F;
  const std::uint32_t inverse = (fraction == 0 ? 1 : 0) + (253 - exponent);
  return bfloat16::from_bits(
      static_cast<std::uint16_t>((inverse << 7) + aie::host::tables().inverse[fraction]));
}

#endif  // KERNELS_AIE_INCLUDE_LUT_BASED_OPS_H_
