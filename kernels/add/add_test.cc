// Sums against float64, and every pair of exponents.
#include "kernels/add/add.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

class Add : public TileTest {
 protected:
  // want = a + b; `half` is the error of the last rounding.
  template <typename A, typename B, typename Y>
  static void CheckSum(const std::string& name, void (*kernel)(const A*, const B*, Y*, int32),
                       std::size_t n, double half) {
    Guarded<A> a(n);
    Guarded<B> b(n);
    Guarded<Y> y(n);
    FillNormal(a.span(), 2 * n, 1, 0.2);
    FillNormal(b.span(), 2 * n + 1, 0.5);
    Run(y, [&] { kernel(a.data(), b.data(), y.data(), static_cast<int32>(n)); });
    std::vector<double> want, bound;
    for (std::size_t i = 0; i < n; ++i) {
      const double x = a[i], z = b[i];
      want.push_back(x + z);
      bound.push_back(half * std::abs(x + z) + kF32Add * std::max(std::abs(x), std::abs(z)));
    }
    const std::vector<float> got(y.span().begin(), y.span().end());
    Check(name + " " + std::to_string(n), got, want, bound, 1,
          RoundingBias(n) * half / kBf16Half + 1e-7,
          "f32 sum (terms rounded to the largest exponent), one rounding");
  }
};

constexpr std::size_t kLengths[] = {16, 32, 208, 4096, 16 * 1009};

TEST_F(Add, Bf16) {
  for (const std::size_t n : kLengths) CheckSum("add bf16", add_bf16, n, kBf16Half);
}
TEST_F(Add, F32) {
  for (const std::size_t n : kLengths) CheckSum("add f32", add_f32, n, 0);
}
TEST_F(Add, ResidualF32) {
  for (const std::size_t n : kLengths) CheckSum("add residual", add_residual_f32, n, 0);
}

// All signs and exponents of normal bf16 for both operands, with changing fractions; results that
// f32 holds are the nearest bf16.
TEST_F(Add, Bf16OfAllExponents) {
  Guarded<bfloat16> a(512), b(512), y(512);
  for (unsigned shift = 0; shift < 512; ++shift) {
    for (unsigned i = 0; i < 512; ++i) {
      const unsigned j = (i + shift) % 512, fraction = (i * 37 + shift * 11) & 0x7F;
      a[i] = bfloat16::from_bits(static_cast<std::uint16_t>(i << 7 | fraction));
      b[i] = bfloat16::from_bits(static_cast<std::uint16_t>(j << 7 | (fraction ^ 0x55)));
      // Subnormals and specials are the API's own tests.
      for (bfloat16* v : {&a[i], &b[i]}) {
        const unsigned exponent = (v->bits() >> 7) & 0xFF;
        if (exponent < 30 || exponent == 255) *v = 1.0F;
      }
    }
    add_bf16(a.data(), b.data(), y.data(), 512);
    for (unsigned i = 0; i < 512; ++i) {
      const double want = static_cast<double>(a[i]) + static_cast<double>(b[i]);
      const double half = (kBf16Half + 2 * kF32Add) * std::abs(want);
      if (std::abs(want) > 3.38e38) continue;
      ASSERT_LE(std::abs(y[i] - want), half) << a[i] << " + " << b[i];
    }
  }
}

TEST_F(Add, InPlace) {
  Guarded<bfloat16> a(32), b(32);
  for (bfloat16& v : a.span()) v = 2.0F;
  for (bfloat16& v : b.span()) v = -0.5F;
  add_bf16(a.data(), b.data(), a.data(), 32);
  for (const float v : a.span()) EXPECT_EQ(v, 1.5F);
}

}  // namespace
}  // namespace xdna::kernels::testing
