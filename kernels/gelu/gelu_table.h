// The upper tail of the normal distribution, Q(a) = 1 - Phi(a), by linear segments: what
// gelu_lanes.h's table form looks up.
#ifndef KERNELS_GELU_GELU_TABLE_H_
#define KERNELS_GELU_GELU_TABLE_H_

#include <bit>
#include <cstdint>

namespace xdna::kernels {

// Segments of 2^kGeluStepBits from 0 to kGeluTableEnd, where Q is 2.9e-7 and the table has 0.
inline constexpr int kGeluStepBits = -5;
inline constexpr unsigned kGeluSegments = 160;
inline constexpr float kGeluTableEnd = 5;

// aie::lut's layout for fourfold access: pairs of slope (a bf16, as the upper half of a float) and
// offset in blocks of 16 bytes, each twice, and all of that in two copies.
struct GeluTable {
  alignas(32) float ab[8 * kGeluSegments / 2];
  alignas(32) float cd[8 * kGeluSegments / 2];
};

namespace gelu_table {

// Q by its power series, 1/2 - sum of (-1)^i a^(2i+1) / ((2i+1) 2^i i! sqrt(2 pi)): terms of up to
// 2e4 cancel, which double has the digits for.
constexpr double Tail(double a) {
  double term = a * 0.3989422804014327, sum = 0.5 - term;  // 1 / sqrt(2 pi)
  for (int i = 1; i < 80; ++i) {
    term *= -a * a / (2 * i);
    sum -= term / (2 * i + 1);
  }
  return sum;
}

// Nearest bf16.
constexpr float Narrowed(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  return std::bit_cast<float>((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000);
}

constexpr GeluTable Make() {
  GeluTable table = {};
  const double step = static_cast<double>(kGeluTableEnd) / kGeluSegments;
  for (unsigned i = 0; i < kGeluSegments; ++i) {
    const double from = step * i, to = from + step, middle = from + step / 2;
    const bool last = i + 1 == kGeluSegments;
    const float slope = Narrowed(((last ? 0 : Tail(to)) - Tail(from)) / step);
    // Q is convex: half of what a chord lies above it goes off; the last segment ends at 0.
    const double at_from = Tail(from) - slope * from, at_to = Tail(to) - slope * to;
    const double chord = at_from > at_to ? at_from : at_to;
    const double offset = last ? -slope * to : (chord + Tail(middle) - slope * middle) / 2;
    for (unsigned copy = 0; copy < 2; ++copy) {
      const unsigned at = i / 2 * 8 + copy * 4 + i % 2 * 2;
      table.ab[at] = table.cd[at] = slope;
      table.ab[at + 1] = table.cd[at + 1] = static_cast<float>(offset);
    }
  }
  return table;
}

}  // namespace gelu_table

inline constexpr GeluTable kGeluTable = gelu_table::Make();

}  // namespace xdna::kernels

#endif  // KERNELS_GELU_GELU_TABLE_H_
