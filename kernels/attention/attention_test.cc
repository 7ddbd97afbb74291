// The whole of one head on one tile against float64, with limits derived for each element, and the
// kernel's parts where the whole would not show them: sums of weights, references, padding.
#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <string>
#include <vector>

#include "golden/compare.h"
#include "kernels/attention/attention_tiles.h"
#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

constexpr char kProvenance[] =
    "a weight: 0.0033 the parabola, 2^-8 its rounding to bf16, 10 * 2^-25 of the largest term for "
    "each MAC of its score; weighted by |v - y|; 10 * 2^-24 sum |w v| for each MAC of 8 keys; "
    "2^-15 the products with 1/sum; one rounding of the result";

constexpr double kParabola = 0.00322;  // of 1 + f - 11/32 f (1 - f), relative to 2^f
constexpr double kReference = 95.5;    // of a score in the fixed point, attention.h

struct Sizes {
  int32 queries, keys, d;
  AttentionTile tile;
};

std::string Name(const Sizes& s) {
  return std::to_string(s.queries) + " x " + std::to_string(s.keys) + " x " + std::to_string(s.d) +
         " by " + std::to_string(s.tile.queries) + " x " + std::to_string(s.tile.keys);
}

std::size_t Size(int32 a, int32 b) {
  return static_cast<std::size_t>(a) * static_cast<std::size_t>(b);
}

// Rows lie apart by d and something, which is not to be touched.
constexpr int32 kGap = 16;

struct Operands {
  Sizes sizes;
  Guarded<bfloat16> q, k, v, y;

  // q and k normal times `scale`; v normal around `mean`.
  explicit Operands(const Sizes& s, double scale = 1, double mean = 0)
      : sizes(s),
        q(Size(s.queries, s.d + kGap)),
        k(Size(s.keys, s.d + kGap)),
        v(Size(s.keys, s.d + kGap)),
        y(Size(s.queries, s.d + kGap)) {
    FillNormal(q.span(), 21, scale * AttentionScale(std::sqrt(s.d)));
    FillNormal(k.span(), 22, scale);
    FillNormal(v.span(), 23, 1, mean);
  }

  // Query i's score with key j, in powers of two; and the sum of its terms' magnitudes.
  double Score(int32 i, int32 j, double* magnitude = nullptr) const {
    double sum = 0, all = 0;
    for (int32 z = 0; z < sizes.d; ++z) {
      const double term = double{q[At(i, z)]} * k[At(j, z)];
      sum += term;
      all += std::abs(term);
    }
    if (magnitude != nullptr) *magnitude = all;
    return 64 * sum;
  }
  std::size_t At(int32 row, int32 col) const {
    return Size(row, sizes.d + kGap) + static_cast<std::size_t>(col);
  }

  // Makes query i score `score` with key j, beside noise: their first elements alone give it.
  void SetScores(int32 j, double score) {
    for (int32 i = 0; i < sizes.queries; ++i) q[At(i, 0)] = 1.0F / 64;
    k[At(j, 0)] = static_cast<float>(score);
  }

  void Attend() {
    const int32 stride = sizes.d + kGap;
    const AttentionProblem problem = {sizes.queries, sizes.keys, sizes.d, stride,
                                      stride,        stride,     stride};
    Guarded<unsigned char> memory(
        static_cast<std::size_t>(AttentionMemoryBytes(sizes.tile, sizes.d)));
    std::fill_n(memory.data(), memory.size(), static_cast<unsigned char>(0xFF));  // NaN
    RunAttention(problem, sizes.tile, q.data(), k.data(), v.data(), y.data(), memory.data());
    EXPECT_TRUE(memory.Intact()) << "wrote outside the tile's memory";
  }
};

struct Expected {
  std::vector<double> want, bound;
};

// What a weight may be off by, relatively. `largest`: of the terms of its score.
double WeightError(double largest, int32 d) {
  const double half_unit = std::exp2(std::ceil(std::log2(largest)) - 25);
  const double macs = d / 8.0;
  const double score = macs * 10 * half_unit * 64;
  return (1 + kParabola) * (1 + kBf16Half) * std::exp2(score) - 1;
}

Expected Reference(const Operands& o) {
  const auto [queries, keys, d, tile] = o.sizes;
  Expected e;
  std::vector<double> p(static_cast<std::size_t>(keys));
  const int32 macs = (keys + 7) / 8 + keys / tile.keys;  // and a rescaling for each block
  for (int32 i = 0; i < queries; ++i) {
    double most = -1e300, largest = 0, sum = 0;
    for (int32 j = 0; j < keys; ++j) {
      double magnitude = 0;
      p[static_cast<std::size_t>(j)] = o.Score(i, j, &magnitude);
      most = std::max(most, p[static_cast<std::size_t>(j)]);
      largest = std::max(largest, magnitude);
    }
    for (double& weight : p) sum += weight = std::exp2(weight - most);
    const double weights = WeightError(4 + 2 * largest, d);
    for (int32 z = 0; z < d; ++z) {
      double y = 0, size = 0, spread = 0;
      const auto v = [&](int32 j) { return double{o.v[o.At(j, z)]}; };
      for (int32 j = 0; j < keys; ++j) {
        y += p[static_cast<std::size_t>(j)] / sum * v(j);
        size += p[static_cast<std::size_t>(j)] / sum * std::abs(v(j));
      }
      for (int32 j = 0; j < keys; ++j) {
        spread += p[static_cast<std::size_t>(j)] / sum * std::abs(v(j) - y);
      }
      const double before =
          weights / (1 - weights) * spread + (2 * macs * 10 * kF32Half + 0x1p-15) * size;
      e.want.push_back(y);
      e.bound.push_back(before + kBf16Half * (std::abs(y) + before));
    }
  }
  return e;
}

class Attention : public TileTest {
 protected:
  static void CheckProblem(const std::string& name, Operands& o, double bias = golden::kNoLimit) {
    Run(o.y, [&] { o.Attend(); });
    std::vector<float> got;
    for (int32 i = 0; i < o.sizes.queries; ++i) {
      for (int32 z = 0; z < o.sizes.d; ++z) got.push_back(o.y[o.At(i, z)]);
      for (int32 z = o.sizes.d; z < o.sizes.d + kGap; ++z) {
        ASSERT_EQ(o.y[o.At(i, z)].bits(), 0xA5A5) << "wrote beyond d";
      }
    }
    const Expected e = Reference(o);
    Check("attention " + name, got, e.want, e.bound, static_cast<std::size_t>(o.sizes.queries),
          bias, kProvenance);
  }
};

// All Whisper models have heads of 64; 1500 positions, and 3001 without the convolutions' stride.
TEST_F(Attention, WhispersShapes) {
  for (const Sizes& s : {Sizes{32, 1500, 64, {32, 64}}, Sizes{48, 1500, 64, {48, 48}},
                         Sizes{16, 3001, 64, {16, 80}}, Sizes{20, 448, 64, {32, 56}}}) {
    for (const double scale : {0.5, 2.0}) {
      Operands o(s, scale);
      CheckProblem(Name(s) + (scale < 1 ? " flat" : " peaked"), o);
    }
  }
}

// v around 1, so that what all results share shows: a result by floor is 2.7e-3 low.
TEST_F(Attention, ResultsAreNotBiased) {
  Operands o({64, 256, 64, {64, 64}}, 1, 1);
  CheckProblem("mean 1", o, RoundingBias(64 * 64));
}

TEST_F(Attention, OneRowPrimesAndRemainders) {
  for (const Sizes& s :
       {Sizes{1, 1, 64, {4, 8}}, Sizes{1, 1499, 64, {16, 64}}, Sizes{13, 127, 64, {8, 24}},
        Sizes{31, 61, 16, {20, 16}}, Sizes{7, 97, 80, {12, 40}}, Sizes{19, 23, 128, {36, 8}}}) {
    Operands o(s);
    CheckProblem(Name(s), o);
  }
  for (int32 keys = 1; keys <= 33; ++keys) {
    Operands o({5, keys, 16, {4, 16}});
    CheckProblem(Name(o.sizes), o);
  }
}

TEST_F(Attention, RandomShapes) {
  std::mt19937 random(4);
  const auto pick = [&random](int32 least, int32 most) {
    return least + static_cast<int32>(random() % static_cast<unsigned>(most - least + 1));
  };
  for (int i = 0; i < 24; ++i) {
    const Sizes s = {
        pick(1, 70), pick(1, 300), 16 * pick(1, 5), {4 * pick(1, 12), 8 * pick(1, 12)}};
    Operands o(s, 0.25 * pick(1, 12));
    CheckProblem(Name(s), o);
  }
}

// Scores that leave the reference behind: up and down by steps in every block, far apart within
// one, and all far from zero.
TEST_F(Attention, ReferencesFollowTheScores) {
  const Sizes s = {18, 131, 64, {20, 16}};
  const auto check = [&](const std::string& name, const auto& score) {
    Operands o(s, 0.25);
    for (int32 j = 0; j < s.keys; ++j) o.SetScores(j, score(j));
    CheckProblem(name, o);
  };
  for (const double step : {3.0, 20.0, 41.0, 500.0}) {
    const std::string by = std::to_string(static_cast<int>(step)) + " a block";
    check("up " + by, [&](int32 j) {
      const int32 block = j / 16;
      return step * block;
    });
    check("down " + by, [&](int32 j) {
      const int32 block = j / 16;
      return -step * block;
    });
    check("up within " + by, [&](int32 j) { return step * j / 16; });
    check("at the end " + by, [&](int32 j) { return j == 130 ? step * 8 : 0; });
  }
  for (const double all : {-5000.0, -97.0, -60.0, -30.0, 29.0, 33.0, 100.0, 5000.0}) {
    check("all at " + std::to_string(static_cast<int>(all)), [&](int32) { return all; });
    check("few at " + std::to_string(static_cast<int>(all)),
          [&](int32 j) { return j % 5 == 0 ? all : -200.0; });
  }
}

// Each query for itself: one's reference does not change another's result.
TEST_F(Attention, QueriesAreIndependent) {
  const Sizes s = {16, 100, 64, {16, 32}};
  Operands all(s);
  for (int32 i = 0; i < s.queries; ++i) {
    for (int32 z = 0; z < s.d; ++z) {
      bfloat16& q = all.q[all.At(i, z)];
      q = bfloat16::from_bits(static_cast<uint16>(q.bits() + 128 * (i % 7)));  // times 2^(i % 7)
    }
  }
  CheckProblem("queries of different sizes", all);
  for (int32 i = 0; i < s.queries; ++i) {
    Operands one({1, s.keys, s.d, {4, 32}});
    for (int32 z = 0; z < s.d; ++z) one.q[one.At(0, z)] = all.q[all.At(i, z)];
    one.Attend();
    for (int32 z = 0; z < s.d; ++z) {
      ASSERT_EQ(one.y[one.At(0, z)].bits(), all.y[all.At(i, z)].bits()) << i << " " << z;
    }
  }
}

TEST_F(Attention, ScoresFarBelowWeighNothing) {
  // The highest first, so that the reference stays; then such whose bits would wrap.
  const Sizes s = {4, 64, 16, {4, 16}};
  for (const double low : {-96.0, -100.0, -127.0, -130.0, -200.0, -1000.0, -30000.0}) {
    Operands o(s, 0);
    for (int32 j = 0; j < s.keys; ++j) {
      o.SetScores(j, j == 0 ? 0 : low);
      for (int32 z = 0; z < s.d; ++z) o.v[o.At(j, z)] = j == 0 ? 1.0F : 1e20F;
    }
    o.Attend();
    for (int32 i = 0; i < s.queries; ++i) EXPECT_EQ(o.y[o.At(i, 3)], 1.0F) << low;
  }
}

// The kernel itself, with operands in blocks: one block of 16 queries and 8 keys, d of 16.
class AttentionBlock : public Attention {
 protected:
  static constexpr int32 kQueries = 16, kD = 16, kMostKeys = 4096;
  Guarded<bfloat16> q_{Size(kQueries, kD)}, k_{Size(kMostKeys, kD)}, v_{Size(kMostKeys, kD)};
  Guarded<bfloat16> weights_{Size(kMostKeys, 16)};
  Guarded<float> state_{kQueries * 8}, sums_{Size(kQueries, kD)};

  AttentionBlock() {
    std::fill_n(weights_.data(), weights_.size(), bfloat16::from_bits(0xFFFF));
    std::fill_n(state_.data(), state_.size(), NAN);
    std::fill_n(sums_.data(), sums_.size(), NAN);
    FillNormal(q_.span(), 31, AttentionScale(4));
    FillNormal(k_.span(), 32, 2);
    FillNormal(v_.span(), 33);
  }
  void Block(int32 valid, bool first) {
    attention_block_bf16(q_.data(), k_.data(), v_.data(), weights_.data(), state_.data(),
                         sums_.data(), kQueries, kD, valid, first ? 1 : 0);
    EXPECT_TRUE(weights_.Intact() && state_.Intact() && sums_.Intact());
  }
  // In blocks of 4 x 8.
  static std::size_t At(int32 row, int32 col) {
    return Size(row / 4 * (kD / 8) + col / 8, 32) + static_cast<std::size_t>(row % 4 * 8 + col % 8);
  }
  double Score(int32 i, int32 j) const {
    double sum = 0;
    for (int32 z = 0; z < kD; ++z) sum += double{q_[At(i, z)]} * k_[At(j, z)];
    return 64 * sum;
  }
  float Start(int32 query) const { return state_[StateAt(query)]; }
  float Sum(int32 query) const { return state_[StateAt(query) + 16]; }

 private:
  static std::size_t StateAt(int32 query) {
    return Size(query / 4, 32) + static_cast<std::size_t>(query % 4);
  }
};

// Weights rounded to nearest: the sums of 65536 are those of the unrounded ones to 5 standard
// deviations. By floor they would be 2.7e-3 low, which a normalised result does not show.
TEST_F(AttentionBlock, SumsOfWeightsAreNotBiased) {
  Run(state_, [&] { Block(kMostKeys, true); });
  double got = 0, want = 0;
  for (int32 i = 0; i < kQueries; ++i) {
    got += Sum(i);
    EXPECT_EQ(Start(i), static_cast<float>(2 + kReference / 64));
    for (int32 j = 0; j < kMostKeys; ++j) {
      const double s = Score(i, j), f = s - std::floor(s);
      want += std::exp2(std::floor(s)) * (1 + f - 11.0 / 32 * f * (1 - f));
    }
  }
  const double limit = RoundingBias(Size(kQueries, kMostKeys) / 16);  // few weigh most
  EXPECT_NEAR(got / want, 1, limit);
  EXPECT_LT(limit, 1e-3);
}

// The reference is what attention.h says: kept from 48 below to 32 above in the first block, up to
// 32 above in others, else the highest score rounded.
TEST_F(AttentionBlock, ReferenceRules) {
  const auto reference = [&](int32 query) { return 64 * (2 + kReference / 64 - Start(query)); };
  const auto score = [&](double s) {
    std::fill_n(q_.data(), q_.size(), bfloat16::from_bits(0));
    std::fill_n(k_.data(), k_.size(), bfloat16::from_bits(0));
    for (int32 i = 0; i < kQueries; ++i) q_[At(i, 0)] = 1.0F / 64;
    for (int32 j = 0; j < 7; ++j) k_[At(j, 0)] = static_cast<float>(j == 5 ? s : s - 60);
    k_[At(7, 0)] = 30000.0F;  // beyond the last key
  };
  for (const double s : {-50.0, -49.0, -47.0, 0.0, 31.0, 33.25, 90.75, -300.0}) {
    score(s);
    Block(7, true);
    const bool kept = s >= -48 && s < 32;
    EXPECT_EQ(reference(3), kept ? 0 : std::nearbyint(s)) << s;
  }
  score(0);
  Block(7, true);
  double now = 0;
  for (const double s : {-200.0, 20.0, 31.0, 33.0, 60.0, 66.5, 0.0}) {
    score(s);
    Block(7, false);
    if (s >= now + 32) now = std::nearbyint(s);
    EXPECT_EQ(reference(7), now) << s;
  }
}

// NaN in all that is beyond `valid` changes no bit.
TEST_F(AttentionBlock, WhatIsBeyondTheLastKeyDoesNotMatter) {
  constexpr int32 kValid = 21;
  Block(24, true);
  Block(kValid, false);
  const std::vector<float> state(state_.span().begin(), state_.span().end());
  const std::vector<float> sums(sums_.span().begin(), sums_.span().end());
  Guarded<bfloat16> v(v_.size());
  std::copy_n(v_.data(), v_.size(), v.data());
  Block(24, true);
  for (int32 z = 0; z < kD; ++z) {
    for (int32 j = kValid; j < 32; ++j) {
      k_[At(j, z)] = NAN;
      v_[Size(j / 8 * (kD / 4) + z / 4, 32) + static_cast<std::size_t>(j % 8 * 4 + z % 4)] =
          bfloat16::from_bits(0x7F80);
    }
  }
  Block(kValid, false);
  EXPECT_TRUE(std::equal(state.begin(), state.end(), state_.data()));
  EXPECT_TRUE(std::equal(sums.begin(), sums.end(), sums_.data()));
}

}  // namespace
}  // namespace xdna::kernels::testing
