#include "kernels/attention/attention.h"

#include <aie_api/aie.hpp>

#include "kernels/attention/attention_lanes.h"
#include "kernels/common/pair.h"

namespace {

namespace weight = xdna::kernels::weight;
using xdna::kernels::Multiply;
using xdna::kernels::Pair;
using xdna::kernels::Split;
using Mmul = aie::mmul<4, 8, 4, bfloat16, bfloat16>;
using v32int16 = aie::vector<int16, 32>;

constexpr int32 kPair = 2;    // tiles of 4 keys that make an operand of 8
constexpr int32 kGroup = 4;   // tiles of 4 queries at a time, at most
constexpr int32 kRows = 4;    // tiles of d at a time
constexpr int32 kLanes = 16;  // of a tile of C

struct Call {
  const bfloat16* q;
  const bfloat16* k;
  const bfloat16* v;
  bfloat16* weights;
  float* state;
  float* sums;
  int32 d, valid;
  bool first;

  // From tile i of 4 queries on.
  Call At(int32 i) const {
    Call call = *this;
    call.q += i * 4 * d;
    call.state += i * 2 * kLanes;
    call.sums += i * 4 * d;
    return call;
  }
};

// Lanes of [keys][4 queries] from row `valid` on.
template <unsigned kCount>
aie::mask<kCount> Beyond(int32 valid) {
  return aie::mask<kCount>::from_uint32(0xFFFFFFFFU << (4 * valid));
}

// scores += K Q^T of kKeys x kQueries tiles.
template <unsigned kKeys, unsigned kQueries>
void AddProducts(const bfloat16* __restrict k, const bfloat16* __restrict q, int32 d,
                 Mmul (&scores)[kKeys][kQueries]) {
  const int32 steps = d / 8;
  for (int32 z = 0; z < steps; ++z) chess_prepare_for_pipelining {
      v32bfloat16 right[kQueries];
      for (unsigned j = 0; j < kQueries; ++j) {
        const int32 at = (static_cast<int32>(j) * steps + z) * Mmul::size_A;
        right[j] = aie::transpose(aie::load_v<32>(q + at), 4, 8);
      }
      for (unsigned i = 0; i < kKeys; ++i) {
        const int32 at = (static_cast<int32>(i) * steps + z) * Mmul::size_A;
        const v32bfloat16 left = aie::load_v<32>(k + at);
        for (unsigned j = 0; j < kQueries; ++j) scores[i][j].mac(left, right[j]);
      }
    }
}

// Scores in fixed point to weights.
class Exponential {
 public:
  // Of 8 keys and 4 queries; keys from `valid` on have none. Raises `highest`, upper halves of
  // scores, by them.
  template <bool kRagged>
  v32bfloat16 Weights(const Mmul& upper, const Mmul& lower, int32 valid, v32int16& highest) const {
    const auto [fraction, whole_of_all] = aie::interleave_unzip(
        upper.to_vector<float>().cast_to<int16>(), lower.to_vector<float>().cast_to<int16>());
    v32int16 whole = whole_of_all;
    if constexpr (kRagged) whole = aie::select(whole, lowest_, Beyond<32>(valid));
    highest = aie::max(highest, whole);
    const v32int16 square =
        aie::mul<acc32>(fraction, fraction).template to_vector<int16>(weight::kSquareShift);
    aie::accum<acc32, 32> bits;
    bits.insert(0, upper.to_accum().cast_to<acc32>());
    bits.insert(1, lower.to_accum().cast_to<acc32>());
    bits = aie::mac(bits, square, parabola_);
    const v32int16 weights = aie::add(bits.to_vector<int16>(weight::kBitsShift), offset_);
    return aie::select(weights, aie::zeros<int16, 32>(), aie::lt(whole, bottom_))
        .cast_to<bfloat16>();
  }

  const v32int16& lowest() const { return lowest_; }

 private:
  const v32int16 lowest_ = aie::broadcast<int16, 32>(-32768);
  const v32int16 bottom_ = aie::broadcast<int16, 32>(weight::kBottom);
  const v32int16 parabola_ = aie::broadcast<int16, 32>(weight::kParabola);
  const v32int16 offset_ = aie::broadcast<int16, 32>(weight::kOffset);
};

// The weights of kPairs * 8 keys and kQueries * 4 queries.
template <unsigned kPairs, unsigned kQueries, bool kRagged>
void Weigh(const Call& call, int32 key, const Exponential& exponential,
           v32int16 (&highest)[kQueries]) {
  Mmul scores[kPairs * kPair][kQueries];
  for (unsigned j = 0; j < kQueries; ++j) {
    const Mmul start(aie::load_v<kLanes>(call.state + static_cast<int32>(j) * 2 * kLanes));
    for (auto& row : scores) row[j] = start;
  }
  AddProducts(call.k + key * call.d, call.q, call.d, scores);
  for (unsigned i = 0; i < kPairs; ++i) {
    for (unsigned j = 0; j < kQueries; ++j) {
      const v32bfloat16 weights = exponential.Weights<kRagged>(
          scores[kPair * i][j], scores[kPair * i + 1][j], call.valid - key, highest[j]);
      const int32 at = (key / 8 + static_cast<int32>(i)) * kGroup + static_cast<int32>(j);
      aie::store_v(call.weights + at * Mmul::size_B, weights);
    }
  }
}

// Those of all keys. `highest`: of each query, lanes [keys][queries].
template <unsigned kQueries>
void WeighAll(const Call& call, v32int16 (&highest)[kQueries]) {
  const Exponential exponential;
  for (v32int16& h : highest) h = exponential.lowest();
  int32 key = 0;
  for (; key + 16 <= call.valid; key += 16) chess_loop_range(0, ) {
      Weigh<2, kQueries, false>(call, key, exponential, highest);
    }
  if (key + 8 <= call.valid) {
    Weigh<1, kQueries, false>(call, key, exponential, highest);
    key += 8;
  }
  if (key < call.valid) Weigh<1, kQueries, true>(call, key, exponential, highest);
}

// Which of 4 queries need another reference; four times.
aie::mask<kLanes> OutOfRange(const v32int16& highest, bool first) {
  v32int16 h = highest;
  for (unsigned n = 16; n >= 4; n /= 2) h = aie::max(h, aie::shuffle_down_rotate(h, n));
  const aie::vector<int16, kLanes> most = h.extract<kLanes>(0);
  const auto above = aie::ge(most, aie::broadcast<int16, kLanes>(weight::kTop));
  if (!first) return above;
  return above | aie::lt(most, aie::broadcast<int16, kLanes>(weight::kFirstBottom));
}

// The highest score of each of 4 queries, over 64, four times.
v16float Highest(const Call& call) {
  v16float highest = aie::broadcast<float, kLanes>(-3e38F);
  for (int32 key = 0; key < call.valid; key += 4) chess_loop_range(1, ) {
      Mmul scores[1][1];
      AddProducts(call.k + key * call.d, call.q, call.d, scores);
      v16float s = scores[0][0].to_vector<float>();
      if (key + 4 > call.valid) s = aie::select(s, highest, Beyond<kLanes>(call.valid - key));
      highest = aie::max(highest, s);
    }
  for (unsigned n = 8; n >= 4; n /= 2) {
    highest = aie::max(highest, aie::shuffle_down_rotate(highest, n));
  }
  return highest;
}

// Gives 4 queries another reference where they need it, and their sums the new scale.
bool Raise(const Call& call, const v32int16& highest) {
  const aie::mask<kLanes> out = OutOfRange(highest, call.first);
  if (out.empty()) return false;
  const v16float from = aie::load_v<kLanes>(call.state);
  const v16float to = aie::select(from, weight::StartFor(Highest(call)), out);
  aie::store_v(call.state, to);
  if (call.first) return true;
  const auto rescale = [&](float* at) {
    const v16float x = aie::load_v<kLanes>(at);
    aie::store_v(at, aie::select(x, weight::Rescale(x, from, to), out));
  };
  rescale(call.state + kLanes);
  for (int32 i = 0; i < 4 * call.d; i += kLanes) chess_prepare_for_pipelining {
      rescale(call.sums + i);
    }
  return true;
}

// O^T += V^T P^T of one tile of 8 keys; v and weights at its start.
template <unsigned kQueries, bool kRagged>
void AddValues(const bfloat16* __restrict v, const bfloat16* __restrict weights, int32 valid,
               Mmul (&sums)[kRows][kQueries]) {
  v32bfloat16 right[kQueries];
  for (unsigned j = 0; j < kQueries; ++j) right[j] = aie::load_v<32>(weights + j * Mmul::size_B);
  for (unsigned i = 0; i < kRows; ++i) {
    v32bfloat16 values = aie::load_v<32>(v + i * Mmul::size_B);
    if constexpr (kRagged) {
      values = aie::select(values, aie::zeros<bfloat16, 32>(), Beyond<32>(valid));
    }
    const v32bfloat16 left = aie::transpose(values, 8, 4);
    for (unsigned j = 0; j < kQueries; ++j) sums[i][j].mac(left, right[j]);
  }
}

// All keys, kRows tiles of d from `row` on.
template <unsigned kQueries>
void SumValues(const Call& call, int32 row) {
  const int32 d_tiles = call.d / 4;
  Mmul sums[kRows][kQueries];
  const auto at = [&](unsigned i, unsigned j) {
    return call.sums + (static_cast<int32>(j) * d_tiles + row + static_cast<int32>(i)) * kLanes;
  };
  if (!call.first) {
    for (unsigned i = 0; i < kRows; ++i) {
      for (unsigned j = 0; j < kQueries; ++j) sums[i][j] = Mmul(aie::load_v<kLanes>(at(i, j)));
    }
  }
  const bfloat16* v = call.v + row * Mmul::size_B;
  const bfloat16* weights = call.weights;
  const int32 v_step = d_tiles * Mmul::size_B, weights_step = kGroup * Mmul::size_B;
  for (int32 key = 0; key + 8 <= call.valid; key += 8) chess_prepare_for_pipelining {
      AddValues<kQueries, false>(v + key / 8 * v_step, weights + key / 8 * weights_step, 8, sums);
    }
  if (const int32 rest = call.valid % 8; rest != 0) {
    const int32 last = call.valid / 8;
    AddValues<kQueries, true>(v + last * v_step, weights + last * weights_step, rest, sums);
  }
  for (unsigned i = 0; i < kRows; ++i) {
    for (unsigned j = 0; j < kQueries; ++j) {
      aie::store_v(at(i, j), sums[i][j].template to_vector<float>());
    }
  }
}

template <unsigned kQueries>
void SumWeights(const Call& call) {
  const v32bfloat16 ones = aie::broadcast<bfloat16, 32>(bfloat16(1.0F));
  Mmul sums[kQueries];
  const auto at = [&](unsigned j) { return call.state + (2 * static_cast<int32>(j) + 1) * kLanes; };
  if (!call.first) {
    for (unsigned j = 0; j < kQueries; ++j) sums[j] = Mmul(aie::load_v<kLanes>(at(j)));
  }
  const bfloat16* __restrict weights = call.weights;
  for (int32 key = 0; key < call.valid; key += 8) chess_prepare_for_pipelining {
      for (unsigned j = 0; j < kQueries; ++j) {
        sums[j].mac(ones, aie::load_v<32>(weights + (key / 8 * kGroup + j) * Mmul::size_B));
      }
    }
  for (unsigned j = 0; j < kQueries; ++j) {
    aie::store_v(at(j), sums[j].template to_vector<float>());
  }
}

// kQueries tiles of 4 queries.
template <unsigned kQueries>
void Attend(const Call& call) {
  if (call.first) {
    const v16float start = aie::broadcast<float, kLanes>(weight::kStart);
    for (unsigned j = 0; j < kQueries; ++j) aie::store_v(call.state + j * 2 * kLanes, start);
  }
  v32int16 highest[kQueries];
  WeighAll(call, highest);
  v32int16 most = highest[0];
  for (unsigned j = 1; j < kQueries; ++j) most = aie::max(most, highest[j]);
  if (call.first || !aie::ge(most, aie::broadcast<int16, 32>(weight::kTop)).empty()) {
    bool raised = false;
    for (unsigned j = 0; j < kQueries; ++j) {
      raised = Raise(call.At(static_cast<int32>(j)), highest[j]) || raised;
    }
    if (raised) WeighAll(call, highest);
  }
  for (int32 row = 0; row < call.d / 4; row += kRows) chess_loop_range(1, ) {
      SumValues<kQueries>(call, row);
    }
  SumWeights<kQueries>(call);
}

}  // namespace

TILE_FUNCTIONS_BEGIN

void attention_block_bf16(const bfloat16* q, const bfloat16* k, const bfloat16* v,
                          bfloat16* weights, float* state, float* sums, int32 queries, int32 d,
                          int32 valid, int32 first) {
  event0();
  aie::set_rounding(aie::rounding_mode::conv_even);
  aie::set_saturation(aie::saturation_mode::none);  // SRS takes the lower half
  const Call call = {q, k, v, weights, state, sums, d, valid, first != 0};
  int32 i = 0;
  for (; i + kGroup <= queries / 4; i += kGroup) chess_loop_range(0, ) {
      Attend<kGroup>(call.At(i));
    }
  for (; i < queries / 4; ++i) chess_loop_range(0, ) {
      Attend<1>(call.At(i));
    }
  event1();
}

void attention_finish_bf16(const float* state, const float* sums, bfloat16* y, int32 queries,
                           int32 d) {
  event0();
  aie::set_rounding(aie::rounding_mode::conv_even);
  for (int32 i = 0; i < queries; i += 4, state += 2 * kLanes) chess_loop_range(1, ) {
      const Pair inverse = Split(v16accfloat(aie::inv(aie::load_v<kLanes>(state + kLanes))));
      for (int32 j = 0; j < d; j += 4, sums += kLanes, y += kLanes) chess_prepare_for_pipelining {
          const Pair sum = Split(v16accfloat(aie::load_v<kLanes>(sums)));
          const v16bfloat16 rounded = Multiply(sum, inverse).to_vector<bfloat16>();
          aie::store_v(y, aie::transpose(rounded, 4, 4));
        }
    }
  event1();
}

TILE_FUNCTIONS_END
