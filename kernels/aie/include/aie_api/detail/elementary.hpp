// aie::inv, aie::invsqrt, aie::to_fixed, aie::to_float.
#ifndef KERNELS_AIE_INCLUDE_AIE_API_DETAIL_ELEMENTARY_HPP_
#define KERNELS_AIE_INCLUDE_AIE_API_DETAIL_ELEMENTARY_HPP_

#include <bit>
#include <cstdint>
#include <type_traits>

#include "aie_api/detail/ops.hpp"

namespace aie {
inline namespace AIE_HOST_VARIANT {
namespace detail {

// The constants of aie_api's detail/aie2/elementary.hpp.
inline constexpr std::uint32_t kInvMagic = 0x7EB53567;  // the bf16 form uses the upper half
inline constexpr float kInvK1 = 1.9395974F;
inline constexpr float kInvK2 = 1.436142F;
inline constexpr std::int32_t kInvSqrtC1 = 0x5F1FFFF9;  // http://rrrola.wz.cz/inv_sqrt.html
inline constexpr float kInvSqrtC2 = 0.703952253F;
inline constexpr float kInvSqrtC3 = 2.38924456F;
inline constexpr bfloat16 kInvK1Bf16 = kInvK1;  // folded by the compiler: nearest even
inline constexpr bfloat16 kInvSqrtC2Bf16 = kInvSqrtC2;

inline bfloat16 Narrow(float x) {
  return bfloat16::from_bits(lane::Bf16FromF32(Bits(x), get_rounding()));
}

// y = magic - x as bits; y = -k1 y (k2 - x y), which is -1/x roughly; then a Newton step on it,
// each step rounded to bf16 by the register.
inline bfloat16 InvLane(bfloat16 x) {
  bfloat16 y = bfloat16::from_bits(static_cast<std::uint16_t>((kInvMagic >> 16) - x.bits()));
  bfloat16 t = Narrow(lane::AddFloat(MacLane(0, x, y, true), kInvK2));
  t = Narrow(MacLane(0, t, y, false));
  y = Narrow(MacLane(0, t, kInvK1Bf16, true));
  const bfloat16 r = Narrow(MacLane(2.0F, y, x, false));
  return Narrow(MacLane(0, y, r, true));
}

// C1 - (bits of x) / 2, where the half is an SRS and so rounded by the register.
inline float InvSqrtStart(float x) {
  const auto bits = static_cast<std::int32_t>(Bits(x));
  const std::int64_t half = lane::Srs(bits, 1, 32, true, get_rounding(), get_saturation());
  return std::bit_cast<float>(static_cast<std::uint32_t>(kInvSqrtC1) -
                              static_cast<std::uint32_t>(half));
}
// y (C2 C3 - C2 x y y).
inline bfloat16 InvSqrtLane(bfloat16 x) {
  const bfloat16 scaled = Narrow(MacLane(0, x, kInvSqrtC2Bf16, false));
  const bfloat16 y = Narrow(InvSqrtStart(x));
  const bfloat16 yy = Narrow(MacLane(0, y, y, false));
  const bfloat16 rest = Narrow(MacLane(kInvSqrtC2 * kInvSqrtC3, scaled, yy, true));
  return Narrow(MacLane(0, y, rest, false));
}

// acc + a b or acc - a b of f32, with `acc` in each lane; the callers count.
template <unsigned N>
vector<float, N> Fp32MacLanes(float acc, const vector<float, N>& a, const vector<float, N>& b,
                              bool subtract) {
  vector<float, N> sum;
  for (unsigned i = 0; i < N; ++i) sum[i] = acc;
  host::mac_lanes(N, &sum[0], a.data(), b.data(), subtract);
  return sum;
}
template <unsigned N>
vector<float, N> AllLanes(float x) {
  vector<float, N> v;
  for (unsigned i = 0; i < N; ++i) v[i] = x;
  return v;
}

// InvLane and InvSqrtLane of f32.
template <unsigned N>
vector<float, N> InvLanes(const vector<float, N>& x) {
  vector<float, N> y;
  for (unsigned i = 0; i < N; ++i) y[i] = std::bit_cast<float>(kInvMagic - Bits(x[i]));
  vector<float, N> t = Fp32MacLanes(0, x, y, true);
  host::add_lanes(N, t.data(), AllLanes<N>(kInvK2).data(), &t[0], false);
  t = Fp32MacLanes(0, t, y, false);
  y = Fp32MacLanes(0, t, AllLanes<N>(kInvK1), true);
  return Fp32MacLanes(0, y, Fp32MacLanes(2.0F, y, x, false), true);
}
template <unsigned N>
vector<float, N> InvSqrtLanes(const vector<float, N>& x) {
  const vector<float, N> scaled = Fp32MacLanes(0, x, AllLanes<N>(kInvSqrtC2), false);
  vector<float, N> y;
  for (unsigned i = 0; i < N; ++i) y[i] = InvSqrtStart(x[i]);
  vector<float, N> rest = Fp32MacLanes(0, scaled, Fp32MacLanes(0, y, y, false), false);
  host::add_lanes(N, AllLanes<N>(kInvSqrtC2 * kInvSqrtC3).data(), rest.data(), &rest[0], true);
  return Fp32MacLanes(0, y, rest, false);
}

template <typename T>
inline constexpr unsigned kProducts = std::is_same_v<T, float> ? 13 : 1;

}  // namespace detail

// 1/x and 1/sqrt(x) by integer magic and a Newton step; see the report of elementary_test for the
// error. Zero, infinities, NaN and (for invsqrt) negative values give what the steps give, no
// error.
template <typename T, unsigned N>
requires(detail::kIsFloat<T>) vector<T, N> inv(const vector<T, N>& v) {
  detail::CountMac(5 * detail::kProducts<T> * ((N + 15) / 16));
  detail::CountAlu(2 * ((N + 15) / 16));
  if constexpr (std::is_same_v<T, float>) {
    return detail::InvLanes(v);
  } else {
    vector<T, N> result;
    for (unsigned i = 0; i < N; ++i) result[i] = detail::InvLane(v[i]);
    return result;
  }
}
template <typename T, unsigned N>
requires(detail::kIsFloat<T>) vector<T, N> invsqrt(const vector<T, N>& v) {
  detail::CountMac(4 * detail::kProducts<T> * ((N + 15) / 16));
  detail::CountAlu(2 * ((N + 15) / 16));
  if constexpr (std::is_same_v<T, float>) {
    return detail::InvSqrtLanes(v);
  } else {
    vector<T, N> result;
    for (unsigned i = 0; i < N; ++i) result[i] = detail::InvSqrtLane(v[i]);
    return result;
  }
}

// A scalar float is divided in software, correctly rounded. (Peano has no sqrtf, so that a scalar
// invsqrt does not link there.) A scalar bf16 goes through the vector form.
inline float inv(float x) {
  detail::CountScalar(1);
  return 1.0F / x;
}
inline float invsqrt(float x) {
  detail::CountScalar(1);
  return 1.0F / __builtin_sqrtf(x);
}
inline bfloat16 inv(bfloat16 x) { return inv(broadcast<bfloat16, 16>(x))[0]; }
inline bfloat16 invsqrt(bfloat16 x) { return invsqrt(broadcast<bfloat16, 16>(x))[0]; }

// bf16 -> fixed point: floor(x 2^shift), whatever the rounding register says. int32 saturates;
// int16 is the lower half of that, which wraps (aie_api, Float2Fix).
template <typename T, unsigned N>
requires(std::is_same_v<T, int16> ||
         std::is_same_v<T, int32>) vector<T, N> to_fixed(const vector<bfloat16, N>& v,
                                                         int shift = 0) {
  detail::CountConvert((N + 15) / 16);
  vector<T, N> result;
  for (unsigned i = 0; i < N; ++i) {
    result[i] = static_cast<T>(lane::FloorBf16(v[i].bits(), shift));
  }
  return result;
}

// Integer -> x 2^-shift as f32, nearest even: the halves of 16 bits are exact and meet in one add
// (aie_api, Fix2Float). Then to bf16, if asked, by the register.
template <typename T = float, typename Int, unsigned N>
requires(detail::kIsFloat<T> &&
         !detail::kIsFloat<Int>) vector<T, N> to_float(const vector<Int, N>& v, int shift = 0) {
  detail::CountAlu(5 * ((N + 15) / 16));
  vector<float, N> low, high;
  const float unit = std::bit_cast<float>(static_cast<std::uint32_t>(127 - shift) << 23);
  for (unsigned i = 0; i < N; ++i) {
    const auto value = static_cast<std::int64_t>(v[i]);
    low[i] = static_cast<float>(value & 0xFFFF) * unit;
    high[i] = static_cast<float>((value >> 16) * 65536) * unit;
  }
  accum<accfloat, N> acc;
  host::add_lanes(N, low.data(), high.data(), &acc[0], false);
  return acc.template to_vector<T>();
}

}  // namespace AIE_HOST_VARIANT
}  // namespace aie

#endif  // KERNELS_AIE_INCLUDE_AIE_API_DETAIL_ELEMENTARY_HPP_
