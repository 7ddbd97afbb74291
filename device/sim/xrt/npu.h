// The simulated NPU behind XRT's classes: its clock, its contexts, its queue of runs, its memory,
// and what it noticed about the host.
//
// Runs execute in the order of their submission, when the host waits for one (or asks for its
// state) and not before: until then no result can be in the device's memory. Their times are as if
// they had begun as soon as they could.
//
// Rules that hardware does not tell when broken, as Violation::rule:
//   read-before-wait    a buffer of a run that was not waited for is synced from the device
//   write-in-flight     ... is synced to the device, or one of its arguments set
//   freed-in-flight     ... is freed
//   use-after-free      a run is started with a buffer that is gone
//   result-of-failure   the output of a run that failed is synced from the device
//   result-ignored      a run is dropped or started again and its state was never asked for
//   host-guard          the host wrote beyond the end of its copy of a buffer
//   device-guard        the device wrote beyond the end of a buffer
#ifndef DEVICE_SIM_XRT_NPU_H_
#define DEVICE_SIM_XRT_NPU_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "device/array/instructions.h"
#include "device/array/overlay.h"
#include "device/measure.h"
#include "device/sim/sim_array.h"
#include "device/sim/timing.h"
#include "device/sim/trace.h"
#include "device/sim/xrt/bo_memory.h"
#include "device/sim/xrt/fault_plan.h"
#include "xrt/detail/ert.h"

namespace xdna::device {

inline constexpr unsigned kContexts = 6;  // amdxdna npu1: hwctx_limit
// The heap that instruction buffers come from: xdna-driver, shim/kmq/device.cpp, dev_mem_size.
inline constexpr std::size_t kInstructionHeapBytes = std::size_t{48} << 20;
inline constexpr std::size_t kHostHeapBytes = std::size_t{16} << 30;
// The driver gives a run up after so long: amdxdna aie2_ctx.c, HWCTX_MAX_TIMEOUT.
inline constexpr double kWatchdogUs = 60e6;
// The clock's step when the host polls for a state: about a system call. Polling without it would
// never end in virtual time.
inline constexpr double kPollUs = 1;

// A hardware context: an overlay that is or can be on the array.
struct Context {
  std::uint32_t slot = 0;
  Overlay overlay;
  std::unique_ptr<SimArray> array;  // null after a failure
  bool loaded = false;              // onto the array, once at least
  std::string lost;                 // why it can't run anything any more
};

// Part of a buffer, as an argument of a run.
struct BufferView {
  std::shared_ptr<BoMemory> memory;
  std::size_t offset = 0;
  std::size_t bytes = 0;
  std::span<std::byte> device() const { return memory->device.bytes().subspan(offset, bytes); }
};

// A submitted run.
struct Command {
  std::shared_ptr<Context> context;
  std::uint64_t opcode = 0;
  std::uint64_t words = 0;  // of instructions
  BufferView instructions;
  std::vector<BufferView> data;          // no memory: not set
  std::shared_ptr<bool> runlist_failed;  // shared by the runs of a runlist; null: a run on its own
  bool starts_runlist = false;

  std::uint64_t run = 0;  // the device's how-manieth, from 1
  double submitted_us = 0;
  bool executed = false;
  double end_us = 0;
  ert_cmd_state state = ERT_CMD_STATE_RUNNING;  // final once executed
  std::string reason;                           // of a state that is not COMPLETED
  bool settled = false;                         // the host has waited past its end
};

class Npu {
 public:
  explicit Npu(const DeviceOptions& options);

  // The device that xrt::device opens, and a new one in its place.
  static std::shared_ptr<Npu> Current();
  static void Configure(const DeviceOptions& options);

  // Held by every call from the host.
  std::unique_lock<std::recursive_mutex> Lock() { return std::unique_lock(mutex_); }

  const Preset& preset() const { return preset_; }
  const DeviceOptions& options() const { return options_; }

  // --- the host's side -------------------------------------------------------------------------
  // Throws xrt_core::system_error as the driver does where there is no room.
  std::shared_ptr<Context> CreateContext(Overlay overlay);
  // Ends what the context still runs or has queued, as the driver does.
  void CloseContext(const std::shared_ptr<Context>& context);
  std::shared_ptr<BoMemory> CreateBuffer(std::size_t bytes, std::uint32_t flags,
                                         std::uint32_t group);
  void FreeBuffer(BoMemory& memory);
  void SyncToDevice(BoMemory& memory, std::size_t offset, std::size_t bytes);
  void SyncFromDevice(BoMemory& memory, std::size_t offset, std::size_t bytes);
  // One run, or those of a runlist.
  void Submit(std::span<const std::shared_ptr<Command>> commands);
  // Until the command's end, or for `timeout_us` where that is above 0; false if that was shorter.
  bool Wait(Command& command, double timeout_us);
  // Nobody will wait for it any more.
  static void Abandon(Command& command) { Settle(command); }
  // Whether the command has ended by now.
  bool Poll(Command& command);
  void Idle(double us) { Spend(&TimeSplit::idle, us, "idle"); }

  void Report(const char* rule, std::string message);

  double now_us() const { return now_us_; }
  const TimeSplit& spent() const { return spent_; }
  const std::optional<ArrayResult>& last_result() const { return last_result_; }
  std::vector<Violation>& violations() { return violations_; }
  const std::vector<InjectedFault>& faults() const { return faults_; }
  const Trace& trace() const { return trace_; }

 private:
  using Part = double TimeSplit::*;
  // A stretch of the device's time, for the host's account when it waits.
  struct Segment {
    Part part;
    double begin_us;
    double end_us;
  };

  void Spend(Part part, double us, const char* what);
  void WaitUntil(double us);
  void ExecuteUntil(const Command& last);
  void Execute(Command& command);
  void WakeUp(const Command& command);
  void PutOnArray(const std::shared_ptr<Context>& context);
  std::unique_ptr<SimArray> MakeArray(const Overlay& overlay);
  void RunArray(Command& command, Fault fault);
  void EndRun(Command& command, const ArrayResult& result);
  static void Fail(Command& command, ert_cmd_state state, std::string reason);
  bool InjectState(Command& command, Fault fault);
  void InjectData(const Command& command, Fault fault, std::span<const Instruction> instructions);
  void Log(const Command& command, Fault fault, bool in_state, std::string what);
  void Advance(Part part, double us, const char* what);  // the device's time
  static void Settle(Command& command);

  std::recursive_mutex mutex_;
  DeviceOptions options_;
  const Preset& preset_;
  const HostProfile& host_;
  FaultPlan plan_;
  ThreadPool pool_;
  Trace trace_;
  int host_lane_ = 0;
  int firmware_lane_ = 0;

  double now_us_ = 0;
  TimeSplit spent_;
  double device_us_ = 0;  // until when the device has work, or had
  double awake_us_ = 0;   // the last use of the device that was no run
  std::vector<Segment> segments_;
  std::deque<std::shared_ptr<Command>> queue_;
  std::uint64_t runs_ = 0;

  std::vector<std::weak_ptr<Context>> contexts_;
  std::weak_ptr<Context> on_array_;
  std::size_t host_bytes_ = 0;
  std::size_t instruction_bytes_ = 0;
  std::uint64_t next_address_ = 0x4000000;

  std::optional<ArrayResult> last_result_;
  std::vector<Violation> violations_;
  std::vector<InjectedFault> faults_;
};

}  // namespace xdna::device

#endif  // DEVICE_SIM_XRT_NPU_H_
