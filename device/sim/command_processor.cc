// The command processor: one instruction after the other, each of which takes its time and then
// takes effect. A push waits for room in the channel's queue, which holds `task_queue_depth` tasks
// besides the one that runs.
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "device/sim/array_engine.h"

namespace xdna::device {

void ArrayEngine::BeginInstruction() {
  if (instruction_ < instructions_.size()) {
    const double cycles = CostOf(instructions_[instruction_]);
    result_.instruction_cycles += cycles;
    events_.Push(now_ + ToTicks(cycles), EventKind::kCommand, 0);
    return;
  }
  stream_ended_ = true;
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    channels_[c].tokens = 0;
    if (!channels_[c].tasks.empty()) {
      Fail("the instruction stream ends while {} still has {} tasks: it must wait for their tokens",
           ChannelAt(c).name(), channels_[c].tasks.size());
    }
  }
}

double ArrayEngine::CostOf(const Instruction& instruction) const {
  if (std::holds_alternative<WriteDescriptor>(instruction)) return timing_.block_write;
  if (std::holds_alternative<WaitToken>(instruction)) return 0;
  const auto* push = std::get_if<PushTask>(&instruction);
  if (push == nullptr) return timing_.write32;
  const auto channel = ShimChannel(push->column, push->sends, push->channel);
  if (channel && !channels_[*channel].tasks.empty()) return timing_.task_push_busy;
  return push->sends ? timing_.task_push_idle_read : timing_.task_push_idle_write;
}

void ArrayEngine::CommandEvent() {
  const Instruction& instruction = instructions_[instruction_];
  if (const Fit fit = CheckInstruction(instruction); !fit) {
    Fail("instruction {}: {}", instruction_, fit.reason);
    return;
  }
  command_stalled_ = !std::visit([&](const auto& one) { return Execute(one); }, instruction);
  if (command_stalled_ || !reason_.empty()) return;
  idle_events_ = 0;
  ++instruction_;
  BeginInstruction();
}

bool ArrayEngine::Execute(const WriteDescriptor& write) {
  ShimDescriptor& descriptor = shim_descriptors_[static_cast<std::size_t>(write.column)][write.id];
  if (descriptor.tasks > 0) {
    Fail("instruction {}: descriptor {} of {} is written while {} tasks with it are not done",
         instruction_, write.id, Tile{write.column, kShimRow}.name(), descriptor.tasks);
    return true;
  }
  descriptor.written = write;
  descriptor.walk = MakeWalk(write.pattern, write.bytes);
  descriptor.cost = 1 + timing_.ddr_run_overhead_bytes *
                            static_cast<double>(descriptor.walk.runs()) /
                            static_cast<double>(write.bytes);
  return true;
}

bool ArrayEngine::Execute(const PushTask& push) {
  const auto channel = ShimChannel(push.column, push.sends, push.channel);
  if (!channel) {
    Fail("instruction {}: the overlay has no {}", instruction_,
         Channel{{push.column, kShimRow}, push.sends, push.channel}.name());
    return true;
  }
  ShimDescriptor& descriptor =
      shim_descriptors_[static_cast<std::size_t>(push.column)][push.descriptor];
  if (descriptor.written.bytes == 0 || descriptor.written.pattern.sends != push.sends) {
    Fail("instruction {}: descriptor {} for {} {}", instruction_, push.descriptor,
         ChannelAt(*channel).name(),
         descriptor.written.bytes == 0 ? "was never written" : "is for the other direction");
    return true;
  }
  if (!CheckRange(descriptor, push)) return true;
  ChannelState& state = channels_[*channel];
  if (state.tasks.size() > timing_.task_queue_depth) return false;
  ++descriptor.tasks;
  state.tasks.push_back({push.descriptor, push.repeat, push.token, now_});
  if (state.tasks.size() == 1) {
    const double start = push.sends ? timing_.shim_task_start_read : timing_.shim_task_start_write;
    StartExecution(*channel, now_ + ToTicks(start));
  }
  return true;
}

bool ArrayEngine::Execute(const WaitToken& wait) {
  const auto channel = ShimChannel(wait.column, wait.sends, wait.channel);
  if (!channel) {
    Fail("instruction {}: the overlay has no {}", instruction_,
         Channel{{wait.column, kShimRow}, wait.sends, wait.channel}.name());
    return true;
  }
  if (channels_[*channel].tokens == 0) return false;
  --channels_[*channel].tokens;
  return true;
}

bool ArrayEngine::Execute(const WriteRtp& write) {
  const auto found = core_at_.find(write.tile);
  if (found == core_at_.end() || write.index >= cores_[found->second].rtps.size()) {
    Fail("instruction {}: {} has no run-time parameter {}", instruction_, write.tile.name(),
         write.index);
    return true;
  }
  CoreActor& core = cores_[found->second];
  core.rtps[write.index] = write.value;
  if (std::exchange(core.parked, false)) events_.Push(now_, EventKind::kCore, found->second);
  return true;
}

bool ArrayEngine::Execute(const SetLock& set) {
  for (std::size_t i = 0; i < locks_.size(); ++i) {
    if (overlay_.locks[i].tile != set.tile || overlay_.locks[i].id != set.id) continue;
    locks_[i].value = set.value;
    Serve(i);
    return true;
  }
  Fail("instruction {}: the overlay has no lock {} on {}", instruction_, set.id, set.tile.name());
  return true;
}

// SimArray puts another engine in the place of this one.
bool ArrayEngine::Execute(const Configure& /*configure*/) {
  Fail("instruction {}: an engine has one configuration", instruction_);
  return true;
}

std::optional<std::size_t> ArrayEngine::ShimChannel(int column, bool sends,
                                                    unsigned channel) const {
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    const Channel& config = ChannelAt(c);
    if (channels_[c].shim && config.tile.col == column && config.sends == sends &&
        config.index == channel) {
      return c;
    }
  }
  return std::nullopt;
}

}  // namespace xdna::device
