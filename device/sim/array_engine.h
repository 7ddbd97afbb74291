// The engine behind SimArray: the state of everything on the array, and the events that change it.
//
// array_engine.cc: the event loop; core_actor.cc: programs of cores, kernels; dma_channel.cc:
// locks, descriptors, tasks; stream.cc: steps of routes; command_processor.cc: instructions;
// stuck.cc: who waits for what.
#ifndef DEVICE_SIM_ARRAY_ENGINE_H_
#define DEVICE_SIM_ARRAY_ENGINE_H_

#include <fmt/core.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "device/array/instructions.h"
#include "device/array/overlay.h"
#include "device/sim/core_program.h"
#include "device/sim/event_queue.h"
#include "device/sim/host_memory_bus.h"
#include "device/sim/lanes.h"
#include "device/sim/pattern_cursor.h"
#include "device/sim/sim_array.h"
#include "device/sim/tile_memory.h"
#include "device/sim/timing.h"

namespace xdna::device {

class ArrayEngine {
 public:
  ArrayEngine(const Overlay& overlay, const ArrayTiming& timing, ArrayOptions options);
  ArrayResult Run(std::span<const Instruction> instructions, std::span<const DeviceMemory> memory);

 private:
  // Who waits for a lock. They are served in the order of their coming, those first that can be.
  struct Waiter {
    bool core;  // else a channel
    std::size_t index;
    int wants;
  };
  struct LockState {
    int value = 0;
    std::vector<Waiter> waiters = {};
  };

  // A shim's task: `pattern` of a buffer, `repeat` times.
  struct Task {
    unsigned descriptor = 0;
    unsigned repeat = 1;
    bool token = false;
    Ticks pushed = 0;
  };

  enum class Phase : std::uint8_t { kStopped, kWaitsForLock, kActive };
  struct ChannelState {
    Phase phase = Phase::kStopped;
    bool shim = false;
    bool sends = false;
    std::size_t route = 0;
    std::size_t descriptor = 0;  // of a core or memory tile: the present one
    Ticks ready = 0;             // kActive: when the first word can move
    std::uint64_t words_left = 0;
    PatternCursor cursor = {};
    std::uint64_t words_moved = 0;  // ever
    // Shims only: the present task is the first.
    std::deque<Task> tasks = {};
    unsigned executions = 0;  // of the present task, that have ended
    unsigned tokens = 0;
    std::size_t lane = 0;
  };

  struct RouteState {
    std::size_t from = 0;
    std::vector<std::size_t> to = {};
    bool host = false;  // an end is a shim
    Ticks latency = 0;
    bool moving = false;
    Ticks begin = 0, end = 0;  // of the present step; the end where host memory has no part
    std::uint64_t words = 0;
    Ticks last_end = -1;  // of the step before; -1: none yet
  };

  // A descriptor of a shim, as the instruction stream wrote it.
  struct ShimDescriptor {
    WriteDescriptor written = {};
    PatternWalk walk = {};
    double cost = 1;     // of host memory's bandwidth, per byte
    unsigned tasks = 0;  // queued with it
  };

  struct PortState {
    std::size_t oldest = 0;
  };
  // A call whose body is still to run: kernel, then slices of the core's lists.
  struct PendingCall {
    const CoreOp* op;
    std::size_t pointers, numbers;
  };
  enum class Doing : std::uint8_t { kNext, kAcquiring, kReleasing, kCalling, kStretched };
  struct CoreActor {
    const Program* program = nullptr;
    std::vector<CoreOp> ops = {};
    std::vector<std::size_t> channels = {};  // of its tile
    std::vector<PortState> ports = {};
    std::vector<std::int32_t> rtps = {};
    std::size_t next = 0;  // operation
    Doing doing = Doing::kNext;
    bool waits = false;   // for the lock of its operation
    bool parked = false;  // for a run-time parameter
    std::vector<LoopState> loops = {};
    std::uint64_t since_wait = 0;  // operations
    bool acquired = false;         // in this pass over the program
    bool called = false;
    double words_at_call = 0;  // that its channels had moved
    std::vector<PendingCall> calls = {};
    std::vector<void*> call_pointers = {};
    std::vector<std::int32_t> call_numbers = {};
    CoreState state = {};
    std::string error = {};  // of a kernel's body
    std::size_t lane = 0;
  };

  // array_engine.cc
  void Build();
  void BuildRoutes();
  void BuildCores();
  void StartAll();
  void Dispatch(const Event& event);
  void EventLoop(std::uint64_t most_idle_events, const char* endless);
  void CheckGuards();
  template <typename... Args>
  void Fail(fmt::format_string<Args...> format, Args&&... args) {
    if (reason_.empty()) reason_ = fmt::format(format, std::forward<Args>(args)...);
  }
  const Channel& ChannelAt(std::size_t index) const { return overlay_.channels[index]; }

  // core_actor.cc
  void CoreEvent(std::size_t index);
  bool EndOperation(CoreActor& core, std::size_t index);
  bool StartOperation(CoreActor& core, std::size_t index);
  void StartAcquire(CoreActor& core, std::size_t index);
  void StartCall(CoreActor& core, std::size_t index);
  bool Wrap(CoreActor& core);
  void* Pointer(const CoreActor& core, const Argument& argument) const;
  double WordsMoved(const CoreActor& core) const;
  void FlushCalls();
  void RunCalls(CoreActor& core);
  bool ArgumentsIntact(const CoreActor& core, const CoreOp& op, std::string& buffer) const;

  // dma_channel.cc
  bool TryAcquire(std::size_t lock, const Waiter& waiter);
  void Release(std::size_t lock, int count, Tile who);
  void Serve(std::size_t lock);
  void StartDescriptor(std::size_t channel);
  void Activate(std::size_t channel);
  void EndExecution(std::size_t channel);
  bool CheckRange(const ShimDescriptor& descriptor, const PushTask& push);
  void StartExecution(std::size_t channel, Ticks ready);

  // stream.cc
  void TryStart(std::size_t route);
  void Join(std::size_t route);
  void BusChanged();
  void BusEvent();
  void EndStep(std::size_t route);
  void Copy(RouteState& route, std::size_t bytes);
  double WordsMovedNow(std::size_t channel) const;

  // command_processor.cc
  void BeginInstruction();
  double CostOf(const Instruction& instruction) const;
  void CommandEvent();
  bool Execute(const WriteDescriptor& write);
  bool Execute(const PushTask& push);
  bool Execute(const WaitToken& wait);
  bool Execute(const WriteRtp& write);
  bool Execute(const SetLock& set);
  bool Execute(const Configure& configure);
  std::optional<std::size_t> ShimChannel(int column, bool sends, unsigned channel) const;

  // stuck.cc
  std::string WhoWaits() const;
  std::string LockText(int lock, int wants) const;

  const Overlay overlay_;
  const ArrayTiming timing_;
  const ArrayOptions options_;
  Ticks core_call_ = 0, lock_latency_ = 0, descriptor_start_ = 0;

  EventQueue events_;
  Ticks now_ = 0;
  std::string reason_;             // why the run failed
  std::uint64_t idle_events_ = 0;  // since host memory or the instruction stream last moved

  std::optional<TileMemory> memory_;
  std::vector<LockState> locks_;
  std::vector<ChannelState> channels_;
  std::vector<RouteState> routes_;
  std::vector<PatternWalk> walks_;          // of the overlay's descriptors
  std::vector<std::uint32_t> activations_;  // of each, for its iteration
  std::vector<CoreActor> cores_;
  std::vector<std::size_t> cores_with_calls_;
  std::array<std::array<ShimDescriptor, 16>, kColumns> shim_descriptors_ = {};
  HostMemoryBus bus_;
  std::uint32_t bus_version_ = 0;
  std::vector<std::size_t> bus_ended_;
  std::vector<std::byte> staging_;
  std::vector<Lane> lanes_;
  std::map<Tile, std::size_t> core_at_;
  bool share_memory_ = false;  // a core reaches into another one's tile

  // Of the present run.
  std::span<const Instruction> instructions_;
  std::span<const DeviceMemory> host_memory_;
  std::size_t instruction_ = 0;
  bool command_stalled_ = false;  // its present instruction waits
  bool stream_ended_ = true;
  ArrayResult result_;
};

}  // namespace xdna::device

#endif  // DEVICE_SIM_ARRAY_ENGINE_H_
