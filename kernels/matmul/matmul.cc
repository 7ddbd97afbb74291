#include "kernels/matmul/matmul.h"

#include <aie_api/aie.hpp>

#include "kernels/gelu/gelu_lanes.h"
#include "kernels/quantize/quantize.h"

namespace {

// A block of kRows x kCols mmul tiles of C stays in accumulators over all of k: 4x4 of bf16 takes
// 16 of 18 half registers, 4x2 of int8 8 of 9 whole ones. Each A tile loaded serves kCols products
// and each B tile kRows. A's rows of tiles are `a_step` elements apart.
template <typename In, typename C, unsigned kRows, unsigned kCols>
void Block(const In* __restrict a, int32 a_step, const In* __restrict b, C* __restrict c,
           int32 k_tiles, int32 n_tiles, bool first) {
  constexpr unsigned kT = sizeof(In) == 1 ? 8 : 4;
  using Mmul = aie::mmul<4, 8, kT, In, In>;
  Mmul sums[kRows][kCols];
  if (!first) {
    for (unsigned i = 0; i < kRows; ++i) {
      for (unsigned j = 0; j < kCols; ++j) {
        const C* from =
            c + (static_cast<int32>(i) * n_tiles + static_cast<int32>(j)) * Mmul::size_C;
        sums[i][j] = Mmul(aie::load_v<Mmul::size_C>(from));
      }
    }
  }
  for (int32 z = 0; z < k_tiles; ++z) chess_prepare_for_pipelining {
      aie::vector<In, Mmul::size_A> left[kRows];
      for (unsigned i = 0; i < kRows; ++i) {
        left[i] = aie::load_v<Mmul::size_A>(a + static_cast<int32>(i) * a_step + z * Mmul::size_A);
      }
      for (unsigned j = 0; j < kCols; ++j) {
        const auto right =
            aie::load_v<Mmul::size_B>(b + (z * n_tiles + static_cast<int32>(j)) * Mmul::size_B);
        for (unsigned i = 0; i < kRows; ++i) sums[i][j].mac(left[i], right);
      }
    }
  for (unsigned i = 0; i < kRows; ++i) {
    for (unsigned j = 0; j < kCols; ++j) {
      C* to = c + (static_cast<int32>(i) * n_tiles + static_cast<int32>(j)) * Mmul::size_C;
      aie::store_v(to, sums[i][j].template to_vector<C>());
    }
  }
}

template <typename In, typename C, unsigned kRows, unsigned kCols>
void RowOfBlocks(const In* a, int32 a_step, const In* b, C* c, int32 k_tiles, int32 n_tiles,
                 bool first) {
  constexpr int32 kT = sizeof(In) == 1 ? 8 : 4;
  int32 j = 0;
  for (; j + static_cast<int32>(kCols) <= n_tiles; j += kCols) {
    Block<In, C, kRows, kCols>(a, a_step, b + j * 8 * kT, c + j * 4 * kT, k_tiles, n_tiles, first);
  }
  for (; j < n_tiles; ++j) {
    Block<In, C, kRows, 1>(a, a_step, b + j * 8 * kT, c + j * 4 * kT, k_tiles, n_tiles, first);
  }
}

// The blocks of 4 x kCols; rows and columns of tiles that are left over go one by one.
template <typename In, typename C, unsigned kCols>
void Multiply(const In* a, int32 a_step, const In* b, C* c, int32 m, int32 k, int32 n, bool first) {
  constexpr int32 kT = sizeof(In) == 1 ? 8 : 4;
  const int32 m_tiles = m / 4, k_tiles = k / 8, n_tiles = n / kT;
  int32 i = 0;
  for (; i + 4 <= m_tiles; i += 4) {
    RowOfBlocks<In, C, 4, kCols>(a + i * a_step, a_step, b, c + i * 4 * n, k_tiles, n_tiles, first);
  }
  for (; i < m_tiles; ++i) {
    RowOfBlocks<In, C, 1, kCols>(a + i * a_step, a_step, b, c + i * 4 * n, k_tiles, n_tiles, first);
  }
}

void Store(float* to, const v16accfloat& y) { aie::store_v(to, y.to_vector<float>()); }
void Store(bfloat16* to, const v16accfloat& y) { aie::store_v(to, y.to_vector<bfloat16>()); }

template <typename Out>
void Finish(const float* c, Out* y, int32 m, int32 n, const xdna::kernels::MatmulEpilogue& e) {
  event0();
  const v16float scale = aie::broadcast<float, 16>(e.scale);
  for (int32 i = 0; i < m; i += 4) chess_loop_range(0, ) {
      for (int32 j = 0; j < n; j += 4) chess_prepare_for_pipelining {
          const int32 at = i * n + j * 4;
          v16accfloat value(aie::load_v<16>(c + at));
          // The emulated f32 products and the polynomial need rounding to nearest; the register's
          // last word is the result's.
          aie::set_rounding(aie::rounding_mode::conv_even);
          if (e.scale != 1.0F) value = aie::mul(value.to_vector<float>(), scale);
          if (e.bias != nullptr) {
            value = aie::add(value, aie::load_v<4>(e.bias + j).grow_replicate<16>());
          }
          if (e.gelu) {
            value = e.gelu_table ? xdna::kernels::GeluByTable(value)
                                 : xdna::kernels::GeluErf(value.to_vector<float>());
          }
          if (e.residual != nullptr) value = aie::add(value, aie::load_v<16>(e.residual + at));
          aie::set_rounding(e.rounding);
          Store(y + at, value);
        }
    }
  event1();
}

template <typename Out>
void FinishInt(const int32* c, Out* y, int32 m, int32 n,
               const xdna::kernels::MatmulIntEpilogue& e) {
  event0();
  aie::set_rounding(e.rounding);
  aie::set_saturation(aie::saturation_mode::saturate);
  for (int32 i = 0; i < m; i += 4) chess_loop_range(0, ) {
      for (int32 j = 0; j < n; j += 8) chess_prepare_for_pipelining {
          const int32 at = i * n + j * 4;
          aie::accum<acc32, 32> value(aie::load_v<32>(c + at));
          if (e.bias != nullptr) {
            value = aie::add(value, aie::load_v<8>(e.bias + j).grow_replicate<32>());
          }
          aie::store_v(y + at, value.to_vector<Out>(e.shift));
        }
    }
  event1();
}

// --- scaled int8 ---------------------------------------------------------------------------------

constexpr unsigned kBlock = 32;  // lanes of 4x8
using Floats = aie::accum<accfloat, kBlock>;
using Narrows = aie::vector<bfloat16, kBlock>;

// f32 of these bits has units of 1: an integer below 2^22 added to them becomes a float.
constexpr int32 kUnitBits = 0x4B400000;
constexpr float kUnit = 0x1.8p23F;

struct WidePair {
  Narrows high, low;
};
WidePair SplitBlock(const Floats& x) {
  const Narrows high = x.to_vector<bfloat16>();
  return {high, aie::sub(x, high).to_vector<bfloat16>()};
}

// Integers to floats: lane by lane the bits of kUnit and the integer on top.
struct Lift {
  aie::vector<int32, kBlock> bits = aie::broadcast<int32, kBlock>(kUnitBits);
  aie::vector<float, kBlock> unit = aie::broadcast<float, kBlock>(kUnit);

  Floats operator()(const aie::vector<int32, kBlock>& x) const {
    return Floats(aie::sub(aie::add(x, bits).cast_to<float>(), unit));
  }
};

Floats GeluOf(const Floats& x, bool table) {
  Floats y;
  for (unsigned half = 0; half < 2; ++half) {
    const v16accfloat lanes = x.extract<16>(half);
    y.insert(half, table ? xdna::kernels::GeluByTable(lanes)
                         : xdna::kernels::GeluErf(lanes.to_vector<float>()));
  }
  return y;
}

// Columns are scaled lane by lane, rows by products of a 4x8 with the pairs of their scales in two
// diagonals: the sums of two come with it, and the bias is what they start from.
template <typename Out>
void FinishScaled(const int32* c, Out* y, int32 m, int32 n,
                  const xdna::kernels::MatmulScaledEpilogue& e) {
  using Rows = aie::mmul<4, 8, 8, bfloat16, bfloat16>;
  event0();
  aie::set_saturation(aie::saturation_mode::none);
  const Lift lift;
  // Of [4][8]: i and 4 + i of row i.
  const auto diagonals = aie::mask<kBlock>::from_uint32(0x88442211U);
  const Narrows none = aie::zeros<bfloat16, kBlock>();
  const float* bias = e.bias;
  for (int32 j = 0; j < n; j += 8) chess_loop_range(0, ) {
      aie::set_rounding(aie::rounding_mode::conv_even);
      const WidePair columns =
          SplitBlock(Floats(aie::load_v<8>(e.column_scales + j).grow_replicate<kBlock>()));
      const auto biases = aie::load_v<8>(bias + j).grow_replicate<kBlock>();
      const bfloat16* rows = e.row_scales;
      for (int32 i = 0; i < m; i += 4, rows += e.row_step) chess_prepare_for_pipelining {
          const int32 at = i * n + j * 4;
          aie::set_rounding(aie::rounding_mode::conv_even);
          const aie::accum<acc32, kBlock> sums(aie::load_v<kBlock>(c + at));
          const WidePair pair = SplitBlock(lift(sums.to_vector<int32>(e.shift)));
          const Floats lowest = aie::mul(pair.low, columns.low);
          const Floats low =
              aie::mac(aie::mac(lowest, pair.low, columns.high), pair.high, columns.low);
          const WidePair by_column = SplitBlock(aie::mac(low, pair.high, columns.high));
          const Narrows scales =
              aie::select(none, aie::load_v<8>(rows).grow_replicate<kBlock>(), diagonals);
          Rows scaled{Floats(biases)};
          scaled.mac(scales, aie::concat(by_column.low, by_column.low));
          scaled.mac(scales, aie::concat(by_column.high, by_column.high));
          Floats value = scaled.to_accum();
          if (e.gelu) value = GeluOf(value, e.gelu_table);
          aie::set_rounding(e.rounding);
          aie::store_v(y + at, value.to_vector<Out>());
        }
    }
  event1();
}

}  // namespace

TILE_FUNCTIONS_BEGIN

void matmul_bf16(const bfloat16* a, const bfloat16* b, float* c, int32 m, int32 k, int32 n,
                 int32 first) {
  event0();
  Multiply<bfloat16, float, 4>(a, 4 * k, b, c, m, k, n, first != 0);
  event1();
}

void matmul_reload_bf16(const bfloat16* a, const bfloat16* b, bfloat16* c, int32 m, int32 k,
                        int32 n, int32 first, int32 rounding) {
  event0();
  aie::set_rounding(static_cast<aie::rounding_mode>(rounding));
  Multiply<bfloat16, bfloat16, 4>(a, 4 * k, b, c, m, k, n, first != 0);
  event1();
}

void matmul_int8(const int8* a, const int8* b, int32* c, int32 m, int32 k, int32 n, int32 first) {
  event0();
  // 32-bit lanes move as they are, whatever the core was set to.
  aie::set_saturation(aie::saturation_mode::none);
  Multiply<int8, int32, 2>(a, 4 * k, b, c, m, k, n, first != 0);
  event1();
}

void matmul_scaled_int8(const int8* a, const int8* b, int32* c, int32 m, int32 k, int32 n,
                        int32 first) {
  event0();
  aie::set_saturation(aie::saturation_mode::none);
  Multiply<int8, int32, 2>(a, xdna::kernels::QuantizedPart(k), b, c, m, k, n, first != 0);
  event1();
}

void matmul_finish_f32(const float* c, float* y, int32 m, int32 n,
                       const xdna::kernels::MatmulEpilogue* epilogue) {
  Finish(c, y, m, n, *epilogue);
}

void matmul_finish_bf16(const float* c, bfloat16* y, int32 m, int32 n,
                        const xdna::kernels::MatmulEpilogue* epilogue) {
  Finish(c, y, m, n, *epilogue);
}

void matmul_finish_int8(const int32* c, int8* y, int32 m, int32 n,
                        const xdna::kernels::MatmulIntEpilogue* epilogue) {
  FinishInt(c, y, m, n, *epilogue);
}

void matmul_finish_int16(const int32* c, int16* y, int32 m, int32 n,
                         const xdna::kernels::MatmulIntEpilogue* epilogue) {
  FinishInt(c, y, m, n, *epilogue);
}

void matmul_finish_int32(const int32* c, int32* y, int32 m, int32 n,
                         const xdna::kernels::MatmulIntEpilogue* epilogue) {
  FinishInt(c, y, m, n, *epilogue);
}

void matmul_finish_scaled_f32(const int32* c, float* y, int32 m, int32 n,
                              const xdna::kernels::MatmulScaledEpilogue* epilogue) {
  FinishScaled(c, y, m, n, *epilogue);
}

void matmul_finish_scaled_bf16(const int32* c, bfloat16* y, int32 m, int32 n,
                               const xdna::kernels::MatmulScaledEpilogue* epilogue) {
  FinishScaled(c, y, m, n, *epilogue);
}

TILE_FUNCTIONS_END
