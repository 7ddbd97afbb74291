#include "kernels/matmul/matmul_design.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "base/error.h"
#include "kernels/matmul/matmul_tiles.h"

namespace xdna::kernels {
namespace {

std::size_t Up(std::size_t bytes) { return (bytes + 31) / 32 * 32; }

// Sizes counted anew, from the kernel's comment alone.
bool OracleFits(const MatmulConfig& c) {
  const std::size_t elements = c.m * c.n;
  std::size_t bytes = 2 * Up(c.m * c.k * c.in_bytes) + 2 * Up(c.k * c.n * c.in_bytes);
  bytes += c.out_bytes == 4 || c.reload ? Up(elements * c.out_bytes)
                                        : Up(elements * 4) + Up(elements * c.out_bytes);
  if (c.bias) bytes += Up(4 * c.n);
  if (c.residual) bytes += Up(2 * elements);
  const std::size_t words = 4 * 16383;  // a core descriptor's length, in bytes
  return bytes <= 65536 - 1024 && c.m * c.k * c.in_bytes <= words &&
         c.k * c.n * c.in_bytes <= words && elements * c.out_bytes <= words;
}

constexpr MatmulConfig kVariants[] = {
    {.in_bytes = 2, .out_bytes = 2},
    {.in_bytes = 2, .out_bytes = 4},
    {.in_bytes = 2, .out_bytes = 2, .bias = true, .residual = true},
    {.in_bytes = 2, .out_bytes = 2, .reload = true},
    {.in_bytes = 1, .out_bytes = 1},
    {.in_bytes = 1, .out_bytes = 2, .bias = true},
    {.in_bytes = 1, .out_bytes = 4},
};

TEST(MatmulDesign, FitsAsTheOracleSays) {
  for (MatmulConfig c : kVariants) {
    std::size_t fitting = 0;
    for (c.m = 4; c.m <= 160; c.m += 12) {
      for (c.k = 8; c.k <= 264; c.k += 16) {
        for (c.n = 8; c.n <= 160; c.n += 8) {
          const Fit fit = MatmulDesign(c).fits();
          ASSERT_EQ(fit.ok, OracleFits(c)) << fit.reason;
          fitting += fit.ok ? 1 : 0;
        }
      }
    }
    EXPECT_GT(fitting, 100U);
  }
}

TEST(MatmulDesign, SaysWhyNot) {
  EXPECT_EQ(
      MatmulDesign({.m = 96, .k = 72, .n = 96}).fits().reason,
      "matmul 96x72x96 bf16: 2*A 13824 + 2*B 13824 + Y 18432 + C 36864 = 110592 B > 64512 B of "
      "tile data memory (65536 less 1024 of stack)");
  for (const MatmulConfig& bad :
       {MatmulConfig{.m = 6, .k = 8, .n = 8}, MatmulConfig{.m = 4, .k = 12, .n = 8},
        MatmulConfig{.m = 4, .k = 8, .n = 4, .in_bytes = 1}, MatmulConfig{.m = 0, .k = 8, .n = 8},
        MatmulConfig{.m = 4, .k = 8, .n = 8, .in_bytes = 4},
        MatmulConfig{.m = 4, .k = 8, .n = 8, .out_bytes = 4, .reload = true}}) {
    EXPECT_THROW(MatmulDesign(bad), Error);
  }
}

// The best published bf16 tile (arXiv 2512.13282) fits with C as bf16; its int8 tile of 112^3
// doesn't with C apart in 32 bits.
TEST(MatmulDesign, PublishedTiles) {
  EXPECT_TRUE(MatmulDesign({.m = 96, .k = 56, .n = 96, .reload = true}).fits().ok);
  EXPECT_FALSE(
      MatmulDesign({.m = 112, .k = 112, .n = 112, .in_bytes = 1, .out_bytes = 1}).fits().ok);
}

TEST(MatmulDesign, LegalTilesAreAllThatFit) {
  for (const MatmulConfig& like : kVariants) {
    const std::vector<MatmulConfig> legal = LegalMatmulTiles(like, 96);
    std::size_t want = 0;
    MatmulConfig c = like;
    for (c.m = 4; c.m <= 96; c.m += 4) {
      for (c.k = 8; c.k <= 96; c.k += 8) {
        for (c.n = like.in_bytes == 1 ? 8 : 4; c.n <= 96; c.n += like.in_bytes == 1 ? 8 : 4) {
          want += OracleFits(c) ? 1 : 0;
        }
      }
    }
    EXPECT_EQ(legal.size(), want);
    for (const MatmulConfig& one : legal) ASSERT_TRUE(OracleFits(one));
  }
}

TEST(MatmulDesign, CountsWorkAndBytes) {
  const Design d = MatmulDesign({.m = 64, .k = 104, .n = 64, .steps = 2, .out_bytes = 4});
  EXPECT_DOUBLE_EQ(d.macs, 64.0 * 104 * 64 * 2);
  EXPECT_EQ(d.bytes_in(), 2U * (64 * 104 * 2 + 104 * 64 * 2));
  EXPECT_EQ(d.bytes_out(), 64U * 64 * 4);
  // At most a VMAC a cycle: 128 bf16 MACs; published for this tile: 112.6 (arXiv 2512.13282).
  EXPECT_LT(d.macs / d.core_cycles, 128);
  EXPECT_GT(d.macs / d.core_cycles, 70);
}

// The driver's memory is the design's.
TEST(MatmulDesign, DriverUsesThatMemory) {
  const MatmulTile t = {32, 64, 40};
  const Design d = MatmulDesign({.m = 32, .k = 64, .n = 40, .bias = true, .residual = true});
  EXPECT_EQ(d.data_bytes(), static_cast<std::size_t>(MatmulMemoryBytes(t, 2, 2, true)));
}

}  // namespace
}  // namespace xdna::kernels
