// What AIE2's arithmetic does with the bits of one lane: f32 -> bf16, bf16 -> int32, integer
// shift-round-saturate, the bf16 multiply-accumulate and the f32 add. Everything is integer
// arithmetic on bit patterns, so that a host's floating-point mode has no say.
//
// Sources, named in the comments below:
//   AM020   AMD's AIE-ML manual, chapter 4: all terms of a floating-point MAC are added in one go,
//           aligned to the one with the largest exponent, with 23 fraction bits.
//   EMU     FIM43-Redeye/xdna-emu (MIT), a model of the datapath checked against a Phoenix:
//           vector_matmul/bf16_pipeline.rs, vector_float.rs, vector_convert.rs, vector_srs.rs.
//   SILICON golden/silicon: captures of a Phoenix that the tests match in every bit.
#ifndef KERNELS_AIE_INCLUDE_AIE_API_DETAIL_NUMERICS_HPP_
#define KERNELS_AIE_INCLUDE_AIE_API_DETAIL_NUMERICS_HPP_

#include <bit>
#include <cstdint>

#include "aie_api/detail/core.hpp"

namespace aie::lane {

inline constexpr std::uint32_t kF32Sign = 0x80000000;
inline constexpr std::uint32_t kF32Infinity = 0x7F800000;
inline constexpr std::uint32_t kF32Fraction = 0x007FFFFF;

// Whether a magnitude grows when `rest`, what is cut off, is not zero. `half` compares it with half
// a unit: -1, 0 or 1. This is the sign-magnitude form; see SrsRounds for two's complement.
// EMU vector_float.rs, srs_round_bf16: unlisted register values act as floor.
constexpr bool GrowsMagnitude(rounding_mode mode, bool negative, bool odd, int half) {
  switch (mode) {
    case rounding_mode::ceil:
      return !negative;
    case rounding_mode::symmetric_floor:
      return false;
    case rounding_mode::symmetric_ceil:
      return true;
    case rounding_mode::negative_inf:
      return half > 0 || (half == 0 && negative);
    case rounding_mode::positive_inf:
      return half > 0 || (half == 0 && !negative);
    case rounding_mode::symmetric_zero:
      return half > 0;
    case rounding_mode::symmetric_inf:
      return half >= 0;
    case rounding_mode::conv_even:
      return half > 0 || (half == 0 && odd);
    case rounding_mode::conv_odd:
      return half > 0 || (half == 0 && !odd);
    default:
      return negative;  // floor
  }
}

constexpr int Compare(std::uint64_t a, std::uint64_t b) { return a < b ? -1 : (a > b ? 1 : 0); }

// f32 -> bf16. Subnormals round like other values (SILICON: no flush); a carry out of the fraction
// lands in the exponent, so that overflow is infinity. A NaN keeps its sign and the upper fraction
// bits as they are, not made quiet, and its fraction becomes 1 where these are zero (SILICON).
constexpr std::uint16_t Bf16FromF32(std::uint32_t bits, rounding_mode mode) {
  const auto upper = static_cast<std::uint16_t>(bits >> 16);
  const std::uint32_t rest = bits & 0xFFFF;
  if ((bits & ~kF32Sign) > kF32Infinity) {
    return (upper & 0x7F) == 0 ? static_cast<std::uint16_t>(upper | 1) : upper;
  }
  if (rest == 0) return upper;
  const bool grows =
      GrowsMagnitude(mode, (bits & kF32Sign) != 0, (upper & 1) != 0, Compare(rest, 0x8000));
  return static_cast<std::uint16_t>(upper + (grows ? 1 : 0));
}

// bf16 -> f32 is exact and keeps subnormals and NaN payloads (SILICON).
constexpr std::uint32_t F32FromBf16(std::uint16_t bits) {
  return static_cast<std::uint32_t>(bits) << 16;
}

// VFLOOR: floor(x 2^shift), saturated to int32, whatever the rounding and saturation registers
// say. `shift` counts by its low six bits, as a signed number. Subnormals are not flushed: a tiny
// negative one gives -1. Any NaN gives the largest int32. EMU vector_convert.rs; aie_api, to_fixed.
constexpr std::int32_t FloorBf16(std::uint16_t bits, int shift = 0) {
  constexpr std::int32_t kMax = 0x7FFFFFFF;
  const int by = ((shift & 0x3F) ^ 0x20) - 0x20;
  const bool negative = (bits & 0x8000) != 0;
  const int exponent = (bits >> 7) & 0xFF;
  const int fraction = bits & 0x7F;
  if (exponent == 255) return fraction != 0 || !negative ? kMax : -kMax - 1;
  const std::int64_t value = (exponent != 0 ? 0x80 | fraction : fraction) * (negative ? -1 : 1);
  const int up = (exponent != 0 ? exponent : 1) - 127 - 7 + by;
  if (value == 0) return 0;
  if (up < 0) return static_cast<std::int32_t>(value >> (up < -62 ? 62 : -up));
  if (up > 31) return negative ? -kMax - 1 : kMax;
  const std::int64_t wide = value * (std::int64_t{1} << up);
  if (wide > kMax) return kMax;
  return static_cast<std::int32_t>(wide < -std::int64_t{kMax} - 1 ? -std::int64_t{kMax} - 1 : wide);
}

// Whether SRS adds one to the arithmetically shifted (floored) value. EMU vector_srs.rs, srs_round.
constexpr bool SrsRounds(rounding_mode mode, bool negative, bool odd, int half) {
  switch (mode) {
    case rounding_mode::floor:
      return false;
    case rounding_mode::ceil:
      return true;
    case rounding_mode::symmetric_floor:
      return negative;
    case rounding_mode::symmetric_ceil:
      return !negative;
    case rounding_mode::negative_inf:
      return half > 0;
    case rounding_mode::positive_inf:
      return half >= 0;
    case rounding_mode::symmetric_zero:
      return half > 0 || (half == 0 && negative);
    case rounding_mode::symmetric_inf:
      return half > 0 || (half == 0 && !negative);
    case rounding_mode::conv_even:
      return half > 0 || (half == 0 && odd);
    case rounding_mode::conv_odd:
      return half > 0 || (half == 0 && !odd);
  }
  return false;
}

// VSRS: value / 2^shift rounded by `mode`, then brought into `bits` (8..64) bits of a signed or
// unsigned integer by `saturation`. A negative shift goes left, by at most 4: the unit works with
// four guard bits below the accumulator (EMU vector_srs.rs, BIAS). Shifts of 60 and more act as 60.
constexpr std::int64_t Srs(std::int64_t value, int shift, unsigned bits, bool is_signed,
                           rounding_mode mode, saturation_mode saturation) {
  constexpr int kGuardBits = 4;
  const int by = (shift < -kGuardBits ? 0 : (shift > 60 ? 60 : shift) + kGuardBits);
  const __int128 wide = static_cast<__int128>(value) * (1 << kGuardBits);
  __int128 result = wide >> by;
  if (by > 0) {
    const auto rest = static_cast<std::uint64_t>(wide - (result << by));
    const std::uint64_t half = std::uint64_t{1} << (by - 1);
    if (rest != 0 && SrsRounds(mode, value < 0, (result & 1) != 0, Compare(rest, half))) ++result;
  }
  const __int128 one = 1;
  const __int128 top = is_signed ? (one << (bits - 1)) - 1 : (one << bits) - 1;
  const __int128 bottom =
      !is_signed ? 0 : (saturation == saturation_mode::symmetric ? -top : -top - 1);
  if (saturation != saturation_mode::none) {
    result = result > top ? top : (result < bottom ? bottom : result);
  }
  const auto low = static_cast<std::uint64_t>(result) << (64 - bits);  // wraps
  return is_signed ? static_cast<std::int64_t>(low) >> (64 - bits)
                   : static_cast<std::int64_t>(low >> (64 - bits));
}

// VUPS: value 2^shift into an accumulator lane of `bits` bits. The vendor's model saturates where
// the saturation register asks for it. EMU vector_ups.rs.
constexpr std::int64_t Ups(std::int64_t value, int shift, unsigned bits,
                           saturation_mode saturation) {
  const __int128 wide = static_cast<__int128>(value) << (shift < 0 ? 0 : (shift > 63 ? 63 : shift));
  const __int128 top = (static_cast<__int128>(1) << (bits - 1)) - 1;
  const __int128 kept = saturation == saturation_mode::none ? wide
                        : wide > top                        ? top
                        : wide < -top - 1                   ? -top - 1
                                                            : wide;
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(kept) << (64 - bits)) >> (64 - bits);
}

// A sum of aligned terms: the largest biased exponent so far, and flags. An exponent E means that
// one unit of the sum is 2^(E - 278).
struct FloatTerms {
  bool nan = false;
  bool plus_infinity = false;
  bool minus_infinity = false;
  int exponent = 0;  // 0: every term is a zero
};

// value / 2^shift to the nearest integer, ties to even. |value| < 2^31.
constexpr std::int64_t RoundShift(std::int64_t value, int shift) {
  if (shift <= 0) return value;
  if (shift > 40) return 0;
  const std::int64_t floor = value >> shift;
  const std::int64_t rest = value - floor * (std::int64_t{1} << shift);
  const std::int64_t half = std::int64_t{1} << (shift - 1);
  return floor + (rest > half || (rest == half && (floor & 1) != 0) ? 1 : 0);
}

// An f32 operand of the adder. The leading one is there for every exponent but 0, infinity's and
// NaN's included: these go through the adder like numbers, beside their flags.
struct F32Term {
  std::int64_t value = 0;  // in units of 2^(exponent - 278)
  int exponent = 0;

  constexpr F32Term(std::uint32_t bits, bool negate, FloatTerms& terms) {
    const bool negative = ((bits & kF32Sign) != 0) != negate;
    const int e = static_cast<int>((bits >> 23) & 0xFF);
    const std::int64_t fraction = bits & kF32Fraction;
    if (e == 255) {
      if (fraction != 0) {
        terms.nan = true;
      } else {
        (negative ? terms.minus_infinity : terms.plus_infinity) = true;
      }
    }
    if (e == 0 && fraction == 0) return;
    value = (e != 0 ? fraction + (1 << 23) : fraction) * (negative ? -1 : 1);
    exponent = (e != 0 ? e : 1) + 128;
    if (exponent > terms.exponent) terms.exponent = exponent;
  }
};

// A product of two bf16: exact, 16 bits.
struct Bf16Product {
  std::int64_t value = 0;
  int exponent = 0;

  constexpr Bf16Product() = default;
  constexpr Bf16Product(std::uint16_t a, std::uint16_t b, bool negate, FloatTerms& terms) {
    const bool negative = (((a ^ b) & 0x8000) != 0) != negate;
    const int ea = (a >> 7) & 0xFF, eb = (b >> 7) & 0xFF;
    const int fa = a & 0x7F, fb = b & 0x7F;
    const bool zero = (ea == 0 && fa == 0) || (eb == 0 && fb == 0);
    const bool infinity = (ea == 255 && fa == 0) || (eb == 255 && fb == 0);
    if ((ea == 255 && fa != 0) || (eb == 255 && fb != 0) || (infinity && zero)) {
      terms.nan = true;  // infinity times zero, too
    } else if (infinity) {
      (negative ? terms.minus_infinity : terms.plus_infinity) = true;
    }
    if (zero) return;
    const std::int64_t product =
        std::int64_t{ea != 0 ? 0x80 | fa : fa} * (eb != 0 ? 0x80 | fb : fb);
    value = (negative ? -product : product) * (1 << 9);
    exponent = (ea != 0 ? ea : 1) + (eb != 0 ? eb : 1) + 1;
    if (exponent > terms.exponent) terms.exponent = exponent;
  }
};

// The normaliser: a sum of units of 2^(exponent - 278) as f32, rounded to nearest even once.
struct Normalized {
  std::uint32_t sign = 0;  // in place
  std::uint32_t fraction = 0;
  int exponent = 0;  // may lie outside 1..254
  bool zero = true;

  constexpr Normalized(std::int64_t sum, int unit_exponent) {
    if (sum == 0) return;
    zero = false;
    sign = sum < 0 ? kF32Sign : 0;
    auto magnitude = static_cast<std::uint64_t>(sum < 0 ? -sum : sum);
    int top = std::bit_width(magnitude) - 1;
    if (top <= 23) {
      magnitude <<= 23 - top;
    } else {
      magnitude =
          static_cast<std::uint64_t>(RoundShift(static_cast<std::int64_t>(magnitude), top - 23));
      if (magnitude >> 24 != 0) {
        magnitude >>= 1;
        ++top;
      }
    }
    fraction = static_cast<std::uint32_t>(magnitude) & kF32Fraction;
    exponent = unit_exponent + top - 23 - 128;
  }
  constexpr bool overflow() const { return !zero && exponent >= 255; }
  constexpr bool underflow() const { return !zero && exponent <= 0; }
};

// The bf16 multiply-accumulate of one lane: acc (+ acc2) +- sum of a[i] b[i] for i < n <= 8, as f32
// bits. All products and accumulators are rounded (nearest even) to units of 2^-23 of the largest
// exponent, summed exactly and rounded once. The exponent of a product is the sum of its operands'
// exponents, even where the product of their fractions is 2 or more.
// AM020; EMU bf16_pipeline.rs; SILICON (mmul_4x8x4_bf16: 432 results).
//
// NaN: the sum goes on as if exponent 255 were a number; its fraction shows in the NaN with bit 0
// set, or just bit 0 if the sum left the range (EMU; SILICON). An accumulator that is NaN passes
// unchanged if every product is zero (EMU, seen on silicon). Underflow: host::mac_underflow.
constexpr std::uint32_t MacBf16(std::uint32_t acc, const std::uint16_t* a, const std::uint16_t* b,
                                unsigned n, bool subtract, const host::options& options,
                                const std::uint32_t* acc2 = nullptr) {
  FloatTerms terms;
  Bf16Product products[8];
  for (unsigned i = 0; i < n; ++i) products[i] = Bf16Product(a[i], b[i], subtract, terms);
  const bool idle = terms.exponent == 0 && acc2 == nullptr;
  const F32Term first(acc, false, terms);
  const F32Term second(acc2 != nullptr ? *acc2 : 0, false, terms);
  if (idle && (acc & ~kF32Sign) > kF32Infinity) return acc;
  std::int64_t sum = 0;
  for (unsigned i = 0; i < n; ++i) {
    sum += RoundShift(products[i].value, terms.exponent - products[i].exponent);
  }
  sum += RoundShift(first.value, terms.exponent - first.exponent);
  sum += RoundShift(second.value, terms.exponent - second.exponent);
  const Normalized result(sum, terms.exponent);
  const bool infinite = terms.plus_infinity || terms.minus_infinity;
  if (terms.nan || (terms.plus_infinity && terms.minus_infinity)) {
    const bool hidden = result.overflow() || result.underflow() ||
                        (infinite && options.nan_payload == host::nan_payload::canonical);
    return result.sign | kF32Infinity | (hidden ? 0 : result.fraction) | 1;
  }
  if (infinite) return (terms.minus_infinity ? kF32Sign : 0) | kF32Infinity;
  if (result.overflow()) return result.sign | kF32Infinity;
  if (result.underflow()) {
    return options.mac_underflow == host::mac_underflow::signed_zero ? result.sign : 0;
  }
  if (result.zero) return 0;
  return result.sign | static_cast<std::uint32_t>(result.exponent) << 23 | result.fraction;
}

// VADD.F / VSUB.F of accumulators: a +- b by the same alignment and normaliser. A result that would
// be subnormal is a zero of its sign; an exact zero is +0. EMU vector_float.rs, aie2_acc_fp32_add,
// with the NaN rule of its note of 2026-06-11: 8160 of 8160 special cases on silicon.
constexpr std::uint32_t AddF32(std::uint32_t a, std::uint32_t b, bool subtract,
                               const host::options& options) {
  if (options.add_denormals == host::add_denormals::flush) {
    if ((a & kF32Infinity) == 0) a &= kF32Sign;
    if ((b & kF32Infinity) == 0) b &= kF32Sign;
  }
  FloatTerms terms;
  const F32Term x(a, false, terms);
  const F32Term y(b, subtract, terms);
  const Normalized result(RoundShift(x.value, terms.exponent - x.exponent) +
                              RoundShift(y.value, terms.exponent - y.exponent),
                          terms.exponent);
  const bool infinite = terms.plus_infinity || terms.minus_infinity;
  if (terms.nan || (terms.plus_infinity && terms.minus_infinity)) {
    const bool shown =
        !result.overflow() && !result.underflow() &&
        (!infinite || (terms.nan && options.nan_payload == host::nan_payload::datapath));
    return result.sign | kF32Infinity | (shown ? result.fraction : 0) | 1;
  }
  if (infinite) return (terms.minus_infinity ? kF32Sign : 0) | kF32Infinity;
  if (result.overflow()) return result.sign | kF32Infinity;
  if (result.underflow()) return result.sign;
  if (result.zero) return 0;
  return result.sign | static_cast<std::uint32_t>(result.exponent) << 23 | result.fraction;
}

// f32 values with the modes of the calling thread's core.
inline float AddFloat(float a, float b) {
  return std::bit_cast<float>(AddF32(std::bit_cast<std::uint32_t>(a),
                                     std::bit_cast<std::uint32_t>(b), false, host::core().options));
}
inline float SubFloat(float a, float b) {
  return std::bit_cast<float>(AddF32(std::bit_cast<std::uint32_t>(a),
                                     std::bit_cast<std::uint32_t>(b), true, host::core().options));
}

}  // namespace aie::lane

#endif  // KERNELS_AIE_INCLUDE_AIE_API_DETAIL_NUMERICS_HPP_
