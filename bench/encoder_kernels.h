// //bench:encoder --explain=kernels: which code computes each matrix product of the encoder on this
// machine.
#ifndef BENCH_ENCODER_KERNELS_H_
#define BENCH_ENCODER_KERNELS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "encoder/graph.h"
#include "ops/contract.h"

namespace xdna::bench {

struct KernelRow {
  std::string stage;  // of the profile: "attention.qkv"
  ops::Precision precision;
  std::int64_t m = 0, k = 0, n = 0;  // of attention.core: of a head's scores
  std::vector<int> layers;           // empty outside the layers
  std::string kernel;                // "own vdpbf16ps, 6x64, 12 pieces of 125 rows"
};

// Stages in the order of computation; layers that do the same share a row. The choice follows from
// shape, precision, threads and the instructions that this process may use (with AMX also from a
// short measurement, which may go otherwise in another process), never from weights, so none are
// read. Throws kUnsupported as CpuEncoder does.
std::vector<KernelRow> EncoderKernels(const encoder::EncoderShape& shape,
                                      const ops::Variant& variant, ThreadPool& pool);

// "-" for none, "0", "1-5", "0,2".
std::string LayerList(const std::vector<int>& layers);

// A table for each variant; for one that this machine can't run, the reason.
std::string KernelTables(const encoder::EncoderShape& shape,
                         const std::vector<ops::Variant>& variants, ThreadPool& pool);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_KERNELS_H_
