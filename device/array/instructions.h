// The instruction stream of a run: what the command processor writes to the array, one after the
// other, as in mlir-aie's transactions (insts.bin). It programs the shims' DMA with the run's
// buffers, waits for them, and sets run-time parameters.
#ifndef DEVICE_ARRAY_INSTRUCTIONS_H_
#define DEVICE_ARRAY_INSTRUCTIONS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "device/array/overlay.h"
#include "device/array/pattern.h"

namespace xdna::device {

// Descriptor `id` of a column's shim: `pattern` of buffer argument `argument` (0 is the first after
// the instruction count), from byte `offset` on. A block write of 8 words and an address patch.
struct WriteDescriptor {
  int column = 0;
  unsigned id = 0;
  unsigned argument = 0;
  std::size_t offset = 0;  // bytes
  std::size_t bytes = 0;   // of one execution
  Pattern pattern = {};    // engine kShim; no dims: `bytes` in order
};

// Queues the descriptor on a channel: executed `repeat` times, each `pattern.iteration` further.
struct PushTask {
  int column = 0;
  bool sends = false;  // MM2S: from host memory into the array
  unsigned channel = 0;
  unsigned descriptor = 0;
  unsigned repeat = 1;  // 1 to 256
  bool token = false;   // report the end, for WaitToken
};

// Waits until a task with a token on this channel has ended; each token is taken once.
struct WaitToken {
  int column = 0;
  bool sends = false;
  unsigned channel = 0;
};

struct WriteRtp {
  Tile tile = {};
  unsigned index = 0;
  std::int32_t value = 0;
};

struct SetLock {
  Tile tile = {};
  unsigned id = 0;
  int value = 0;
};

// Makes the array what the overlay (0) or its alternative `index` - 1 says: locks, channels,
// descriptors and switches are written, the cores' programs start anew, and what tile memory held
// is gone. All tasks before it must have ended. A write each, as of WritesOf().
struct Configure {
  unsigned index = 0;
};

using Instruction =
    std::variant<WriteDescriptor, PushTask, WaitToken, WriteRtp, SetLock, Configure>;

// Whether the registers can hold it.
Fit CheckInstruction(const Instruction& instruction);

// To the words of an instruction buffer and back; a header carries magic, version and word count.
// DecodeInstructions throws kCorrupt, naming the word; both throw kInvalidArgument for what the
// registers can't hold (a pattern that does not fit, a descriptor id of 16 or more, ...).
std::vector<std::uint32_t> EncodeInstructions(std::span<const Instruction> instructions);
std::vector<Instruction> DecodeInstructions(std::span<const std::uint32_t> words);

}  // namespace xdna::device

#endif  // DEVICE_ARRAY_INSTRUCTIONS_H_
