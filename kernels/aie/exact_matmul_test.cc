// The fast matrix products against the plain models, for each instruction set of this machine.
#include "kernels/aie/exact_matmul.h"

#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "kernels/aie/reference.h"

namespace xdna::kernels {
namespace {

// Bits of bf16 that exercise a different part of the datapath each.
enum class Kind { kModel, kArbitrary, kTies, kTiny, kHuge, kSpecials };
constexpr Kind kKinds[] = {Kind::kModel, Kind::kArbitrary, Kind::kTies,
                           Kind::kTiny,  Kind::kHuge,      Kind::kSpecials};

class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : random_(seed) {}

  std::uint16_t Bf16(Kind kind) {
    const auto r = static_cast<std::uint32_t>(random_());
    const auto with_exponent = [r](std::uint32_t exponent) {
      return static_cast<std::uint16_t>((r & 0x807F) | exponent << 7);
    };
    switch (kind) {
      case Kind::kModel:  // weights and activations
        return with_exponent(110 + (r >> 16) % 20);
      case Kind::kArbitrary:
        return static_cast<std::uint16_t>(r >> 8);
      case Kind::kTies:  // few significant bits, exponents 24 apart: many exact halves
        return static_cast<std::uint16_t>((r & 0x8040) | (115 + (r >> 16) % 25) << 7);
      case Kind::kTiny:
        return with_exponent((r >> 16) % 70);
      case Kind::kHuge:
        return with_exponent(180 + (r >> 16) % 75);
      case Kind::kSpecials: {
        constexpr std::uint16_t kValues[] = {0x0000, 0x8000, 0x7F80, 0xFF80, 0x7F81, 0xFFFF,
                                             0x0001, 0x807F, 0x0080, 0x7F7F, 0xFF7F, 0x3F80};
        return (r >> 20) % 4 == 0 ? kValues[(r >> 8) % std::size(kValues)]
                                  : with_exponent(100 + (r >> 16) % 50);
      }
    }
    return 0;
  }
  std::uint32_t F32(Kind kind) {
    return static_cast<std::uint32_t>(Bf16(kind)) << 16 |
           (static_cast<std::uint32_t>(random_()) & 0xFFFF);
  }
  std::mt19937_64& random() { return random_; }

 private:
  std::mt19937_64 random_;
};

bool Finite(std::uint16_t bits) { return (bits & 0x7F80) != 0x7F80; }

TEST(MacBf16, IsThePlainModelForFiniteNumbers) {
  Numbers numbers(1);
  int compared = 0;
  for (int i = 0; i < 1'500'000; ++i) {
    const Kind kind = kKinds[i % 6], other = kKinds[i / 6 % 6];
    std::uint16_t a[8], b[8];
    bool finite = true;
    for (int j = 0; j < 8; ++j) {
      a[j] = numbers.Bf16(kind);
      b[j] = numbers.Bf16(other);
      finite = finite && Finite(a[j]) && Finite(b[j]);
    }
    const std::uint32_t acc = i % 3 == 0 ? 0 : numbers.F32(kKinds[i / 36 % 6]);
    if (!finite || (acc & 0x7F800000) == 0x7F800000) continue;
    ++compared;
    ASSERT_EQ(aie::lane::MacBf16(acc, a, b, 8, false, {}), reference::MacBf16(acc, a, b))
        << "case " << i;
  }
  EXPECT_GT(compared, 700'000);
}

class EachTarget : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    UseExactMatmulTarget(GetParam());
    ASSERT_EQ(ExactMatmulTarget(), GetParam());
  }
  void TearDown() override { UseExactMatmulTarget(""); }
};

INSTANTIATE_TEST_SUITE_P(Sets, EachTarget, testing::ValuesIn(ExactMatmulTargets()),
                         [](const auto& info) { return info.param; });

TEST(Targets, BestComesFirst) { EXPECT_EQ(ExactMatmulTarget(), ExactMatmulTargets().front()); }

// C += A B by the plain model, groups of eight along k.
void PlainMatrix(const MatmulShape& s, const std::uint16_t* a, const std::uint16_t* b, float* c) {
  for (std::size_t i = 0; i < s.m; ++i) {
    for (std::size_t j = 0; j < s.n; ++j) {
      auto acc = std::bit_cast<std::uint32_t>(c[i * s.c_stride + j]);
      for (std::size_t k = 0; k < s.k; k += 8) {
        std::uint16_t x[8] = {}, y[8] = {};
        for (std::size_t l = k; l < std::min(s.k, k + 8); ++l) {
          x[l - k] = a[i * s.a_stride + l];
          y[l - k] = b[l * s.b_stride + j];
        }
        acc = aie::lane::MacBf16(acc, x, y, 8, false, aie::host::core().options);
      }
      c[i * s.c_stride + j] = std::bit_cast<float>(acc);
    }
  }
}

TEST_P(EachTarget, MatrixBf16HasTheBitsOfThePlainModel) {
  Numbers numbers(2);
  std::size_t macs = 0;
  for (int round = 0; round < 180; ++round) {
    const auto pick = [&](std::size_t most) { return 1 + numbers.random()() % most; };
    MatmulShape s = {.m = pick(9), .k = pick(70), .n = pick(40)};
    s.a_stride = s.k + pick(3) - 1;
    s.b_stride = s.n + pick(3) - 1;
    s.c_stride = s.n + pick(3) - 1;
    const Kind kind = kKinds[round % 6], other = kKinds[round / 6 % 6];
    std::vector<std::uint16_t> a(s.m * s.a_stride), b(s.k * s.b_stride);
    for (auto& v : a) v = numbers.Bf16(kind);
    for (auto& v : b) v = numbers.Bf16(other);
    std::vector<float> c(s.m * s.c_stride);
    for (auto& v : c) {
      v = round % 2 == 0 ? 0.0F : std::bit_cast<float>(numbers.F32(kKinds[round / 36 % 6]));
    }
    std::vector<float> want = c;
    PlainMatrix(s, a.data(), b.data(), want.data());
    MacMatrixBf16(s, a.data(), b.data(), c.data());
    for (std::size_t i = 0; i < c.size(); ++i) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(c[i]), std::bit_cast<std::uint32_t>(want[i]))
          << "round " << round << " element " << i;
    }
    macs += s.m * s.k * s.n;
  }
  EXPECT_GT(macs, 500'000U);
}

TEST_P(EachTarget, OneMacHasTheBitsOfThePlainModel) {
  Numbers numbers(3);
  for (int round = 0; round < 40'000; ++round) {
    const Kind kind = kKinds[round % 6], other = kKinds[round / 6 % 6];
    const MatmulShape s = {.m = 1, .k = 8, .n = 16, .a_stride = 8, .b_stride = 16, .c_stride = 16};
    std::uint16_t a[8], b[8 * 16];
    float c[16], want[16];
    for (auto& v : a) v = numbers.Bf16(kind);
    for (auto& v : b) v = numbers.Bf16(other);
    for (int i = 0; i < 16; ++i) {
      want[i] = c[i] = std::bit_cast<float>(numbers.F32(kKinds[round / 36 % 6]));
    }
    PlainMatrix(s, a, b, want);
    MacMatrixBf16(s, a, b, c);
    for (int i = 0; i < 16; ++i) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(c[i]), std::bit_cast<std::uint32_t>(want[i]))
          << "round " << round << " lane " << i;
    }
  }
}

template <unsigned M, unsigned K, unsigned N>
void CheckTile(Numbers& numbers, Kind kind) {
  aie::vector<bfloat16, M * K> a;
  aie::vector<bfloat16, K * N> b;
  std::uint16_t a_bits[M * K], b_bits[K * N];
  for (unsigned i = 0; i < M * K; ++i) {
    a[i] = bfloat16::from_bits(a_bits[i] = numbers.Bf16(kind));
  }
  for (unsigned i = 0; i < K * N; ++i) {
    b[i] = bfloat16::from_bits(b_bits[i] = numbers.Bf16(kind));
  }
  aie::mmul<M, K, N, bfloat16> product;
  product.mul(a, b);
  product.mac(a, b);
  std::vector<float> want(M * N);
  const MatmulShape s = {M, K, N, K, N, N};
  PlainMatrix(s, a_bits, b_bits, want.data());
  PlainMatrix(s, a_bits, b_bits, want.data());
  const auto got = product.template to_vector<float>();
  for (unsigned i = 0; i < M * N; ++i) {
    ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(want[i]))
        << M << "x" << K << "x" << N << " element " << i;
  }
}

TEST_P(EachTarget, TilesOfMmulHaveTheBitsOfThePlainModel) {
  Numbers numbers(4);
  for (int round = 0; round < 500; ++round) {
    for (const Kind kind : kKinds) {
      CheckTile<4, 8, 4>(numbers, kind);
      CheckTile<4, 8, 8>(numbers, kind);
      CheckTile<8, 8, 4>(numbers, kind);
      CheckTile<8, 8, 8>(numbers, kind);
      CheckTile<8, 1, 8>(numbers, kind);
    }
  }
}

TEST_P(EachTarget, OptionsReachTheFastPath) {
  aie::host::core().options.mac_underflow = aie::host::mac_underflow::signed_zero;
  const std::uint16_t a[8] = {0x0080}, b[8] = {0x8080};
  float c[1] = {0};
  MacMatrixBf16({1, 8, 1, 8, 1, 1}, a, b, c);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(c[0]), 0x80000000U);
  aie::host::core().options = {};
  c[0] = 0;
  MacMatrixBf16({1, 8, 1, 8, 1, 1}, a, b, c);
  EXPECT_EQ(std::bit_cast<std::uint32_t>(c[0]), 0U);
}

TEST_P(EachTarget, MatrixInt8IsExactAndWraps) {
  Numbers numbers(5);
  for (int round = 0; round < 200; ++round) {
    const auto pick = [&](std::size_t most) { return 1 + numbers.random()() % most; };
    MatmulShape s = {.m = pick(9), .k = pick(70), .n = pick(80)};
    s.a_stride = s.k + pick(3) - 1;
    s.b_stride = s.n + pick(3) - 1;
    s.c_stride = s.n + pick(3) - 1;
    std::vector<std::int8_t> a(s.m * s.a_stride), b(s.k * s.b_stride);
    for (auto& v : a) v = static_cast<std::int8_t>(round % 4 == 0 ? -128 : numbers.random()());
    for (auto& v : b) v = static_cast<std::int8_t>(round % 4 == 0 ? -128 : numbers.random()());
    std::vector<std::int32_t> c(s.m * s.c_stride);
    for (auto& v : c) v = static_cast<std::int32_t>(numbers.random()());
    if (round == 0) std::fill(c.begin(), c.end(), 0x7FFFFFFF);
    std::vector<std::int32_t> want = c;
    for (std::size_t i = 0; i < s.m; ++i) {
      for (std::size_t j = 0; j < s.n; ++j) {
        std::int64_t sum = want[i * s.c_stride + j];
        for (std::size_t k = 0; k < s.k; ++k) {
          sum += a[i * s.a_stride + k] * b[k * s.b_stride + j];
        }
        want[i * s.c_stride + j] = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum));
      }
    }
    MacMatrixInt8(s, a.data(), b.data(), c.data());
    ASSERT_EQ(c, want) << "round " << round;
  }
}

TEST_P(EachTarget, EmptyProductsChangeNothing) {
  float c[1] = {3};
  std::int32_t d[1] = {3};
  MacMatrixBf16({1, 0, 1, 0, 1, 1}, nullptr, nullptr, c);
  MacMatrixInt8({1, 0, 1, 0, 1, 1}, nullptr, nullptr, d);
  EXPECT_EQ(c[0], 3);
  EXPECT_EQ(d[0], 3);
}

}  // namespace
}  // namespace xdna::kernels
