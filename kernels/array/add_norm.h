// The residual stream's step (kernels/add_norm) over the whole array.
//
// A core's object holds rows of the stream and of the block's output behind them, and so does what
// it makes: two streams each way through a memory tile would need more of its channels than it has.
// With one buffer for the results in the memory tile, two for the operands, its 48 descriptors just
// suffice.
#ifndef KERNELS_ARRAY_ADD_NORM_H_
#define KERNELS_ARRAY_ADD_NORM_H_

#include <cstddef>
#include <vector>

#include "device/array/instructions.h"
#include "device/array/overlay.h"

namespace xdna::kernels {

struct AddNormConfig {
  std::size_t rows = 4;     // of a core's call
  std::size_t width = 512;  // a multiple of 16
  std::size_t columns = 4;  // 1 to 4
};

// Rows in whole groups of all cores: what buffers are sized for.
std::size_t PaddedRows(const AddNormConfig& config, std::size_t rows);

// Throws kInvalidArgument, with the reason, for what the array can't hold.
device::Overlay AddNormOverlay(const AddNormConfig& config);

// Buffers of a run, in argument order, dense and of padded rows: x f32, delta bf16; sum f32,
// y bf16.
std::vector<device::Instruction> AddNormInstructions(const AddNormConfig& config, std::size_t rows);

}  // namespace xdna::kernels

#endif  // KERNELS_ARRAY_ADD_NORM_H_
