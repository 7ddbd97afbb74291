// The modelled time of a point on the NPU's array: where it goes, what bounds it, and how it
// compares with what the array could do.
#ifndef BENCH_ARRAY_TIME_H_
#define BENCH_ARRAY_TIME_H_

#include <cstdint>
#include <map>
#include <string>

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "bench/op_point.h"
#include "device/measure.h"
#include "ops/contract.h"
#include "ops/internal/npu_array.h"

namespace xdna::bench {

// What the array can do at most.
struct ArrayPeak {
  double flops = 0;  // a second: 16 cores of 128 bf16 or 256 int8 multiply-adds a cycle
  double bytes = 0;  // a second, read from host memory
};
ArrayPeak ArrayPeakOf(const std::string& preset, ops::Precision precision);

// One call of the op, its overlays loaded by an earlier one.
struct ArrayTime {
  double us = 0;
  device::TimeSplit split;  // adds up to `us`
  ops::ArrayTotals totals;
  double host_s = 0;                            // of real time, on this machine, to find it out
  std::map<std::string, std::string> overlays;  // SHA-256 of each container, by its name

  double context_us() const {
    return split.context_create + split.load + split.context_switch + split.wake;
  }
  double bytes_per_s() const { return (totals.bytes_read + totals.bytes_written) / us * 1e6; }
};

// Makes a device that moves no data, and times the point on it. Throws kUnsupported and
// kInvalidArgument where the op can't run so.
ArrayTime TimeOnArray(const ops::Contract& op, const OpPoint& point, const TensorMap& inputs,
                      const device::DeviceOptions& device, ThreadPool& pool);

// "dispatch" where the array itself takes less than half of the time; else what of it was busy the
// longest: "compute" (the busiest core), "dma" (the busiest shim channel), "ddr" (all bytes at the
// shared rate of host memory, where that leaves the channels no more than a tenth), "issue" (the
// instruction stream).
std::string BoundOf(const ArrayTime& time, const std::string& preset);

// Rows of a call of the op, and of one of its runs.
std::int64_t RowsOf(const OpPoint& point);
std::int64_t BatchOf(const OpPoint& point);

// `point`'s choice as ops take it.
ops::ArrayOptions ArrayOptionsOf(const OpPoint& point, bool data);

}  // namespace xdna::bench

#endif  // BENCH_ARRAY_TIME_H_
