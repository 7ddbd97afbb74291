// Loops that do nothing but multiply and add, nothing but load, or nothing but softmax's 2^x: one
// for each instruction that may be this processor's fastest.
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

// out[i] = 2^(scores[i] * scale - top) for i < kExpRow, all exponents in [-126, 0]; returns the
// sum. What the attention kernels do to a score once they know a row's maximum: a value costs its
// load, a multiply-add, 2^x, the addition to the sum, rounding to bf16 and the store. 2^x is the
// power of two of its integer part times a polynomial of least relative error (degree 5 for f32
// results, 8.2e-8; 3 for bf16, 8.6e-5), or integers of 16 bits with a table of 128, at most 0.64 %
// off (after Schraudolph, Neural Computation 11, 1999), where results may come in another order
// within each 32. Operands are aligned to 64 bytes.
inline constexpr std::int64_t kExpRow = 1536;  // with its results 12 KiB at most: in L1

struct ExpKernel {
  ops::Precision precision;  // of its results: f32 or bf16
  const char* instruction;   // by which there is a power of two: "vscalefps zmm"
  float (*row)(const float* scores, float scale, float top, void* out);
};

// Those that this machine has; at least one for f32.
const std::vector<ExpKernel>& ExpKernels();

// Loads all of `bytes` (a multiple of 1024) `passes` times.
void ReadMemory(const std::byte* data, std::size_t bytes, std::int64_t passes);

}  // namespace xdna::bench

#endif  // BENCH_PEAK_KERNELS_H_
