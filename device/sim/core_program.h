// A core's program as a flat list of operations, and the values that its numbers have.
#ifndef DEVICE_SIM_CORE_PROGRAM_H_
#define DEVICE_SIM_CORE_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "device/array/overlay.h"
#include "device/sim/kernel_table.h"

namespace xdna::device {

struct CoreOp {
  enum class Kind : std::uint8_t { kAcquire, kRelease, kCall, kLoop, kLoopEnd, kWrap };
  Kind kind = Kind::kWrap;
  bool input = true;  // kAcquire: waiting for this lock is waiting for input
  int port = -1;      // kAcquire, kRelease: whose objects; -1: a bare lock
  int lock = -1;
  int count = 0;
  std::size_t target = 0;  // kLoop: behind its end; kLoopEnd: its body
  Value times = {};
  // kCall. The last call's numbers and cycles are kept, because most calls are like the last.
  const Kernel* kernel = nullptr;
  std::vector<Argument> arguments = {};
  std::uint32_t nulls = 0;
  std::vector<std::int32_t> last_numbers = {};
  double last_cycles = -1;
};

// Throws kNotFound where a kernel is not in the table, kInvalidArgument where a call's arguments
// are not as many as the kernel's.
std::vector<CoreOp> CompileProgram(const Overlay& overlay, const Program& program);

// The loops around an operation, innermost last.
struct LoopState {
  std::int32_t index = 0;
  std::int32_t times = 0;
};
std::int32_t ValueOf(const Value& value, std::span<const std::int32_t> rtps,
                     std::span<const LoopState> loops);

}  // namespace xdna::device

#endif  // DEVICE_SIM_CORE_PROGRAM_H_
