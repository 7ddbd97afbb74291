// Lane by lane: add, sub, mul, mac, comparisons, select; and reductions.
#ifndef KERNELS_AIE_INCLUDE_AIE_API_DETAIL_OPS_HPP_
#define KERNELS_AIE_INCLUDE_AIE_API_DETAIL_OPS_HPP_

#include <bit>
#include <cstdint>
#include <type_traits>

#include "aie_api/detail/accum.hpp"
#include "aie_api/detail/lanes.hpp"
#include "aie_api/detail/shuffle.hpp"
#include "aie_api/detail/vector.hpp"

// "The accumulator that fits the operands", as an argument of mul and mmul.
struct accauto {};

namespace aie {
inline namespace AIE_HOST_VARIANT {
namespace detail {

template <typename T, unsigned N, typename F>
vector<T, N> Zip(const vector<T, N>& a, const vector<T, N>& b, F&& f) {
  CountAlu(Registers(vector<T, N>::bits()));
  vector<T, N> result;
  for (unsigned i = 0; i < N; ++i) result[i] = f(a[i], b[i]);
  return result;
}

// Lanes as f32; from bf16 exact.
template <unsigned N>
const vector<float, N>& ToFloats(const vector<float, N>& v) {
  return v;
}
template <unsigned N>
vector<float, N> ToFloats(const vector<bfloat16, N>& v) {
  vector<float, N> wide;
  for (unsigned i = 0; i < N; ++i) wide[i] = v[i];
  return wide;
}

// x + y or x - y of one lane of integers, which wraps.
template <bool kSubtract, typename T>
T AddLane(T x, T y) {
  using U = std::make_unsigned_t<T>;
  return static_cast<T>(kSubtract ? static_cast<U>(static_cast<U>(x) - static_cast<U>(y))
                                  : static_cast<U>(static_cast<U>(x) + static_cast<U>(y)));
}

// a + b or a - b. A bf16 goes through the f32 adder and is rounded by the register (aie_api has no
// other add for it).
template <bool kSubtract, typename T, unsigned N>
vector<T, N> AddLanes(const vector<T, N>& a, const vector<T, N>& b) {
  if constexpr (kIsFloat<T>) {
    CountAlu(Registers(vector<T, N>::bits()));
    vector<float, N> sum;
    host::add_lanes(N, ToFloats(a).data(), ToFloats(b).data(), &sum[0], kSubtract);
    if constexpr (std::is_same_v<T, float>) {
      return sum;
    } else {
      vector<T, N> narrow;
      host::narrow_lanes(N, sum.data(), &narrow[0]);
      return narrow;
    }
  } else {
    return Zip(a, b, [](T x, T y) { return AddLane<kSubtract>(x, y); });
  }
}
template <bool kSubtract, typename Tag, unsigned N>
accum<Tag, N> AddLanes(const accum<Tag, N>& a, const accum<Tag, N>& b) {
  CountAlu(Registers(accum<Tag, N>::bits()));
  accum<Tag, N> sum;
  if constexpr (std::is_same_v<Tag, accfloat>) {
    host::add_lanes(N, a.data(), b.data(), &sum[0], kSubtract);
  } else {
    for (unsigned i = 0; i < N; ++i) sum[i] = AddLane<kSubtract>(a[i], b[i]);
  }
  return sum;
}

inline std::uint32_t Bits(float x) { return std::bit_cast<std::uint32_t>(x); }

// acc +- a b of one lane of bf16.
inline float MacLane(float acc, bfloat16 a, bfloat16 b, bool subtract) {
  const std::uint16_t x = a.bits(), y = b.bits();
  return std::bit_cast<float>(lane::MacBf16(Bits(acc), &x, &y, 1, subtract, host::core().options));
}

// An f32 as the sum of up to three bf16, as the vendor's emulation splits it: the parts round by
// the rounding register, the differences go through the bf16 MAC (llvm-aie, aiev2_core.h).
struct SplitFloat {
  bfloat16 high, middle, low;
  explicit SplitFloat(float x) {
    const rounding_mode mode = host::core().options.fp32_split == host::fp32_split::floor
                                   ? rounding_mode::floor
                                   : get_rounding();
    const auto narrow = [mode](float v) {
      return bfloat16::from_bits(lane::Bf16FromF32(Bits(v), mode));
    };
    const bfloat16 one = bfloat16::from_bits(0x3F80);
    high = narrow(x);
    const float rest = MacLane(x, high, one, true);
    middle = narrow(rest);
    low = narrow(MacLane(rest, middle, one, true));
  }
};

// acc + x y (or acc - x y) of f32, which AIE2 emulates by bf16 products, smallest first; `acc`
// joins the last one. aiev2_core.h, mul_elem_16_accuracy_{safe,fast,low}.
inline float Fp32Mac(float acc, float x, float y, bool subtract) {
  const SplitFloat a(x), d(y);
  float sum = 0;
  const auto add = [&sum, subtract](bfloat16 p, bfloat16 q) { sum = MacLane(sum, p, q, subtract); };
  const host::fp32_product product = host::core().options.fp32_product;
  if (product == host::fp32_product::safe) {
    add(a.low, d.low);
    add(a.low, d.middle);
    add(a.middle, d.low);
  }
  if (product != host::fp32_product::low) {
    add(a.high, d.low);
    add(a.middle, d.middle);
    add(d.high, a.low);
  }
  add(a.middle, d.high);
  add(a.high, d.middle);
  const std::uint16_t p = a.high.bits(), q = d.high.bits();
  const std::uint32_t second = Bits(acc);
  return std::bit_cast<float>(
      lane::MacBf16(Bits(sum), &p, &q, 1, subtract, host::core().options, &second));
}

// VMACs of an f32 product, the splits' included.
inline unsigned Fp32MacOps() {
  const host::fp32_product product = host::core().options.fp32_product;
  return product == host::fp32_product::safe ? 13 : product == host::fp32_product::fast ? 10 : 5;
}

template <typename T1, typename T2>
inline constexpr bool kNarrow = sizeof(T1) <= 2 && sizeof(T2) <= 2;

template <typename AccumTag, typename T1, typename T2>
using AccumFor = std::conditional_t<
    kIsFloat<T1> || kIsFloat<T2>, accfloat,
    std::conditional_t<std::is_same_v<AccumTag, accauto>,
                       std::conditional_t<kNarrow<T1, T2>, acc32, acc64>, AccumTag>>;

// acc += a b lane by lane.
template <typename Tag, unsigned N, typename T1, typename T2>
void MacLanes(accum<Tag, N>& acc, const vector<T1, N>& a, const vector<T2, N>& b, bool subtract) {
  if constexpr (std::is_same_v<T1, float> || std::is_same_v<T2, float>) {
    CountMac(Fp32MacOps() * ((N + 15) / 16));
    host::mac_lanes(N, &acc[0], ToFloats(a).data(), ToFloats(b).data(), subtract);
  } else if constexpr (std::is_same_v<T1, bfloat16> && std::is_same_v<T2, bfloat16>) {
    CountMac((N + 15) / 16);
    host::mac_lanes(N, &acc[0], a.data(), b.data(), subtract);
  } else {
    static_assert(!kIsFloat<T1> && !kIsFloat<T2>, "both floats or both integers");
    CountMac((N + 31) / 32);
    using Lane = typename accum<Tag, N>::lane_type;
    using U = std::make_unsigned_t<Lane>;
    for (unsigned i = 0; i < N; ++i) {
      const auto product = static_cast<U>(static_cast<std::int64_t>(a[i]) * b[i]);
      const auto old = static_cast<U>(acc[i]);
      acc[i] = static_cast<Lane>(subtract ? old - product : old + product);
    }
  }
}

}  // namespace detail

// Every lane the same value.
template <typename T, unsigned N, typename V>
requires ElemBaseType<T> vector<T, N> broadcast(V value) {
  detail::CountAlu(1);
  detail::CountScalar(1);
  vector<T, N> v;
  const T element = static_cast<T>(value);
  for (unsigned i = 0; i < N; ++i) v[i] = element;
  return v;
}
template <typename T, unsigned N>
requires ElemBaseType<T> vector<T, N> zeros() { return vector<T, N>(); }
template <typename T, unsigned N>
requires AccumElemBaseType<T> accum<T, N> zeros() { return accum<T, N>(); }

template <typename T, unsigned N>
vector<T, N> add(const vector<T, N>& a, const vector<T, N>& b) {
  return detail::AddLanes<false>(a, b);
}
template <typename T, unsigned N>
vector<T, N> sub(const vector<T, N>& a, const vector<T, N>& b) {
  return detail::AddLanes<true>(a, b);
}
template <typename T, unsigned N>
vector<T, N> add(const vector<T, N>& a, std::type_identity_t<T> b) {
  return add(a, broadcast<T, N>(b));
}
template <typename T, unsigned N>
vector<T, N> sub(const vector<T, N>& a, std::type_identity_t<T> b) {
  return sub(a, broadcast<T, N>(b));
}
template <typename T, unsigned N>
vector<T, N> add(std::type_identity_t<T> a, const vector<T, N>& b) {
  return add(broadcast<T, N>(a), b);
}
template <typename T, unsigned N>
vector<T, N> sub(std::type_identity_t<T> a, const vector<T, N>& b) {
  return sub(broadcast<T, N>(a), b);
}

template <typename Tag, unsigned N>
accum<Tag, N> add(const accum<Tag, N>& a, const accum<Tag, N>& b) {
  return detail::AddLanes<false>(a, b);
}
template <typename Tag, unsigned N>
accum<Tag, N> sub(const accum<Tag, N>& a, const accum<Tag, N>& b) {
  return detail::AddLanes<true>(a, b);
}
template <typename Tag, typename T, unsigned N>
accum<Tag, N> add(const accum<Tag, N>& a, const vector<T, N>& b) {
  return add(a, accum<Tag, N>(b));
}
template <typename Tag, typename T, unsigned N>
accum<Tag, N> sub(const accum<Tag, N>& a, const vector<T, N>& b) {
  return sub(a, accum<Tag, N>(b));
}

// Products in an accumulator: bf16 exact into f32 lanes, f32 by the emulation, integers exact
// into 32-bit lanes (64-bit where an operand has 32 bits, or as asked: mul<acc64>(a, b)).
template <typename AccumTag = accauto, typename T1, typename T2, unsigned N>
auto mul(const vector<T1, N>& a, const vector<T2, N>& b) {
  accum<detail::AccumFor<AccumTag, T1, T2>, N> acc;
  detail::MacLanes(acc, a, b, false);
  return acc;
}
template <typename AccumTag = accauto, typename T, unsigned N>
auto mul(const vector<T, N>& a, std::type_identity_t<T> b) {
  return mul<AccumTag>(a, broadcast<T, N>(b));
}
template <typename AccumTag = accauto, typename T, unsigned N>
auto mul(std::type_identity_t<T> a, const vector<T, N>& b) {
  return mul<AccumTag>(broadcast<T, N>(a), b);
}
template <typename T1, typename T2, unsigned N>
auto negmul(const vector<T1, N>& a, const vector<T2, N>& b) {
  accum<detail::AccumFor<accauto, T1, T2>, N> acc;
  detail::MacLanes(acc, a, b, true);
  return acc;
}

// acc + a b and acc - a b, rounded once a lane for bf16.
template <typename Tag, typename T1, typename T2, unsigned N>
accum<Tag, N> mac(accum<Tag, N> acc, const vector<T1, N>& a, const vector<T2, N>& b) {
  detail::MacLanes(acc, a, b, false);
  return acc;
}
template <typename Tag, typename T, unsigned N>
accum<Tag, N> mac(const accum<Tag, N>& acc, const vector<T, N>& a, std::type_identity_t<T> b) {
  return mac(acc, a, broadcast<T, N>(b));
}
template <typename Tag, typename T1, typename T2, unsigned N>
accum<Tag, N> msc(accum<Tag, N> acc, const vector<T1, N>& a, const vector<T2, N>& b) {
  detail::MacLanes(acc, a, b, true);
  return acc;
}
template <typename Tag, typename T, unsigned N>
accum<Tag, N> msc(const accum<Tag, N>& acc, const vector<T, N>& a, std::type_identity_t<T> b) {
  return msc(acc, a, broadcast<T, N>(b));
}

// The sign bit of floats; two's complement of integers (the lowest stays itself).
template <typename T, unsigned N>
vector<T, N> neg(const vector<T, N>& v) {
  return detail::Zip(v, v, [](T x, T) {
    if constexpr (detail::kIsFloat<T>) {
      return static_cast<T>(-x);
    } else {
      return detail::AddLane<true, T>(0, x);
    }
  });
}
template <typename T, unsigned N>
vector<T, N> abs(const vector<T, N>& v) {
  const vector<T, N> negated = neg(v);
  vector<T, N> result;
  for (unsigned i = 0; i < N; ++i) {
    if constexpr (std::is_same_v<T, float>) {
      result[i] = std::bit_cast<float>(detail::Bits(v[i]) & ~lane::kF32Sign);
    } else if constexpr (std::is_same_v<T, bfloat16>) {
      result[i] = bfloat16::from_bits(v[i].bits() & 0x7FFF);
    } else {
      result[i] = v[i] < 0 ? negated[i] : v[i];
    }
  }
  return result;
}

// The larger and the smaller. Of two equal, or where one is NaN, the first (no source says what
// silicon picks).
template <typename T, unsigned N>
vector<T, N> max(const vector<T, N>& a, const vector<T, N>& b) {
  return detail::Zip(a, b, [](T x, T y) { return x < y ? y : x; });
}
template <typename T, unsigned N>
vector<T, N> min(const vector<T, N>& a, const vector<T, N>& b) {
  return detail::Zip(a, b, [](T x, T y) { return y < x ? y : x; });
}
template <typename T, unsigned N>
vector<T, N> max(const vector<T, N>& a, std::type_identity_t<T> b) {
  return max(a, broadcast<T, N>(b));
}
template <typename T, unsigned N>
vector<T, N> min(const vector<T, N>& a, std::type_identity_t<T> b) {
  return min(a, broadcast<T, N>(b));
}

namespace detail {

template <typename T, unsigned N, typename F>
mask<N> CompareLanes(const vector<T, N>& a, const vector<T, N>& b, F&& f) {
  CountAlu(Registers(vector<T, N>::bits()));
  mask<N> m;
  for (unsigned i = 0; i < N; ++i) {
    if (f(a[i], b[i])) m.set(i);
  }
  return m;
}

}  // namespace detail

template <typename T, unsigned N>
mask<N> lt(const vector<T, N>& a, const vector<T, N>& b) {
  return detail::CompareLanes(a, b, [](T x, T y) { return x < y; });
}
template <typename T, unsigned N>
mask<N> ge(const vector<T, N>& a, const vector<T, N>& b) {
  return detail::CompareLanes(a, b, [](T x, T y) { return x >= y; });
}
template <typename T, unsigned N>
mask<N> le(const vector<T, N>& a, const vector<T, N>& b) {
  return ge(b, a);
}
template <typename T, unsigned N>
mask<N> gt(const vector<T, N>& a, const vector<T, N>& b) {
  return lt(b, a);
}
template <typename T, unsigned N>
mask<N> eq(const vector<T, N>& a, const vector<T, N>& b) {
  return detail::CompareLanes(a, b, [](T x, T y) { return x == y; });
}
template <typename T, unsigned N>
mask<N> neq(const vector<T, N>& a, const vector<T, N>& b) {
  return detail::CompareLanes(a, b, [](T x, T y) { return x != y; });
}

// b where the mask is set, a elsewhere.
template <typename T, unsigned N>
vector<T, N> select(const vector<T, N>& a, const vector<T, N>& b, const mask<N>& m) {
  detail::CountAlu(detail::Registers(vector<T, N>::bits()));
  vector<T, N> result;
  for (unsigned i = 0; i < N; ++i) result[i] = m.test(i) ? b[i] : a[i];
  return result;
}

// The largest and smallest lane, by halving.
template <typename T, unsigned N>
T reduce_max(const vector<T, N>& v) {
  detail::CountScalar(1);
  vector<T, N> best = v;
  for (unsigned n = N / 2; n > 0; n /= 2) best = max(best, shuffle_down_rotate(best, n));
  return best[0];
}
template <typename T, unsigned N>
T reduce_min(const vector<T, N>& v) {
  detail::CountScalar(1);
  vector<T, N> best = v;
  for (unsigned n = N / 2; n > 0; n /= 2) best = min(best, shuffle_down_rotate(best, n));
  return best[0];
}

}  // namespace AIE_HOST_VARIANT
}  // namespace aie

#endif  // KERNELS_AIE_INCLUDE_AIE_API_DETAIL_OPS_HPP_
