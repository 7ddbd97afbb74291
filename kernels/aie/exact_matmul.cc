#include "kernels/aie/exact_matmul.h"

#include <aie_api/aie.hpp>
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/aie/exact_matmul.cc"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace xdna::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// At most 16 lanes, the width of an accumulator of bf16 products.
using F32 = hn::CappedTag<float, 16>;
using I32 = hn::RebindToSigned<F32>;
using VI = hn::Vec<I32>;
constexpr I32 kI32;

constexpr std::size_t kGroup = 8;  // products in one MAC

// The exponent code of an operand: the field (1 for a subnormal); far below any sum for a zero, far
// above for infinity and NaN, even beside a zero.
constexpr std::int32_t kZeroCode = -4096;
constexpr std::int32_t kSpecialCode = 16384;
// Largest exponents, in the terms of aie::lane, for which all of this fits f32: the unit and its
// inverse are normal numbers, and nothing reaches infinity before the final result does.
constexpr std::int32_t kLowest = 152;
constexpr std::int32_t kHighest = 379;

// The first `count` values as f32 and exponent codes.
void Decode(const std::uint16_t* in, std::size_t count, float* values, std::int32_t* codes) {
  const F32 f32;
  const hn::Rebind<std::uint16_t, F32> u16;
  std::size_t i = 0;
  for (; i + hn::Lanes(f32) <= count; i += hn::Lanes(f32)) {
    const VI bits = hn::PromoteTo(kI32, hn::LoadU(u16, in + i));
    const VI exponent = hn::And(hn::ShiftRight<7>(bits), hn::Set(kI32, 255));
    const auto is_zero = hn::Eq(hn::And(bits, hn::Set(kI32, 0x7FFF)), hn::Zero(kI32));
    VI code = hn::Max(exponent, hn::Set(kI32, 1));
    code = hn::IfThenElse(hn::Eq(exponent, hn::Set(kI32, 255)), hn::Set(kI32, kSpecialCode), code);
    code = hn::IfThenElse(is_zero, hn::Set(kI32, kZeroCode), code);
    hn::StoreU(hn::BitCast(f32, hn::ShiftLeft<16>(bits)), f32, values + i);
    hn::StoreU(code, kI32, codes + i);
  }
  for (; i < count; ++i) {
    const std::int32_t exponent = (in[i] >> 7) & 0xFF;
    values[i] = std::bit_cast<float>(static_cast<std::uint32_t>(in[i]) << 16);
    codes[i] = (in[i] & 0x7FFF) == 0 ? kZeroCode
               : exponent == 255     ? kSpecialCode
                                     : std::max(exponent, 1);
  }
}

void Zeros(std::size_t count, float* values, std::int32_t* codes) {
  std::fill_n(values, count, 0.0F);
  std::fill_n(codes, count, kZeroCode);
}

// To the nearest int32, ties to even; anything for what int32 can't hold, where Highway's own
// function would take two more instructions.
#if HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
HWY_INLINE hn::Vec512<std::int32_t> ToInt(hn::Vec512<float> v) {
  return hn::Vec512<std::int32_t>{_mm512_cvtps_epi32(v.raw)};
}
#endif
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
HWY_INLINE hn::Vec256<std::int32_t> ToInt(hn::Vec256<float> v) {
  return hn::Vec256<std::int32_t>{_mm256_cvtps_epi32(v.raw)};
}
HWY_INLINE hn::Vec128<std::int32_t> ToInt(hn::Vec128<float> v) {
  return hn::Vec128<std::int32_t>{_mm_cvtps_epi32(v.raw)};
}
#else
template <typename V>
HWY_INLINE auto ToInt(V v) {
  return hn::NearestInt(v);
}
#endif

// Redoes the lanes in `slow` (bit i: c[i]) by the plain model; a[i] and column j of b, `b_stride`
// floats between its rows, hold bf16 values.
HWY_NOINLINE void Redo(std::uint64_t slow, const float* a, const float* b, std::size_t b_stride,
                       const float* old, float* c) {
  std::uint16_t x[kGroup], y[kGroup];
  for (std::size_t i = 0; i < kGroup; ++i) {
    x[i] = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(a[i]) >> 16);
  }
  for (; slow != 0; slow &= slow - 1) {
    const int j = std::countr_zero(slow);
    for (std::size_t i = 0; i < kGroup; ++i) {
      y[i] = static_cast<std::uint16_t>(
          std::bit_cast<std::uint32_t>(b[i * b_stride + static_cast<std::size_t>(j)]) >> 16);
    }
    c[j] = std::bit_cast<float>(aie::lane::MacBf16(std::bit_cast<std::uint32_t>(old[j]), x, y,
                                                   kGroup, false, aie::host::core().options));
  }
}

// One MAC for rows of A and a block of B that is one vector wide.
struct Panel {
  const float* a_values;  // [m][a_stride], kGroup of each row
  const std::int32_t* a_codes;
  std::size_t a_stride;
  const float* b_values;  // [kGroup][b_stride]
  const std::int32_t* b_codes;
  std::size_t b_stride;
};

// c[m][vector] += panel. c's rows are whole vectors of D.
template <typename D>
HWY_INLINE void MacPanel(D f32, const Panel& panel, std::size_t m, float* c, std::size_t c_stride) {
  const hn::RebindToSigned<D> i32;
  using V = hn::Vec<D>;
  using I = hn::Vec<decltype(i32)>;
  V b[kGroup];
  I b_code[kGroup];
  for (std::size_t i = 0; i < kGroup; ++i) {
    b[i] = hn::LoadU(f32, panel.b_values + i * panel.b_stride);
    b_code[i] = hn::LoadU(i32, panel.b_codes + i * panel.b_stride);
  }
  for (std::size_t row = 0; row < m; ++row) {
    const float* a = panel.a_values + row * panel.a_stride;
    const std::int32_t* a_code = panel.a_codes + row * panel.a_stride;
    float* out = c + row * c_stride;
    const V acc = hn::LoadU(f32, out);
    // The largest exponent. A product's has one more than the sum of its codes; an accumulator's
    // 128 more (a subnormal one counts for one too little, and is far too small to matter here).
    I codes = hn::Add(hn::Set(i32, a_code[0]), b_code[0]);
    for (std::size_t i = 1; i < kGroup; ++i) {
      codes = hn::Max(codes, hn::Add(hn::Set(i32, a_code[i]), b_code[i]));
    }
    const I field = hn::And(hn::ShiftRight<23>(hn::BitCast(i32, acc)), hn::Set(i32, 255));
    const auto acc_is_zero = hn::RebindMask(i32, hn::Eq(acc, hn::Zero(f32)));
    const I top = hn::Max(hn::Add(codes, hn::Set(i32, 1)),
                          hn::IfThenZeroElse(acc_is_zero, hn::Add(field, hn::Set(i32, 128))));
    const I kept = hn::Min(hn::Max(top, hn::Set(i32, kLowest)), hn::Set(i32, kHighest));
    // unit = 2^(kept - 278).
    const V unit = hn::BitCast(f32, hn::ShiftLeft<23>(hn::Sub(kept, hn::Set(i32, 278 - 127))));
    const V inverse = hn::BitCast(f32, hn::ShiftLeft<23>(hn::Sub(hn::Set(i32, 278 + 127), kept)));
    I sum = ToInt(hn::Mul(acc, inverse));
    for (std::size_t i = 0; i < kGroup; ++i) {
      sum = hn::Add(sum, ToInt(hn::Mul(hn::Mul(hn::Set(f32, a[i]), b[i]), inverse)));
    }
    hn::StoreU(hn::Mul(hn::ConvertTo(f32, sum), unit), f32, out);
    const auto slow = hn::And(hn::Ne(top, kept), hn::Gt(top, hn::Zero(i32)));
    if (HWY_UNLIKELY(!hn::AllFalse(i32, slow))) {
      float old[hn::MaxLanes(f32)];
      hn::StoreU(acc, f32, old);
      std::uint8_t bytes[8] = {};
      hn::StoreMaskBits(i32, slow, bytes);
      Redo(bytes[0] | static_cast<std::uint64_t>(bytes[1]) << 8, a, panel.b_values, panel.b_stride,
           old, out);
    }
  }
}

void MacMatrixBf16Target(const MatmulShape& shape, const std::uint16_t* a, const std::uint16_t* b,
                         float* c) {
  const F32 f32;
  const std::size_t lanes = hn::Lanes(f32);
  const std::size_t depth = (shape.k + kGroup - 1) / kGroup * kGroup;
  std::vector<float> a_values(shape.m * depth);
  std::vector<std::int32_t> a_codes(shape.m * depth, kZeroCode);
  for (std::size_t i = 0; i < shape.m; ++i) {
    Decode(a + i * shape.a_stride, shape.k, a_values.data() + i * depth,
           a_codes.data() + i * depth);
  }
  float b_values[kGroup * hn::MaxLanes(f32)];
  std::int32_t b_codes[kGroup * hn::MaxLanes(f32)];
  std::vector<float> ragged;  // C of a block with fewer columns than a vector
  for (std::size_t column = 0; column < shape.n; column += lanes) {
    const std::size_t columns = std::min(lanes, shape.n - column);
    float* block = c + column;
    std::size_t stride = shape.c_stride;
    if (columns < lanes) {
      ragged.assign(shape.m * lanes, 0);
      for (std::size_t i = 0; i < shape.m; ++i) {
        std::copy_n(block + i * stride, columns, ragged.data() + i * lanes);
      }
      block = ragged.data();
      stride = lanes;
    }
    for (std::size_t k = 0; k < depth; k += kGroup) {
      Zeros(kGroup * lanes, b_values, b_codes);
      for (std::size_t i = 0; i < std::min(kGroup, shape.k - k); ++i) {
        Decode(b + (k + i) * shape.b_stride + column, columns, b_values + i * lanes,
               b_codes + i * lanes);
      }
      MacPanel(f32, {a_values.data() + k, a_codes.data() + k, depth, b_values, b_codes, lanes},
               shape.m, block, stride);
    }
    if (columns < lanes) {
      for (std::size_t i = 0; i < shape.m; ++i) {
        std::copy_n(ragged.data() + i * lanes, columns, c + i * shape.c_stride + column);
      }
    }
  }
}

template <std::size_t kColumns>
HWY_INLINE void MacTile(const Panel& panel, std::size_t m, float* c) {
  const hn::CappedTag<float, kColumns> f32;
  for (std::size_t j = 0; j < kColumns; j += hn::Lanes(f32)) {
    Panel part = panel;
    part.b_values += j;
    part.b_codes += j;
    MacPanel(f32, part, m, c + j, kColumns);
  }
}

// One tile of aie::mmul: n is 4 or 8, m at most 8, k 8 or 1.
void MacTileBf16Target(unsigned m, unsigned k, unsigned n, const std::uint16_t* a,
                       const std::uint16_t* b, float* c) {
  float a_values[8 * kGroup], b_values[kGroup * 8];
  std::int32_t a_codes[8 * kGroup], b_codes[kGroup * 8];
  Decode(b, k * n, b_values, b_codes);
  if (k == kGroup) {
    Decode(a, m * k, a_values, a_codes);
  } else {
    Zeros((kGroup - k) * n, b_values + k * n, b_codes + k * n);
    Zeros(m * kGroup, a_values, a_codes);
    for (std::size_t i = 0; i < m; ++i) {
      Decode(a + i * k, k, a_values + i * kGroup, a_codes + i * kGroup);
    }
  }
  const Panel panel = {a_values, a_codes, kGroup, b_values, b_codes, n};
  n == 4 ? MacTile<4>(panel, m, c) : MacTile<8>(panel, m, c);
}

// Pairs of B's rows side by side as int16: pair p of column j lies at [p][2 j], [p][2 j + 1].
void PackPairs(const std::int8_t* b, std::size_t stride, std::size_t k, std::size_t columns,
               std::size_t lanes, std::int16_t* packed) {
  for (std::size_t i = 0; i < k; i += 2) {
    std::int16_t* row = packed + i * lanes;
    for (std::size_t j = 0; j < lanes; ++j) {
      row[2 * j] = j < columns ? b[i * stride + j] : std::int16_t{0};
      row[2 * j + 1] = j < columns && i + 1 < k ? b[(i + 1) * stride + j] : std::int16_t{0};
    }
  }
}

// a[2i] b[2i] + a[2i+1] b[2i+1] in each 32-bit lane.
HWY_INLINE VI PairProducts(VI a, VI b) {
#if HWY_TARGET == HWY_AVX2
  return VI{_mm256_madd_epi16(a.raw, b.raw)};
#elif HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_AVX3_DL
  return VI{_mm512_madd_epi16(a.raw, b.raw)};
#else
  const auto low = [](VI v) { return hn::ShiftRight<16>(hn::ShiftLeft<16>(v)); };
  return hn::Add(hn::Mul(low(a), low(b)), hn::Mul(hn::ShiftRight<16>(a), hn::ShiftRight<16>(b)));
#endif
}

constexpr std::size_t kRows = 4;     // rows of C in registers at a time
constexpr std::size_t kVectors = 2;  // vectors of its columns

// Rows of C, `count` (<= kRows) of them, times kVectors vectors of columns, over all pairs.
HWY_INLINE void MacRowsInt8(const std::int32_t* const* a, std::size_t count, std::size_t pairs,
                            const std::int16_t* b, std::int32_t* c) {
  const std::size_t lanes = hn::Lanes(kI32);
  VI sum[kRows][kVectors];
  for (auto& row : sum) {
    for (VI& v : row) v = hn::Zero(kI32);
  }
  const auto* packed = reinterpret_cast<const std::int32_t*>(b);
  for (std::size_t p = 0; p < pairs; ++p) {
    const std::int32_t* at = packed + p * kVectors * lanes;
    const VI b0 = hn::LoadU(kI32, at), b1 = hn::LoadU(kI32, at + lanes);
    for (std::size_t i = 0; i < kRows; ++i) {
      const VI pair = hn::Set(kI32, a[i][p]);
      sum[i][0] = hn::Add(sum[i][0], PairProducts(pair, b0));
      sum[i][1] = hn::Add(sum[i][1], PairProducts(pair, b1));
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      hn::StoreU(sum[i][v], kI32, c + (i * kVectors + v) * lanes);
    }
  }
}

void MacMatrixInt8Target(const MatmulShape& shape, const std::int8_t* a, const std::int8_t* b,
                         std::int32_t* c) {
  const std::size_t width = kVectors * hn::Lanes(kI32);
  const std::size_t pairs = (shape.k + 1) / 2;
  std::vector<std::int32_t> a_pairs(shape.m * pairs);
  for (std::size_t i = 0; i < shape.m; ++i) {
    for (std::size_t p = 0; p < pairs; ++p) {
      const std::int8_t* at = a + i * shape.a_stride + 2 * p;
      const std::int32_t second = 2 * p + 1 < shape.k ? at[1] : 0;
      a_pairs[i * pairs + p] = static_cast<std::int32_t>(
          static_cast<std::uint32_t>(second) << 16 | (static_cast<std::uint32_t>(at[0]) & 0xFFFF));
    }
  }
  std::vector<std::int16_t> packed(2 * pairs * width);
  std::int32_t block[kRows * kVectors * hn::MaxLanes(kI32)];
  for (std::size_t column = 0; column < shape.n; column += width) {
    const std::size_t columns = std::min(width, shape.n - column);
    PackPairs(b + column, shape.b_stride, shape.k, columns, width, packed.data());
    for (std::size_t i = 0; i < shape.m; i += kRows) {
      const std::size_t count = std::min(kRows, shape.m - i);
      const std::int32_t* rows[kRows];
      for (std::size_t r = 0; r < kRows; ++r) {
        rows[r] = a_pairs.data() + (i + std::min(r, count - 1)) * pairs;
      }
      MacRowsInt8(rows, count, pairs, packed.data(), block);
      for (std::size_t r = 0; r < count; ++r) {
        std::int32_t* out = c + (i + r) * shape.c_stride + column;
        for (std::size_t j = 0; j < columns; ++j) {
          out[j] = static_cast<std::int32_t>(static_cast<std::uint32_t>(out[j]) +
                                             static_cast<std::uint32_t>(block[r * width + j]));
        }
      }
    }
  }
}

const char* TargetName() { return hwy::TargetName(HWY_TARGET); }

}  // namespace
}  // namespace xdna::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xdna::kernels {

HWY_EXPORT(MacMatrixBf16Target);
HWY_EXPORT(MacTileBf16Target);
HWY_EXPORT(MacMatrixInt8Target);
HWY_EXPORT(TargetName);

namespace {

void MacTileBf16(unsigned m, unsigned k, unsigned n, const std::uint16_t* a, const std::uint16_t* b,
                 float* c) {
  HWY_DYNAMIC_DISPATCH(MacTileBf16Target)(m, k, n, a, b, c);
}

// The bit of each set that this machine can run, the best first.
std::vector<std::int64_t> TargetBits() {
  std::vector<std::int64_t> bits;
  hwy::SetSupportedTargetsForTest(0);
  std::int64_t rest = hwy::SupportedTargets() & (HWY_TARGETS);
  for (; rest != 0; rest &= rest - 1) bits.push_back(rest & -rest);
  return bits;
}

}  // namespace

void MacMatrixBf16(const MatmulShape& shape, const std::uint16_t* a, const std::uint16_t* b,
                   float* c) {
  if (shape.m == 0 || shape.k == 0 || shape.n == 0) return;
  HWY_DYNAMIC_DISPATCH(MacMatrixBf16Target)(shape, a, b, c);
}

void MacMatrixInt8(const MatmulShape& shape, const std::int8_t* a, const std::int8_t* b,
                   std::int32_t* c) {
  if (shape.m == 0 || shape.k == 0 || shape.n == 0) return;
  HWY_DYNAMIC_DISPATCH(MacMatrixInt8Target)(shape, a, b, c);
}

const char* ExactMatmulTarget() { return HWY_DYNAMIC_DISPATCH(TargetName)(); }

std::vector<std::string> ExactMatmulTargets() {
  std::vector<std::string> names;
  for (const std::int64_t bit : TargetBits()) names.emplace_back(hwy::TargetName(bit));
  return names;
}

void UseExactMatmulTarget(const std::string& name) {
  std::int64_t chosen = 0;  // all
  for (const std::int64_t bit : TargetBits()) {
    if (name == hwy::TargetName(bit)) chosen = bit;
  }
  hwy::SetSupportedTargetsForTest(chosen);
}

}  // namespace xdna::kernels

namespace aie::host {

void mac_tile_bf16(unsigned m, unsigned k, unsigned n, const std::uint16_t* a,
                   const std::uint16_t* b, float* c, bool zero) {
  if (zero) std::fill_n(c, m * n, 0.0F);
  xdna::kernels::MacTileBf16(m, k, n, a, b, c);
}

}  // namespace aie::host
#endif  // HWY_ONCE
