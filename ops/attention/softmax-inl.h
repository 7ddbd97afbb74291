// What the fused kernels of all instruction sets share: vectors, 2^x, probabilities of a row.
#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/bf16.h"

// Included once for each target (Highway's "-inl.h" convention).
#if defined(OPS_ATTENTION_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef OPS_ATTENTION_SOFTMAX_INL_H_
#undef OPS_ATTENTION_SOFTMAX_INL_H_
#else
#define OPS_ATTENTION_SOFTMAX_INL_H_
#endif

#include <hwy/highway.h>

#undef XDNA_AVX512
#if HWY_TARGET == HWY_AVX3
#define XDNA_AVX512 1
#else
#define XDNA_AVX512 0
#endif

HWY_BEFORE_NAMESPACE();
namespace xdna::ops::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::ScalableTag<float>;
using VF = hn::Vec<F32>;
constexpr hn::RebindToSigned<F32> kI32;
constexpr hn::RebindToUnsigned<F32> kU32;
constexpr std::size_t kLanes = hn::MaxLanes(F32());
constexpr float kLog2E = 1.44269504088896341F;
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

// 2^r for r in [0, 1), exactly 1 for 0: polynomials of least relative error, by Lawson's algorithm.
struct FineExp2 {  // 8.2e-8
  static HWY_INLINE VF Fraction(VF r) {
    const F32 d;
    VF p = hn::MulAdd(hn::Set(d, 0.001867130213F), r, hn::Set(d, 0.009017030019F));
    p = hn::MulAdd(p, r, hn::Set(d, 0.05579991332F));
    p = hn::MulAdd(p, r, hn::Set(d, 0.2401644501F));
    p = hn::MulAdd(p, r, hn::Set(d, 0.6931513118F));
    return hn::MulAdd(p, r, hn::Set(d, 1.0F));
  }
};
struct CoarseExp2 {  // 8.6e-5
  static HWY_INLINE VF Fraction(VF r) {
    const F32 d;
    VF p = hn::MulAdd(hn::Set(d, 0.07706705118F), r, hn::Set(d, 0.2276449812F));
    p = hn::MulAdd(p, r, hn::Set(d, 0.6951167887F));
    return hn::MulAdd(p, r, hn::Set(d, 1.0F));
  }
};

// 2^x for x <= 0: exactly 0 for -infinity; a NaN stays one. Below -126 the result is 0 or nearly.
template <class Exp2>
HWY_INLINE VF PowerOfTwo(VF x) {
#if XDNA_AVX512
  // x - floor(x), and times 2^floor(x).
  const VF r{_mm512_reduce_ps(x.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
  return VF{_mm512_scalef_ps(Exp2::Fraction(r).raw, x.raw)};
#else
  const F32 d;
  const VF n = hn::Floor(x);
  const VF p = Exp2::Fraction(hn::Sub(x, n));
  const auto bits = hn::Add(hn::BitCast(kI32, p), hn::ShiftLeft<23>(hn::ConvertTo(kI32, n)));
  const VF power = hn::IfThenElse(hn::IsNaN(x), x, hn::BitCast(d, bits));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -126.0F)), power);
#endif
}

// Two vectors to bf16, to nearest even.
HWY_INLINE void StorePair(VF low, VF high, Bf16* out) {
#if XDNA_AVX512
  __m512 both;  // the processors that narrow have this instruction, beyond Highway's AVX3
  asm("vcvtne2ps2bf16 %1, %2, %0" : "=v"(both) : "v"(low.raw), "v"(high.raw));
  _mm512_store_ps(out, both);
#else
  const auto round = [](VF v) HWY_ATTR {
    const auto u = hn::BitCast(kU32, v);
    const auto odd = hn::And(hn::ShiftRight<16>(u), hn::Set(kU32, 1));
    const auto rounded = hn::Add(u, hn::Add(odd, hn::Set(kU32, 0x7FFF)));
    return hn::ShiftRight<16>(hn::IfThenElse(hn::RebindMask(kU32, hn::IsNaN(v)), u, rounded));
  };
  constexpr hn::Rebind<std::uint16_t, F32> kU16;
  auto* bits = reinterpret_cast<std::uint16_t*>(out);
  hn::StoreU(hn::TruncateTo(kU16, round(low)), kU16, bits);
  hn::StoreU(hn::TruncateTo(kU16, round(high)), kU16, bits + kLanes);
#endif
}
HWY_INLINE void StorePair(VF low, VF high, float* out) {
  hn::Store(low, F32(), out);
  hn::Store(high, F32(), out + kLanes);
}

// out[j] = 2^(scores[j] * scale - top) for j < count, a multiple of 2 kLanes; returns their sum
// before they are rounded. `out` may be `scores`.
template <class Exp2, typename Out>
HWY_INLINE float Probabilities(const float* scores, std::size_t count, float scale, float top,
                               Out* out) {
  const F32 d;
  const VF factor = hn::Set(d, scale);
  const VF offset = hn::Set(d, -top);
  VF sum[2] = {hn::Zero(d), hn::Zero(d)};
  for (std::size_t j = 0; j < count; j += 2 * kLanes) {
    const VF low = PowerOfTwo<Exp2>(hn::MulAdd(hn::Load(d, scores + j), factor, offset));
    const VF high = PowerOfTwo<Exp2>(hn::MulAdd(hn::Load(d, scores + j + kLanes), factor, offset));
    sum[0] = hn::Add(sum[0], low);
    sum[1] = hn::Add(sum[1], high);
    StorePair(low, high, out + j);
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Add(sum[0], sum[1])));
}

// What online softmax knows of each of up to 16 rows.
struct alignas(64) RowStates {
  float top[16];    // greatest score so far, times scale and log2(e)
  float sum[16];    // of 2^(score - top)
  float decay[16];  // what sums so far are to be multiplied with

  void Clear() {
    for (std::size_t r = 0; r < 16; ++r) {
      top[r] = kMinusInfinity;
      sum[r] = 0;
    }
  }

  // Takes in the greatest scores of a block.
  HWY_INLINE void Raise(const float (&tops)[16]) {
    const F32 d;
    for (std::size_t r = 0; r < 16; r += kLanes) {
      const VF old = hn::Load(d, top + r);
      const VF raised = hn::Max(old, hn::Load(d, tops + r));
      const VF power = PowerOfTwo<FineExp2>(hn::Sub(old, raised));
      hn::Store(raised, d, top + r);
      hn::Store(power, d, decay + r);
      hn::Store(hn::Mul(hn::Load(d, sum + r), power), d, sum + r);
    }
  }
};

}  // namespace xdna::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
