// The scalar bfloat16 of the vendor's compilers, global as there.
#ifndef KERNELS_AIE_INCLUDE_AIE_API_DETAIL_BFLOAT16_HPP_
#define KERNELS_AIE_INCLUDE_AIE_API_DETAIL_BFLOAT16_HPP_

#include <bit>
#include <cstdint>
#include <type_traits>

#include "aie_api/detail/numerics.hpp"

// A bf16 number. Converts to and from float without a cast, as on the tile.
//
// From float: rounded as the core's rounding register says, like the vector conversion (no source
// says what compilers emit for a scalar). In a constant expression there is no core: nearest even,
// as compilers fold constants. Write `constexpr bfloat16 k = 0.7978845f;` for constants, so that
// host and tile agree.
class bfloat16 {
 public:
  bfloat16() = default;
  constexpr bfloat16(float value)  // NOLINT: implicit as in the vendor's compilers
      : bits_(aie::lane::Bf16FromF32(std::bit_cast<std::uint32_t>(value), Mode())) {}
  constexpr operator float() const {  // NOLINT: implicit as in the vendor's compilers
    return std::bit_cast<float>(aie::lane::F32FromBf16(bits_));
  }

  static constexpr bfloat16 from_bits(std::uint16_t bits) {
    bfloat16 result;
    result.bits_ = bits;
    return result;
  }
  constexpr std::uint16_t bits() const { return bits_; }

  constexpr bfloat16 operator-() const {
    return from_bits(static_cast<std::uint16_t>(bits_ ^ 0x8000));
  }

 private:
  static constexpr aie::rounding_mode Mode() {
    if (std::is_constant_evaluated()) return aie::rounding_mode::conv_even;
    return aie::host::core().rounding;
  }

  std::uint16_t bits_;
};

static_assert(sizeof(bfloat16) == 2 && std::is_trivially_copyable_v<bfloat16>);

#endif  // KERNELS_AIE_INCLUDE_AIE_API_DETAIL_BFLOAT16_HPP_
