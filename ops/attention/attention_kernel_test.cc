#include "ops/attention/attention_kernel.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "ops/attention/attention_kernel_testing.h"

namespace xdna::ops {
namespace {

// Runs `body` with each kernel that this machine has for `dtype`.
template <typename Body>
void ForEachKernel(DType dtype, Body&& body) {
  CpuFeatures features = Cpu();
  body(FindAttentionKernel(dtype, features));
  features.amx_bf16 = false;
  body(FindAttentionKernel(dtype, features));
  features.fast_dot_bf16 = false;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    body(FindAttentionKernel(dtype, features));
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

constexpr DType kTypes[] = {DType::kF32, DType::kBf16};

TEST(AttentionKernel, AgreesWithFloat64) {
  for (const DType dtype : kTypes) {
    for (const TestShape& shape : kTestShapes) {
      const TestHead test(shape.queries, shape.keys, shape.width, dtype, 1);
      const std::vector<double> reference = test.Reference();
      ForEachKernel(dtype, [&](const AttentionKernel& kernel) {
        EXPECT_LE(RelativeL2(test.Run(kernel), reference), dtype == DType::kF32 ? 1e-6 : 4e-3)
            << kernel.name << " " << shape.queries << "x" << shape.keys << "x" << shape.width;
      });
    }
  }
}

// The softmax is nearly one-hot, and exponents are large.
TEST(AttentionKernel, HugeScoresStayFinite) {
  for (const DType dtype : kTypes) {
    const TestHead test(20, 700, 64, dtype, 1e4);
    const std::vector<double> reference = test.Reference();
    ForEachKernel(dtype, [&](const AttentionKernel& kernel) {
      EXPECT_LE(RelativeL2(test.Run(kernel), reference), 4e-3) << kernel.name;
    });
  }
}

// Were a missing key's score taken for 0, it would outweigh all others.
TEST(AttentionKernel, MissingKeysHaveNoWeight) {
  for (const DType dtype : kTypes) {
    TestHead test(5, 67, 32, dtype, 0);
    const Tensor x = test.operands.To(DType::kF32);
    for (std::size_t i = 0; i < 67; ++i) {
      for (std::size_t j = 0; j < 96; ++j) test.At(x, i, j) = j < 32 ? 10.F : j < 64 ? -10.F : 1.F;
    }
    test.operands = x.To(dtype);
    ForEachKernel(dtype, [&](const AttentionKernel& kernel) {
      for (const float y : test.Run(kernel)) EXPECT_NEAR(y, 1, 1e-6) << kernel.name;
    });
  }
}

TEST(AttentionKernel, KeepsNans) {
  for (const DType dtype : kTypes) {
    TestHead test(8, 80, 64, dtype, 1);
    const Tensor x = test.operands.To(DType::kF32);
    test.At(x, 3, 5) = std::nanf("");  // a query
    test.operands = x.To(dtype);
    ForEachKernel(dtype, [&](const AttentionKernel& kernel) {
      const std::vector<float> y = test.Run(kernel);
      for (std::size_t i = 0; i < y.size(); ++i) {
        EXPECT_EQ(std::isnan(y[i]), i / 64 == 3) << kernel.name << " " << i;
      }
    });
  }
}

TEST(AttentionKernel, ByTable) {
  const auto name = [](DType dtype, const CpuFeatures& cpu) {
    return std::string(FindAttentionKernel(dtype, cpu).name);
  };
  CpuFeatures cpu = Cpu();
  cpu.amx_bf16 = cpu.fast_dot_bf16 = false;
  EXPECT_EQ(name(DType::kF32, cpu), name(DType::kBf16, cpu));
  if (!cpu.avx512) GTEST_SKIP() << "the rest needs AVX-512";
  cpu.fast_dot_bf16 = true;
  EXPECT_EQ(name(DType::kF32, cpu), "fused vfmadd231ps zmm");
  EXPECT_EQ(name(DType::kBf16, cpu), "fused vdpbf16ps zmm");
  cpu.amx_bf16 = true;
  EXPECT_EQ(name(DType::kBf16, cpu), "fused tdpbf16ps tmm");
  EXPECT_THROW(FindAttentionKernel(DType::kI8, cpu), Error);
}

}  // namespace
}  // namespace xdna::ops
