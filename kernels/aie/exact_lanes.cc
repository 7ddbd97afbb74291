// The lanes of aie_api/detail/lanes.hpp by the FPU.
//
// A MAC or add of the tile rounds its terms to a unit, 2^-23 of the power of two that the largest
// exponent stands for, adds them exactly and rounds once. The FPU does so, too: with M = that power
// of two and x's sign, (x + M) - M is x in whole units, ties to even, for all |x| < |M|; a term of
// the largest exponent is in whole units anyway. A bf16 product counts by the exponents of its
// operands, so that it may be up to four times its power of two, but has 16 bits: where x + M is
// rounded to two units, x is a multiple of them.
//
// Lanes with infinities, NaN, or exponents for which f32 has no room go one by one through
// numerics.hpp.
#include <aie_api/aie.hpp>
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/aie/exact_lanes.cc"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

#ifndef XDNA_KERNELS_AIE_EXACT_LANES_ONCE_
#define XDNA_KERNELS_AIE_EXACT_LANES_ONCE_
namespace xdna::kernels {

// What is added below the sixteenth bit of an f32's bits before they are cut off.
struct Narrowing {
  std::int32_t positive, negative;
  std::int32_t if_odd, less_if_odd;  // 1 to add, or to subtract, one where bit 16 is set
};

// One lane by numerics.hpp.
float MacBf16Lane(float acc, std::uint16_t a, std::uint16_t b, bool subtract);
float MacF32Lane(float acc, float a, float b, bool subtract);
float AddF32Lane(float a, float b, bool subtract);

}  // namespace xdna::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace xdna::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::CappedTag<float, 16>;
using I32 = hn::RebindToSigned<F32>;
using U32 = hn::RebindToUnsigned<F32>;
using U16 = hn::Rebind<std::uint16_t, F32>;
using VF = hn::Vec<F32>;
using VI = hn::Vec<I32>;
using Mask = hn::Mask<I32>;
constexpr F32 kF32;
constexpr I32 kI32;
constexpr U32 kU32;
constexpr U16 kU16;

// Exponent fields in place.
constexpr std::int32_t Field(std::int32_t exponent) { return exponent << 23; }
constexpr std::int32_t kExponent = Field(255);
// Up to here nothing in between becomes infinite.
constexpr std::int32_t kHighest = Field(250);

HWY_INLINE VI Bits(VF x) { return hn::BitCast(kI32, x); }
HWY_INLINE VF Float(VI x) { return hn::BitCast(kF32, x); }
HWY_INLINE VI ExponentOf(VF x) { return hn::And(Bits(x), hn::Set(kI32, kExponent)); }
HWY_INLINE VF PowerOf(VF x) { return Float(ExponentOf(x)); }
HWY_INLINE Mask IsZero(VF x) { return hn::RebindMask(kI32, hn::Eq(x, hn::Zero(kF32))); }

// x + y, whose exponents count as x_exponent and y_exponent (fields in place).
HWY_INLINE VF AddAligned(VF x, VI x_exponent, VF y, VI y_exponent) {
  const VI sign = hn::Set(kI32, INT32_MIN);
  const auto unit = [&](VF v, VI own, VI other) HWY_ATTR {
    return Float(hn::IfThenElseZero(hn::Gt(other, own), hn::Or(other, hn::And(Bits(v), sign))));
  };
  const VF x_unit = unit(x, x_exponent, y_exponent), y_unit = unit(y, y_exponent, x_exponent);
  return hn::Add(hn::Sub(hn::Add(x, x_unit), x_unit), hn::Sub(hn::Add(y, y_unit), y_unit));
}

HWY_INLINE auto Tiny(VF x) { return hn::Lt(hn::Abs(x), Float(hn::Set(kI32, Field(1)))); }

// Calls redo(i) for the set lanes; rare.
template <typename F>
HWY_INLINE void ForEach(Mask lanes, F&& redo) {
  if (HWY_LIKELY(hn::AllFalse(kI32, lanes))) return;
  std::uint8_t bytes[8] = {};
  hn::StoreMaskBits(kI32, lanes, bytes);
  for (unsigned bits = bytes[0] | static_cast<unsigned>(bytes[1]) << 8; bits != 0;
       bits &= bits - 1) {
    redo(static_cast<std::size_t>(std::countr_zero(bits)));
  }
}

HWY_INLINE VF Widen(const std::uint16_t* x) {
  return hn::BitCast(kF32, hn::ShiftLeft<16>(hn::PromoteTo(kU32, hn::LoadU(kU16, x))));
}

// n: whole vectors, here and below. `redo(i, old)` is the result of a lane that had `old`.
template <typename F>
HWY_INLINE void MacBf16Lanes(std::size_t n, float* acc, const std::uint16_t* a,
                             const std::uint16_t* b, bool subtract, F&& redo) {
  const VF negate = Float(hn::Set(kI32, subtract ? INT32_MIN : 0));
  for (std::size_t i = 0; i < n; i += hn::Lanes(kF32)) {
    const VF x = hn::Xor(Widen(a + i), negate), y = Widen(b + i), old = hn::LoadU(kF32, acc + i);
    const VF product = hn::Mul(x, y);
    const VI exponent = Bits(hn::Mul(PowerOf(x), PowerOf(y)));
    const VI old_exponent = ExponentOf(old);
    const VF sum = AddAligned(old, old_exponent, product, exponent);
    const VF result = hn::IfThenZeroElse(Tiny(sum), sum);
    // A product of a subnormal, or too small itself, has the wrong exponent; infinity times zero
    // counts here or there.
    const Mask small = hn::AndNot(IsZero(product), hn::Lt(exponent, hn::Set(kI32, Field(1))));
    const Mask large = hn::Gt(hn::Max(exponent, old_exponent), hn::Set(kI32, kHighest));
    hn::StoreU(result, kF32, acc + i);
    ForEach(hn::Or(small, large), [&](std::size_t lane) {
      float before[hn::MaxLanes(kF32)];
      hn::StoreU(old, kF32, before);
      acc[i + lane] = redo(i + lane, before[lane]);
    });
  }
}

// The nearest bf16, ties to even, as f32.
HWY_INLINE VF Nearest(VF x) {
  const VI odd = hn::And(hn::ShiftRight<16>(Bits(x)), hn::Set(kI32, 1));
  const VI sum = hn::Add(hn::Add(Bits(x), hn::Set(kI32, 0x7FFF)), odd);
  return Float(hn::And(sum, hn::Set(kI32, ~0xFFFF)));
}

// detail::SplitFloat under nearest even. What is left of x after `high` has 16 bits, so that it is
// exact and so is `low`; but where high's exponent is larger, x is first aligned to it.
struct Parts {
  VF high, middle, low;
  VF rest;  // middle + low
};
HWY_INLINE Parts SplitNearest(VF x) {
  Parts p;
  p.high = Nearest(x);
  const VF aligned = hn::Sub(hn::Add(x, p.high), p.high);
  const auto grown =
      hn::Ne(hn::And(hn::Xor(Bits(x), Bits(p.high)), hn::Set(kI32, kExponent)), hn::Zero(kI32));
  p.rest = hn::Sub(hn::IfThenElse(hn::RebindMask(kF32, grown), aligned, x), p.high);
  p.middle = Nearest(p.rest);
  p.low = hn::Sub(p.rest, p.middle);
  return p;
}

// To the nearest int32, ties to even; anything for what int32 can't hold, where Highway's own
// function would take three more instructions.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
HWY_INLINE VI ToInt(VF v) { return VI{_mm512_cvtps_epi32(v.raw)}; }
#elif HWY_TARGET == HWY_AVX2
HWY_INLINE VI ToInt(VF v) { return VI{_mm256_cvtps_epi32(v.raw)}; }
#else
HWY_INLINE VI ToInt(VF v) { return hn::NearestInt(v); }
#endif

// The exponent of a power of two and that of the inverse of its unit, in place, add up to this.
constexpr std::int32_t kInverseOfUnit = static_cast<std::int32_t>((127U + 127U + 23U) << 23);

// Three terms rounded to the unit of the largest exponent, summed as integers, rounded once.
HWY_INLINE VF AddThree(VF x, VF y, VF z, VI largest) {
  const VI top = hn::Max(largest, hn::Set(kI32, Field(24)));
  const VF unit = Float(hn::Sub(top, hn::Set(kI32, Field(23))));
  const VF inverse = Float(hn::Sub(hn::Set(kI32, kInverseOfUnit), top));
  const auto whole = [&](VF v) HWY_ATTR { return ToInt(hn::Mul(v, inverse)); };
  return hn::Mul(hn::ConvertTo(kF32, hn::Add(hn::Add(whole(x), whole(y)), whole(z))), unit);
}

// detail::Fp32Mac with nine products and splits to nearest even. Where x and y are whole multiples
// of units w and v, low parts are at most 2^6 and middle ones 2^15 units, so that the first three
// sums are below 2^23 w v and exact.
HWY_INLINE VF MacF32(VF acc, VF x, VF y, VI* high_exponent) {
  const Parts a = SplitNearest(x), b = SplitNearest(y);
  const VF a_high = PowerOf(a.high), a_middle = PowerOf(a.middle);
  const VF b_high = PowerOf(b.high), b_middle = PowerOf(b.middle);
  VF sum = hn::Add(hn::Mul(a.low, b.rest), hn::Mul(a.middle, b.low));
  const auto add = [&sum](VF p, VF p_power, VF q, VF q_power) HWY_ATTR {
    sum = AddAligned(sum, ExponentOf(sum), hn::Mul(p, q), Bits(hn::Mul(p_power, q_power)));
  };
  add(a.high, a_high, b.low, PowerOf(b.low));
  add(a.middle, a_middle, b.middle, b_middle);
  add(b.high, b_high, a.low, PowerOf(a.low));
  add(a.middle, a_middle, b.high, b_high);
  add(a.high, a_high, b.middle, b_middle);
  *high_exponent = Bits(hn::Mul(a_high, b_high));
  const VI largest = hn::Max(hn::Max(ExponentOf(sum), *high_exponent), ExponentOf(acc));
  return AddThree(sum, hn::Mul(a.high, b.high), acc, largest);
}

template <typename F>
HWY_INLINE void MacF32Lanes(std::size_t n, float* acc, const float* a, const float* b,
                            bool subtract, F&& redo) {
  const VF negate = Float(hn::Set(kI32, subtract ? INT32_MIN : 0));
  for (std::size_t i = 0; i < n; i += hn::Lanes(kF32)) {
    const VF x = hn::Xor(hn::LoadU(kF32, a + i), negate), y = hn::LoadU(kF32, b + i);
    const VF old = hn::LoadU(kF32, acc + i);
    VI exponent;
    const VF result = MacF32(old, x, y, &exponent);
    // The product of the lowest parts is 2^-46 of the whole, and all of it must be normal numbers.
    const VI x_exponent = ExponentOf(x), y_exponent = ExponentOf(y), old_exponent = ExponentOf(old);
    const VI lower = hn::Min(x_exponent, y_exponent);
    const Mask small =
        hn::Or(hn::Lt(lower, hn::Set(kI32, Field(25))), hn::Lt(exponent, hn::Set(kI32, Field(52))));
    const Mask zero = hn::Or(IsZero(x), IsZero(y));
    const Mask old_small = hn::AndNot(IsZero(old), hn::Lt(old_exponent, hn::Set(kI32, Field(24))));
    const VI highest = hn::Max(hn::Max(x_exponent, y_exponent), hn::Max(old_exponent, exponent));
    const Mask large = hn::Gt(highest, hn::Set(kI32, kHighest));
    hn::StoreU(result, kF32, acc + i);
    ForEach(hn::Or(hn::Or(hn::AndNot(zero, small), old_small), large), [&](std::size_t lane) {
      float before[hn::MaxLanes(kF32)];
      hn::StoreU(old, kF32, before);
      acc[i + lane] = redo(i + lane, before[lane]);
    });
  }
}

template <typename F>
HWY_INLINE void AddF32Lanes(std::size_t n, const float* a, const float* b, float* sum,
                            bool subtract, F&& redo) {
  const VF negate = Float(hn::Set(kI32, subtract ? INT32_MIN : 0));
  for (std::size_t i = 0; i < n; i += hn::Lanes(kF32)) {
    const VF left = hn::LoadU(kF32, a + i), right = hn::LoadU(kF32, b + i);
    // + 0 makes a zero positive, so that no sum is -0 but one that was too small.
    const VF x = hn::Add(left, hn::Zero(kF32)), y = hn::Xor(right, negate);
    const VI x_exponent = ExponentOf(x), y_exponent = ExponentOf(y);
    const VF exact = AddAligned(x, x_exponent, y, y_exponent);
    const VF zero = hn::And(exact, Float(hn::Set(kI32, INT32_MIN)));
    hn::StoreU(hn::IfThenElse(Tiny(exact), zero, exact), kF32, sum + i);
    const Mask large = hn::Gt(hn::Max(x_exponent, y_exponent), hn::Set(kI32, kHighest));
    ForEach(large, [&](std::size_t lane) {
      float x_lanes[hn::MaxLanes(kF32)], y_lanes[hn::MaxLanes(kF32)];
      hn::StoreU(left, kF32, x_lanes);
      hn::StoreU(right, kF32, y_lanes);
      sum[i + lane] = redo(x_lanes[lane], y_lanes[lane]);
    });
  }
}

void MacBf16Target(std::size_t n, float* acc, const std::uint16_t* a, const std::uint16_t* b,
                   bool subtract) {
  MacBf16Lanes(n, acc, a, b, subtract,
               [&](std::size_t i, float old) { return MacBf16Lane(old, a[i], b[i], subtract); });
}

void MacF32Target(std::size_t n, float* acc, const float* a, const float* b, bool subtract) {
  MacF32Lanes(n, acc, a, b, subtract,
              [&](std::size_t i, float old) { return MacF32Lane(old, a[i], b[i], subtract); });
}

void AddF32Target(std::size_t n, const float* a, const float* b, float* sum, bool subtract) {
  AddF32Lanes(n, a, b, sum, subtract, [&](float x, float y) { return AddF32Lane(x, y, subtract); });
}

void NarrowTarget(std::size_t n, const float* x, std::uint16_t* y, const Narrowing& narrowing) {
  const VI positive = hn::Set(kI32, narrowing.positive);
  const VI negative = hn::Set(kI32, narrowing.negative);
  const VI if_odd = hn::Set(kI32, narrowing.if_odd), unless = hn::Set(kI32, narrowing.less_if_odd);
  for (std::size_t i = 0; i < n; i += hn::Lanes(kF32)) {
    const VI bits = Bits(hn::LoadU(kF32, x + i));
    const VI upper = hn::BitCast(kI32, hn::ShiftRight<16>(hn::BitCast(kU32, bits)));
    const VI below = hn::IfThenElse(hn::Lt(bits, hn::Zero(kI32)), negative, positive);
    const VI added = hn::Sub(hn::Add(below, hn::And(upper, if_odd)), hn::And(upper, unless));
    const VI rounded =
        hn::BitCast(kI32, hn::ShiftRight<16>(hn::BitCast(kU32, hn::Add(bits, added))));
    // A NaN keeps its upper bits, of which one must be set.
    const VI magnitude = hn::And(bits, hn::Set(kI32, INT32_MAX));
    const Mask nan = hn::Gt(magnitude, hn::Set(kI32, kExponent));
    const Mask hidden = hn::Eq(hn::And(upper, hn::Set(kI32, 0x7F)), hn::Zero(kI32));
    const VI kept = hn::Or(upper, hn::IfThenElseZero(hidden, hn::Set(kI32, 1)));
    hn::StoreU(hn::DemoteTo(kU16, hn::IfThenElse(nan, kept, rounded)), kU16, y + i);
  }
}

}  // namespace
}  // namespace xdna::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xdna::kernels {

HWY_EXPORT(MacBf16Target);
HWY_EXPORT(MacF32Target);
HWY_EXPORT(AddF32Target);
HWY_EXPORT(NarrowTarget);

float MacBf16Lane(float acc, std::uint16_t a, std::uint16_t b, bool subtract) {
  return aie::detail::MacLane(acc, bfloat16::from_bits(a), bfloat16::from_bits(b), subtract);
}
float MacF32Lane(float acc, float a, float b, bool subtract) {
  return aie::detail::Fp32Mac(acc, a, b, subtract);
}
float AddF32Lane(float a, float b, bool subtract) {
  return subtract ? aie::lane::SubFloat(a, b) : aie::lane::AddFloat(a, b);
}

namespace {

// Lanes that every vector divides.
constexpr unsigned kWhole = 16;

Narrowing NarrowingOf(aie::rounding_mode mode) {
  constexpr std::int32_t kAll = 0xFFFF, kHalf = 0x8000, kLess = 0x7FFF;
  switch (mode) {
    case aie::rounding_mode::ceil:
      return {kAll, 0, 0, 0};
    case aie::rounding_mode::symmetric_floor:
      return {0, 0, 0, 0};
    case aie::rounding_mode::symmetric_ceil:
      return {kAll, kAll, 0, 0};
    case aie::rounding_mode::negative_inf:
      return {kLess, kHalf, 0, 0};
    case aie::rounding_mode::positive_inf:
      return {kHalf, kLess, 0, 0};
    case aie::rounding_mode::symmetric_zero:
      return {kLess, kLess, 0, 0};
    case aie::rounding_mode::symmetric_inf:
      return {kHalf, kHalf, 0, 0};
    case aie::rounding_mode::conv_even:
      return {kLess, kLess, 1, 0};
    case aie::rounding_mode::conv_odd:
      return {kHalf, kHalf, 0, 1};
    default:
      return {0, kAll, 0, 0};  // floor
  }
}

// n lanes, filled up with zeros.
template <typename T>
struct Padded {
  T lanes[kWhole] = {};
  Padded(const T* from, unsigned n) { std::copy_n(from, n, lanes); }
};

// f(n, out, in...) for n a multiple of kWhole, then for the padded rest.
template <typename F, typename Out, typename... In>
void InWhole(unsigned n, F&& f, Out* out, const In*... in) {
  const unsigned rest = n % kWhole, whole = n - rest;
  if (whole != 0) f(whole, out, in...);
  if (rest == 0) return;
  Padded<Out> last(out + whole, rest);
  f(kWhole, last.lanes, Padded<In>(in + whole, rest).lanes...);
  std::copy_n(last.lanes, rest, out + whole);
}

static_assert(sizeof(bfloat16) == sizeof(std::uint16_t));
const std::uint16_t* Bf16Bits(const bfloat16* x) {
  return reinterpret_cast<const std::uint16_t*>(x);
}

}  // namespace
}  // namespace xdna::kernels

namespace aie::host {

void mac_lanes(unsigned n, float* acc, const bfloat16* a, const bfloat16* b, bool subtract) {
  using xdna::kernels::Bf16Bits;
  if (core().options.mac_underflow != mac_underflow::positive_zero) {
    for (unsigned i = 0; i < n; ++i) acc[i] = detail::MacLane(acc[i], a[i], b[i], subtract);
    return;
  }
  const auto mac = [&](unsigned count, float* sum, const std::uint16_t* x, const std::uint16_t* y) {
    HWY_DYNAMIC_DISPATCH(xdna::kernels::MacBf16Target)(count, sum, x, y, subtract);
  };
  xdna::kernels::InWhole(n, mac, acc, Bf16Bits(a), Bf16Bits(b));
}

void mac_lanes(unsigned n, float* acc, const float* a, const float* b, bool subtract) {
  const options& o = core().options;
  const bool nearest =
      core().rounding == rounding_mode::conv_even && o.fp32_split == fp32_split::register_mode;
  if (!nearest || o.fp32_product != fp32_product::safe ||
      o.mac_underflow != mac_underflow::positive_zero) {
    for (unsigned i = 0; i < n; ++i) acc[i] = detail::Fp32Mac(acc[i], a[i], b[i], subtract);
    return;
  }
  const auto mac = [&](unsigned count, float* sum, const float* x, const float* y) {
    HWY_DYNAMIC_DISPATCH(xdna::kernels::MacF32Target)(count, sum, x, y, subtract);
  };
  xdna::kernels::InWhole(n, mac, acc, a, b);
}

void add_lanes(unsigned n, const float* a, const float* b, float* sum, bool subtract) {
  if (core().options.add_denormals != add_denormals::datapath) {
    for (unsigned i = 0; i < n; ++i) {
      sum[i] = subtract ? lane::SubFloat(a[i], b[i]) : lane::AddFloat(a[i], b[i]);
    }
    return;
  }
  const auto add = [&](unsigned count, float* to, const float* x, const float* y) {
    HWY_DYNAMIC_DISPATCH(xdna::kernels::AddF32Target)(count, x, y, to, subtract);
  };
  xdna::kernels::InWhole(n, add, sum, a, b);
}

void narrow_lanes(unsigned n, const float* x, bfloat16* y) {
  const xdna::kernels::Narrowing narrowing = xdna::kernels::NarrowingOf(core().rounding);
  const auto narrow = [&](unsigned count, std::uint16_t* to, const float* from) {
    HWY_DYNAMIC_DISPATCH(xdna::kernels::NarrowTarget)(count, from, to, narrowing);
  };
  xdna::kernels::InWhole(n, narrow, reinterpret_cast<std::uint16_t*>(y), x);
}

}  // namespace aie::host
#endif  // HWY_ONCE
