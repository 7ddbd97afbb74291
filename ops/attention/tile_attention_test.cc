// The kernel for AMX over a model of AMX's tiles: this machine may have none.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/bf16.h"
#include "ops/attention/attention_kernel.h"
#include "ops/attention/attention_kernel_testing.h"
#include "ops/attention/tile_attention-inl.h"

namespace xdna::ops {
namespace {

// As Intel's SDM describes the instructions: sums of even and of odd products apart, each rounded
// to f32, subnormals taken for 0.
struct ModelTiles {
  using Tile = std::array<std::array<std::uint32_t, 16>, 16>;
  static inline std::array<Tile, 8> tiles;
  static inline bool configured = false;

  static void Begin() { configured = true; }
  static void End() { configured = false; }

  template <int kTile>
  static void Zero() {
    EXPECT_TRUE(configured);
    tiles[kTile] = {};
  }
  template <int kTile>
  static void Load(const void* from, std::size_t stride) {
    EXPECT_TRUE(configured);
    for (std::size_t r = 0; r < 16; ++r) {
      std::memcpy(&tiles[kTile][r], static_cast<const std::byte*>(from) + r * stride, 64);
    }
  }
  template <int kTile>
  static void Store(void* to, std::size_t stride) {
    EXPECT_TRUE(configured);
    for (std::size_t r = 0; r < 16; ++r) {
      std::memcpy(static_cast<std::byte*>(to) + r * stride, &tiles[kTile][r], 64);
    }
  }
  template <int kSum, int kA, int kB>
  static void Multiply() {
    EXPECT_TRUE(configured);
    for (std::size_t m = 0; m < 16; ++m) {
      for (std::size_t n = 0; n < 16; ++n) {
        float even = 0;
        float odd = 0;
        for (std::size_t k = 0; k < 16; ++k) {
          even = std::fmaf(Low(tiles[kA][m][k]), Low(tiles[kB][k][n]), even);
          odd = std::fmaf(High(tiles[kA][m][k]), High(tiles[kB][k][n]), odd);
        }
        float sum = 0;
        std::memcpy(&sum, &tiles[kSum][m][n], sizeof sum);
        sum += even + odd;
        std::memcpy(&tiles[kSum][m][n], &sum, sizeof sum);
      }
    }
  }

  static float Low(std::uint32_t pair) { return Flushed(Bf16{static_cast<std::uint16_t>(pair)}); }
  static float High(std::uint32_t pair) {
    return Flushed(Bf16{static_cast<std::uint16_t>(pair >> 16)});
  }
  static float Flushed(Bf16 value) {
    return std::fpclassify(value.ToFloat()) == FP_SUBNORMAL ? 0 : value.ToFloat();
  }
};

AttentionKernel Kernel() {
  return HWY_NAMESPACE::TileAttention<ModelTiles>::Kernel("model of tdpbf16ps");
}

TEST(TileAttention, AgreesWithFloat64) {
  for (const TestShape& shape : kTestShapes) {
    const TestHead test(shape.queries, shape.keys, shape.width, DType::kBf16, 1);
    EXPECT_LE(RelativeL2(test.Run(Kernel()), test.Reference()), 4e-3)
        << shape.queries << "x" << shape.keys << "x" << shape.width;
  }
  EXPECT_FALSE(ModelTiles::configured);
}

// The other bf16 kernel rounds the same numbers, but for the last bit of sums in f32.
TEST(TileAttention, AgreesWithTheOtherKernels) {
  CpuFeatures features = Cpu();
  features.amx_bf16 = false;
  const TestHead test(64, 300, 64, DType::kBf16, 1);
  const std::vector<float> other =
      test.Run(FindAttentionKernel(DType::kBf16, features, Integers::kNone));
  EXPECT_LE(RelativeL2(test.Run(Kernel()), std::vector<double>(other.begin(), other.end())), 4e-3);
}

TEST(TileAttention, HugeScoresStayFinite) {
  const TestHead test(20, 700, 64, DType::kBf16, 1e4);
  EXPECT_LE(RelativeL2(test.Run(Kernel()), test.Reference()), 4e-3);
}

}  // namespace
}  // namespace xdna::ops
