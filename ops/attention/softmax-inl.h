// What the fused kernels in f32 make probabilities with: vectors, 2^x, a row's sum.
#include <cstddef>
#include <cstdint>
#include <limits>

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

// 2^r for r in [0, 1), exactly 1 for 0: a polynomial of least relative error, 8.2e-8, by Lawson's
// algorithm.
HWY_INLINE VF PowerOfFraction(VF r) {
  const F32 d;
  VF p = hn::MulAdd(hn::Set(d, 0.001867130213F), r, hn::Set(d, 0.009017030019F));
  p = hn::MulAdd(p, r, hn::Set(d, 0.05579991332F));
  p = hn::MulAdd(p, r, hn::Set(d, 0.2401644501F));
  p = hn::MulAdd(p, r, hn::Set(d, 0.6931513118F));
  return hn::MulAdd(p, r, hn::Set(d, 1.0F));
}

// 2^x for x <= 0: exactly 0 for -infinity; a NaN stays one. Below -126 the result is 0 or nearly.
HWY_INLINE VF PowerOfTwo(VF x) {
#if XDNA_AVX512
  // x - floor(x), and times 2^floor(x).
  const VF r{_mm512_reduce_ps(x.raw, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)};
  return VF{_mm512_scalef_ps(PowerOfFraction(r).raw, x.raw)};
#else
  const F32 d;
  const VF n = hn::Floor(x);
  const VF p = PowerOfFraction(hn::Sub(x, n));
  const auto bits = hn::Add(hn::BitCast(kI32, p), hn::ShiftLeft<23>(hn::ConvertTo(kI32, n)));
  const VF power = hn::IfThenElse(hn::IsNaN(x), x, hn::BitCast(d, bits));
  return hn::IfThenZeroElse(hn::Lt(x, hn::Set(d, -126.0F)), power);
#endif
}

// scores[j] to 2^(scores[j] - top) for j < count, a multiple of 2 kLanes; returns their sum.
HWY_INLINE float Probabilities(float* scores, std::size_t count, float top) {
  const F32 d;
  const VF offset = hn::Set(d, top);
  VF sum[2] = {hn::Zero(d), hn::Zero(d)};
  for (std::size_t j = 0; j < count; j += 2 * kLanes) {
    HWY_UNROLL(2)
    for (std::size_t i = 0; i < 2; ++i) {
      float* at = scores + j + i * kLanes;
      const VF power = PowerOfTwo(hn::Sub(hn::Load(d, at), offset));
      sum[i] = hn::Add(sum[i], power);
      hn::Store(power, d, at);
    }
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
      const VF power = PowerOfTwo(hn::Sub(old, raised));
      hn::Store(raised, d, top + r);
      hn::Store(power, d, decay + r);
      hn::Store(hn::Mul(hn::Load(d, sum + r), power), d, sum + r);
    }
  }
};

}  // namespace xdna::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // per target
