#include "ops/attention/attention_kernel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "ops/attention/attention_kernel_testing.h"
#include "ops/internal/amx_emulation.h"
#include "ops/internal/kernel_testing.h"

namespace xdna::ops {
namespace {

// Runs `body` with each kernel that this machine has for `dtype`, and with AMX's.
template <typename Body>
void ForEachKernel(DType dtype, Body&& body) {
  const auto with = [&](const CpuFeatures& features) {
    for (const Integers integers : {Integers::kNone, Integers::kScores, Integers::kAll}) {
      const AttentionKernel& kernel = FindAttentionKernel(dtype, features, integers);
      if (kernel.integers == integers) body(kernel);
    }
  };
  CpuFeatures features = Cpu();
  // What else the AMX kernels need, such processors have.
  if (dtype == DType::kBf16 && (features.fast_dot_bf16 || features.amx_bf16)) {
    const EmulatedAmx amx;
    features.amx_bf16 = features.amx_int8 = true;
    with(features);
  }
  features.amx_bf16 = features.amx_int8 = false;
  with(features);
  features.fast_dot_bf16 = false;
  ForEachTarget([&] { with(features); });
}

constexpr DType kTypes[] = {DType::kF32, DType::kBf16};

bool HasIntegers(const AttentionKernel& kernel) { return kernel.integers != Integers::kNone; }

TEST(AttentionKernel, AgreesWithFloat64) {
  for (const DType dtype : kTypes) {
    for (const TestShape& shape : kTestShapes) {
      const TestHead test(shape.queries, shape.keys, shape.width, dtype, 1);
      const std::vector<double> reference = test.Reference();
      ForEachKernel(dtype, [&](const AttentionKernel& kernel) {
        const double most = HasIntegers(kernel) ? 2e-2 : dtype == DType::kF32 ? 1e-6 : 4e-3;
        EXPECT_LE(RelativeL2(test.Run(kernel), reference), most)
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
      // Which of two keys wins is beyond integers of 8 bits.
      const double most = HasIntegers(kernel) ? 0.5 : 4e-3;
      EXPECT_LE(RelativeL2(test.Run(kernel), reference), most) << kernel.name;
    });
  }
}

// By what bf16 can hold of a probability, and by more; in a panel of the first block and in others.
TEST(AttentionKernel, LaterKeysMayOutdoTheFirstByFar) {
  for (const DType dtype : kTypes) {
    for (const float by : {0.5F, 1.F, 2.F, 4.F, 40.F}) {
      for (const std::size_t key : {70U, 300U, 599U}) {
        TestHead test(7, 600, 64, dtype, 1);
        const Tensor x = test.operands.To(DType::kF32);
        for (std::size_t j = 0; j < 64; ++j) {
          for (std::size_t i = 0; i < 7; ++i) test.At(x, i, j) = 4;
          test.At(x, key, 64 + j) = by;  // its score is 32 by; the others' around 0
        }
        test.operands = x.To(dtype);
        const std::vector<double> reference = test.Reference();
        ForEachKernel(dtype, [&](const AttentionKernel& kernel) {
          EXPECT_LE(RelativeL2(test.Run(kernel), reference), HasIntegers(kernel) ? 5e-2 : 4e-3)
              << kernel.name << " key " << key << " by " << 32 * by;
        });
      }
    }
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

TEST(AttentionKernel, ANanAmongKeysReachesEveryRow) {
  for (const DType dtype : kTypes) {
    TestHead test(8, 80, 64, dtype, 1);
    const Tensor x = test.operands.To(DType::kF32);
    test.At(x, 70, 64 + 5) = std::nanf("");
    test.operands = x.To(dtype);
    ForEachKernel(dtype, [&](const AttentionKernel& kernel) {
      for (const float y : test.Run(kernel)) EXPECT_TRUE(std::isnan(y)) << kernel.name;
    });
  }
}

TEST(AttentionKernel, ANanAmongValuesStaysInItsChannel) {
  for (const DType dtype : kTypes) {
    TestHead test(8, 80, 64, dtype, 1);
    const Tensor x = test.operands.To(DType::kF32);
    test.At(x, 70, 128 + 5) = std::nanf("");
    test.operands = x.To(dtype);
    ForEachKernel(dtype, [&](const AttentionKernel& kernel) {
      const std::vector<float> y = test.Run(kernel);
      for (std::size_t i = 0; i < y.size(); ++i) {
        EXPECT_EQ(std::isnan(y[i]), i % 64 == 5) << kernel.name << " " << i;
      }
    });
  }
}

TEST(AttentionKernel, ByTable) {
  const auto name = [](DType dtype, const CpuFeatures& cpu, Integers integers = Integers::kNone) {
    return std::string(FindAttentionKernel(dtype, cpu, integers).name);
  };
  CpuFeatures cpu = Cpu();
  cpu.amx_bf16 = cpu.amx_int8 = cpu.fast_dot_bf16 = false;
  EXPECT_EQ(name(DType::kF32, cpu), name(DType::kBf16, cpu));
  if (!cpu.avx512) GTEST_SKIP() << "the rest needs AVX-512";
  cpu.fast_dot_bf16 = true;
  EXPECT_EQ(name(DType::kF32, cpu), "fused vfmadd231ps zmm");
  EXPECT_EQ(name(DType::kBf16, cpu), "fused vdpbf16ps zmm");
  EXPECT_EQ(name(DType::kBf16, cpu, Integers::kScores), "fused vpdpbusd scores, vdpbf16ps zmm");
  EXPECT_EQ(name(DType::kBf16, cpu, Integers::kAll), "fused vpdpbusd zmm");
  cpu.amx_bf16 = cpu.amx_int8 = true;
  EXPECT_EQ(name(DType::kBf16, cpu), "fused tdpbf16ps tmm");
  EXPECT_EQ(name(DType::kBf16, cpu, Integers::kScores), "fused tdpbusd scores, tdpbf16ps tmm");
  EXPECT_EQ(name(DType::kBf16, cpu, Integers::kAll), "fused tdpbusd tmm");
  cpu.amx_int8 = false;
  EXPECT_EQ(name(DType::kBf16, cpu, Integers::kAll), "fused tdpbf16ps tmm");
  EXPECT_THROW(FindAttentionKernel(DType::kI8, cpu, Integers::kNone), Error);
}

}  // namespace
}  // namespace xdna::ops
