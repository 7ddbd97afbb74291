// Tables in memory that four lanes read at once: aie::lut, aie::parallel_lookup,
// aie::linear_approx.
#ifndef KERNELS_AIE_INCLUDE_AIE_API_DETAIL_LUT_HPP_
#define KERNELS_AIE_INCLUDE_AIE_API_DETAIL_LUT_HPP_

#include <bit>
#include <cstdint>
#include <type_traits>

#include "aie_api/detail/ops.hpp"

namespace aie {

enum class lut_oor_policy { saturate, truncate };

inline namespace AIE_HOST_VARIANT {

// A table of `elems` values (or slope and offset pairs) in the layout that the gather asks for:
// blocks of 128 bits, each twice in a row, and all of that in two copies, ab and cd.
template <unsigned ParallelAccesses, typename OffsetType, typename SlopeType = OffsetType>
class lut {
  static_assert(ParallelAccesses == 4, "AIE2 has the fourfold gather");

 public:
  static constexpr unsigned elem_bytes =
      std::is_same_v<OffsetType, SlopeType> ? sizeof(OffsetType) : 2 * sizeof(OffsetType);

  lut(unsigned elems, const void* ab, const void* cd) : elems_(elems), ab_(ab), cd_(cd) {}
  lut(unsigned elems, const void* ab) : lut(elems, ab, ab) {}

  unsigned elems() const { return elems_; }
  // Where element i lies. Lanes read ab and cd in turn, which hold the same.
  const void* at(unsigned i, unsigned lane) const {
    constexpr unsigned kPerBlock = 16 / elem_bytes;
    const auto* table = static_cast<const unsigned char*>(lane % 4 < 2 ? ab_ : cd_);
    return table + i / kPerBlock * 32 + i % kPerBlock * elem_bytes;
  }

 private:
  unsigned elems_;
  const void* ab_;
  const void* cd_;
};

// Looks each lane up: element (key >> step_bits) + bias.
// The shift is an SRS with the core's rounding register, and two address bits below the element
// take part in it (aie_api, detail/aie2/parallel_lookup.hpp, says itself that it is not rounding
// agnostic). So with any mode but floor the upper part of each step reads the next element: with
// step_bits = 8 and nearest modes, keys with a low byte of 224 and above. This is why
// getExpBf16 is wrong by a factor of e there under conv_even.
template <typename T, typename Lut, lut_oor_policy policy = lut_oor_policy::saturate>
class parallel_lookup;

template <typename T, typename Value, lut_oor_policy policy>
requires(std::is_unsigned_v<T>) class parallel_lookup<T, lut<4, Value, Value>, policy> {
  static_assert(sizeof(Value) == 2, "only tables of 16-bit values are modelled");

 public:
  explicit parallel_lookup(const lut<4, Value, Value>& table, unsigned step_bits = 0)
      : table_(table), step_bits_(static_cast<int>(step_bits)) {}

  template <unsigned N>
  vector<Value, N> fetch(const vector<T, N>& keys) const {
    constexpr int kElementBits = 2;
    detail::CountConvert((N + 15) / 16);
    detail::CountShuffle((N + 15) / 16);
    vector<Value, N> values;
    for (unsigned i = 0; i < N; ++i) {
      const std::int64_t address =
          lane::Srs(keys[i], step_bits_ - kElementBits, 32, true, get_rounding(), get_saturation());
      std::int64_t element = address >> kElementBits;
      const std::int64_t last = std::int64_t{table_.elems()} - 1;
      if (element > last) {
        // Truncation keeps the low bits. Where the keys just cover the table there is no check on
        // the tile: the read goes one element past it, into the copy or table that follows, whose
        // first element is what truncation gives for the tables of lut_based_ops.
        element = policy == lut_oor_policy::truncate ? element & last : last;
      }
      const void* at = table_.at(static_cast<unsigned>(element), i);
      detail::CountAccess(at, 16, false, false);
      Value value;
      __builtin_memcpy(&value, at, sizeof value);
      values[i] = value;
    }
    return values;
  }

 private:
  lut<4, Value, Value> table_;
  int step_bits_;
};

// slope x + offset by segments of 2^step_bits, of which the first starts at -bias 2^step_bits;
// beyond the ends the outermost segment goes on. The segment is a floor, whatever the rounding
// register says; the product and sum are one bf16 MAC into the f32 offset. The slope is the upper
// half of a float. aie_api, detail/aie2/linear_approx.hpp.
template <typename T, typename Lut>
class linear_approx;

template <>
class linear_approx<bfloat16, lut<4, float, bfloat16>> {
 public:
  linear_approx(const lut<4, float, bfloat16>& table, int step_bits, int bias = 0,
                int /*shift_offset*/ = 0)
      : table_(table), step_bits_(step_bits), bias_(bias) {}

  template <unsigned N>
  accum<accfloat, N> compute(const vector<bfloat16, N>& x) const {
    constexpr int kElementBits = 4;  // 16 bytes: a pair of floats, twice
    detail::CountConvert((N + 15) / 16);
    detail::CountAlu(2 * ((N + 15) / 16));
    detail::CountShuffle(2 * ((N + 15) / 16));
    detail::CountMac((N + 15) / 16);
    accum<accfloat, N> result;
    const std::int32_t lowest = -(bias_ << kElementBits);
    const std::int32_t highest =
        lowest + (static_cast<std::int32_t>(table_.elems()) << kElementBits) - 1;
    for (unsigned i = 0; i < N; ++i) {
      const std::int32_t at = lane::FloorBf16(x[i].bits(), kElementBits - step_bits_);
      const std::int32_t kept = at < lowest ? lowest : (at > highest ? highest : at);
      float pair[2];
      const void* place = table_.at(static_cast<unsigned>(kept - lowest) >> kElementBits, i);
      detail::CountAccess(place, 16, false, false);
      __builtin_memcpy(pair, place, sizeof pair);
      const auto slope =
          bfloat16::from_bits(static_cast<std::uint16_t>(detail::Bits(pair[0]) >> 16));
      result[i] = detail::MacLane(pair[1], slope, x[i], false);
    }
    return result;
  }

 private:
  lut<4, float, bfloat16> table_;
  int step_bits_;
  int bias_;
};

}  // namespace AIE_HOST_VARIANT
}  // namespace aie

#endif  // KERNELS_AIE_INCLUDE_AIE_API_DETAIL_LUT_HPP_
