#include "kernels/softmax/softmax.h"

#include <lut_based_ops.h>

#include <aie_api/aie.hpp>
#include <bit>

#include "kernels/common/pair.h"

namespace {

using xdna::kernels::Pair;
using xdna::kernels::Split;

constexpr int32 kLanes = 16;
constexpr bfloat16 kLowest =
    std::bit_cast<bfloat16>(uint16{0xFF7F});  // the most negative finite number
constexpr bfloat16 kZero = 0.0F;
constexpr bfloat16 kClamp = -127.0F;

// Lanes of the vector at column i from `valid` on hold `pad`.
v16bfloat16 Mask(const v16bfloat16& v, int32 i, int32 valid, bfloat16 pad) {
  if (i + kLanes <= valid) return v;
  const uint32 beyond = i < valid ? 0xFFFFU << (valid - i) : 0xFFFFU;
  return aie::select(v, aie::broadcast<bfloat16, 16>(pad), aie::mask<16>::from_uint32(beyond));
}

v16bfloat16 Load(const bfloat16* row, int32 i, int32 valid) {
  return Mask(aie::load_v<16>(row + i), i, valid, kLowest);
}

bfloat16 RowMax(const bfloat16* row, int32 width, int32 valid) {
  v16bfloat16 highest = aie::broadcast<bfloat16, 16>(kLowest);
  for (int32 i = 0; i < width; i += kLanes) chess_prepare_for_pipelining {
      highest = aie::max(highest, Load(row, i, valid));
    }
  return aie::reduce_max(highest);
}

// exp(x - max) as bf16; 0 for padding.
v16bfloat16 ExpDifference(const v16bfloat16& x, const v16accfloat& max) {
  v16bfloat16 difference = aie::sub(v16accfloat(x), max).to_vector<bfloat16>();
  difference = aie::max(difference, kClamp);
  aie::set_rounding(aie::rounding_mode::floor);
  const v16accfloat power = getExpBf16(difference);
  aie::set_rounding(aie::rounding_mode::conv_even);
  return power.to_vector<bfloat16>();
}

float Sum(const v16accfloat& lanes) { return aie::reduce_add(lanes.to_vector<float>()); }

struct InverseAsPair {
  Pair inverse;
  explicit InverseAsPair(float sum) : inverse(Split(aie::inv(sum))) {}
  v16bfloat16 Scale(const v16bfloat16& e) const {
    return aie::mac(aie::mul(e, inverse.high), e, inverse.low).to_vector<bfloat16>();
  }
};

struct InverseAsBf16 {
  bfloat16 inverse;
  explicit InverseAsBf16(float sum) : inverse(aie::inv(sum)) {}
  v16bfloat16 Scale(const v16bfloat16& e) const {
    return aie::mul(e, inverse).to_vector<bfloat16>();
  }
};

template <typename Inverse>
void ScaleRow(bfloat16* y, int32 width, float sum) {
  const Inverse inverse(sum);
  for (int32 i = 0; i < width; i += kLanes) chess_prepare_for_pipelining {
      const v16bfloat16 e = aie::load_v<16>(y + i);
      aie::store_v(y + i, inverse.Scale(e));
    }
}

template <typename Inverse>
void Softmax(const bfloat16* x, bfloat16* y, int32 rows, int32 width, int32 valid) {
  event0();
  aie::set_rounding(aie::rounding_mode::conv_even);
  for (int32 row = 0; row < rows; ++row, x += width, y += width) {
    const v16accfloat max(aie::broadcast<float, 16>(RowMax(x, width, valid)));
    v16accfloat sum = aie::zeros<accfloat, 16>();
    for (int32 i = 0; i < width; i += kLanes) chess_prepare_for_pipelining {
        const v16bfloat16 e = ExpDifference(Load(x, i, valid), max);
        sum = aie::add(sum, e);
        aie::store_v(y + i, e);
      }
    ScaleRow<Inverse>(y, width, Sum(sum));
  }
  event1();
}

}  // namespace

TILE_FUNCTIONS_BEGIN

void softmax_bf16(const bfloat16* x, bfloat16* y, int32 rows, int32 width, int32 valid) {
  Softmax<InverseAsPair>(x, y, rows, width, valid);
}

void softmax_inverse_bf16(const bfloat16* x, bfloat16* y, int32 rows, int32 width, int32 valid) {
  Softmax<InverseAsBf16>(x, y, rows, width, valid);
}

void softmax_stock_bf16(const bfloat16* x, bfloat16* y, int32 rows, int32 width, int32 valid) {
  event0();
  aie::set_rounding(aie::rounding_mode::floor);
  for (int32 row = 0; row < rows; ++row, x += width, y += width) {
    v16accfloat sum = aie::zeros<accfloat, 16>();
    for (int32 i = 0; i < width; i += kLanes) chess_prepare_for_pipelining {
        v16bfloat16 e = to_v16bfloat16(getExpBf16(aie::load_v<16>(x + i)));
        e = Mask(e, i, valid, kZero);
        sum = aie::add(sum, e);
        aie::store_v(y + i, e);
      }
    ScaleRow<InverseAsBf16>(y, width, Sum(sum));
  }
  event1();
}

void softmax_online_block_bf16(const bfloat16* x, float* state, int32 rows, int32 width,
                               int32 valid, int32 first) {
  event0();
  aie::set_rounding(aie::rounding_mode::conv_even);
  for (int32 row = 0; row < rows; ++row, x += width, state += 2) {
    const bfloat16 before = first != 0 ? kLowest : bfloat16(state[0]);
    const bfloat16 in_block = RowMax(x, width, valid);
    const bfloat16 now = before < in_block ? in_block : before;
    const v16accfloat max(aie::broadcast<float, 16>(now));
    v16accfloat sum = aie::zeros<accfloat, 16>();
    for (int32 i = 0; i < width; i += kLanes) chess_prepare_for_pipelining {
        sum = aie::add(sum, ExpDifference(Load(x, i, valid), max));
      }
    float total = Sum(sum);
    if (first == 0) {
      const float rescale = ExpDifference(aie::broadcast<bfloat16, 16>(before), max)[0];
      total += rescale * state[1];
    }
    state[0] = now;
    state[1] = total;
  }
  event1();
}

void softmax_online_finish_bf16(const bfloat16* x, const float* state, bfloat16* y, int32 rows,
                                int32 width, int32 valid) {
  event0();
  aie::set_rounding(aie::rounding_mode::conv_even);
  for (int32 row = 0; row < rows; ++row, x += width, y += width, state += 2) {
    const v16accfloat max(aie::broadcast<float, 16>(state[0]));
    const InverseAsPair inverse(state[1]);
    for (int32 i = 0; i < width; i += kLanes) chess_prepare_for_pipelining {
        aie::store_v(y + i, inverse.Scale(ExpDifference(Load(x, i, valid), max)));
      }
  }
  event1();
}

TILE_FUNCTIONS_END
