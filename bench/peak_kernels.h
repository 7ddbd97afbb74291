// Loops that do nothing but multiply and add, or nothing but load: one for each
// instruction that may be this processor's fastest.
#ifndef BENCH_PEAK_KERNELS_H_
#define BENCH_PEAK_KERNELS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ops/contract.h"

namespace xdna::bench {

struct PeakKernel {
  ops::Precision precision;  // of its operands
  const char* instruction;   // "vfmadd231ps zmm"
  double flops;              // of one iteration, 2 per multiply-add
  // Works in registers alone. Safe to call from many threads.
  void (*run)(std::int64_t iterations);
};

// Those that this machine has; at least one for f32.
const std::vector<PeakKernel>& PeakKernels();

// Loads all of `bytes` (a multiple of 1024) `passes` times.
void ReadMemory(const std::byte* data, std::size_t bytes, std::int64_t passes);

}  // namespace xdna::bench

#endif  // BENCH_PEAK_KERNELS_H_
