// Products against float64 over all bf16 and over factors.
#include "kernels/scale/scale.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

class Scale : public TileTest {};

TEST_F(Scale, AllBf16) {
  Guarded<bfloat16> x(65536), y(65536);
  for (std::size_t i = 0; i < 65536; ++i) {
    x[i] = bfloat16::from_bits(static_cast<std::uint16_t>(i));
  }
  for (const float factor : {0.125F, -0.3F, 1.0F}) {
    Run(y, [&] { scale_bf16(x.data(), y.data(), factor, 65536); });
    for (std::size_t i = 0; i < 65536; ++i) {
      const double want = static_cast<double>(factor) * static_cast<double>(x[i]);
      if (std::isnan(want)) {
        EXPECT_TRUE(std::isnan(y[i])) << i;
      } else if (std::isinf(want)) {
        // The low part of an inexact factor may be of the other sign, and infinity - infinity.
        EXPECT_FALSE(std::isfinite(y[i])) << i;
      } else {
        // The least normal f32 and what is below it flush.
        ASSERT_LE(std::abs(y[i] - want), (kBf16Half + 0x1p-15) * std::abs(want) + 0x1p-125) << x[i];
      }
    }
  }
}

TEST_F(Scale, RaggedLengthsAndFactors) {
  for (const std::size_t n : {16U, 48U, 208U, 4096U, 16U * 1009U}) {
    for (const float factor : {0.125F, 0.0441941738F, -3.14159265F}) {
      Guarded<bfloat16> x(n), y(n);
      FillNormal(x.span(), n);
      Run(y, [&] { scale_bf16(x.data(), y.data(), factor, static_cast<int32>(n)); });
      std::vector<double> want, bound;
      for (const double v : x.span()) {
        want.push_back(v * factor);
        bound.push_back((kBf16Half + 0x1p-15) * std::abs(v * factor));
      }
      Check("scale " + std::to_string(factor) + " " + std::to_string(n), ToFloats(y.span()), want,
            bound, 1, RoundingBias(n) + 0x1p-15,
            "factor as two bf16 (2^-16), one rounding to bf16 (2^-8)");
    }
  }
}

}  // namespace
}  // namespace xdna::kernels::testing
