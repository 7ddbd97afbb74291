// The tile search of an op on the NPU's array: what is asked of the op's contract, the time model,
// the simulator and the reference, and the cache in front of them.
#ifndef BENCH_OP_TUNE_H_
#define BENCH_OP_TUNE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "bench/op_point.h"
#include "bench/tune.h"
#include "bench/tune_cache.h"
#include "device/measure.h"
#include "golden/store.h"
#include "ops/contract.h"

namespace xdna::bench {

struct TuneOptions {
  device::DeviceOptions npu;
  std::uint64_t seed = 1;
  int threads = 1;
  std::size_t simulate = kTuneSimulated;
  std::string cache;   // a folder; empty: none
  bool again = false;  // search even where the cache has it
};

struct TunedOp {
  TuneResult result;
  bool cached = false;
  std::string date;      // of the search
  std::string warnings;  // lines, each with its end
  double host_s = 0;     // that the search took
};

// What a search at `point` (but for its tile and columns) on so many columns follows from.
TuneKey TuneKeyOf(const ops::Contract& op, const OpPoint& point,
                  const std::vector<std::size_t>& columns, const TuneOptions& options);
// The op's legal tiles there.
TuneSpace TuneSpaceOf(const ops::Contract& op, const OpPoint& point,
                      const std::vector<std::size_t>& columns);

// Out of the cache, or searched now and kept if there is a winner. The device is configured anew.
TunedOp TuneOp(const ops::Contract& op, const golden::Store& store, const OpPoint& point,
               const std::vector<std::size_t>& columns, const TuneOptions& options,
               ThreadPool& pool);

// "linear/m=1500,.../bf16/array, batch all, context, columns 1,2,4" and where the result is from.
std::string TuneHeading(const ops::Contract& op, const OpPoint& point, const TunedOp& tuned);

}  // namespace xdna::bench

#endif  // BENCH_OP_TUNE_H_
