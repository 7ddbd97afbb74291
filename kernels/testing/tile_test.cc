#include "kernels/testing/tile_test.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/bf16.h"
#include "base/random.h"
#include "base/tensor.h"

namespace xdna::kernels::testing {
namespace {

constexpr std::size_t kGuard = 8192;  // a row
constexpr std::size_t kAlign = 32;
constexpr unsigned char kPoison = 0xA5;

unsigned char NextGuard() {
  static unsigned char guard = 0;
  return guard = static_cast<unsigned char>(guard + 0x3B);  // odd: 256 different ones
}

}  // namespace

GuardedBytes::GuardedBytes(std::size_t size)
    : size_(size), bytes_(size + 2 * kGuard + kAlign, NextGuard()) {
  const auto address = reinterpret_cast<std::uintptr_t>(bytes_.data()) + kGuard;
  first_ = kGuard + (kAlign - address % kAlign) % kAlign;
  std::fill_n(first(), size, kPoison);
}

bool GuardedBytes::Intact() const {
  const unsigned char guard = bytes_[0];
  const auto same = [guard](unsigned char byte) { return byte == guard; };
  const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(first_);
  const auto end = begin + static_cast<std::ptrdiff_t>(size_);
  return std::all_of(bytes_.begin(), begin, same) && std::all_of(end, bytes_.end(), same);
}

void TileTest::MakeHostile() {
  aie::host::core() = {};
  aie::set_rounding(aie::rounding_mode::symmetric_ceil);
  aie::set_saturation(aie::saturation_mode::symmetric);
}

void FillNormal(std::span<float> out, std::uint64_t seed, double scale, double offset) {
  FillSeededNormal(seed, 0, scale, offset, out);
}

void FillNormal(std::span<bfloat16> out, std::uint64_t seed, double scale, double offset) {
  std::vector<float> values(out.size());
  FillNormal(std::span<float>(values), seed, scale, offset);
  std::transform(values.begin(), values.end(), out.begin(),
                 [](float v) { return bfloat16::from_bits(Bf16::FromFloat(v).bits); });
}

std::vector<float> ToFloats(std::span<const bfloat16> values) {
  return std::vector<float>(values.begin(), values.end());
}

double RoundingBias(std::size_t n) {
  // A rounding errs evenly within half a unit, at most 2^-8 of the value: standard deviation
  // 2^-8 / sqrt(3), root mean square over mean of the values at most 2 for what tests feed.
  return 5 * kBf16Half / std::sqrt(3.0) * 2 / std::sqrt(static_cast<double>(n));
}

golden::Verdict Judge(std::span<const float> got, const std::vector<double>& want,
                      const std::vector<double>& bound, std::size_t rows, double bias,
                      const std::string& provenance) {
  const Shape shape = {static_cast<std::int64_t>(rows),
                       static_cast<std::int64_t>(got.size() / rows)};
  golden::Tolerance tolerance;
  tolerance.magnitude = 1;
  tolerance.bias = bias;
  tolerance.provenance = provenance;
  return golden::Compare(TensorView(got.data(), shape), TensorView(want.data(), shape), tolerance,
                         TensorView(bound.data(), shape), 1.0);
}

golden::Verdict Check(const std::string& name, std::span<const float> got,
                      const std::vector<double>& want, const std::vector<double>& bound,
                      std::size_t rows, double bias, const std::string& provenance) {
  const golden::Verdict verdict = Judge(got, want, bound, rows, bias, provenance);
  EXPECT_TRUE(verdict.passed()) << name << ": " << golden::Describe(verdict)
                                << "; limits: " << provenance;
  fmt::print("{:<44} max {:.2e}  rel-L2 {:.2e}  bias {:.1e} of {:.1e}  headroom {:.0f} %\n", name,
             verdict.max_abs, verdict.rel_l2, verdict.bias, bias, verdict.headroom_percent());
  return verdict;
}

}  // namespace xdna::kernels::testing
