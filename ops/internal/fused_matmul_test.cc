#include "ops/internal/fused_matmul.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/bf16.h"
#include "base/cpu.h"
#include "base/tensor.h"
#include "ops/internal/amx_emulation.h"
#include "ops/internal/fused_matmul_kernel.h"
#include "ops/internal/kernel_testing.h"

namespace xdna::ops {
namespace {

// Around tiles of 4, 6 and 32 rows and 64 columns, units of 4 bytes, steps of 64 and chunks of 512.
struct Problem {
  std::int64_t m, k, n;
};
constexpr Problem kProblems[] = {{1, 4, 1},    {5, 8, 64},    {6, 12, 65},
                                 {7, 512, 63}, {3, 7, 20},    {13, 100, 200},
                                 {32, 64, 64}, {37, 161, 70}, {9, 515, 33}};

// Runs `body` with each kernel that this machine has for `in`, and with AMX's.
template <typename Body>
void ForEachKernel(DType in, std::int64_t k, Body&& body) {
  const auto with = [&](const CpuFeatures& cpu) {
    const FusedMatmulKernel* kernel = FindFusedMatmulKernel(in, k, cpu);
    if (kernel != nullptr) body(*kernel);
  };
  CpuFeatures cpu = Cpu();
  with(cpu);
  cpu.amx_bf16 = cpu.amx_int8 = false;
  with(cpu);
  cpu.fast_dot_bf16 = cpu.avx512_vnni = false;
  ForEachTarget([&] { with(cpu); });
  cpu.amx_bf16 = cpu.amx_int8 = true;
  const EmulatedAmx amx;
  with(cpu);
}

constexpr FusedMatmulSpec kSpecs[] = {{0, 0, DType::kF32, DType::kF32, false, false},
                                      {0, 0, DType::kF32, DType::kF32, true, false},
                                      {0, 0, DType::kF32, DType::kF32, false, true},
                                      {0, 0, DType::kBf16, DType::kBf16, false, false},
                                      {0, 0, DType::kBf16, DType::kBf16, true, false},
                                      {0, 0, DType::kBf16, DType::kF32, false, true},
                                      {0, 0, DType::kU8, DType::kBf16, false, false},
                                      {0, 0, DType::kU8, DType::kBf16, true, false},
                                      {0, 0, DType::kU8, DType::kF32, false, true},
                                      {0, 0, DType::kU8, DType::kF32, false, false}};

// Small integers in any dtype: sums are exact.
Tensor Integers(Shape shape, DType dtype, unsigned seed) {
  std::mt19937 bits(seed);
  Tensor t(dtype, std::move(shape));
  for (std::int64_t i = 0; i < t.size(); ++i) {
    const int v = static_cast<int>(bits() % 7) - 3;
    switch (dtype) {
      case DType::kU8:
        t.data<std::uint8_t>()[i] = static_cast<std::uint8_t>(v + 3);
        break;
      case DType::kI8:
        t.data<std::int8_t>()[i] = static_cast<std::int8_t>(v);
        break;
      case DType::kBf16:
        t.data<Bf16>()[i] = Bf16::FromFloat(static_cast<float>(v));
        break;
      default:
        t.data<float>()[i] = static_cast<float>(v);
    }
  }
  return t;
}

double Gelu(double x) { return 0.5 * x * std::erfc(-x * M_SQRT1_2); }

void ExpectRight(const Problem& p, FusedMatmulSpec spec, const FusedMatmulKernel& kernel) {
  spec.k = p.k;
  spec.n = p.n;
  const bool int8 = spec.in == DType::kU8;
  const Tensor x = Integers({p.m, p.k}, spec.in, 1);
  const Tensor weight = Integers({p.n, p.k}, int8 ? DType::kI8 : spec.in, 2);
  const Tensor bias = Integers({p.n}, DType::kF32, 3);
  const Tensor before = Integers({p.m, p.n}, DType::kF32, 4);
  const Tensor y = before.To(spec.out);
  // A scale and a zero for each row, and a scale for each column.
  std::vector<float> row_scales(p.m), column_scales(p.n);
  std::vector<std::int32_t> row_zeros(p.m), column_sums(p.n);
  for (std::int64_t i = 0; i < p.m; ++i) {
    row_scales[i] = static_cast<float>(1 << (i % 3));
    row_zeros[i] = static_cast<std::int32_t>(i % 5);
  }
  const Tensor w = weight.To(DType::kF32);
  for (std::int64_t j = 0; j < p.n; ++j) {
    column_scales[j] = static_cast<float>(1 << (j % 2)) / 4;
    const float* row = w.data<float>() + j * p.k;
    column_sums[j] = static_cast<std::int32_t>(std::accumulate(row, row + p.k, 0.0F));
  }
  FusedMatmul(weight, spec, kernel)
      .Run(x.view().raw(), p.m, bias.data<float>(),
           {row_scales.data(), row_zeros.data(), column_scales.data(), column_sums.data()},
           y.view().raw());
  const Tensor in = x.To(DType::kF32);
  const Tensor got = y.To(DType::kF32);
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.n; ++j) {
      double want = 0;
      for (std::int64_t k = 0; k < p.k; ++k) {
        const float zero = int8 ? static_cast<float>(row_zeros[i]) : 0;
        want += (in.data<float>()[i * p.k + k] - zero) * w.data<float>()[j * p.k + k];
      }
      if (int8) want *= row_scales[i] * column_scales[j];
      want += bias.data<float>()[j];
      if (spec.gelu) want = Gelu(want);
      if (spec.accumulate) want += before.data<float>()[i * p.n + j];
      const bool rounded = spec.out == DType::kBf16;
      const double limit = (rounded ? 0x1p-8 * std::fabs(want) : 0) + (spec.gelu ? 4e-4 : 0);
      ASSERT_NEAR(got.data<float>()[i * p.n + j], want, limit)
          << kernel.name << " " << DTypeName(spec.in) << " to " << DTypeName(spec.out) << " gelu "
          << spec.gelu << " at " << i << "," << j << " of " << p.m << "x" << p.k << "x" << p.n;
    }
  }
}

TEST(FusedMatmul, AgreesWithDouble) {
  for (const FusedMatmulSpec& spec : kSpecs) {
    for (const Problem& problem : kProblems) {
      ForEachKernel(spec.in, problem.k,
                    [&](const FusedMatmulKernel& kernel) { ExpectRight(problem, spec, kernel); });
    }
  }
}

// Products of 255 and -127 next to each other overflow 16 bits.
TEST(FusedMatmul, Int8DoesNotSaturate) {
  constexpr std::int64_t kK = 1024;
  const std::vector<std::uint8_t> x(kK, 255);
  const Tensor weight(DType::kI8, {1, kK});
  std::fill_n(weight.data<std::int8_t>(), kK, std::int8_t{-127});
  const float one = 1;
  const std::int32_t zero = 0;
  ForEachKernel(DType::kU8, kK, [&](const FusedMatmulKernel& kernel) {
    float y = 0;
    FusedMatmul(weight, {kK, 1, DType::kU8, DType::kF32, false, false}, kernel)
        .Run(x.data(), 1, nullptr, {&one, &zero, &one, &zero}, &y);
    EXPECT_EQ(y, -127.F * 255 * kK) << kernel.name;
  });
}

TEST(FusedMatmul, ByTable) {
  const auto name = [](DType in, std::int64_t k, const CpuFeatures& cpu) {
    return std::string(FindFusedMatmulKernel(in, k, cpu)->name);
  };
  CpuFeatures cpu = Cpu();
  if (!cpu.avx512) GTEST_SKIP() << "these need AVX-512";
  cpu.amx_bf16 = cpu.amx_int8 = false;
  cpu.fast_dot_bf16 = cpu.avx512_vnni = true;
  EXPECT_EQ(name(DType::kF32, 8, cpu), "vfmadd231ps");
  EXPECT_EQ(name(DType::kBf16, 8, cpu), "vdpbf16ps");
  EXPECT_EQ(name(DType::kU8, 8, cpu), "vpdpbusd");
  // Those take whole units of x alone.
  EXPECT_EQ(name(DType::kBf16, 7, cpu), "widened vfmadd231ps");
  EXPECT_EQ(name(DType::kU8, 6, cpu), "vpmaddwd");
  // Intel's vdpbf16ps is slower than products in f32.
  cpu.fast_dot_bf16 = false;
  EXPECT_EQ(name(DType::kBf16, 8, cpu), "widened vfmadd231ps");
  cpu.amx_bf16 = cpu.amx_int8 = true;
  EXPECT_EQ(name(DType::kBf16, 7, cpu), "tdpbf16ps");
  EXPECT_EQ(name(DType::kU8, 6, cpu), "tdpbusd");
  EXPECT_FALSE(FindFusedMatmulKernel(DType::kU8, 6, cpu)->by_table);
}

// GELU of every bf16 value, as the product of one term.
TEST(FusedMatmul, GeluForBf16IsAccurate) {
  const FusedMatmulSpec spec = {2, 1, DType::kBf16, DType::kBf16, true, false};
  std::vector<Bf16> x;
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const Bf16 value{static_cast<std::uint16_t>(bits)};
    if (!std::isfinite(value.ToFloat()) || std::fpclassify(value.ToFloat()) == FP_SUBNORMAL)
      continue;
    x.push_back(value);
    x.push_back(Bf16{0});
  }
  const Tensor weight = Tensor::FromValues<float>({1, 2}, {1, 0}).To(DType::kBf16);
  std::vector<Bf16> y(x.size() / 2);
  ForEachKernel(spec.in, spec.k, [&](const FusedMatmulKernel& kernel) {
    FusedMatmul(weight, spec, kernel)
        .Run(x.data(), static_cast<std::int64_t>(y.size()), nullptr, {}, y.data());
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double value = x[2 * i].ToFloat();
      const double want = Gelu(value);
      ASSERT_NEAR(y[i].ToFloat(), want, 0x1p-8 * std::fabs(want) + 4e-4) << kernel.name << value;
      if (std::fabs(value) >= 4.5) {
        ASSERT_EQ(y[i].ToFloat(), std::max(value, 0.0)) << kernel.name << value;
      }
    }
  });
}

}  // namespace
}  // namespace xdna::ops
