#include "ops/internal/matmul.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <random>
#include <vector>

#include "base/error.h"

namespace xdna::ops {
namespace {

// What this machine can't multiply is skipped with the reason.
#define SKIP_IF_UNSUPPORTED(statement)                  \
  try {                                                 \
    statement;                                          \
  } catch (const Error& error) {                        \
    if (error.code() != ErrorCode::kUnsupported) throw; \
    GTEST_SKIP() << error.message();                    \
  }

struct Problem {
  std::int64_t m, k, n;
};
constexpr Problem kProblems[] = {{1, 1, 1}, {3, 5, 7}, {16, 64, 33}, {13, 48, 100}, {64, 240, 64}};

// Small integers, so that f32, bf16 and int8 give the same exact sums.
Tensor Integers(Shape shape, DType dtype, unsigned seed) {
  std::mt19937 bits(seed);
  Tensor t(dtype, std::move(shape));
  for (std::int64_t i = 0; i < t.size(); ++i) {
    const int v = static_cast<int>(bits() % 7) - 3;
    if (dtype == DType::kI8) t.data<std::int8_t>()[i] = static_cast<std::int8_t>(v);
    if (dtype == DType::kF32) t.data<float>()[i] = static_cast<float>(v);
    if (dtype == DType::kBf16) t.data<Bf16>()[i] = Bf16::FromFloat(static_cast<float>(v));
  }
  return t;
}

void ExpectExact(Backend backend, DType in, DType out, const Problem& p, bool transposed, bool bias,
                 bool accumulate) {
  const Tensor x = Integers({p.m, p.k}, in, 1);
  const Tensor b = Integers(transposed ? Shape{p.n, p.k} : Shape{p.k, p.n}, in, 2);
  const Tensor offset = Integers({p.n}, DType::kF32, 3);
  Tensor y = Integers({p.m, p.n}, out == DType::kI32 ? DType::kI8 : DType::kF32, 4).To(DType::kF32);
  const Tensor before = y.Clone();
  if (out == DType::kI32) y = Tensor(DType::kI32, {p.m, p.n});
  MatmulSpec spec;
  spec.k = p.k;
  spec.n = p.n;
  spec.in = in;
  spec.out = out;
  spec.bias = bias;
  spec.accumulate = accumulate;
  spec.rows = {p.m};
  const auto matmul = Matmul::Create(backend, spec);
  const Tensor packed(DType::kU8, {static_cast<std::int64_t>(matmul->packed_bytes())});
  matmul->Pack(transposed ? TensorView(b.view().raw(), in, {p.k, p.n}, {1, p.k}) : b.view(),
               packed.view().raw());
  matmul->Run(x.view().raw(), p.m, packed.view().raw(), bias ? offset.data<float>() : nullptr,
              y.view().raw());
  const Tensor xs = x.To(DType::kF64);
  const Tensor bs = b.To(DType::kF64);
  const Tensor got = y.To(DType::kF64);
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.n; ++j) {
      double want = bias ? offset.data<float>()[j] : 0;
      if (accumulate) want += before.data<float>()[i * p.n + j];
      for (std::int64_t l = 0; l < p.k; ++l) {
        want += xs.data<double>()[i * p.k + l] *
                bs.data<double>()[transposed ? j * p.k + l : l * p.n + j];
      }
      ASSERT_EQ(got.data<double>()[i * p.n + j], want)
          << matmul->description() << " " << p.m << "x" << p.k << "x" << p.n << " at " << i << ","
          << j;
    }
  }
}

void ExpectExactInAllForms(Backend backend, DType in, DType out) {
  for (const Problem& p : kProblems) {
    for (bool transposed : {false, true}) {
      ExpectExact(backend, in, out, p, transposed, false, false);
      if (in == DType::kI8) continue;
      ExpectExact(backend, in, out, p, transposed, true, false);
      ExpectExact(backend, in, out, p, transposed, true, true);
    }
  }
}

TEST(Matmul, EigenIsExactOnIntegers) {
  ExpectExactInAllForms(Backend::kEigen, DType::kF32, DType::kF32);
}
TEST(Matmul, F32IsExactOnIntegers) {
  ExpectExactInAllForms(Backend::kFast, DType::kF32, DType::kF32);
}
TEST(Matmul, Bf16IsExactOnIntegers) {
  SKIP_IF_UNSUPPORTED(ExpectExactInAllForms(Backend::kFast, DType::kBf16, DType::kF32));
}
TEST(Matmul, Int8IsExactOnIntegers) {
  SKIP_IF_UNSUPPORTED(ExpectExactInAllForms(Backend::kFast, DType::kI8, DType::kI32));
}

// Products of +-127 next to each other overflow 16 bits where a machine without
// VNNI adds them in pairs.
TEST(Matmul, Int8DoesNotSaturate) {
  constexpr std::int64_t kK = 256;
  const Tensor x(DType::kI8, {2, kK});
  const Tensor b(DType::kI8, {kK, 32});
  for (std::int64_t i = 0; i < 2 * kK; ++i) x.data<std::int8_t>()[i] = i < kK ? 127 : -127;
  for (std::int64_t i = 0; i < kK * 32; ++i) b.data<std::int8_t>()[i] = 127;
  MatmulSpec spec;
  spec.k = kK;
  spec.n = 32;
  spec.in = DType::kI8;
  spec.out = DType::kI32;
  spec.rows = {2};
  std::unique_ptr<Matmul> matmul;
  SKIP_IF_UNSUPPORTED(matmul = Matmul::Create(Backend::kFast, spec));
  const Tensor packed(DType::kU8, {static_cast<std::int64_t>(matmul->packed_bytes())});
  const Tensor y(DType::kI32, {2, 32});
  matmul->Pack(b, packed.view().raw());
  matmul->Run(x.view().raw(), 2, packed.view().raw(), nullptr, y.view().raw());
  for (int j = 0; j < 32; ++j) {
    EXPECT_EQ(y.data<std::int32_t>()[j], 127 * 127 * kK);
    EXPECT_EQ(y.data<std::int32_t>()[32 + j], -127 * 127 * kK);
  }
}

TEST(Matmul, EigenRefusesBf16) {
  MatmulSpec spec;
  spec.k = spec.n = 8;
  spec.in = DType::kBf16;
  spec.rows = {8};
  EXPECT_THROW(Matmul::Create(Backend::kEigen, spec), Error);
}

TEST(Pieces, CoverAllRowsInEqualShares) {
  for (std::int64_t m : {1, 2, 3, 17, 100, 1500, 3000, 3001}) {
    for (int threads : {1, 2, 3, 8}) {
      const std::int64_t piece = PieceRows(m, 128, threads);
      EXPECT_GE(piece, 1);
      EXPECT_LE(piece, std::max<std::int64_t>(128, 1));
      const auto sizes = PieceSizes(m, piece);
      EXPECT_EQ(sizes.front(), std::min(piece, m));
      const std::int64_t last = m % piece == 0 ? piece : m % piece;
      EXPECT_EQ(sizes.back(), last);
    }
  }
}

}  // namespace
}  // namespace xdna::ops
