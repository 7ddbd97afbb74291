// The fast form gives the kernel's bits, whatever the operands, on every instruction set.
#include "kernels/attention/exact_attention.h"

#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "kernels/aie/exact_matmul.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/attention_tiles.h"
#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

using Bits = std::vector<std::uint16_t>;

struct Sizes {
  std::size_t queries, keys, d;
  int32 tile_queries, tile_keys;
};

struct Operands {
  Bits q, k, v;
};

std::size_t StrideOf(const Sizes& s) { return s.d + 8; }

Bits Normal(std::size_t size, std::uint64_t seed, double scale) {
  std::vector<bfloat16> values(size);
  FillNormal(std::span<bfloat16>(values), seed, scale);
  Bits bits(size);
  std::transform(values.begin(), values.end(), bits.begin(), [](bfloat16 x) { return x.bits(); });
  return bits;
}

Operands NormalOperands(const Sizes& s, double scale) {
  const std::size_t stride = StrideOf(s);
  return {Normal(s.queries * stride, 41, scale * AttentionScale(8)),
          Normal(s.keys * stride, 42, scale), Normal(s.keys * stride, 43, 1)};
}

Bits ByKernel(const Sizes& s, const Operands& o) {
  const auto stride = static_cast<int32>(StrideOf(s)), d = static_cast<int32>(s.d);
  const AttentionTile tile = {s.tile_queries, s.tile_keys};
  Guarded<unsigned char> memory(static_cast<std::size_t>(AttentionMemoryBytes(tile, d)));
  Bits y(s.queries * StrideOf(s), 0xABCD);
  RunAttention({static_cast<int32>(s.queries), static_cast<int32>(s.keys), d, stride, stride,
                stride, stride},
               tile, reinterpret_cast<const bfloat16*>(o.q.data()),
               reinterpret_cast<const bfloat16*>(o.k.data()),
               reinterpret_cast<const bfloat16*>(o.v.data()), reinterpret_cast<bfloat16*>(y.data()),
               memory.data());
  return y;
}

Bits Fast(const Sizes& s, const Operands& o) {
  const std::size_t stride = StrideOf(s);
  Bits y(s.queries * stride, 0xABCD);
  ExactAttention({s.queries, s.keys, s.d, stride, stride, stride, stride},
                 static_cast<std::size_t>(s.tile_keys), o.q.data(), o.k.data(), o.v.data(),
                 y.data());
  return y;
}

class ExactAttentionTest : public ::testing::Test {
 protected:
  void TearDown() override {
    UseExactMatmulTarget("");
    aie::host::core() = {};
  }
};

constexpr Sizes kSizes[] = {
    {70, 1500, 64, 32, 64}, {20, 3001, 64, 20, 80}, {1, 1, 16, 4, 8},    {67, 131, 80, 48, 24},
    {5, 17, 16, 8, 16},     {64, 64, 64, 64, 64},   {33, 300, 32, 4, 8},
};

TEST_F(ExactAttentionTest, KernelsBits) {
  for (const Sizes& s : kSizes) {
    // At 8 the references of most queries change in many blocks.
    for (const double scale : {0.2, 1.0, 3.0, 8.0}) {
      const Operands o = NormalOperands(s, scale);
      ASSERT_EQ(Fast(s, o), ByKernel(s, o)) << s.queries << " x " << s.keys << ", " << scale;
    }
  }
}

TEST_F(ExactAttentionTest, KernelsBitsOnEveryInstructionSet) {
  const Sizes s = {30, 203, 64, 32, 40};
  const Operands o = NormalOperands(s, 4);
  const Bits want = ByKernel(s, o);
  for (const std::string& name : ExactMatmulTargets()) {
    UseExactMatmulTarget(name);
    EXPECT_EQ(Fast(s, o), want) << name;
  }
}

// Bits at random: all sizes, subnormals, infinities and NaN, in each operand for itself and in all.
TEST_F(ExactAttentionTest, KernelsBitsForHostileOperands) {
  const Sizes s = {37, 90, 32, 16, 24};
  std::mt19937 random(44);
  const auto any = [&random](Bits& bits, unsigned one_in) {
    for (std::uint16_t& b : bits) {
      if (random() % one_in == 0) b = static_cast<std::uint16_t>(random());
    }
  };
  for (const unsigned one_in : {1U, 3U, 30U, 1000U}) {
    for (int which = 0; which < 4; ++which) {
      Operands o = NormalOperands(s, 2);
      if (which == 0 || which == 3) any(o.q, one_in);
      if (which == 1 || which == 3) any(o.k, one_in);
      if (which == 2 || which == 3) any(o.v, one_in);
      ASSERT_EQ(Fast(s, o), ByKernel(s, o)) << "one in " << one_in << ", operand " << which;
    }
  }
}

// Scores in steps of 1/64 around all that the fixed point decides by.
TEST_F(ExactAttentionTest, KernelsBitsAroundEveryBound) {
  const Sizes s = {16, 64, 16, 16, 16};
  for (const int around : {-97, -96, -49, -48, 0, 31, 32, 33, 95, 127, 128, 129, 1000}) {
    Operands o = NormalOperands(s, 0);
    const auto bits = [](float x) { return bfloat16(x).bits(); };
    for (std::size_t i = 0; i < s.queries; ++i) {
      o.q[i * StrideOf(s)] = bits(1.0F / 64);
      o.q[i * StrideOf(s) + 1] = bits(static_cast<float>(i) / 4096);
    }
    for (std::size_t j = 0; j < s.keys; ++j) {
      o.k[j * StrideOf(s)] = bits(static_cast<float>(around));
      o.k[j * StrideOf(s) + 1] = bits(static_cast<float>(j % 8) - 4);
    }
    o.v = Normal(s.keys * StrideOf(s), 43, 1);
    ASSERT_EQ(Fast(s, o), ByKernel(s, o)) << around;
  }
}

TEST_F(ExactAttentionTest, RefusesWhatTheKernelDoesNotTake) {
  const std::uint16_t x = 0;
  std::uint16_t y = 0;
  const auto run = [&](const AttentionShape& shape, std::size_t block) {
    ExactAttention(shape, block, &x, &x, &x, &y);
  };
  EXPECT_THROW(run({0, 1, 16, 16, 16, 16, 16}, 8), Error);
  EXPECT_THROW(run({1, 0, 16, 16, 16, 16, 16}, 8), Error);
  EXPECT_THROW(run({1, 1, 24, 24, 24, 24, 24}, 8), Error);
  EXPECT_THROW(run({1, 1, 16, 16, 16, 16, 16}, 12), Error);
  EXPECT_THROW(run({1, 1, 16, 16, 16, 16, 16}, 0), Error);
}

}  // namespace
}  // namespace xdna::kernels::testing
