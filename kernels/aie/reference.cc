#include "kernels/aie/reference.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace xdna::kernels::reference {
namespace {

static_assert(std::numeric_limits<long double>::digits >= 64);

using aie::rounding_mode;

long double Value(std::uint32_t f32) { return std::bit_cast<float>(f32); }
long double Value16(std::uint16_t bf16) { return Value(static_cast<std::uint32_t>(bf16) << 16); }

// The exponent field (of f32 or bf16) of a number that is not zero, 1 for a subnormal one.
int Field(long double x) {
  int exponent = 0;
  std::frexp(x, &exponent);  // x = 0.1... 2^exponent
  return std::max(exponent - 1 + 127, 1);
}

// x rounded to 24 bits, nearest even, as f32.
std::uint32_t Finish(long double x, bool signed_zero) {
  if (x == 0) return 0;
  int exponent = 0;
  const long double fraction = std::frexp(x, &exponent);
  const long double rounded = std::ldexp(std::rint(std::ldexp(fraction, 24)), exponent - 24);
  if (std::fabs(rounded) < 0x1p-126L) return signed_zero && x < 0 ? 0x80000000 : 0;
  return std::bit_cast<std::uint32_t>(static_cast<float>(rounded));
}

}  // namespace

long double Round(long double x, rounding_mode mode) {
  const long double below = std::floor(x), above = std::ceil(x);
  if (below == above) return x;
  const long double to_zero = std::trunc(x);
  const long double from_zero = x < 0 ? below : above;
  const bool below_is_even = std::fmod(below, 2) == 0;
  switch (mode) {
    case rounding_mode::floor:
      return below;
    case rounding_mode::ceil:
      return above;
    case rounding_mode::symmetric_floor:
      return to_zero;
    case rounding_mode::symmetric_ceil:
      return from_zero;
    default:
      break;
  }
  if (x - below != above - x) return x - below < above - x ? below : above;
  switch (mode) {
    case rounding_mode::negative_inf:
      return below;
    case rounding_mode::positive_inf:
      return above;
    case rounding_mode::symmetric_zero:
      return to_zero;
    case rounding_mode::symmetric_inf:
      return from_zero;
    case rounding_mode::conv_even:
      return below_is_even ? below : above;
    default:
      return below_is_even ? above : below;  // conv_odd
  }
}

std::uint16_t Bf16FromF32(std::uint32_t bits, rounding_mode mode) {
  const long double x = Value(bits);
  if (x == 0 || std::isinf(x)) return static_cast<std::uint16_t>(bits >> 16);
  // Units of the last bit of bf16 at this exponent.
  const int unit = Field(x) - 127 - 7;
  const long double rounded = std::ldexp(Round(std::ldexp(x, -unit), mode), unit);
  const float result = static_cast<float>(rounded);  // exact, or infinite from 2^128 on
  const auto upper = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(result) >> 16);
  return rounded == 0 ? static_cast<std::uint16_t>((bits >> 31) << 15) : upper;
}

std::uint32_t MacBf16(std::uint32_t acc, std::span<const std::uint16_t> a,
                      std::span<const std::uint16_t> b) {
  // The unit is 2^-23 of the largest exponent, where a product counts for the sum of its operands'
  // exponents, though it may reach 2 and more times that.
  int top = std::numeric_limits<int>::min();
  const long double start = Value(acc);
  if (start != 0) top = Field(start) - 127;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const long double x = Value16(a[i]), y = Value16(b[i]);
    if (x != 0 && y != 0) top = std::max(top, Field(x) - 127 + Field(y) - 127);
  }
  if (top == std::numeric_limits<int>::min()) return 0;
  const auto in_units = [top](long double x) { return std::rint(std::ldexp(x, 23 - top)); };
  long double sum = in_units(start);
  for (std::size_t i = 0; i < a.size(); ++i) sum += in_units(Value16(a[i]) * Value16(b[i]));
  return Finish(std::ldexp(sum, top - 23), false);
}

std::uint32_t AddF32(std::uint32_t x, std::uint32_t y) {
  const long double p = Value(x), q = Value(y);
  if (p == 0 && q == 0) return 0;
  int top = std::numeric_limits<int>::min();
  if (p != 0) top = Field(p) - 127;
  if (q != 0) top = std::max(top, Field(q) - 127);
  const auto in_units = [top](long double v) { return std::rint(std::ldexp(v, 23 - top)); };
  return Finish(std::ldexp(in_units(p) + in_units(q), top - 23), true);
}

}  // namespace xdna::kernels::reference
