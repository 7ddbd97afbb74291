// The whole product on one tile against float64 and exact integers. Limits are derived for each
// element: a MAC rounds its nine terms and its sum to 2^-24 of the largest each, so k/8 of them err
// by at most 10 * 2^-24 * sum |a b| each; then one rounding of the result.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "golden/compare.h"
#include "kernels/aie/exact_matmul.h"
#include "kernels/matmul/matmul_tiles.h"
#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

constexpr char kProvenance[] = "10 * 2^-24 * sum |a b| for each MAC of 8, 2^-8 for the result";

// m, k, n of the problem and of the tile: one row, primes, less than a tile, remainders of the 4x4
// and 4x2 blocks in each direction, Whisper's d = 512 against 64 positions.
struct Case {
  MatmulProblem p;
  MatmulTile t;
};
constexpr Case kCases[] = {
    {{1, 8, 8}, {4, 8, 8}},       {{1, 512, 31}, {4, 64, 16}},   {{16, 16, 16}, {16, 16, 16}},
    {{7, 13, 11}, {8, 16, 16}},   {{37, 41, 43}, {20, 24, 24}},  {{31, 67, 29}, {12, 8, 40}},
    {{24, 40, 56}, {24, 40, 56}}, {{61, 512, 64}, {32, 64, 32}}, {{19, 1, 5}, {4, 8, 8}},
};
std::string Name(const Case& c) {
  return std::to_string(c.p.m) + "x" + std::to_string(c.p.k) + "x" + std::to_string(c.p.n);
}

std::size_t Size(int32 a, int32 b) {
  return static_cast<std::size_t>(a) * static_cast<std::size_t>(b);
}

class Matmul : public TileTest {
 protected:
  struct Operands {
    Guarded<bfloat16> a, b, residual;
    std::vector<float> bias;
    std::vector<double> sum, magnitude;  // of the products, float64
    explicit Operands(const MatmulProblem& p, double offset = 0)
        : a(Size(p.m, p.k)),
          b(Size(p.k, p.n)),
          residual(Size(p.m, p.n)),
          bias(static_cast<std::size_t>(p.n)) {
      FillNormal(a.span(), 11, 1, offset);
      FillNormal(b.span(), 12, 1 / std::sqrt(p.k), offset / std::sqrt(p.k));
      FillNormal(residual.span(), 13);
      FillNormal(std::span<float>(bias), 14);
      sum.resize(Size(p.m, p.n));
      magnitude.resize(sum.size());
      for (int32 i = 0; i < p.m; ++i) {
        for (int32 z = 0; z < p.k; ++z) {
          const double left = a[Size(i, p.k) + static_cast<std::size_t>(z)];
          for (int32 j = 0; j < p.n; ++j) {
            const double v = left * b[Size(z, p.n) + static_cast<std::size_t>(j)];
            sum[Size(i, p.n) + static_cast<std::size_t>(j)] += v;
            magnitude[Size(i, p.n) + static_cast<std::size_t>(j)] += std::abs(v);
          }
        }
      }
    }
  };

  // Memory in which whatever is not written is a NaN (and -1 as int8).
  template <typename F>
  static void InMemory(const MatmulTile& t, int32 in_bytes, int32 out_bytes, F&& run) {
    Guarded<std::uint8_t> memory(
        static_cast<std::uint32_t>(MatmulMemoryBytes(t, in_bytes, out_bytes, true)));
    std::fill(memory.span().begin(), memory.span().end(), std::uint8_t{0xFF});
    run(memory.data());
    ASSERT_TRUE(memory.Intact()) << "uses more memory than it says";
  }

  template <typename Out>
  static std::vector<float> Product(const Case& c, const Operands& o, const MatmulEpilogue& e) {
    Guarded<Out> y(Size(c.p.m, c.p.n));
    InMemory(c.t, 2, sizeof(Out), [&](void* memory) {
      Run(y, [&] { RunMatmul<Out>(c.p, c.t, o.a.data(), o.b.data(), e, y.data(), memory); });
    });
    return {y.span().begin(), y.span().end()};
  }

  // |error| of C in f32.
  static double SumBound(const MatmulProblem& p, double magnitude) {
    const auto products = (p.k + 7) / 8;
    return static_cast<double>(products) * 10 * 0x1p-24 * magnitude;
  }
};

TEST_F(Matmul, F32IsFloat64ToTheRoundingOfItsMacs) {
  for (const Case& c : kCases) {
    const Operands o(c.p);
    std::vector<double> bound;
    for (const double m : o.magnitude) bound.push_back(SumBound(c.p, m));
    Check("f32 " + Name(c), Product<float>(c, o, {}), o.sum, bound, static_cast<std::size_t>(c.p.m),
          1e-5, kProvenance);
  }
}

TEST_F(Matmul, F32HasTheBitsOfExactMatmul) {
  for (const Case& c : kCases) {
    const Operands o(c.p);
    std::vector<float> want(Size(c.p.m, c.p.n));
    const auto m = static_cast<std::size_t>(c.p.m), k = static_cast<std::size_t>(c.p.k),
               n = static_cast<std::size_t>(c.p.n);
    MacMatrixBf16({m, k, n, k, n, n}, reinterpret_cast<const std::uint16_t*>(o.a.data()),
                  reinterpret_cast<const std::uint16_t*>(o.b.data()), want.data());
    const std::vector<float> got = Product<float>(c, o, {});
    for (std::size_t i = 0; i < want.size(); ++i) {
      ASSERT_EQ(std::bit_cast<std::uint32_t>(got[i]), std::bit_cast<std::uint32_t>(want[i]))
          << Name(c) << " element " << i;
    }
  }
}

std::vector<double> Bf16Bound(const MatmulProblem& p, const std::vector<double>& want,
                              const std::vector<double>& magnitude) {
  std::vector<double> bound;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const auto products = (p.k + 7) / 8;
    const double before = static_cast<double>(products) * 10 * 0x1p-24 * magnitude[i];
    bound.push_back(before + kBf16Half * (std::abs(want[i]) + before));
  }
  return bound;
}

TEST_F(Matmul, Bf16IsRoundedOnceAndFloorShows) {
  for (const Case& c : kCases) {
    const Operands o(c.p);
    const auto rows = static_cast<std::size_t>(c.p.m);
    const std::vector<double> bound = Bf16Bound(c.p, o.sum, o.magnitude);
    const double bias = RoundingBias(o.sum.size());
    Check("bf16 " + Name(c), Product<bfloat16>(c, o, {}), o.sum, bound, rows, bias, kProvenance);
    if (o.sum.size() < 1000) continue;
    const std::vector<float> floored =
        Product<bfloat16>(c, o, {.rounding = aie::rounding_mode::floor});
    // By the bias alone: no element is beyond twice the bound, which upstream's 0.128 swallows.
    std::vector<double> twice = bound;
    for (double& b : twice) b *= 2.01;
    const golden::Verdict verdict = Judge(floored, o.sum, twice, rows, bias, kProvenance);
    EXPECT_FALSE(verdict.passed()) << golden::Describe(verdict);
    EXPECT_EQ(verdict.bad, 0);
    EXPECT_GT(verdict.bias, bias);
  }
}

double Gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2))); }

// What gelu_lanes.h says of its table: 2.4e-5, and |x| Q(|x|) is that of x rounded to bf16. Its
// slope Q(a) - a Q'(a) changes by less than 0.8 of how far a moves.
double TableError(double x) {
  const double a = std::abs(x), moved = a * 0x1p-8;
  const double slope =
      0.5 * std::erfc(a / std::sqrt(2)) - a * std::exp(-a * a / 2) / std::sqrt(2 * M_PI);
  return 2.4e-5 + moved * (std::abs(slope) + 0.8 * moved);
}

TEST_F(Matmul, Epilogues) {
  for (int flags = 0; flags < 24; ++flags) {
    const Case c = {{29, 96, 37}, {16, 32, 24}};
    const Operands o(c.p);
    MatmulEpilogue e;
    if (flags & 1) e.bias = o.bias.data();
    if (flags & 2) e.residual = o.residual.data();
    if (flags & 4) e.scale = 0.3F;
    e.gelu = (flags & 24) != 0;
    e.gelu_table = (flags & 16) != 0;
    std::vector<double> want, bound, narrow;
    for (std::size_t i = 0; i < o.sum.size(); ++i) {
      double v = o.sum[i] * e.scale;
      double error = SumBound(c.p, o.magnitude[i]) * e.scale + 0x1p-22 * std::abs(v);
      if (e.bias) v += o.bias[i % o.bias.size()];
      error += kF32Add * (std::abs(v) + 4);
      // The polynomial's 1.4e-5 and |gelu'| <= 1.13, and as much for its f32 steps.
      if (e.gelu) {
        error = 1.13 * error + (e.gelu_table ? TableError(v) + kF32Add * std::abs(v) : 3e-5);
        v = Gelu(v);
      }
      if (e.residual) v += o.residual[i];
      error += kF32Add * (std::abs(v) + 4);
      want.push_back(v);
      bound.push_back(error);
      narrow.push_back(error + kBf16Half * (std::abs(v) + error));
    }
    const std::string name = "epilogue " + std::to_string(flags);
    Check(name + " f32", Product<float>(c, o, e), want, bound, 29, 1e-4,
          "sum of the steps' errors");
    Check(name + " bf16", Product<bfloat16>(c, o, e), want, narrow, 29, RoundingBias(want.size()),
          "sum of the steps' errors, 2^-8 for the result");
    if (!e.gelu_table) continue;
    const std::vector<float> by_table = Product<float>(c, o, e);
    e.gelu_table = false;
    EXPECT_NE(by_table, Product<float>(c, o, e));
  }
}

// C as bf16 is rounded k / tile.k times. Under floor, which runs upstream, each pulls down.
TEST_F(Matmul, ReloadingCAsBf16IsBiased) {
  const Case c = {{32, 512, 64}, {32, 32, 32}};
  const Operands o(c.p, 0.5);
  const auto reload = [&](aie::rounding_mode mode) {
    Guarded<bfloat16> y(o.sum.size());
    InMemory(c.t, 2, 2, [&](void* memory) {
      Run(y, [&] { RunMatmulReload(c.p, c.t, o.a.data(), o.b.data(), mode, y.data(), memory); });
    });
    return ToFloats(y.span());
  };
  const std::vector<double> bound = Bf16Bound(c.p, o.sum, o.magnitude);
  const double bias = RoundingBias(o.sum.size());
  const auto once =
      Check("C in f32", Product<bfloat16>(c, o, {}), o.sum, bound, 32, bias, kProvenance);
  const auto even = Judge(reload(aie::rounding_mode::conv_even), o.sum, bound, 32, bias, "");
  const auto floored = Judge(reload(aie::rounding_mode::floor), o.sum, bound, 32, bias, "");
  std::printf(
      "rel-L2 and bias: C in f32 %.2e %.1e, bf16 conv_even %.2e %.1e, bf16 floor %.2e %.1e\n",
      once.rel_l2, once.bias, even.rel_l2, even.bias, floored.rel_l2, floored.bias);
  EXPECT_GT(even.rel_l2, 1.5 * once.rel_l2);
  EXPECT_GT(even.bad, 0);
  EXPECT_GT(floored.bias, 20 * bias);
}

// One step is one rounding: no different from the kernel with C in f32, in any mode.
TEST_F(Matmul, ReloadOfOneStepIsTheSame) {
  const Case c = {{13, 32, 23}, {16, 32, 24}};
  const Operands o(c.p);
  for (const auto mode : {aie::rounding_mode::floor, aie::rounding_mode::conv_even}) {
    Guarded<bfloat16> y(o.sum.size());
    InMemory(c.t, 2, 2, [&](void* memory) {
      Run(y, [&] { RunMatmulReload(c.p, c.t, o.a.data(), o.b.data(), mode, y.data(), memory); });
    });
    EXPECT_EQ(ToFloats(y.span()), Product<bfloat16>(c, o, {.rounding = mode}));
  }
}

// --- int8 ----------------------------------------------------------------------------------------

// v / 2^shift to nearest even, saturated.
template <typename Out>
std::int64_t Narrow(std::int64_t v, int shift) {
  const double exact = std::nearbyint(std::ldexp(static_cast<double>(v), -shift));
  return static_cast<std::int64_t>(
      std::clamp<double>(exact, std::numeric_limits<Out>::min(), std::numeric_limits<Out>::max()));
}

class MatmulInt : public Matmul {
 protected:
  template <typename Out>
  static void CheckExact() {
    std::mt19937 random(5);
    for (const Case& c : kCases) {
      for (const int shift : {0, 3, 9}) {
        const bool with_bias = shift != 3;
        Guarded<std::int8_t> a(Size(c.p.m, c.p.k)), b(Size(c.p.k, c.p.n));
        // Every fourth an extreme, so that sums saturate.
        const auto value = [&] {
          const auto r = random();
          return static_cast<std::int8_t>(r % 4 == 0 ? (r & 64 ? -128 : 127) : (r >> 8));
        };
        for (auto& v : a.span()) v = value();
        for (auto& v : b.span()) v = value();
        std::vector<std::int32_t> bias(static_cast<std::size_t>(c.p.n));
        for (auto& v : bias) v = static_cast<std::int32_t>(random() % 60000) - 30000;
        const MatmulIntEpilogue e = {.bias = with_bias ? bias.data() : nullptr, .shift = shift};
        Guarded<Out> y(Size(c.p.m, c.p.n));
        InMemory(c.t, 1, sizeof(Out), [&](void* memory) {
          Run(y, [&] { RunMatmul<Out>(c.p, c.t, a.data(), b.data(), e, y.data(), memory); });
        });
        for (int32 i = 0; i < c.p.m; ++i) {
          for (int32 j = 0; j < c.p.n; ++j) {
            std::int64_t sum = with_bias ? bias[static_cast<std::size_t>(j)] : 0;
            for (int32 z = 0; z < c.p.k; ++z) {
              sum += a[Size(i, c.p.k) + static_cast<std::size_t>(z)] *
                     b[Size(z, c.p.n) + static_cast<std::size_t>(j)];
            }
            ASSERT_EQ(y[Size(i, c.p.n) + static_cast<std::size_t>(j)], Narrow<Out>(sum, shift))
                << Name(c) << " [" << i << "," << j << "] shift " << shift;
          }
        }
      }
    }
  }
};

TEST_F(MatmulInt, Int8) { CheckExact<std::int8_t>(); }
TEST_F(MatmulInt, Int16) { CheckExact<std::int16_t>(); }
TEST_F(MatmulInt, Int32) { CheckExact<std::int32_t>(); }

}  // namespace
}  // namespace xdna::kernels::testing
