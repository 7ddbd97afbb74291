#include "bench/machine_peak.h"

#include <gtest/gtest.h>

#include <string>

#include "base/cpu.h"
#include "bench/peak_kernels.h"

namespace xdna::bench {
namespace {

TEST(MachinePeak, EachPrecisionHasAPlausiblePeak) {
  const MachinePeak& peak = MeasurePeak(AvailableCpus());
  EXPECT_EQ(peak.threads, AvailableCpus());
  // One scalar multiply-add a cycle at 0.5 GHz; 2^15 operations a cycle at 10 GHz.
  EXPECT_GT(peak.f32.flops, 1e9);
  EXPECT_LT(peak.int8.flops, 3.3e14 * peak.threads);
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

}  // namespace
}  // namespace xdna::bench
