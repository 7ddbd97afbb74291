// What this machine can do at most, measured in this very session: the limits that
// percentages are of. A data sheet does not know the clock that a shared machine
// runs at today.
#ifndef BENCH_MACHINE_PEAK_H_
#define BENCH_MACHINE_PEAK_H_

#include <cstddef>
#include <string>

#include "bench/peak_kernels.h"
#include "ops/contract.h"

namespace xdna::bench {

struct Peak {
  double flops = 0;         // a second, all threads together; 2 per multiply-add
  std::string instruction;  // the fastest of those that the machine has
};

struct MachinePeak {
  Peak f32, bf16, int8;
  // Values a second of a softmax's 2^x with results in f32 and in bf16, all threads together:
  // bench/peak_kernels.h says what of a softmax is in them.
  double exp_f32 = 0, exp_bf16 = 0;
  double bandwidth = 0;  // bytes a second read from DRAM, all threads together
  int threads = 0;       // at most one for each CPU, however many were asked for

  // A precision whose own instructions are slower than f32's, or that has none,
  // has f32's peak: that is what its values can be computed in.
  const Peak& Of(ops::Precision precision) const;
  // f32's for f32, bf16's for all others.
  double ExpOf(ops::Precision precision) const;
};

// Best of several bursts with all threads in step, so that a busy neighbour or a
// clock that is still rising does not show. Takes about 0.4 s, up to 2 s beside
// other work; measured once for each number of threads (>= 1). Not for use from many
// threads at once.
const MachinePeak& MeasurePeak(int threads);

// Measures compute again and keeps the better of both: for the case that a result
// seems to be above the peak. The reference that MeasurePeak gave shows the new
// values.
const MachinePeak& RaisePeak(int threads);

// Bytes a second that `threads` threads together read over and over from `bytes` of
// memory split among them: the caches' bandwidth where they hold it. Rounded down
// to a power of two, from 32 KiB to 512 MiB, and measured once for each.
double ReadBandwidth(int threads, std::size_t bytes);

// One instruction's rate on `threads` threads, in operations a second.
double MeasureKernel(const PeakKernel& kernel, int threads);
// Likewise, in values a second.
double MeasureKernel(const ExpKernel& kernel, int threads);

}  // namespace xdna::bench

#endif  // BENCH_MACHINE_PEAK_H_
