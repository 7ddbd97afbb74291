// Plain models of AIE2's arithmetic for tests: real numbers in long double instead of the bit
// patterns of aie_api/detail/numerics.hpp, so that a slip would have to be made twice. Needs the
// 64-bit fraction of x86's long double.
#ifndef KERNELS_AIE_REFERENCE_H_
#define KERNELS_AIE_REFERENCE_H_

#include <aie_api/aie.hpp>
#include <array>
#include <cstdint>
#include <span>

namespace xdna::kernels::reference {

inline constexpr aie::rounding_mode kModes[] = {
    aie::rounding_mode::floor,           aie::rounding_mode::ceil,
    aie::rounding_mode::symmetric_floor, aie::rounding_mode::symmetric_ceil,
    aie::rounding_mode::negative_inf,    aie::rounding_mode::positive_inf,
    aie::rounding_mode::symmetric_zero,  aie::rounding_mode::symmetric_inf,
    aie::rounding_mode::conv_even,       aie::rounding_mode::conv_odd,
};

// The integer that `mode` rounds x to. |x| < 2^62.
long double Round(long double x, aie::rounding_mode mode);

// f32 bits to bf16 bits for anything but NaN: of the two neighbours the one that `mode` picks.
std::uint16_t Bf16FromF32(std::uint32_t bits, aie::rounding_mode mode);

// acc + sum of a b for finite numbers: every term rounded to the unit, the sum exact, one rounding.
// Infinite where the result leaves f32, +0 below the smallest normal number.
std::uint32_t MacBf16(std::uint32_t acc, std::span<const std::uint16_t> a,
                      std::span<const std::uint16_t> b);

// x + y likewise; a zero of the sum's sign below the smallest normal number.
std::uint32_t AddF32(std::uint32_t x, std::uint32_t y);

}  // namespace xdna::kernels::reference

#endif  // KERNELS_AIE_REFERENCE_H_
