#include "base/random.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>

#include "base/cpu.h"

// Inlined into functions for several instruction sets, all of which round alike.
#define XDNA_INLINE inline __attribute__((always_inline))

namespace xdna {
namespace {

constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15;

XDNA_INLINE std::uint64_t Mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

// Exact for v < 2^52, by way of the mantissa of 2^52 + v: before AVX-512 there is
// no vector instruction for it.
XDNA_INLINE double SmallToDouble(std::uint64_t v) {
  return std::bit_cast<double>(v | 0x4330000000000000) - 0x1p52;
}

XDNA_INLINE double ToUnit(std::uint64_t z) {
  const std::uint64_t v = z >> 11;
  return (SmallToDouble(v >> 32) * 0x1p32 + SmallToDouble(v & 0xFFFFFFFF) + 0.5) * 0x1p-53;
}

// sum coefficients[i] * z^i. A plain Horner chain, so that the order of rounding
// is what is written.
template <std::size_t N>
XDNA_INLINE double Polynomial(double z, const double (&coefficients)[N]) {
  double sum = coefficients[N - 1];
  for (std::size_t i = 1; i < N; ++i) sum = sum * z + coefficients[N - 1 - i];
  return sum;
}

// Natural logarithm of a positive, normal x: x = 2^k m with m in [sqrt(1/2),
// sqrt(2)), ln m = 2 atanh((m-1)/(m+1)); its series to the 23rd power leaves 1e-18.
XDNA_INLINE double Log(double x) {
  constexpr double kAtanh[] = {1.,      1. / 3,  1. / 5,  1. / 7,  1. / 9,  1. / 11,
                               1. / 13, 1. / 15, 1. / 17, 1. / 19, 1. / 21, 1. / 23};
  constexpr std::uint64_t kSqrtHalf = std::bit_cast<std::uint64_t>(std::numbers::sqrt2 / 2);
  constexpr std::uint64_t kBias = 2048;  // keeps k + kBias positive
  const std::uint64_t shifted = std::bit_cast<std::uint64_t>(x) - kSqrtHalf + (kBias << 52);
  const double k = SmallToDouble(shifted >> 52) - static_cast<double>(kBias);
  const double m = std::bit_cast<double>((shifted & 0xFFFFFFFFFFFFF) + kSqrtHalf);
  const double s = (m - 1) / (m + 1);
  return k * std::numbers::ln2 + 2 * s * Polynomial(s * s, kAtanh);
}

// cos(2 pi u) for u in [0, 1]: r is u's distance from the nearest quarter turn,
// exactly; Taylor series to the 17th power on |2 pi r| <= pi/4 leave 1e-18.
XDNA_INLINE double CosTurns(double u) {
  constexpr double kCos[] = {1.,
                             -1. / 2,
                             1. / 24,
                             -1. / 720,
                             1. / 40320,
                             -1. / 3628800,
                             1. / 479001600,
                             -1. / 87178291200,
                             1. / 20922789888000};
  constexpr double kSin[] = {1.,
                             -1. / 6,
                             1. / 120,
                             -1. / 5040,
                             1. / 362880,
                             -1. / 39916800,
                             1. / 6227020800,
                             -1. / 1307674368000,
                             1. / 355687428096000};
  const double nearest = 4 * u + 0x1.8p52;  // the quarter in the lowest bits
  const std::uint64_t quarter = std::bit_cast<std::uint64_t>(nearest);
  const double r = u - (nearest - 0x1.8p52) * 0.25;
  const double angle = 2 * std::numbers::pi * r;
  const double square = angle * angle;
  const auto even = std::bit_cast<std::uint64_t>(Polynomial(square, kCos));
  const auto odd = std::bit_cast<std::uint64_t>(angle * Polynomial(square, kSin));
  const std::uint64_t pick_odd = 0 - (quarter & 1);
  const std::uint64_t sign = ((quarter + 1) & 2) << 62;  // quarters 1 and 2 are negative
  return std::bit_cast<double>(((even & ~pick_odd) | (odd & pick_odd)) ^ sign);
}

XDNA_INLINE double Normal(std::uint64_t seed, std::uint64_t index) {
  const double u1 = ToUnit(Mix(seed + (2 * index + 1) * kGolden));
  const double u2 = ToUnit(Mix(seed + (2 * index + 2) * kGolden));
  return std::sqrt(-2 * Log(u1)) * CosTurns(u2);
}

XDNA_INLINE void Fill(std::uint64_t seed, std::uint64_t first, double scale, double offset,
                      float* out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<float>(offset + scale * Normal(seed, first + i));
  }
}

using FillFunction = void (*)(std::uint64_t seed, std::uint64_t first, double scale, double offset,
                              float* out, std::size_t count);

void FillPlain(std::uint64_t seed, std::uint64_t first, double scale, double offset, float* out,
               std::size_t count) {
  Fill(seed, first, scale, offset, out, count);
}

__attribute__((target("avx2"))) void FillAvx2(std::uint64_t seed, std::uint64_t first, double scale,
                                              double offset, float* out, std::size_t count) {
  Fill(seed, first, scale, offset, out, count);
}

__attribute__((target("avx512f,avx512dq,avx512vl"))) void FillAvx512(std::uint64_t seed,
                                                                     std::uint64_t first,
                                                                     double scale, double offset,
                                                                     float* out,
                                                                     std::size_t count) {
  Fill(seed, first, scale, offset, out, count);
}

FillFunction Fastest() { return Cpu().avx512 ? FillAvx512 : Cpu().avx2 ? FillAvx2 : FillPlain; }

}  // namespace

double SeededNormal(std::uint64_t seed, std::uint64_t index) { return Normal(seed, index); }

void FillSeededNormal(std::uint64_t seed, std::uint64_t first, double scale, double offset,
                      std::span<float> out) {
  static const FillFunction fill = Fastest();
  fill(seed, first, scale, offset, out.data(), out.size());
}

}  // namespace xdna
