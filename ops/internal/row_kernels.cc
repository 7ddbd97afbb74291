#include "ops/internal/row_kernels.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/internal/row_kernels.cc"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace xdna::ops::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using VF = hn::Vec<F32>;
constexpr hn::RebindToSigned<F32> kI32;
constexpr hn::RebindToUnsigned<F32> kU32;
constexpr hn::Rebind<std::uint16_t, F32> kU16;

inline VF Load(const float* p) { return hn::LoadU(F32(), p); }
inline VF Load(const Bf16* p) {
  const auto bits = hn::LoadU(kU16, reinterpret_cast<const std::uint16_t*>(p));
  return hn::BitCast(F32(), hn::ShiftLeft<16>(hn::PromoteTo(kU32, bits)));
}
inline VF Load(const std::int32_t* p) { return hn::ConvertTo(F32(), hn::LoadU(kI32, p)); }

inline void Store(VF v, float* p) { hn::StoreU(v, F32(), p); }
inline void Store(VF v, Bf16* p) {
  const auto u = hn::BitCast(kU32, v);
  const auto odd = hn::And(hn::ShiftRight<16>(u), hn::Set(kU32, 1));
  const auto rounded = hn::Add(u, hn::Add(odd, hn::Set(kU32, 0x7FFF)));
  const auto quiet = hn::Or(u, hn::Set(kU32, 0x00400000));
  const auto bits = hn::IfThenElse(hn::RebindMask(kU32, hn::IsNaN(v)), quiet, rounded);
  hn::StoreU(hn::TruncateTo(kU16, hn::ShiftRight<16>(bits)), kU16,
             reinterpret_cast<std::uint16_t*>(p));
}

// The last few elements of a row go through a buffer, so that nothing beyond the
// row is touched.
template <typename T>
VF LoadSome(const T* p, std::size_t count, T fill = T()) {
  if (count == hn::Lanes(F32())) return Load(p);
  T buffer[hn::MaxLanes(F32())];
  std::fill(std::begin(buffer), std::end(buffer), fill);
  std::memcpy(buffer, p, count * sizeof(T));
  return Load(buffer);
}
template <typename T>
void StoreSome(VF v, T* p, std::size_t count) {
  if (count == hn::Lanes(F32())) return Store(v, p);
  T buffer[hn::MaxLanes(F32())];
  Store(v, buffer);
  std::memcpy(p, buffer, count * sizeof(T));
}

// Calls body(offset, count) for each vector of a row of n.
template <typename Body>
HWY_INLINE void ForEachVector(std::size_t n, Body&& body) {
  const std::size_t lanes = hn::Lanes(F32());
  std::size_t j = 0;
  for (; j + lanes <= n; j += lanes) body(j, lanes);
  if (j < n) body(j, n - j);
}

// exp(x) for x <= 0: x = n ln 2 + r, exp(r) by the polynomial of Cephes' expf
// (Moshier), 2^n into the exponent. Zero below -87, where 2^n would be subnormal.
HWY_INLINE VF ExpNonPositive(VF x) {
  const F32 d;
  const VF n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504088896341F)));
  VF r = hn::NegMulAdd(n, hn::Set(d, 0.693359375F), x);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4F), r);
  VF p = hn::Set(d, 1.9875691500E-4F);
  p = hn::MulAdd(p, r, hn::Set(d, 1.3981999507E-3F));
  p = hn::MulAdd(p, r, hn::Set(d, 8.3334519073E-3F));
  p = hn::MulAdd(p, r, hn::Set(d, 4.1665795894E-2F));
  p = hn::MulAdd(p, r, hn::Set(d, 1.6666665459E-1F));
  p = hn::MulAdd(p, r, hn::Set(d, 5.0000001201E-1F));
  p = hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), hn::Set(d, 1.0F));
  const auto exponent = hn::Add(hn::ConvertTo(kI32, n), hn::Set(kI32, 127));
  const VF result = hn::Mul(p, hn::BitCast(d, hn::ShiftLeft<23>(exponent)));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -87.0F)), result);  // keeps a NaN
}

// x Phi(x). The tail of the normal distribution by Abramowitz & Stegun 7.1.26
// (absolute error of erf at most 1.5e-7), which is erfc(z) = p(t) exp(-z^2) with
// z = |x| / sqrt 2: accurate in the tail, too, since the factor exp(-z^2) is.
HWY_INLINE VF Gelu(VF x) {
  const F32 d;
  const VF z = hn::Mul(hn::Abs(x), hn::Set(d, 0.707106781186547524F));
  const VF one = hn::Set(d, 1.0F);
  const VF t = hn::Div(one, hn::MulAdd(z, hn::Set(d, 0.3275911F), one));
  VF p = hn::Set(d, 1.061405429F);
  p = hn::MulAdd(p, t, hn::Set(d, -1.453152027F));
  p = hn::MulAdd(p, t, hn::Set(d, 1.421413741F));
  p = hn::MulAdd(p, t, hn::Set(d, -0.284496736F));
  p = hn::MulAdd(p, t, hn::Set(d, 0.254829592F));
  const VF tail =
      hn::Mul(hn::Mul(hn::Mul(p, t), hn::Set(d, 0.5F)), ExpNonPositive(hn::Neg(hn::Mul(z, z))));
  const VF phi = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one, tail));
  return hn::Mul(x, phi);
}

// in - zero * column_sum, rounded only once: both are beyond what f32 counts.
HWY_INLINE VF LoadWhole(const RowMap& map, std::size_t j, std::size_t count) {
  std::int32_t whole[hn::MaxLanes(F32())] = {};
  std::memcpy(whole, static_cast<const std::int32_t*>(map.in) + j, count * sizeof(whole[0]));
  std::int32_t sums[hn::MaxLanes(F32())] = {};
  std::memcpy(sums, map.column_sum + j, count * sizeof(sums[0]));
  const auto less = hn::Mul(hn::Set(kI32, map.zero), hn::LoadU(kI32, sums));
  return hn::ConvertTo(F32(), hn::Sub(hn::LoadU(kI32, whole), less));
}

template <typename In, typename Addend, typename Out>
void MapRowAs(const RowMap& map, std::size_t n) {
  const F32 d;
  const auto* in = static_cast<const In*>(map.in);
  const auto* addend = static_cast<const Addend*>(map.addend);
  auto* out = static_cast<Out*>(map.out);
  const VF scale = hn::Set(d, map.scale);
  ForEachVector(n, [&](std::size_t j, std::size_t count) HWY_ATTR {
    VF v = map.column_sum != nullptr ? LoadWhole(map, j, count) : LoadSome(in + j, count);
    if (map.scale != 1) v = hn::Mul(v, scale);
    if (map.column_scale != nullptr) v = hn::Mul(v, LoadSome(map.column_scale + j, count));
    if (map.bias != nullptr) v = hn::Add(v, LoadSome(map.bias + j, count));
    if (map.gelu) v = Gelu(v);
    if (addend != nullptr) v = hn::Add(v, LoadSome(addend + j, count));
    StoreSome(v, out + j, count);
  });
}

template <typename In, typename Addend>
void MapRowTo(const RowMap& map, std::size_t n) {
  map.out_dtype == DType::kF32 ? MapRowAs<In, Addend, float>(map, n)
                               : MapRowAs<In, Addend, Bf16>(map, n);
}

template <typename In>
void MapRowFrom(const RowMap& map, std::size_t n) {
  map.addend_dtype == DType::kF32 ? MapRowTo<In, float>(map, n) : MapRowTo<In, Bf16>(map, n);
}

void MapRowTarget(const RowMap& map, std::size_t n) {
  switch (map.in_dtype) {
    case DType::kBf16:
      return MapRowFrom<Bf16>(map, n);
    case DType::kI32:
      return MapRowFrom<std::int32_t>(map, n);
    default:
      return MapRowFrom<float>(map, n);
  }
}

template <typename Out>
void LayerNormRowAs(const float* in, const float* gamma, const float* beta, float epsilon,
                    std::size_t n, Out* out) {
  const F32 d;
  VF sum = hn::Zero(d);
  ForEachVector(n, [&](std::size_t j, std::size_t count)
                       HWY_ATTR { sum = hn::Add(sum, LoadSome(in + j, count)); });
  const float mean_value = hn::GetLane(hn::SumOfLanes(d, sum)) / static_cast<float>(n);
  const VF mean = hn::Set(d, mean_value);
  VF squares = hn::Zero(d);
  ForEachVector(n, [&](std::size_t j, std::size_t count) HWY_ATTR {
    const VF v = hn::Sub(LoadSome(in + j, count, mean_value), mean);
    squares = hn::MulAdd(v, v, squares);
  });
  const float variance = hn::GetLane(hn::SumOfLanes(d, squares)) / static_cast<float>(n);
  const VF factor = hn::Set(d, 1 / std::sqrt(variance + epsilon));
  ForEachVector(n, [&](std::size_t j, std::size_t count) HWY_ATTR {
    const VF v = hn::Mul(hn::Sub(LoadSome(in + j, count), mean), factor);
    StoreSome(hn::MulAdd(v, LoadSome(gamma + j, count), LoadSome(beta + j, count)), out + j, count);
  });
}

void LayerNormRowTarget(const float* in, const float* gamma, const float* beta, float epsilon,
                        std::size_t n, void* out, DType out_dtype) {
  if (out_dtype == DType::kF32)
    return LayerNormRowAs(in, gamma, beta, epsilon, n, static_cast<float*>(out));
  LayerNormRowAs(in, gamma, beta, epsilon, n, static_cast<Bf16*>(out));
}

template <typename Out>
float ExpRowAs(const float* in, float scale, std::size_t n, Out* out) {
  const F32 d;
  constexpr float kLowest = std::numeric_limits<float>::lowest();
  VF top = hn::Set(d, kLowest);
  ForEachVector(n, [&](std::size_t j, std::size_t count)
                       HWY_ATTR { top = hn::Max(top, LoadSome(in + j, count, kLowest)); });
  const VF max = hn::MaxOfLanes(d, top);
  const VF factor = hn::Set(d, scale);
  VF sum = hn::Zero(d);
  ForEachVector(n, [&](std::size_t j, std::size_t count) HWY_ATTR {
    const VF e = ExpNonPositive(hn::Mul(hn::Sub(LoadSome(in + j, count, kLowest), max), factor));
    sum = hn::Add(sum, e);
    StoreSome(e, out + j, count);
  });
  return hn::GetLane(hn::SumOfLanes(d, sum));
}

float ExpRowTarget(const float* in, float scale, std::size_t n, void* out, DType out_dtype) {
  if (out_dtype == DType::kF32) return ExpRowAs(in, scale, n, static_cast<float*>(out));
  return ExpRowAs(in, scale, n, static_cast<Bf16*>(out));
}

template <typename In>
float QuantizeRowAs(const In* in, std::size_t n, std::int8_t* q) {
  const F32 d;
  const hn::Rebind<std::int8_t, F32> i8;
  VF top = hn::Zero(d);
  ForEachVector(n, [&](std::size_t j, std::size_t count)
                       HWY_ATTR { top = hn::Max(top, hn::Abs(LoadSome(in + j, count))); });
  const float max = hn::GetLane(hn::MaxOfLanes(d, top));
  if (max == 0) {
    std::memset(q, 0, n);
    return 1;
  }
  const VF inverse = hn::Set(d, 127 / max);
  ForEachVector(n, [&](std::size_t j, std::size_t count) HWY_ATTR {
    const auto v = hn::DemoteTo(i8, hn::NearestInt(hn::Mul(LoadSome(in + j, count), inverse)));
    std::int8_t buffer[hn::MaxLanes(F32())];
    hn::StoreU(v, i8, buffer);
    std::memcpy(q + j, buffer, count);
  });
  return max / 127;
}

// Of a row and 0: at most 0, at least 0.
struct Range {
  float least = 0;
  float most = 0;
};

HWY_INLINE Range RangeOf(const float* in, std::size_t n) {
  const F32 d;
  VF top = hn::Zero(d);
  VF bottom = hn::Zero(d);
  ForEachVector(n, [&](std::size_t j, std::size_t count) HWY_ATTR {
    const VF v = LoadSome(in + j, count);
    top = hn::Max(top, v);
    bottom = hn::Min(bottom, v);
  });
  return {hn::GetLane(hn::MinOfLanes(d, bottom)), hn::GetLane(hn::MaxOfLanes(d, top))};
}

// bf16 from 0 on are ordered as their bits are, those below 0 the other way round as
// unsigned numbers: the largest is the furthest from 0.
HWY_INLINE Range RangeOf(const Bf16* in, std::size_t n) {
  const auto* bits = reinterpret_cast<const std::uint16_t*>(in);
  std::int16_t most = 0;
  std::uint16_t least = 0;
  std::size_t j = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::Repartition<std::int16_t, F32> i16;
  const hn::Repartition<std::uint16_t, F32> u16;
  auto top = hn::Zero(i16);
  auto bottom = hn::Zero(u16);
  for (; j + hn::Lanes(u16) <= n; j += hn::Lanes(u16)) {
    const auto v = hn::LoadU(u16, bits + j);
    top = hn::Max(top, hn::BitCast(i16, v));
    bottom = hn::Max(bottom, v);
  }
  // 32 bits hold two: the upper with its sign, and the lower.
  const hn::RebindToSigned<F32> i32;
  const hn::RebindToUnsigned<F32> u32;
  const auto tops = hn::BitCast(i32, top);
  const auto bottoms = hn::BitCast(u32, bottom);
  const auto lower_top = hn::ShiftRight<16>(hn::ShiftLeft<16>(tops));
  const auto lower_bottom = hn::And(bottoms, hn::Set(u32, 0xFFFF));
  most = static_cast<std::int16_t>(
      hn::GetLane(hn::MaxOfLanes(i32, hn::Max(hn::ShiftRight<16>(tops), lower_top))));
  least = static_cast<std::uint16_t>(
      hn::GetLane(hn::MaxOfLanes(u32, hn::Max(hn::ShiftRight<16>(bottoms), lower_bottom))));
#endif
  for (; j < n; ++j) {
    most = std::max(most, static_cast<std::int16_t>(bits[j]));
    least = std::max(least, bits[j]);
  }
  return {std::min(Bf16{least}.ToFloat(), 0.0F), Bf16{static_cast<std::uint16_t>(most)}.ToFloat()};
}

// The scale and the zero for values in `range`.
RowScale SkewedScale(const Range& range) {
  const int zero = std::clamp(
      static_cast<int>(std::ceil(255 * range.least / (range.least - range.most))), 1, 254);
  return {std::max(range.most / static_cast<float>(255 - zero),
                   -range.least / static_cast<float>(zero)),
          zero};
}

template <typename In>
RowScale QuantizeRowU8As(const In* in, std::size_t n, float least, std::uint8_t* q) {
  const F32 d;
  Range range = RangeOf(in, n);
  RowScale row = {1, 128};
  if (std::isnan(range.most - range.least)) {
    row.scale = std::numeric_limits<float>::quiet_NaN();  // and so is what comes of it
  } else if (least == kNoLeast) {
    const float max = std::max(-range.least, range.most);
    if (max > 0) row.scale = max / 127;
  } else {
    if (least != kLeastOfRow) range.least = least;
    if (range.least < range.most) row = SkewedScale(range);
  }
  // The integer is in the lowest byte: 1.5 * 2^23 leaves a float no bits after the point.
  const VF inverse = hn::Set(d, 1 / row.scale);
  const VF zero = hn::Set(d, 0x1.8p23F + static_cast<float>(row.zero));
  const auto steps = [&](std::size_t j, std::size_t count)
                         HWY_ATTR { return hn::MulAdd(LoadSome(in + j, count), inverse, zero); };
  const std::size_t lanes = hn::Lanes(d);
  std::size_t j = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::Repartition<std::uint16_t, F32> u16;
  const hn::Repartition<std::uint8_t, F32> u8;
  const auto words = [&](std::size_t at) HWY_ATTR {
    const auto low = hn::BitCast(u16, steps(at, lanes));
    return hn::ConcatEven(u16, hn::BitCast(u16, steps(at + lanes, lanes)), low);
  };
  for (; j + 4 * lanes <= n; j += 4 * lanes) {
    const auto low = hn::BitCast(u8, words(j));
    hn::StoreU(hn::ConcatEven(u8, hn::BitCast(u8, words(j + 2 * lanes)), low), u8, q + j);
  }
#endif
  for (; j < n; j += lanes) {
    const std::size_t count = std::min(lanes, n - j);
    std::uint32_t bits[hn::MaxLanes(F32())];
    hn::StoreU(hn::BitCast(hn::RebindToUnsigned<F32>(), steps(j, count)),
               hn::RebindToUnsigned<F32>(), bits);
    for (std::size_t i = 0; i < count; ++i) q[j + i] = static_cast<std::uint8_t>(bits[i]);
  }
  return row;
}

RowScale QuantizeRowU8Target(const void* in, DType in_dtype, std::size_t n, float least,
                             std::uint8_t* q) {
  if (in_dtype == DType::kF32) return QuantizeRowU8As(static_cast<const float*>(in), n, least, q);
  return QuantizeRowU8As(static_cast<const Bf16*>(in), n, least, q);
}

float QuantizeRowTarget(const void* in, DType in_dtype, std::size_t n, std::int8_t* q) {
  if (in_dtype == DType::kF32) return QuantizeRowAs(static_cast<const float*>(in), n, q);
  return QuantizeRowAs(static_cast<const Bf16*>(in), n, q);
}

const char* TargetName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace
}  // namespace xdna::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xdna::ops {

HWY_EXPORT(MapRowTarget);
HWY_EXPORT(LayerNormRowTarget);
HWY_EXPORT(ExpRowTarget);
HWY_EXPORT(QuantizeRowTarget);
HWY_EXPORT(QuantizeRowU8Target);
HWY_EXPORT(TargetName);

void MapRow(const RowMap& map, std::size_t n) { HWY_DYNAMIC_DISPATCH(MapRowTarget)(map, n); }

void LayerNormRow(const float* in, const float* gamma, const float* beta, float epsilon,
                  std::size_t n, void* out, DType out_dtype) {
  HWY_DYNAMIC_DISPATCH(LayerNormRowTarget)(in, gamma, beta, epsilon, n, out, out_dtype);
}

float ExpRow(const float* in, float scale, std::size_t n, void* out, DType out_dtype) {
  return HWY_DYNAMIC_DISPATCH(ExpRowTarget)(in, scale, n, out, out_dtype);
}

float QuantizeRow(const void* in, DType in_dtype, std::size_t n, std::int8_t* q) {
  return HWY_DYNAMIC_DISPATCH(QuantizeRowTarget)(in, in_dtype, n, q);
}

RowScale QuantizeRowU8(const void* in, DType in_dtype, std::size_t n, float least,
                       std::uint8_t* q) {
  return HWY_DYNAMIC_DISPATCH(QuantizeRowU8Target)(in, in_dtype, n, least, q);
}

const char* RowKernelTarget() { return HWY_DYNAMIC_DISPATCH(TargetName)(); }

}  // namespace xdna::ops
#endif  // HWY_ONCE
