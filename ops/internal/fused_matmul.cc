#include "ops/internal/fused_matmul.h"

#include <fmt/format.h>
#include <hwy/base.h>
#include <immintrin.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "base/bf16.h"
#include "base/cpu.h"
#include "ops/internal/row_kernels.h"

namespace xdna::ops {
namespace {

constexpr int kTileRows = 6;  // x 4 vectors: 24 sums, 4 of W and 1 of x fill 32 registers
constexpr int kPanel = 64;    // columns
constexpr int kGroup = 4;     // bytes of a row of x that one instruction takes
constexpr int kVectors = 4;   // a panel's
constexpr int kLanes = 16;

// Where a tile of sums goes.
struct Target {
  const float* bias;
  const Dequantization& dequantization;
  std::byte* y;  // the tile's first element
  std::int64_t pitch;
  std::int64_t row, column;  // of the tile
  int rows, columns;
};

}  // namespace
}  // namespace xdna::ops

// Flags of the compiler promise no instruction set: these do, for what Usable has asked for.
HWY_PUSH_ATTRIBUTES("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx512vnni")
namespace xdna::ops {
namespace {

struct DotF32 {
  using Sum = __m512;
  static HWY_INLINE Sum Zero() { return _mm512_setzero_ps(); }
  static HWY_INLINE Sum Dot(Sum sum, __m512i x, __m512i w) {
    return _mm512_fmadd_ps(_mm512_castsi512_ps(x), _mm512_castsi512_ps(w), sum);
  }
};

struct DotBf16 {
  using Sum = __m512;
  static HWY_INLINE Sum Zero() { return _mm512_setzero_ps(); }
  static HWY_INLINE Sum Dot(Sum sum, __m512i x, __m512i w) {
    return _mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(x), reinterpret_cast<__m512bh>(w));
  }
};

struct DotInt8 {
  using Sum = __m512i;
  static HWY_INLINE Sum Zero() { return _mm512_setzero_si512(); }
  static HWY_INLINE Sum Dot(Sum sum, __m512i x, __m512i w) {
    return _mm512_dpbusd_epi32(sum, x, w);
  }
};

// Sums of kRows rows of x by one panel, to `sums` [kRows][kPanel]. A function of its own,
// so that no constant of the epilogue takes a register from the loop.
template <typename Dot, int kRows>
HWY_NOINLINE void Multiply(const std::byte* x, std::int64_t pitch, const std::byte* panel,
                           std::int64_t groups, float* sums) {
  typename Dot::Sum sum[kRows][kVectors];
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) sum[r][v] = Dot::Zero();
  }
  for (std::int64_t g = 0; g < groups; ++g) {
    __m512i w[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) w[v] = _mm512_loadu_si512(panel + v * 64);
#pragma GCC unroll 6
    for (int r = 0; r < kRows; ++r) {
      int group = 0;
      std::memcpy(&group, x + r * pitch, kGroup);
      const __m512i broadcast = _mm512_set1_epi32(group);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Dot::Dot(sum[r][v], broadcast, w[v]);
    }
    x += kGroup;
    panel += kPanel * kGroup;
  }
#pragma GCC unroll 6
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      std::memcpy(sums + r * kPanel + v * kLanes, &sum[r][v], sizeof sum[r][v]);
    }
  }
}

// x Phi(x), Phi(x) = 1/2 + u p(u^2) for u = x / 4.4 within [-1, 1], and 0 or 1 beyond. p is
// the fit of least greatest error of x Phi(x) under p(1) = 1/2 (Lawson's iteration on
// Chebyshev points): at most 3.7e-5, a 200th of a bf16 step of 1.
HWY_INLINE __m512 GeluForBf16(__m512 x) {
  constexpr float kP[] = {1.75455093F,  -5.62865448F, 15.9029179F, -33.6835709F, 52.1033592F,
                          -56.5417442F, 40.3316078F,  -16.837986F, 3.09951949F};
  const __m512 one = _mm512_set1_ps(1);
  __m512 u = _mm512_mul_ps(x, _mm512_set1_ps(1 / 4.4F));
  u = _mm512_min_ps(_mm512_max_ps(u, _mm512_set1_ps(-1)), one);
  const __m512 t = _mm512_mul_ps(u, u);
  __m512 p = _mm512_set1_ps(kP[8]);
#pragma GCC unroll 8
  for (int i = 7; i >= 0; --i) p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(kP[i]));
  return _mm512_mul_ps(x, _mm512_fmadd_ps(p, u, _mm512_set1_ps(0.5F)));
}

// A tile of sums to y. kGelu: as GeluForBf16.
template <typename Dot, typename Out, bool kGelu, bool kAccumulate>
HWY_NOINLINE void Store(const float* sums, const Target& t) {
  constexpr bool kInt8 = std::is_same_v<Dot, DotInt8>;
  const Dequantization& q = t.dequantization;
  const std::uint64_t columns = ~std::uint64_t{0} >> (kPanel - t.columns);
  __mmask16 mask[kVectors];
  __m512 bias[kVectors];
  __m512 scale[kVectors];
  __m512i total[kVectors];
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    mask[v] = static_cast<__mmask16>(columns >> (v * kLanes));
    const std::int64_t column = t.column + v * kLanes;
    bias[v] =
        t.bias == nullptr ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask[v], t.bias + column);
    if (kInt8) {
      scale[v] = _mm512_maskz_loadu_ps(mask[v], q.column_scales + column);
      total[v] = _mm512_maskz_loadu_epi32(mask[v], q.column_sums + column);
    }
  }
  for (int r = 0; r < t.rows; ++r) {
    std::byte* y = t.y + r * t.pitch;
    const __m512 row_scale = kInt8 ? _mm512_set1_ps(q.row_scales[t.row + r]) : _mm512_setzero_ps();
    const __m512i zero = kInt8 ? _mm512_set1_epi32(q.row_zeros[t.row + r]) : _mm512_setzero_si512();
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const float* from = sums + r * kPanel + v * kLanes;
      __m512 value;
      if (kInt8) {
        const __m512i whole =
            _mm512_sub_epi32(_mm512_loadu_si512(from), _mm512_mullo_epi32(zero, total[v]));
        value =
            _mm512_fmadd_ps(_mm512_cvtepi32_ps(whole), _mm512_mul_ps(row_scale, scale[v]), bias[v]);
      } else {
        value = _mm512_add_ps(_mm512_loadu_ps(from), bias[v]);
      }
      if (kGelu) value = GeluForBf16(value);
      if (std::is_same_v<Out, Bf16>) {
        _mm256_mask_storeu_epi16(y + v * kLanes * 2, mask[v],
                                 reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(value)));
      } else {
        if (kAccumulate) {
          value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(mask[v], y + v * kLanes * 4));
        }
        _mm512_mask_storeu_ps(y + v * kLanes * 4, mask[v], value);
      }
    }
  }
}

template <typename Dot>
void MultiplyRows(const std::byte* x, std::int64_t pitch, int rows, const std::byte* panel,
                  std::int64_t groups, float* sums) {
  switch (rows) {
    case 1:
      return Multiply<Dot, 1>(x, pitch, panel, groups, sums);
    case 2:
      return Multiply<Dot, 2>(x, pitch, panel, groups, sums);
    case 3:
      return Multiply<Dot, 3>(x, pitch, panel, groups, sums);
    case 4:
      return Multiply<Dot, 4>(x, pitch, panel, groups, sums);
    case 5:
      return Multiply<Dot, 5>(x, pitch, panel, groups, sums);
    default:
      return Multiply<Dot, kTileRows>(x, pitch, panel, groups, sums);
  }
}

}  // namespace
}  // namespace xdna::ops
HWY_POP_ATTRIBUTES

namespace xdna::ops {
namespace {

// Panel after panel, which stays in the cache for all rows.
template <typename Dot, typename Out, bool kGelu, bool kAccumulate>
void RunTiles(const FusedMatmulSpec& spec, const std::byte* x, std::int64_t rows,
              const std::byte* panels, const float* bias, const Dequantization& dequantization,
              std::byte* y) {
  alignas(64) float sums[kTileRows * kPanel];
  const std::int64_t x_pitch = spec.k * static_cast<std::int64_t>(SizeOf(spec.in));
  const std::int64_t groups = x_pitch / kGroup;
  const std::int64_t y_pitch = spec.n * static_cast<std::int64_t>(sizeof(Out));
  for (std::int64_t column = 0; column < spec.n; column += kPanel) {
    const std::byte* panel = panels + column * groups * kGroup;
    for (std::int64_t row = 0; row < rows; row += kTileRows) {
      std::byte* out = y + row * y_pitch + column * static_cast<std::int64_t>(sizeof(Out));
      const int tile_rows = static_cast<int>(std::min<std::int64_t>(kTileRows, rows - row));
      const int columns = static_cast<int>(std::min<std::int64_t>(kPanel, spec.n - column));
      // While the sums are made, their place comes into the cache.
      for (int r = 0; r < tile_rows; ++r) {
        for (std::size_t line = 0; line < kPanel * sizeof(Out); line += 64) {
          __builtin_prefetch(out + r * y_pitch + line, 1);
        }
      }
      MultiplyRows<Dot>(x + row * x_pitch, x_pitch, tile_rows, panel, groups, sums);
      Target target = {bias, dequantization, out, y_pitch, row, column, tile_rows, columns};
      if (!kGelu || std::is_same_v<Out, Bf16>) {
        Store<Dot, Out, kGelu, kAccumulate>(sums, target);
        continue;
      }
      // In f32, GELU is that of the row kernels, as accurate as f32: on the tile where it is.
      target.y = reinterpret_cast<std::byte*>(sums);
      target.pitch = kPanel * sizeof(float);
      Store<Dot, Out, false, false>(sums, target);
      RowMap map;
      map.in = map.out = sums;
      map.gelu = true;
      MapRow(map, tile_rows * kPanel);
      for (int r = 0; r < tile_rows; ++r) {
        std::memcpy(out + r * y_pitch, sums + r * kPanel, columns * sizeof(float));
      }
    }
  }
}

using RunFn = void (*)(const FusedMatmulSpec&, const std::byte*, std::int64_t, const std::byte*,
                       const float*, const Dequantization&, std::byte*);

template <typename Dot>
RunFn Choose(const FusedMatmulSpec& spec) {
  if (spec.out == DType::kBf16) {
    return spec.gelu ? RunTiles<Dot, Bf16, true, false> : RunTiles<Dot, Bf16, false, false>;
  }
  if (spec.accumulate) return RunTiles<Dot, float, false, true>;
  return spec.gelu ? RunTiles<Dot, float, true, false> : RunTiles<Dot, float, false, false>;
}

RunFn Choose(const FusedMatmulSpec& spec) {
  switch (spec.in) {
    case DType::kF32:
      return Choose<DotF32>(spec);
    case DType::kBf16:
      return Choose<DotBf16>(spec);
    default:
      return Choose<DotInt8>(spec);
  }
}

}  // namespace

bool FusedMatmul::Usable(DType in, std::int64_t k) {
  const CpuFeatures& cpu = Cpu();
  if (!cpu.avx512 || !cpu.avx512_bf16 || !cpu.avx512_vnni) return false;
  if (in == DType::kBf16 && cpu.amx_bf16) return false;
  if (in == DType::kU8 && cpu.amx_int8) return false;
  return k * static_cast<std::int64_t>(SizeOf(in)) % kGroup == 0;
}

void FusedMatmul::Run(const void* x, std::int64_t rows, const float* bias,
                      const Dequantization& dequantization, void* y) const {
  Choose(spec_)(spec_, static_cast<const std::byte*>(x), rows,
                static_cast<const std::byte*>(packed_.view().raw()), bias, dequantization,
                static_cast<std::byte*>(y));
}

FusedMatmul::FusedMatmul(const TensorView& weight, const FusedMatmulSpec& spec) : spec_(spec) {
  const std::size_t size = SizeOf(weight.dtype());
  const std::int64_t group = kGroup / static_cast<std::int64_t>(size);
  const std::int64_t panels = (spec.n + kPanel - 1) / kPanel;
  packed_ = Tensor(DType::kU8, {panels * kPanel * spec.k * static_cast<std::int64_t>(size)});
  const auto* from = static_cast<const std::byte*>(weight.raw());
  auto* to = static_cast<std::byte*>(packed_.view().raw());
  for (std::int64_t j = 0; j < spec.n; ++j) {
    std::byte* column = to + j / kPanel * kPanel * spec.k * size + j % kPanel * kGroup;
    for (std::int64_t i = 0; i < spec.k; i += group) {
      std::memcpy(column + i / group * kPanel * kGroup, from + (j * spec.k + i) * size, kGroup);
    }
  }
}

std::string FusedMatmul::description() const {
  const char* instruction = spec_.in == DType::kF32    ? "vfmadd231ps"
                            : spec_.in == DType::kBf16 ? "vdpbf16ps"
                                                       : "vpdpbusd";
  return fmt::format("own {}, {}x{}", instruction, kTileRows, kPanel);
}

}  // namespace xdna::ops
