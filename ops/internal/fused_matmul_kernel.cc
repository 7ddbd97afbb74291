#include "ops/internal/fused_matmul_kernel.h"

#include <emmintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bf16.h"
#include "ops/internal/fused_matmul_tiles.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/internal/fused_matmul_kernel.cc"
// Each of these has a near neighbour that serves its processors.
#ifndef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)
#endif
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

#undef XDNA_AVX512
#undef XDNA_SSE2
#define XDNA_AVX512 (HWY_TARGET == HWY_AVX3)
#define XDNA_SSE2 (HWY_TARGET != HWY_AVX3 && HWY_TARGET != HWY_AVX2)

HWY_BEFORE_NAMESPACE();
namespace xdna::ops::HWY_NAMESPACE {
namespace {

#if XDNA_SSE2
// Any x86-64 has SSE2; Highway's target for all of them has no vectors.
using Vector = __m128i;
HWY_INLINE Vector LoadUnits(const std::byte* p) {
  return _mm_load_si128(reinterpret_cast<const __m128i*>(p));
}
HWY_INLINE void StoreUnits(Vector v, float* p) {
  _mm_store_si128(reinterpret_cast<__m128i*>(p), v);
}
HWY_INLINE Vector Broadcast(std::int32_t unit) { return _mm_set1_epi32(unit); }
HWY_INLINE Vector ToHighHalf(Vector v) { return _mm_slli_epi32(v, 16); }
HWY_INLINE Vector HighHalf(Vector v) { return _mm_and_si128(v, _mm_set1_epi32(-65536)); }
HWY_INLINE Vector MulAddF32(Vector a, Vector b, Vector sum) {
  const __m128 product = _mm_mul_ps(_mm_castsi128_ps(a), _mm_castsi128_ps(b));
  return _mm_castps_si128(_mm_add_ps(_mm_castsi128_ps(sum), product));
}
HWY_INLINE Vector MulAddPairs(Vector a, Vector b, Vector sum) {
  return _mm_add_epi32(sum, _mm_madd_epi16(a, b));
}
#else
namespace hn = hwy::HWY_NAMESPACE;
using F32 = hn::ScalableTag<float>;
constexpr hn::RebindToSigned<F32> kI32;
constexpr hn::RebindToUnsigned<F32> kU32;
using Vector = hn::Vec<hn::RebindToUnsigned<F32> >;
HWY_INLINE Vector LoadUnits(const std::byte* p) {
  return hn::Load(kU32, reinterpret_cast<const std::uint32_t*>(p));
}
HWY_INLINE void StoreUnits(Vector v, float* p) { hn::Store(hn::BitCast(F32(), v), F32(), p); }
HWY_INLINE Vector Broadcast(std::int32_t unit) {
  return hn::Set(kU32, static_cast<std::uint32_t>(unit));
}
HWY_INLINE Vector ToHighHalf(Vector v) { return hn::ShiftLeft<16>(v); }
HWY_INLINE Vector HighHalf(Vector v) { return hn::And(v, hn::Set(kU32, 0xFFFF0000)); }
HWY_INLINE Vector MulAddF32(Vector a, Vector b, Vector sum) {
  // Left to choose among its three forms, GCC moves sums about, with 16 registers to memory.
  asm("vfmadd231ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
  return sum;
}
HWY_INLINE Vector MulAddPairs(Vector a, Vector b, Vector sum) {
  constexpr hn::Repartition<std::int16_t, F32> i16;
  auto rest = hn::Zero(kI32);  // stays so on x86
  return hn::BitCast(kU32,
                     hn::ReorderWidenMulAccumulate(kI32, hn::BitCast(i16, a), hn::BitCast(i16, b),
                                                   hn::BitCast(kI32, sum), rest));
}
#endif

// 32 registers hold 6 x 4 vectors of sums, 4 of W and one of x; 16 hold 6 x 2, 2 and one; SSE2's
// instructions take one more for each product.
constexpr int kRows = XDNA_SSE2 ? 4 : 6;
constexpr int kVectors = XDNA_AVX512 ? 4 : 2;
constexpr int kUnits = sizeof(Vector) / kUnit;  // of a vector
constexpr int kWidth = kVectors * kUnits;

// How a unit of W meets kParts units of x.
#if !XDNA_SSE2
struct Fma {
  using X = float;
  static constexpr bool kWidens = false;
  static constexpr int kParts = 1;
  static constexpr std::int64_t kUnitOfW = 1;
  template <int>
  static HWY_INLINE Vector Part(Vector w) {
    return w;
  }
  static HWY_INLINE Vector MulAdd(Vector x, Vector w, Vector sum) { return MulAddF32(x, w, sum); }
};
#endif

// bf16 become f32 by 16 bits below: W in registers, x ahead of time.
struct WidenedBf16 {
  using X = Bf16;
  using Wide = std::uint32_t;
  static constexpr bool kWidens = true;
  static constexpr int kParts = 2;
  static constexpr std::int64_t kUnitOfW = 2;
  static Wide Widened(Bf16 x) { return static_cast<Wide>(x.bits) << 16; }
  template <int kPart>
  static HWY_INLINE Vector Part(Vector w) {
    return kPart == 0 ? ToHighHalf(w) : HighHalf(w);
  }
  static HWY_INLINE Vector MulAdd(Vector x, Vector w, Vector sum) { return MulAddF32(x, w, sum); }
};

// Pairs of 16 bits, where sums of two products fit 32: vpmaddwd.
struct WidenedInt8 {
  using X = std::uint8_t;
  using Wide = std::int16_t;
  static constexpr bool kWidens = true;
  static constexpr int kParts = 1;
  static constexpr std::int64_t kUnitOfW = 2;
  static Wide Widened(std::uint8_t x) { return x; }
  template <int>
  static HWY_INLINE Vector Part(Vector w) {
    return w;
  }
  static HWY_INLINE Vector MulAdd(Vector x, Vector w, Vector sum) { return MulAddPairs(x, w, sum); }
};

#if XDNA_AVX512
// Beyond what Highway calls AVX3.
struct DotBf16 : Fma {
  using X = Bf16;
  static constexpr std::int64_t kUnitOfW = 2;
  static HWY_INLINE Vector MulAdd(Vector x, Vector w, Vector sum) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(x.raw), "v"(w.raw));
    return sum;
  }
};
struct DotInt8 : Fma {
  using X = std::uint8_t;
  static constexpr std::int64_t kUnitOfW = 4;
  static HWY_INLINE Vector MulAdd(Vector x, Vector w, Vector sum) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum.raw) : "v"(x.raw), "v"(w.raw));
    return sum;
  }
};
#endif

template <class Op, int kPart, int kTileRows>
HWY_INLINE void AddProducts(const std::byte* x, std::int64_t pitch, const std::byte* w,
                            Vector (&sum)[kTileRows][kVectors]) {
  Vector part[kVectors];
  HWY_UNROLL(4)
  for (int v = 0; v < kVectors; ++v) {
    part[v] = Op::template Part<kPart>(LoadUnits(w + v * kUnits * kUnit));
  }
  HWY_UNROLL(6)
  for (int r = 0; r < kTileRows; ++r) {
    std::int32_t unit = 0;
    std::memcpy(&unit, x + r * pitch + kPart * kUnit, sizeof unit);
    const Vector row = Broadcast(unit);
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) sum[r][v] = Op::MulAdd(row, part[v], sum[r][v]);
  }
}

// sums[kTileRows][kWidth] = (kMore: +=) `units` of a strip's. A function of its own, so that
// nothing else takes a register from the loop.
template <class Op, int kTileRows, bool kMore>
HWY_NOINLINE void MultiplyStrip(const std::byte* x, std::int64_t pitch, const std::byte* w,
                                std::int64_t units, float* sums) {
  Vector sum[kTileRows][kVectors];
  HWY_UNROLL(6)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) {
      sum[r][v] =
          kMore ? LoadUnits(reinterpret_cast<const std::byte*>(sums + r * kPanel + v * kUnits))
                : Broadcast(0);
    }
  }
  for (std::int64_t u = 0; u < units; ++u) {
    AddProducts<Op, 0>(x, pitch, w, sum);
    if constexpr (Op::kParts == 2) AddProducts<Op, 1>(x, pitch, w, sum);
    x += Op::kParts * kUnit;
    w += kWidth * kUnit;
  }
  HWY_UNROLL(6)
  for (int r = 0; r < kTileRows; ++r) {
    HWY_UNROLL(4)
    for (int v = 0; v < kVectors; ++v) StoreUnits(sum[r][v], sums + r * kPanel + v * kUnits);
  }
}

template <class Op, int kTileRows>
void MultiplyRows(const std::byte* x, std::int64_t pitch, std::int64_t units,
                  const std::byte* panel, float* sums) {
  for (int column = 0; column < kPanel; column += kWidth) {
    MultiplyStrip<Op, kTileRows, false>(x, pitch, panel + column * units * kUnit, units,
                                        sums + column);
  }
}

// x as it is.
template <class Op>
void Multiply(const std::byte* x, std::int64_t pitch, int rows, std::int64_t k,
              const std::byte* panel, float* sums) {
  const std::int64_t units = k * static_cast<std::int64_t>(sizeof(typename Op::X)) / kUnit;
  if (rows == kRows) return MultiplyRows<Op, kRows>(x, pitch, units, panel, sums);
  switch (rows) {
    case 1:
      return MultiplyRows<Op, 1>(x, pitch, units, panel, sums);
    case 2:
      return MultiplyRows<Op, 2>(x, pitch, units, panel, sums);
    case 3:
      return MultiplyRows<Op, 3>(x, pitch, units, panel, sums);
    case 4:
      return MultiplyRows<Op, 4>(x, pitch, units, panel, sums);
    default:
      return MultiplyRows<Op, 5>(x, pitch, units, panel, sums);
  }
}

// Elements of x that are widened at a time: 12 KB in f32.
constexpr std::int64_t kChunk = 512;

template <class Op>
struct alignas(64) WideRows {
  typename Op::Wide rows[kRows][kChunk];

  // `count` elements from `first` on of each row, and 0 up to a whole unit.
  HWY_NOINLINE void Widen(const std::byte* x, std::int64_t pitch, int x_rows, std::int64_t first,
                          std::int64_t count) {
    for (int r = 0; r < x_rows; ++r) {
      const auto* from = reinterpret_cast<const typename Op::X*>(x + r * pitch) + first;
      typename Op::Wide* to = rows[r];
      for (std::int64_t j = 0; j < count; ++j) to[j] = Op::Widened(from[j]);
      if (count % 2 != 0) to[count] = 0;
    }
  }
};

// x widened, chunk by chunk of k.
template <class Op>
void MultiplyWidened(const std::byte* x, std::int64_t pitch, int rows, std::int64_t k,
                     const std::byte* panel, float* sums) {
  const std::int64_t units = (k + 1) / 2;
  WideRows<Op> wide;
  if (rows < kRows) std::memset(&wide, 0, sizeof wide);
  std::fill_n(sums, kRows * kPanel, 0.0F);
  for (std::int64_t first = 0; first < k; first += kChunk) {
    const std::int64_t count = std::min(kChunk, k - first);
    wide.Widen(x, pitch, rows, first, count);
    for (int column = 0; column < kPanel; column += kWidth) {
      const std::byte* strip = panel + (column * units + first / 2 * kWidth) * kUnit;
      MultiplyStrip<Op, kRows, true>(reinterpret_cast<const std::byte*>(wide.rows[0]),
                                     sizeof wide.rows[0], strip, (count + 1) / 2, sums + column);
    }
  }
}

template <class Op>
FusedMatmulKernel KernelOf(const char* name) {
  FusedMatmulKernel kernel = {};
  kernel.name = name;
  kernel.rows = kRows;
  kernel.width = kWidth;
  kernel.unit = kernel.depth = Op::kUnitOfW;
  kernel.by_table = true;
  if constexpr (Op::kWidens) {
    kernel.multiply = MultiplyWidened<Op>;
  } else {
    kernel.multiply = Multiply<Op>;
  }
  return kernel;
}

// What any processor of this target has.
const FusedMatmulKernel* PlainKernel(DType in) {
  static const FusedMatmulKernel bf16 =
      KernelOf<WidenedBf16>(XDNA_SSE2 ? "widened mulps" : "widened vfmadd231ps");
  static const FusedMatmulKernel int8 = KernelOf<WidenedInt8>(XDNA_SSE2 ? "pmaddwd" : "vpmaddwd");
#if XDNA_SSE2
  if (in == DType::kF32) return nullptr;  // oneDNN has SSE4.1
#else
  static const FusedMatmulKernel f32 = KernelOf<Fma>("vfmadd231ps");
  if (in == DType::kF32) return &f32;
#endif
  return in == DType::kBf16 ? &bf16 : &int8;
}

// Of this type, 4 bytes of a row in one instruction; null for a target without.
const FusedMatmulKernel* DotKernel([[maybe_unused]] DType in) {
#if XDNA_AVX512
  static const FusedMatmulKernel bf16 = KernelOf<DotBf16>("vdpbf16ps");
  static const FusedMatmulKernel int8 = KernelOf<DotInt8>("vpdpbusd");
  return in == DType::kBf16 ? &bf16 : &int8;
#else
  return nullptr;
#endif
}

}  // namespace
}  // namespace xdna::ops::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xdna::ops {

HWY_EXPORT(PlainKernel);
HWY_EXPORT(DotKernel);

const FusedMatmulKernel* FindFusedMatmulKernel(DType in, std::int64_t k, const CpuFeatures& cpu) {
  static const FusedMatmulKernel bf16_tiles = TileMatmul<false>::Kernel("tdpbf16ps");
  static const FusedMatmulKernel int8_tiles = TileMatmul<true>::Kernel("tdpbusd");
  if (in == DType::kBf16 && cpu.amx_bf16) return &bf16_tiles;
  if (in == DType::kU8 && cpu.amx_int8) return &int8_tiles;
  const bool dot = in == DType::kBf16 ? cpu.fast_dot_bf16 : in == DType::kU8 && cpu.avx512_vnni;
  const FusedMatmulKernel* kernel = dot ? HWY_DYNAMIC_DISPATCH(DotKernel)(in) : nullptr;
  if (kernel != nullptr && k % kernel->depth == 0) return kernel;
  return HWY_DYNAMIC_DISPATCH(PlainKernel)(in);
}

}  // namespace xdna::ops
#endif  // HWY_ONCE
