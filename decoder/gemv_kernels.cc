#include "decoder/gemv_kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "decoder/gemv_kernels.cc"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace xdna::decoder::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::CappedTag<float, 16>;
using I32 = hn::RebindToSigned<F32>;
using U32 = hn::RebindToUnsigned<F32>;
using VF = hn::Vec<F32>;
using VI = hn::Vec<I32>;
constexpr std::size_t kLanes = hn::MaxLanes(F32());
constexpr std::size_t kParts = kBlockRows / kLanes;  // vectors that hold a value for each row

// Ahead of the loads, so that the stream does not stop where a page ends and the hardware's
// prefetcher with it.
constexpr std::size_t kAhead = 2048;

// One step of a kernel: the next column (f32) or pair of columns of a block. `M` vectors share
// what was loaded. Sums of a pair's two columns run apart where few vectors leave the registers:
// one chain of additions would be slower than memory.
template <int M>
struct F32Kernel {
  static constexpr int kColumns = 1;
  static constexpr std::size_t kStepBytes = kBlockRows * 4;
  using X = float;
  VF sums[M][kParts];

  HWY_INLINE void Clear() {
    for (auto& row : sums) std::fill(std::begin(row), std::end(row), hn::Zero(F32()));
  }
  HWY_INLINE void Step(const std::byte* block, const X* x, std::int64_t x_stride) {
    const auto* p = reinterpret_cast<const float*>(block);
    for (std::size_t part = 0; part < kParts; ++part) {
      const VF w = hn::Load(F32(), p + part * kLanes);
      for (int v = 0; v < M; ++v)
        sums[v][part] = hn::MulAdd(w, hn::Set(F32(), x[v * x_stride]), sums[v][part]);
    }
  }
  HWY_INLINE VF Sum(int v, std::size_t part) const { return sums[v][part]; }
};

template <int M>
struct Bf16Kernel {
  static constexpr int kColumns = 2;
  static constexpr std::size_t kStepBytes = kBlockRows * 4;
  using X = float;
  VF even[M][kParts];
  VF odd[M][kParts];

  HWY_INLINE void Clear() {
    for (auto& row : even) std::fill(std::begin(row), std::end(row), hn::Zero(F32()));
    for (auto& row : odd) std::fill(std::begin(row), std::end(row), hn::Zero(F32()));
  }
  HWY_INLINE void Step(const std::byte* block, const X* x, std::int64_t x_stride) {
    const auto* p = reinterpret_cast<const std::uint32_t*>(block);
    for (std::size_t part = 0; part < kParts; ++part) {
      const auto pair = hn::Load(U32(), p + part * kLanes);
      const VF w0 = hn::BitCast(F32(), hn::ShiftLeft<16>(pair));
      const VF w1 = hn::BitCast(F32(), hn::And(pair, hn::Set(U32(), 0xFFFF0000U)));
      for (int v = 0; v < M; ++v) {
        even[v][part] = hn::MulAdd(w0, hn::Set(F32(), x[v * x_stride]), even[v][part]);
        odd[v][part] = hn::MulAdd(w1, hn::Set(F32(), x[v * x_stride + 1]), odd[v][part]);
      }
    }
  }
  HWY_INLINE VF Sum(int v, std::size_t part) const { return hn::Add(even[v][part], odd[v][part]); }
};

template <int M>
struct I8Kernel {
  static constexpr int kColumns = 2;
  static constexpr std::size_t kStepBytes = kBlockRows * 2;
  using X = std::int16_t;
  VI sums[M][kParts];

  HWY_INLINE void Clear() {
    for (auto& row : sums) std::fill(std::begin(row), std::end(row), hn::Zero(I32()));
  }
#if HWY_TARGET == HWY_SCALAR
  HWY_INLINE void Step(const std::byte* block, const X* x, std::int64_t x_stride) {
    const auto* p = reinterpret_cast<const std::int8_t*>(block);
    for (std::size_t row = 0; row < kParts; ++row, p += 2) {
      for (int v = 0; v < M; ++v) {
        const X* pair = x + v * x_stride;
        sums[v][row] = hn::Add(sums[v][row], hn::Set(I32(), p[0] * pair[0] + p[1] * pair[1]));
      }
    }
  }
#else
  HWY_INLINE void Step(const std::byte* block, const X* x, std::int64_t x_stride) {
    const hn::Repartition<std::int16_t, I32> i16;
    const hn::Rebind<std::int8_t, decltype(i16)> i8;
    const auto* p = reinterpret_cast<const std::int8_t*>(block);
    for (std::size_t part = 0; part < kParts; ++part) {
      const auto w = hn::PromoteTo(i16, hn::Load(i8, p + part * 2 * kLanes));
      for (int v = 0; v < M; ++v) {
        std::int32_t pair;
        std::memcpy(&pair, x + v * x_stride, sizeof(pair));
        VI unused = hn::Zero(I32());
        // On x86, pmaddwd: products of neighbours are added, lanes stay in order.
        sums[v][part] = hn::ReorderWidenMulAccumulate(
            I32(), w, hn::BitCast(i16, hn::Set(I32(), pair)), sums[v][part], unused);
      }
    }
  }
#endif
  HWY_INLINE VF Sum(int v, std::size_t part) const { return hn::ConvertTo(F32(), sums[v][part]); }
};

HWY_INLINE void StoreRows(VF sum, float* out, std::int64_t rows, bool accumulate) {
  if (rows >= static_cast<std::int64_t>(kLanes)) {
    hn::StoreU(accumulate ? hn::Add(sum, hn::LoadU(F32(), out)) : sum, F32(), out);
    return;
  }
  float buffer[kLanes];
  hn::StoreU(sum, F32(), buffer);
  for (std::int64_t i = 0; i < rows; ++i) out[i] = buffer[i] + (accumulate ? out[i] : 0);
}

// One block times vectors [v0, v0 + M).
template <typename Kernel, int M>
HWY_INLINE void Block(const GemvArgs& args, std::int64_t b, int v0) {
  using X = typename Kernel::X;
  const std::int64_t steps = (args.k + Kernel::kColumns - 1) / Kernel::kColumns;
  const std::byte* p = static_cast<const std::byte*>(args.blocks) + b * steps * Kernel::kStepBytes;
  const X* x = static_cast<const X*>(args.x) + v0 * args.x_stride;
  Kernel kernel;
  kernel.Clear();
  for (std::int64_t s = 0; s < steps; ++s, p += Kernel::kStepBytes, x += Kernel::kColumns) {
    if (Kernel::kStepBytes >= 64 || s % 2 == 0) __builtin_prefetch(p + kAhead);
    kernel.Step(p, x, args.x_stride);
  }
  float* out = args.out + v0 * args.out_stride + b * kBlockRows;
  for (std::size_t part = 0; part < kParts; ++part) {
    const std::int64_t row = b * kBlockRows + part * kLanes;
    for (int v = 0; v < M; ++v) {
      StoreRows(kernel.Sum(v, part), out + v * args.out_stride + part * kLanes, args.n - row,
                args.accumulate);
    }
  }
}

// A block stays in the cache while all vectors pass over it.
template <template <int> typename Kernel>
void Range(const GemvArgs& args, std::int64_t first, std::int64_t last) {
  for (std::int64_t b = first; b < last; ++b) {
    int v = 0;
    for (; kParts == 1 && v + 8 <= args.vectors; v += 8) Block<Kernel<8>, 8>(args, b, v);
    for (; v + 5 <= args.vectors; v += 5) Block<Kernel<5>, 5>(args, b, v);
    switch (args.vectors - v) {
      case 1:
        Block<Kernel<1>, 1>(args, b, v);
        break;
      case 2:
        Block<Kernel<2>, 2>(args, b, v);
        break;
      case 3:
        Block<Kernel<3>, 3>(args, b, v);
        break;
      case 4:
        Block<Kernel<4>, 4>(args, b, v);
        break;
      default:
        break;
    }
  }
}

void GemvTarget(const GemvArgs& args, std::int64_t first, std::int64_t last) {
  switch (args.dtype) {
    case DType::kBf16:
      return Range<Bf16Kernel>(args, first, last);
    case DType::kI8:
      return Range<I8Kernel>(args, first, last);
    default:
      return Range<F32Kernel>(args, first, last);
  }
}

float QuantizeRow16Target(const float* x, std::size_t n, std::int16_t* q) {
  constexpr float kMost = 16383;
  const F32 d;
  const hn::Rebind<std::int16_t, F32> i16;
  VF top = hn::Zero(d);
  std::size_t j = 0;
  for (; j + kLanes <= n; j += kLanes) top = hn::Max(top, hn::Abs(hn::LoadU(d, x + j)));
  float max = hn::GetLane(hn::MaxOfLanes(d, top));
  for (std::size_t i = j; i < n; ++i) max = std::max(max, std::abs(x[i]));
  if (max == 0) {
    std::memset(q, 0, n * sizeof(*q));
    return 1;
  }
  const float inverse = kMost / max;
  for (j = 0; j + kLanes <= n; j += kLanes) {
    const VF v = hn::Mul(hn::LoadU(d, x + j), hn::Set(d, inverse));
    hn::StoreU(hn::DemoteTo(i16, hn::NearestInt(v)), i16, q + j);
  }
  for (; j < n; ++j) q[j] = static_cast<std::int16_t>(std::lrint(x[j] * inverse));
  return max / kMost;
}

}  // namespace
}  // namespace xdna::decoder::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xdna::decoder {
namespace {

HWY_EXPORT(GemvTarget);
HWY_EXPORT(QuantizeRow16Target);

// As Bf16::FromFloat to nearest even, inlined: this runs for each weight and for all keys and
// values of a window.
std::uint16_t NearestBf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return static_cast<std::uint16_t>(bits >> 16 | 0x40);
  return static_cast<std::uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// Rows [b * 16, b * 16 + 16), `Group` columns at a time.
template <typename T, int Group, typename Convert>
void Pack(const PackArgs& a, std::int64_t b, Convert convert) {
  T* out = reinterpret_cast<T*>(static_cast<std::byte*>(a.blocks) + b * BlockBytes(a.dtype, a.k));
  const std::int64_t first = b * kBlockRows;
  const std::int64_t rows = std::min(kBlockRows, a.n - first);
  const std::int64_t row_step = a.transposed ? 1 : a.stride;
  const std::int64_t column_step = a.transposed ? a.stride : 1;
  const float* from = a.rows + first * row_step;
  for (std::int64_t column = 0; column < a.k; column += Group, out += kBlockRows * Group) {
    const int columns = static_cast<int>(std::min<std::int64_t>(Group, a.k - column));
    if (rows < kBlockRows || columns < Group) std::fill_n(out, kBlockRows * Group, T());
    for (std::int64_t r = 0; r < rows; ++r) {
      const float* value = from + r * row_step + column * column_step;
      for (int i = 0; i < columns; ++i)
        out[r * Group + i] = convert(value[i * column_step], first + r);
    }
  }
}

}  // namespace

std::int64_t PackedColumns(DType dtype, std::int64_t k) {
  return dtype == DType::kF32 ? k : (k + 1) / 2 * 2;
}

std::size_t BlockBytes(DType dtype, std::int64_t k) {
  return kBlockRows * PackedColumns(dtype, k) * SizeOf(dtype);
}

void Gemv(const GemvArgs& args, std::int64_t first, std::int64_t last) {
  HWY_DYNAMIC_DISPATCH(GemvTarget)(args, first, last);
}

float QuantizeRow16(const float* x, std::size_t n, std::int16_t* q) {
  return HWY_DYNAMIC_DISPATCH(QuantizeRow16Target)(x, n, q);
}

void PackBlocks(const PackArgs& args, std::int64_t first, std::int64_t last) {
  for (std::int64_t b = first; b < last; ++b) {
    switch (args.dtype) {
      case DType::kBf16:
        Pack<std::uint16_t, 2>(args, b, [](float v, std::int64_t) { return NearestBf16(v); });
        break;
      case DType::kI8:
        Pack<std::int8_t, 2>(args, b, [&](float v, std::int64_t row) {
          return static_cast<std::int8_t>(std::lrint(v * args.inverse[row]));
        });
        break;
      default:
        Pack<float, 1>(args, b, [](float v, std::int64_t) { return v; });
        break;
    }
  }
}

}  // namespace xdna::decoder
#endif  // HWY_ONCE
