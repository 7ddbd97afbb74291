// The simulated array: runs an overlay and an instruction stream, with data and in virtual time.
//
// Discrete events. A core executes its program statement by statement; a DMA channel its
// descriptors; the command processor the instruction stream. Locks order them as on hardware, so
// that ping-pong overlap, starvation and deadlock come out of the events. A stream moves data in
// steps: as much as the descriptors at both ends (all receivers of a broadcast) have left, once all
// of them hold their locks; the step takes words / rate, where the shims share host memory's
// bandwidth. Data moves at the step's end, through the real address patterns.
#ifndef DEVICE_SIM_SIM_ARRAY_H_
#define DEVICE_SIM_SIM_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_pool.h"
#include "device/array/instructions.h"
#include "device/array/overlay.h"
#include "device/sim/timing.h"
#include "device/sim/trace.h"

namespace xdna::device {

struct ArrayOptions {
  std::string codegen = "chess";  // who compiled the cores' programs: "chess" or "peano"
  bool functional = true;         // false: time only, no data is read or written
  ThreadPool* pool = nullptr;     // runs the kernels' bodies; null: the calling thread does
  Trace* trace = nullptr;         // gets every lane's intervals; null: none kept
};

// Where the cycles of one lane (a core, a shim channel) went; the parts add up to the run's cycles.
struct LaneTotals {
  std::string name;
  double busy = 0;         // computing, or moving data
  double wait_input = 0;   // core: for a full object; channel: for its lock or task
  double wait_output = 0;  // core: for an empty object; channel: for the other end of the stream
  double idle = 0;         // before the first and after the last work of the run
};

struct ArrayResult {
  bool completed = false;
  std::string reason;             // of a run that is not: "deadlock: core(0,2) waits for lock ... "
  double cycles = 0;              // from the first instruction to the end of the last
  double instruction_cycles = 0;  // of the command processor itself, waiting excluded
  std::uint64_t bytes_read = 0;   // of host memory
  std::uint64_t bytes_written = 0;
  std::uint64_t kernel_calls = 0;
  double core_cycles_max = 0;  // of the busiest core
  std::vector<LaneTotals> lanes;
};

// A buffer argument as the device sees it. Writing past it ends the run with a reason.
struct DeviceMemory {
  std::span<std::byte> bytes;
};

class ArrayEngine;

class SimArray {
 public:
  // Throws kInvalidArgument where CheckOverlay() says no, or a kernel isn't in the table. All tile
  // memory is poisoned with 0xA5; guard bands lie around each buffer.
  SimArray(const Overlay& overlay, const ArrayTiming& timing, ArrayOptions options);
  ~SimArray();

  // Runs one instruction stream to its end. A stream that ends before the tasks that it pushed has
  // failed. Between two runs the array comes to rest, outside of the measured cycles. `memory` is
  // looked at only if functional, or not empty: then for the ranges of descriptors. Lock values,
  // memory and the cores' positions stay for the next, as on hardware. After a run that did not
  // complete, the array must be reset (a new SimArray). Same inputs, same bits and cycles, whatever
  // the pool.
  ArrayResult Run(std::span<const Instruction> instructions, std::span<const DeviceMemory> memory);

 private:
  // Configuration `index` of the overlay.
  const Overlay& At(std::size_t index) const;
  double ConfigureCycles(std::size_t index) const;
  // The part of a stream that needs no other configuration.
  void RunPart(std::span<const Instruction> part, std::span<const DeviceMemory> memory,
               ArrayResult& total);
  void RunConfigure(const Configure& configure, ArrayResult& total);

  Overlay overlay_;
  ArrayTiming timing_;
  ArrayOptions options_;
  std::string failed_;                   // why the array needs a reset
  std::unique_ptr<ArrayEngine> engine_;  // of the present configuration
};

}  // namespace xdna::device

#endif  // DEVICE_SIM_SIM_ARRAY_H_
