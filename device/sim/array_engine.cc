#include "device/sim/array_engine.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "device/array/overlay_routes.h"
#include "device/sim/event_queue.h"

namespace xdna::device {
namespace {

// Events without any word to or from host memory and without any instruction: some seconds of the
// host's time, and far more than the longest loop over tile memory needs.
constexpr std::uint64_t kMostIdleEvents = 20'000'000;
constexpr std::uint64_t kMostSettlingEvents = 2'000'000;

}  // namespace

ArrayEngine::ArrayEngine(const Overlay& overlay, const ArrayTiming& timing, ArrayOptions options)
    : overlay_(overlay), timing_(timing), options_(std::move(options)), bus_(timing_) {
  core_call_ = ToTicks(timing_.core_call);
  lock_latency_ = ToTicks(timing_.lock_latency);
  descriptor_start_ = ToTicks(timing_.descriptor_start);
  Build();
  BuildRoutes();
  BuildCores();
  StartAll();
}

void ArrayEngine::Build() {
  if (options_.functional) memory_.emplace(overlay_);
  for (const Lock& lock : overlay_.locks) locks_.push_back({.value = lock.initial});
  for (const Descriptor& d : overlay_.descriptors) {
    walks_.push_back(MakeWalk(d.pattern, d.bytes));
  }
  activations_.resize(overlay_.descriptors.size());
  const double us_per_tick = 1e6 / timing_.clock_hz / static_cast<double>(kTicksPerCycle);
  const auto add_lane = [&](const char* group, const std::string& name, const char* work) {
    lanes_.emplace_back(name, work);
    if (options_.trace != nullptr) {
      lanes_.back().TraceTo(options_.trace, options_.trace->Lane(group, name), us_per_tick);
    }
    return lanes_.size() - 1;
  };
  for (const Channel& channel : overlay_.channels) {
    ChannelState state;
    state.sends = channel.sends;
    state.shim = channel.tile.engine() == Engine::kShim;
    if (state.shim) state.lane = add_lane("shim", channel.name(), "move");
    channels_.push_back(std::move(state));
  }
  for (const Program& program : overlay_.programs) {
    if (program.body.empty()) continue;
    CoreActor core;
    core.lane = add_lane("core", program.tile.name(), "compute");
    cores_.push_back(std::move(core));
  }
}

void ArrayEngine::BuildRoutes() {
  const RoutePlan plan = PlanRoutes(overlay_);
  for (std::size_t i = 0; i < overlay_.routes.size(); ++i) {
    const Route& route = overlay_.routes[i];
    RouteState state;
    state.from = static_cast<std::size_t>(route.from);
    state.latency = ToTicks(timing_.switch_hop * plan.switches[i]);
    state.host = channels_[state.from].shim;
    channels_[state.from].route = i;
    for (const int receiver : route.to) {
      const auto to = static_cast<std::size_t>(receiver);
      state.to.push_back(to);
      state.host |= channels_[to].shim;
      channels_[to].route = i;
    }
    routes_.push_back(std::move(state));
  }
}

void ArrayEngine::BuildCores() {
  std::size_t index = 0;
  for (const Program& program : overlay_.programs) {
    if (program.body.empty()) continue;
    CoreActor& core = cores_[index];
    core.program = &program;
    core.ops = CompileProgram(overlay_, program);
    core.ports.resize(program.ports.size());
    core.rtps.resize(program.rtps);
    for (std::size_t c = 0; c < channels_.size(); ++c) {
      if (ChannelAt(c).tile == program.tile) core.channels.push_back(c);
    }
    core_at_[program.tile] = index++;
    for (const Port& port : program.ports) {
      for (const int buffer : port.buffers) {
        share_memory_ |= overlay_.buffers[static_cast<std::size_t>(buffer)].tile != program.tile;
      }
    }
    for (const CoreOp& op : core.ops) {
      for (const Argument& a : op.arguments) {
        share_memory_ |= a.kind == Argument::Kind::kBuffer &&
                         overlay_.buffers[static_cast<std::size_t>(a.index)].tile != program.tile;
      }
    }
  }
}

void ArrayEngine::StartAll() {
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    if (channels_[c].shim) continue;
    channels_[c].descriptor = static_cast<std::size_t>(ChannelAt(c).first);
    StartDescriptor(c);
  }
  for (std::size_t i = 0; i < cores_.size(); ++i) events_.Push(now_, EventKind::kCore, i);
}

void ArrayEngine::Dispatch(const Event& event) {
  switch (event.kind) {
    case EventKind::kCore:
      return CoreEvent(event.index);
    case EventKind::kJoin:
      return Join(event.index);
    case EventKind::kStepEnd:
      return EndStep(event.index);
    case EventKind::kBus:
      if (event.index == bus_version_) BusEvent();
      return;
    case EventKind::kCommand:
      return CommandEvent();
  }
}

void ArrayEngine::EventLoop(std::uint64_t most_idle_events, const char* endless) {
  idle_events_ = 0;
  const bool settles = stream_ended_;
  while (reason_.empty() && stream_ended_ == settles && !events_.empty()) {
    const Event event = events_.Pop();
    now_ = event.time;
    Dispatch(event);
    if (++idle_events_ > most_idle_events) Fail("{}; {}", endless, WhoWaits());
  }
}

ArrayResult ArrayEngine::Run(std::span<const Instruction> instructions,
                             std::span<const DeviceMemory> memory) {
  if (!reason_.empty()) {
    ArrayResult result;
    result.reason = fmt::format("the array needs a reset after: {}", reason_);
    return result;
  }
  instructions_ = instructions;
  host_memory_ = memory;
  instruction_ = 0;
  stream_ended_ = false;
  result_ = {};
  const Ticks begin = now_;
  for (Lane& lane : lanes_) lane.BeginRun(now_);
  BeginInstruction();
  EventLoop(kMostIdleEvents, "cores or channels run on without end, while no data moves");
  if (reason_.empty() && !stream_ended_) Fail("deadlock: {}", WhoWaits());

  result_.cycles = ToCycles(now_ - begin);
  for (Lane& lane : lanes_) result_.lanes.push_back(lane.EndRun(now_));
  for (const CoreActor& core : cores_) {
    result_.core_cycles_max = std::max(result_.core_cycles_max, result_.lanes[core.lane].busy);
  }
  // Between two runs, the array comes to rest.
  stream_ended_ = true;
  EventLoop(kMostSettlingEvents, "cores or channels run on without end after the last instruction");
  FlushCalls();
  CheckGuards();
  result_.completed = reason_.empty();
  result_.reason = reason_;
  instructions_ = {};
  host_memory_ = {};
  return std::move(result_);
}

void ArrayEngine::CheckGuards() {
  if (!memory_) return;
  for (std::size_t i = 0; i < overlay_.buffers.size(); ++i) {
    if (memory_->Intact(i)) continue;
    const Buffer& buffer = overlay_.buffers[i];
    Fail("a kernel on {} wrote past buffer {} ({} bytes)", buffer.tile.name(), buffer.name,
         buffer.bytes);
  }
}

}  // namespace xdna::device
