// aie::accum: accumulator registers, and what narrows and widens.
#ifndef KERNELS_AIE_INCLUDE_AIE_API_DETAIL_ACCUM_HPP_
#define KERNELS_AIE_INCLUDE_AIE_API_DETAIL_ACCUM_HPP_

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include "aie_api/detail/lanes.hpp"
#include "aie_api/detail/vector.hpp"

namespace aie {
inline namespace AIE_HOST_VARIANT {
namespace detail {

template <typename Tag>
struct AccumLane;
template <>
struct AccumLane<acc32> {
  using type = std::int32_t;
};
template <>
struct AccumLane<acc64> {
  using type = std::int64_t;
};
template <>
struct AccumLane<accfloat> {
  using type = float;
};

}  // namespace detail

template <typename T>
concept AccumElemBaseType =
    std::same_as<T, acc32> || std::same_as<T, acc64> || std::same_as<T, accfloat>;

// Lanes of 32 or 64 bits of integer, which wrap, or of f32.
template <typename Tag, unsigned Elems>
class accum {
  static_assert(AccumElemBaseType<Tag>);

 public:
  using value_type = Tag;
  using lane_type = typename detail::AccumLane<Tag>::type;

  static constexpr unsigned size() { return Elems; }
  static constexpr unsigned accum_bits() { return 8 * sizeof(lane_type); }
  static constexpr unsigned bits() { return accum_bits() * Elems; }
  static constexpr bool is_floating_point() { return std::is_same_v<Tag, accfloat>; }

  accum() = default;
  template <typename T>
  explicit accum(const vector<T, Elems>& v, int shift = 0) {
    from_vector(v, shift);
  }

  // VUPS: integers times 2^shift, saturated if the core is set to; bf16 and f32 unchanged (the
  // shift is for integers).
  template <typename T>
  void from_vector(const vector<T, Elems>& v, int shift = 0) {
    detail::CountConvert(detail::Registers(bits()));
    for (unsigned i = 0; i < Elems; ++i) {
      if constexpr (is_floating_point()) {
        static_assert(detail::kIsFloat<T>, "an integer becomes a float by aie::to_float");
        lane_[i] = v[i];
      } else {
        static_assert(!detail::kIsFloat<T>, "a float becomes an integer by aie::to_fixed");
        lane_[i] = static_cast<lane_type>(lane::Ups(v[i], shift, accum_bits(), get_saturation()));
      }
    }
  }

  // VSRS: integers divided by 2^shift, rounded and saturated by the core's registers. accfloat to
  // bf16 rounds by the register and knows no saturation; to f32 it is a move.
  template <typename T>
  vector<T, Elems> to_vector(int shift = 0) const {
    detail::CountConvert(detail::Registers(bits()));
    vector<T, Elems> v;
    if constexpr (is_floating_point() && std::is_same_v<T, float>) {
      for (unsigned i = 0; i < Elems; ++i) v[i] = lane_[i];
    } else if constexpr (is_floating_point()) {
      static_assert(std::is_same_v<T, bfloat16>, "a float becomes an integer by aie::to_fixed");
      host::narrow_lanes(Elems, lane_, &v[0]);
    } else {
      static_assert(!detail::kIsFloat<T>, "an integer becomes a float by aie::to_float");
      for (unsigned i = 0; i < Elems; ++i) {
        v[i] = static_cast<T>(lane::Srs(lane_[i], shift, 8 * sizeof(T), std::is_signed_v<T>,
                                        get_rounding(), get_saturation()));
      }
    }
    return v;
  }

  lane_type operator[](unsigned i) const { return lane_[i]; }
  lane_type& operator[](unsigned i) { return lane_[i]; }
  const lane_type* data() const { return lane_; }

  template <unsigned N>
  accum<Tag, N> extract(unsigned index) const {
    static_assert(N <= Elems);
    accum<Tag, N> part;
    for (unsigned i = 0; i < N; ++i) part[i] = lane_[index * N + i];
    return part;
  }
  template <unsigned N>
  accum& insert(unsigned index, const accum<Tag, N>& part) {
    static_assert(N <= Elems);
    for (unsigned i = 0; i < N; ++i) lane_[index * N + i] = part[i];
    return *this;
  }
  template <unsigned N>
  accum<Tag, N> grow(unsigned index = 0) const {
    accum<Tag, N> longer;
    longer.insert(index, *this);
    return longer;
  }
  // The same bits as lanes of another class.
  template <typename OtherTag>
  auto cast_to() const {
    using Other = accum<OtherTag, bits() / accum<OtherTag, 1>::accum_bits()>;
    Other other;
    static_assert(sizeof other == sizeof lane_);
    __builtin_memcpy(&other[0], lane_, sizeof lane_);
    return other;
  }

 private:
  lane_type lane_[Elems] = {};
};

}  // namespace AIE_HOST_VARIANT
}  // namespace aie

#endif  // KERNELS_AIE_INCLUDE_AIE_API_DETAIL_ACCUM_HPP_
