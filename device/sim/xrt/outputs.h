// Which bytes of a run's buffers its instruction stream makes the array write.
#ifndef DEVICE_SIM_XRT_OUTPUTS_H_
#define DEVICE_SIM_XRT_OUTPUTS_H_

#include <cstddef>
#include <functional>
#include <span>

#include "device/array/instructions.h"

namespace xdna::device {

// Calls `piece` for each contiguous piece of each task that receives from the array, in order.
using OutputPiece = std::function<void(unsigned argument, std::size_t offset, std::size_t bytes)>;
void ForEachOutput(std::span<const Instruction> instructions, const OutputPiece& piece);

}  // namespace xdna::device

#endif  // DEVICE_SIM_XRT_OUTPUTS_H_
