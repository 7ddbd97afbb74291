// Conversions bit by bit against base/bf16.h, in every rounding mode.
#include "kernels/convert/convert.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/bf16.h"
#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

class Convert : public TileTest {};

TEST_F(Convert, AllUpperHalvesWithTelltaleLowerHalvesInAllModes) {
  constexpr std::uint32_t kLower[] = {0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0x5A5A};
  Guarded<float> x(65536);
  Guarded<bfloat16> y(65536);
  for (const Rounding rounding : kAllRoundings) {
    for (const std::uint32_t lower : kLower) {
      for (std::uint32_t i = 0; i < 65536; ++i) x[i] = std::bit_cast<float>(i << 16 | lower);
      Run(y, [&] { convert_f32_bf16(x.data(), y.data(), 65536, static_cast<int32>(rounding)); });
      for (std::uint32_t i = 0; i < 65536; ++i) {
        if (std::isnan(x[i])) {
          ASSERT_TRUE(std::isnan(y[i])) << std::hex << i << lower;
        } else {
          ASSERT_EQ(y[i].bits(), Bf16::FromFloat(x[i], rounding).bits)
              << RoundingName(rounding) << " of " << std::hex << (i << 16 | lower);
        }
      }
    }
  }
}

TEST_F(Convert, AllBf16ToF32AndBack) {
  Guarded<bfloat16> x(65536), back(65536);
  Guarded<float> y(65536);
  for (std::uint32_t i = 0; i < 65536; ++i) {
    x[i] = bfloat16::from_bits(static_cast<std::uint16_t>(i));
  }
  Run(y, [&] { convert_bf16_f32(x.data(), y.data(), 65536); });
  Run(back, [&] { convert_f32_bf16(y.data(), back.data(), 65536, 0); });
  for (std::uint32_t i = 0; i < 65536; ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(y[i]), i << 16);
    ASSERT_EQ(back[i].bits(), i);
  }
}

TEST_F(Convert, RaggedLengths) {
  for (const std::size_t n : {16U, 48U, 16U * 13U}) {
    Guarded<float> x(n), wide(n);
    Guarded<bfloat16> y(n);
    FillNormal(x.span(), n);
    Run(y, [&] { convert_f32_bf16(x.data(), y.data(), static_cast<int32>(n), 12); });
    Run(wide, [&] { convert_bf16_f32(y.data(), wide.data(), static_cast<int32>(n)); });
    for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(wide[i], Bf16::FromFloat(x[i]).ToFloat());
  }
}

}  // namespace
}  // namespace xdna::kernels::testing
