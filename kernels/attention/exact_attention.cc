#include "kernels/attention/exact_attention.h"

#include <aie_api/aie.hpp>
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "kernels/aie/exact_matmul.h"
#include "kernels/attention/attention_lanes.h"
#include "kernels/common/pair.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/attention/exact_attention.cc"
#include <hwy/foreach_target.h>
// foreach_target.h comes first.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace xdna::kernels::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

// The weights of a row of `count` scores, a multiple of 16, and `highest`, the upper halves of
// scores, raised by them.
void WeightsTarget(const float* scores, std::size_t count, std::uint16_t* weights,
                   std::int32_t* highest) {
  const hn::CappedTag<std::int32_t, 16> i32;
  const hn::Rebind<std::uint16_t, decltype(i32)> u16;
  using V = hn::Vec<decltype(i32)>;
  const auto round = [&](V x, auto shift) {  // x / 2^shift to nearest even
    constexpr int kShift = decltype(shift)::value;
    const V floor = hn::ShiftRight<kShift>(x);
    const V rest = hn::And(x, hn::Set(i32, (1 << kShift) - 1));
    const V odd = hn::And(floor, hn::Set(i32, 1));
    const auto up = hn::Gt(hn::Add(rest, odd), hn::Set(i32, 1 << (kShift - 1)));
    return hn::Add(floor, hn::IfThenElseZero(up, hn::Set(i32, 1)));
  };
  for (std::size_t i = 0; i < count; i += hn::Lanes(i32)) {
    const V bits = hn::LoadU(i32, reinterpret_cast<const std::int32_t*>(scores) + i);
    const V whole = hn::ShiftRight<16>(bits);
    hn::StoreU(hn::Max(hn::LoadU(i32, highest + i), whole), i32, highest + i);
    const V fraction = hn::ShiftRight<16>(hn::ShiftLeft<16>(bits));
    const V square =
        round(hn::Mul(fraction, fraction), std::integral_constant<int, weight::kSquareShift>());
    const V sum = hn::Add(bits, hn::Mul(square, hn::Set(i32, weight::kParabola)));
    const V rounded = round(sum, std::integral_constant<int, weight::kBitsShift>());
    const V all = hn::And(hn::Add(rounded, hn::Set(i32, weight::kOffset)), hn::Set(i32, 0xFFFF));
    const V kept = hn::IfThenElseZero(hn::Gt(whole, hn::Set(i32, weight::kBottom - 1)), all);
    hn::StoreU(hn::DemoteTo(u16, kept), u16, weights + i);
  }
}

}  // namespace
}  // namespace xdna::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace xdna::kernels {

HWY_EXPORT(WeightsTarget);

namespace {

constexpr std::size_t kQueries = 64;    // at a time
constexpr std::size_t kTile = 4;        // rows of a tile of C, whose lanes can differ for NaN
constexpr std::int32_t kNone = -32768;  // no upper half is lower

// kTile x kQueries f32, as the kernel has them for each tile of queries.
using Lanes = std::array<float, kTile * kQueries>;

// 16 lanes of a tile, [row][query], of rows of kQueries.
template <typename T>
aie::vector<T, 16> TileOf(const T* rows, std::size_t query) {
  aie::vector<T, 16> tile;
  for (unsigned i = 0; i < 16; ++i) tile[i] = rows[i / 4 * kQueries + query + i % 4];
  return tile;
}
template <typename T>
void PutTile(const aie::vector<T, 16>& tile, T* rows, std::size_t query) {
  for (unsigned i = 0; i < 16; ++i) rows[i / 4 * kQueries + query + i % 4] = tile[i];
}

// What one block of queries goes through.
class QueryBlock {
 public:
  // `v_transposed`: [d + 4][keys], the last rows ones.
  QueryBlock(const AttentionShape& shape, std::size_t key_block, const std::uint16_t* v_transposed)
      : shape_(shape),
        v_(v_transposed),
        q_(shape.d * kQueries),
        scores_(key_block * kQueries),
        weights_(key_block * kQueries),
        sums_((shape.d + kTile) * kQueries) {}

  void Begin(const std::uint16_t* q, std::size_t count) {
    std::fill(q_.begin(), q_.end(), std::uint16_t{0});
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < shape_.d; ++j) q_[j * kQueries + i] = q[i * shape_.q_stride + j];
    }
    start_.fill(weight::kStart);
    std::fill(sums_.begin(), sums_.end(), 0.0F);
  }

  // Keys from `first` on, k at the first one.
  void Add(const std::uint16_t* k, std::size_t first, std::size_t valid) {
    Weigh(k, valid);
    if (Raise(k, valid, first == 0)) Weigh(k, valid);
    MacMatrixBf16({shape_.d + kTile, valid, kQueries, shape_.keys, kQueries, kQueries}, v_ + first,
                  weights_.data(), sums_.data());
  }

  void Finish(std::size_t count, std::uint16_t* y) const {
    const float* sum = sums_.data() + shape_.d * kQueries;
    for (std::size_t i = 0; i < count; i += 4) {
      const Pair inverse = Split(v16accfloat(aie::inv(TileOf(sum, i))));
      for (std::size_t j = 0; j < shape_.d; j += 4) {
        const Pair value = Split(v16accfloat(TileOf(sums_.data() + j * kQueries, i)));
        const v16bfloat16 out = Multiply(value, inverse).to_vector<bfloat16>();
        for (std::size_t lane = 0; lane < 16; ++lane) {
          if (i + lane % 4 >= count) continue;
          y[(i + lane % 4) * shape_.y_stride + j + lane / 4] =
              out[static_cast<unsigned>(lane)].bits();
        }
      }
    }
  }

 private:
  void Scores(const std::uint16_t* k, std::size_t valid) {
    MacMatrixBf16({valid, shape_.d, kQueries, shape_.k_stride, kQueries, kQueries}, k, q_.data(),
                  scores_.data());
  }

  void Weigh(const std::uint16_t* k, std::size_t valid) {
    for (std::size_t i = 0; i < valid; ++i) {
      std::copy_n(start_.data() + i % kTile * kQueries, kQueries, scores_.data() + i * kQueries);
    }
    Scores(k, valid);
    highest_.fill(kNone);
    for (std::size_t i = 0; i < valid; ++i) {
      HWY_DYNAMIC_DISPATCH(WeightsTarget)
      (scores_.data() + i * kQueries, kQueries, weights_.data() + i * kQueries, highest_.data());
    }
  }

  bool OutOfRange(std::size_t query, bool first) const {
    const std::int32_t h = highest_[query];
    return h >= weight::kTop || (first && h < weight::kFirstBottom);
  }

  bool Raise(const std::uint16_t* k, std::size_t valid, bool first) {
    bool any = false;
    for (std::size_t i = 0; i < kQueries; ++i) any = any || OutOfRange(i, first);
    if (!any) return false;
    std::fill_n(scores_.data(), valid * kQueries, 0.0F);
    Scores(k, valid);
    for (std::size_t i = 0; i < kQueries; i += 4) RaiseTile(i, valid, first);
    return true;
  }

  void RaiseTile(std::size_t query, std::size_t valid, bool first) {
    aie::mask<16> out;
    for (unsigned i = 0; i < 16; ++i) {
      if (OutOfRange(query + i % 4, first)) out.set(i);
    }
    if (out.empty()) return;
    const v16float from = TileOf(start_.data(), query);
    const v16float to = aie::select(from, weight::StartFor(Highest(query, valid)), out);
    PutTile(to, start_.data(), query);
    if (first) return;
    for (std::size_t row = 0; row < shape_.d + kTile; row += kTile) {
      float* at = sums_.data() + row * kQueries;
      const v16float x = TileOf(at, query);
      PutTile(aie::select(x, weight::Rescale(x, from, to), out), at, query);
    }
  }

  // The kernel's Highest, of scores_, lane by lane.
  v16float Highest(std::size_t query, std::size_t valid) const {
    v16float highest = aie::broadcast<float, 16>(-3e38F);
    for (std::size_t key = 0; key < valid; ++key) {
      for (std::size_t j = 0; j < 4; ++j) {
        float& lane = highest[static_cast<unsigned>(key % 4 * 4 + j)];
        const float score = scores_[key * kQueries + query + j];
        lane = lane < score ? score : lane;
      }
    }
    for (unsigned n = 8; n >= 4; n /= 2) {
      highest = aie::max(highest, aie::shuffle_down_rotate(highest, n));
    }
    return highest;
  }

  const AttentionShape& shape_;
  const std::uint16_t* v_;
  std::vector<std::uint16_t> q_;  // [d][kQueries]
  std::vector<float> scores_;     // [keys][kQueries]
  std::vector<std::uint16_t> weights_;
  Lanes start_ = {};
  std::array<std::int32_t, kQueries> highest_ = {};
  std::vector<float> sums_;  // [d + kTile][kQueries]
};

// The core's rounding for as long as it lives.
class NearestEven {
 public:
  NearestEven() : before_(aie::get_rounding()) { aie::set_rounding(aie::rounding_mode::conv_even); }
  NearestEven(const NearestEven&) = delete;
  NearestEven& operator=(const NearestEven&) = delete;
  ~NearestEven() { aie::set_rounding(before_); }

 private:
  aie::rounding_mode before_;
};

}  // namespace

void ExactAttention(const AttentionShape& shape, std::size_t key_block, const std::uint16_t* q,
                    const std::uint16_t* k, const std::uint16_t* v, std::uint16_t* y) {
  if (shape.queries == 0 || shape.keys == 0 || shape.d == 0 || shape.d % 16 != 0 ||
      key_block == 0 || key_block % 8 != 0) {
    Throw(ErrorCode::kInvalidArgument,
          "attention: {} queries, {} keys in blocks of {}, d {}; want 1 or more, blocks of a "
          "multiple of 8, d of 16",
          shape.queries, shape.keys, key_block, shape.d);
  }
  const NearestEven rounding;
  constexpr std::uint16_t kOne = 0x3F80;
  std::vector<std::uint16_t> transposed((shape.d + kTile) * shape.keys, kOne);
  for (std::size_t i = 0; i < shape.keys; ++i) {
    for (std::size_t j = 0; j < shape.d; ++j) {
      transposed[j * shape.keys + i] = v[i * shape.v_stride + j];
    }
  }
  QueryBlock block(shape, std::min(key_block, shape.keys), transposed.data());
  for (std::size_t row = 0; row < shape.queries; row += kQueries) {
    const std::size_t count = std::min(kQueries, shape.queries - row);
    block.Begin(q + row * shape.q_stride, count);
    for (std::size_t key = 0; key < shape.keys; key += key_block) {
      block.Add(k + key * shape.k_stride, key, std::min(key_block, shape.keys - key));
    }
    block.Finish(count, y + row * shape.y_stride);
  }
}

}  // namespace xdna::kernels
#endif  // HWY_ONCE
