#include "bench/machine_peak.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/bf16.h"
#include "base/cpu.h"
#include "bench/peak_kernels.h"
#include "ops/contract.h"

namespace xdna::bench {
namespace {

TEST(MachinePeak, EachPrecisionHasAPlausiblePeak) {
  const MachinePeak& peak = MeasurePeak(AvailableCpus());
  EXPECT_EQ(peak.threads, AvailableCpus());
  // One scalar multiply-add a cycle at 0.5 GHz; 2^15 operations a cycle at 10 GHz.
  EXPECT_GT(peak.f32.flops, 1e9);
  EXPECT_LT(peak.int8.flops, 3.3e14 * peak.threads);
  // A value in 30 cycles at 0.5 GHz; 16 a cycle at 10 GHz.
  EXPECT_GT(peak.exp_f32, 1.5e7);
  EXPECT_LT(peak.exp_bf16, 1.6e11 * peak.threads);
  EXPECT_GE(peak.ExpOf(ops::Precision::kInt8), peak.ExpOf(ops::Precision::kF32));
  EXPECT_GT(peak.bandwidth, 1e8);
  EXPECT_LT(peak.bandwidth, 1e13);
  for (const ops::Precision precision : ops::kAllPrecisions) {
    EXPECT_FALSE(peak.Of(precision).instruction.empty());
    EXPECT_GE(peak.Of(precision).flops, peak.f32.flops) << ops::PrecisionName(precision);
  }
}

TEST(MachinePeak, IsMeasuredOnceAndOnlyRises) {
  const MachinePeak& first = MeasurePeak(1);
  const double before = first.f32.flops;
  EXPECT_EQ(&MeasurePeak(1), &first);
  EXPECT_EQ(MeasurePeak(1).f32.flops, before);
  EXPECT_EQ(&RaisePeak(1), &first);
  EXPECT_GE(first.f32.flops, before);
}

TEST(MachinePeak, MoreThreadsThanCpusAreTheCpus) {
  EXPECT_EQ(&MeasurePeak(1000), &MeasurePeak(AvailableCpus()));
  EXPECT_EQ(MeasurePeak(0).threads, 1);
}

TEST(MachinePeak, LeavesTheThreadWhereItMayRun) {
  const int before = AvailableCpus();
  RaisePeak(before);
  EXPECT_EQ(AvailableCpus(), before);
}

TEST(ReadBandwidth, SmallSetsAreNotSlowerThanDram) {
  const double cache = ReadBandwidth(1, 100 << 10);
  EXPECT_EQ(ReadBandwidth(1, 64 << 10), cache) << "rounded down to a power of two";
  EXPECT_GT(cache, 0.8 * MeasurePeak(1).bandwidth);
  EXPECT_EQ(ReadBandwidth(1, 0), ReadBandwidth(1, 32 << 10));
}

TEST(PeakKernels, BelongToThisMachine) {
  int f32 = 0;
  for (const PeakKernel& kernel : PeakKernels()) {
    SCOPED_TRACE(kernel.instruction);
    kernel.run(10);
    EXPECT_GT(kernel.flops, 0);
    f32 += kernel.precision == ops::Precision::kF32 ? 1 : 0;
    if (std::string(kernel.instruction).ends_with("zmm")) {
      EXPECT_TRUE(Cpu().avx512);
    }
  }
  EXPECT_GE(f32, 1);
}

// A loop that computed something else would be a limit of something else.
TEST(ExpKernels, AreExponentials) {
  constexpr float kScale = 1.44F, kTop = 3;
  alignas(64) std::array<float, kExpRow> scores, out;
  for (std::int64_t i = 0; i < kExpRow; ++i) {
    scores[i] = 2 - 50 * static_cast<float>(i) / static_cast<float>(kExpRow);
  }
  int f32 = 0;
  for (const ExpKernel& kernel : ExpKernels()) {
    SCOPED_TRACE(kernel.instruction);
    const bool wide = kernel.precision == ops::Precision::kF32;
    f32 += wide ? 1 : 0;
    const float sum = kernel.row(scores.data(), kScale, kTop, out.data());
    double expected_sum = 0;
    std::vector<double> found(kExpRow);
    for (std::int64_t i = 0; i < kExpRow; ++i) {
      found[i] = wide ? out[i] : reinterpret_cast<const Bf16*>(out.data())[i].ToFloat();
    }
    for (auto it = found.begin(); it != found.end(); it += 32) {  // as the scores: falling
      std::sort(it, it + 32, std::greater<>());
    }
    for (std::int64_t i = 0; i < kExpRow; ++i) {
      const double x = std::fma(scores[i], kScale, -kTop);
      const double expected = std::exp2(x);
      expected_sum += expected;
      // The exponent itself was rounded, to f32 or to steps of 2^-7.
      ASSERT_NEAR(found[i], expected, expected * (wide ? 3e-6 : 6.5e-3)) << x;
    }
    EXPECT_NEAR(sum, expected_sum, expected_sum * (wide ? 3e-6 : 2e-3));
  }
  EXPECT_GE(f32, 1);
}

}  // namespace
}  // namespace xdna::bench
