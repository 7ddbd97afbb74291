// Predicts a matrix product over the whole array: the overlay and instruction stream of
// kernels/array/gemm.h in the simulated array's virtual time, without any data.
#ifndef TOOLS_NPU_MODEL_GEMM_MODEL_H_
#define TOOLS_NPU_MODEL_GEMM_MODEL_H_

#include <cstddef>
#include <string>

#include "tools/npu_model/prediction.h"

namespace xdna::model {

struct GemmQuery {
  std::string preset = "phx-1.0";
  std::string in = "bf16";   // or "int8"
  std::string out = "bf16";  // or "f32"; of int8: "int8", "int16", "int32"
  std::size_t m = 0, k = 0, n = 0;
  std::size_t tile_m = 64, tile_k = 64, tile_n = 64;
  std::string codegen = "chess";    // or "peano"
  std::string host = "cpp";         // that dispatches the one run
  std::string buffers = "auto";     // of C in a core: "single", "double"
  std::string accumulate = "auto";  // C from step to step: "wide" (f32, int32) or "output"
  std::string b_layout = "rows";    // of host memory: "rows", "columns" or "packed"
  std::size_t k_mem = 0;            // of a memory tile's panel; 0: GemmConfig's own choice
  std::size_t columns = 4;          // of the array: 1, 2 or 4
  bool find_bound = true;           // takes 5 times as long
};

// `auto` takes the first of what fits: wide sums and two buffers of C, wide and one, sums of the
// output's type and two buffers, and one. Throws kInvalidArgument for names that don't exist; what
// the array can't hold is a prediction that does not fit.
Prediction PredictGemm(const GemmQuery& query);

}  // namespace xdna::model

#endif  // TOOLS_NPU_MODEL_GEMM_MODEL_H_
