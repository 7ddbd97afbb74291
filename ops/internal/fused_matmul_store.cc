#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/cpu.h"
#include "base/tensor.h"
#include "ops/internal/fused_matmul_kernel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/internal/fused_matmul_store.cc"
// As in fused_matmul_kernel.cc.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#endif
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace xdna::ops::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using VF = hn::Vec<F32>;
using VI = hn::Vec<hn::RebindToSigned<F32>>;
constexpr hn::RebindToSigned<F32> kI32;
constexpr hn::RebindToUnsigned<F32> kU32;
constexpr hn::Rebind<std::uint16_t, F32> kU16;
constexpr int kLanes = static_cast<int>(hn::MaxLanes(F32()));

#if HWY_TARGET == HWY_AVX3
// x Phi(x) = x / 2 + |x| s(|x|), s = Phi - 1/2 by 32 straight lines, which fill two registers each:
// at most 3.6e-4 off, a 20th of a bf16 step of 1, and half the time of the polynomial below.
struct GeluLines {
  static constexpr float kPerUnit = 7;  // lines in a unit of x; the last is 1/2, from 4.36 on
  alignas(64) float at_zero[32], slope[32];

  GeluLines() {
    const auto s = [](double x) { return 0.5 * std::erf(x / std::sqrt(2.0)); };
    for (int i = 0; i < 31; ++i) {
      const double left = std::max(0.0, (i - 0.5) / kPerUnit);
      const double right = (i + 0.5) / kPerUnit;
      const double rise = (s(right) - s(left)) / (right - left);
      // s is concave: half of what it has above the chord goes to the line.
      const double middle = (left + right) / 2;
      const double above = s(middle) - s(left) - rise * (middle - left);
      at_zero[i] = static_cast<float>(s(left) - rise * left + above / 2);
      slope[i] = static_cast<float>(rise);
    }
    at_zero[31] = 0.5F;
    slope[31] = 0;
  }
};

template <int kCount>
HWY_INLINE void GeluForBf16(VF (&x)[kCount]) {
  static const GeluLines lines;
  const F32 d;
  HWY_UNROLL(4)
  for (int i = 0; i < kCount; ++i) {
    const VF size = hn::Abs(x[i]);
    // The nearest line's number in the low bits: 2^23 leaves none after the point.
    const VF most = hn::Set(d, 31 / GeluLines::kPerUnit);
    const VF number =
        hn::MulAdd(hn::Min(size, most), hn::Set(d, GeluLines::kPerUnit), hn::Set(d, 0x1p23F));
    const __m512i line = _mm512_castps_si512(number.raw);
    const auto of = [&](const float* table) HWY_ATTR {
      return VF{_mm512_permutex2var_ps(_mm512_load_ps(table), line, _mm512_load_ps(table + 16))};
    };
    const VF s = hn::MulAdd(of(lines.slope), hn::Min(size, most), of(lines.at_zero));
    x[i] = hn::MulAdd(size, s, hn::Mul(x[i], hn::Set(d, 0.5F)));
  }
}
#else
// x Phi(x), Phi(x) = 1/2 + u p(u^2) for u = x / 4.4 within [-1, 1], and 0 or 1 beyond. p is
// the fit of least greatest error of x Phi(x) under p(1) = 1/2 (Lawson's iteration on
// Chebyshev points): at most 3.7e-5, a 200th of a bf16 step of 1.
template <int kCount>
HWY_INLINE void GeluForBf16(VF (&x)[kCount]) {
  constexpr float kP[] = {1.75455093F,  -5.62865448F, 15.9029179F, -33.6835709F, 52.1033592F,
                          -56.5417442F, 40.3316078F,  -16.837986F, 3.09951949F};
  const F32 d;
  VF u[kCount], t[kCount], p[kCount];
  HWY_UNROLL(4)
  for (int i = 0; i < kCount; ++i) {
    u[i] = hn::Mul(x[i], hn::Set(d, 1 / 4.4F));
    u[i] = hn::Min(hn::Max(u[i], hn::Set(d, -1)), hn::Set(d, 1));
    t[i] = hn::Mul(u[i], u[i]);
    p[i] = hn::Set(d, kP[8]);
  }
  HWY_UNROLL(8)
  for (int term = 7; term >= 0; --term) {
    HWY_UNROLL(4)
    for (int i = 0; i < kCount; ++i) p[i] = hn::MulAdd(p[i], t[i], hn::Set(d, kP[term]));
  }
  HWY_UNROLL(4)
  for (int i = 0; i < kCount; ++i) {
    x[i] = hn::Mul(x[i], hn::MulAdd(p[i], u[i], hn::Set(d, 0.5F)));
  }
}
#endif

struct ToF32 {
  static HWY_INLINE void Store(VF v, std::byte* y, int at) {
    hn::StoreU(v, F32(), reinterpret_cast<float*>(y) + at);
  }
};
// To nearest even; a NaN stays one.
struct ToBf16 {
  static HWY_INLINE void Store(VF v, std::byte* y, int at) {
    const auto u = hn::BitCast(kU32, v);
    const auto odd = hn::And(hn::ShiftRight<16>(u), hn::Set(kU32, 1));
    const auto rounded = hn::Add(u, hn::Add(odd, hn::Set(kU32, 0x7FFF)));
    const auto quiet = hn::Or(u, hn::Set(kU32, 0x00400000));
    const auto bits = hn::IfThenElse(hn::RebindMask(kU32, hn::IsNaN(v)), quiet, rounded);
    hn::StoreU(hn::TruncateTo(kU16, hn::ShiftRight<16>(bits)), kU16,
               reinterpret_cast<std::uint16_t*>(y) + at);
  }
};
#if HWY_TARGET == HWY_AVX3
// By AVX-512's instruction for it.
struct ToBf16AtOnce {
  static HWY_INLINE void Store(VF v, std::byte* y, int at) {
    auto narrow = hn::Zero(kU16);
    asm("vcvtneps2bf16 %1, %0" : "=v"(narrow.raw) : "v"(v.raw));
    hn::StoreU(narrow, kU16, reinterpret_cast<std::uint16_t*>(y) + at);
  }
};
#endif

template <class Out, bool kInt8, bool kGelu, bool kAccumulate>
HWY_NOINLINE void StoreTile(const float* sums, const TileTarget& target) {
  const F32 d;
  const TileTarget t = target;  // which y can't overlap
  constexpr int kStrip = 4;     // vectors of columns whose numbers stay in registers
  for (int first = 0; first < kPanel; first += kStrip * kLanes) {
    VF bias[kStrip];
    VF scale[kStrip];
    VI total[kStrip];
    HWY_UNROLL(4)
    for (int v = 0; v < kStrip; ++v) {
      const int column = first + v * kLanes;
      bias[v] = hn::Load(d, t.columns->bias + column);
      if (!kInt8) continue;
      scale[v] = hn::Load(d, t.columns->scales + column);
      total[v] = hn::Load(kI32, t.columns->sums + column);
    }
    for (int r = 0; r < t.rows; ++r) {
      std::byte* y = t.y + r * t.pitch;
      const VF row_scale = hn::Set(d, kInt8 ? t.row_scales[r] : 0);
      const auto zero = hn::Set(kI32, kInt8 ? t.row_zeros[r] : 0);
      VF value[kStrip];
      HWY_UNROLL(4)
      for (int v = 0; v < kStrip; ++v) {
        value[v] = hn::Load(d, sums + r * kPanel + first + v * kLanes);
        if (kInt8) {
          const auto whole = hn::Sub(hn::BitCast(kI32, value[v]), hn::Mul(zero, total[v]));
          value[v] = hn::MulAdd(hn::ConvertTo(d, whole), hn::Mul(row_scale, scale[v]), bias[v]);
        } else {
          value[v] = hn::Add(value[v], bias[v]);
        }
      }
      if (kGelu) GeluForBf16(value);
      HWY_UNROLL(4)
      for (int v = 0; v < kStrip; ++v) {
        const int column = first + v * kLanes;
        if (kAccumulate) {
          value[v] = hn::Add(value[v], hn::LoadU(d, reinterpret_cast<const float*>(y) + column));
        }
        Out::Store(value[v], y, column);
      }
    }
  }
}

template <bool kInt8>
StoreTileFn StoreTileOf(DType out, bool gelu, bool accumulate,
                        [[maybe_unused]] const CpuFeatures& cpu) {
  if (out == DType::kF32) {
    return accumulate ? StoreTile<ToF32, kInt8, false, true>
                      : StoreTile<ToF32, kInt8, false, false>;
  }
#if HWY_TARGET == HWY_AVX3
  if (cpu.avx512_bf16) {
    return gelu ? StoreTile<ToBf16AtOnce, kInt8, true, false>
                : StoreTile<ToBf16AtOnce, kInt8, false, false>;
  }
#endif
  return gelu ? StoreTile<ToBf16, kInt8, true, false> : StoreTile<ToBf16, kInt8, false, false>;
}

StoreTileFn StoreTileTarget(DType in, DType out, bool gelu, bool accumulate,
                            const CpuFeatures& cpu) {
  return in == DType::kU8 ? StoreTileOf<true>(out, gelu, accumulate, cpu)
                          : StoreTileOf<false>(out, gelu, accumulate, cpu);
}

}  // namespace
}  // namespace xdna::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xdna::ops {

HWY_EXPORT(StoreTileTarget);

StoreTileFn FindStoreTile(DType in, DType out, bool gelu, bool accumulate, const CpuFeatures& cpu) {
  return HWY_DYNAMIC_DISPATCH(StoreTileTarget)(in, out, gelu, accumulate, cpu);
}

}  // namespace xdna::ops
#endif  // HWY_ONCE
