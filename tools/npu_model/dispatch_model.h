// Predicts what surrounds the array's work: dispatches, runlists, waking up; and single streams
// between host memory and the array. By the constants that the simulated device runs on.
#ifndef TOOLS_NPU_MODEL_DISPATCH_MODEL_H_
#define TOOLS_NPU_MODEL_DISPATCH_MODEL_H_

#include <cstddef>
#include <string>

#include "tools/npu_model/prediction.h"

namespace xdna::model {

struct DispatchQuery {
  std::string preset = "8700g-1.8";
  std::string host = "cpp";
  std::string mode = "single";  // each run waited for, or "runlist": all in one
  std::size_t count = 1;
  std::size_t bytes = 4096;  // that each run copies through a memory tile, there and back
};

// Of all `count` runs. Throws kInvalidArgument for a name that doesn't exist or a count of 0.
Prediction PredictDispatch(const DispatchQuery& query);

// A run on its own after the device had nothing to do for so long.
struct IdleQuery {
  std::string preset = "8700g-1.8";
  std::string host = "cpp";
  double gap_s = 0;
};
Prediction PredictIdle(const IdleQuery& query);

// Tasks of one channel of one shim, one after another.
struct StreamQuery {
  std::string preset = "phx-1.0";
  bool to_array = true;  // MM2S, else S2MM
  std::size_t tasks = 8;
  std::size_t words = 16384;  // of 32 bits, each task
};
Prediction PredictStream(const StreamQuery& query);

// A copy of host memory through `channels` of the shims (1 to 8, as many each way) and memory
// tiles.
struct CopyQuery {
  std::string preset = "8700g-1.8";
  std::size_t channels = 1;
  std::size_t bytes = 0;  // in all, a multiple of 4096 for each channel
  std::size_t reads = 1;  // times that all is read; written once, during the last one
};
Prediction PredictCopy(const CopyQuery& query);

}  // namespace xdna::model

#endif  // TOOLS_NPU_MODEL_DISPATCH_MODEL_H_
