// Cores: their programs, and the bodies of the kernels they call.
//
// A statement takes `core_call` cycles, and a call those of the kernel as well, stretched by
// `bank_steal` for each cycle's worth of words that the tile's channels move meanwhile (words that
// move during the stretch itself don't stretch it further). Bodies run later than their calls
// begin, but before any release after them: then all that have begun run, on the pool.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "device/sim/array_engine.h"

namespace xdna::device {
namespace {

constexpr std::uint64_t kMostOperations = 10'000'000;  // between two acquisitions

}  // namespace

void ArrayEngine::CoreEvent(std::size_t index) {
  CoreActor& core = cores_[index];
  if (!EndOperation(core, index)) return;
  while (reason_.empty() && StartOperation(core, index)) {
  }
}

// Lets the present operation take effect; false where it goes on.
bool ArrayEngine::EndOperation(CoreActor& core, std::size_t index) {
  const CoreOp& op = core.ops[core.next];
  switch (core.doing) {
    case Doing::kNext:
      return true;
    case Doing::kAcquiring:
      core.waits = false;
      core.acquired = true;
      core.since_wait = 0;
      break;
    case Doing::kReleasing:
      if (!cores_with_calls_.empty()) FlushCalls();
      if (op.port >= 0) {
        const std::size_t n = core.program->ports[static_cast<std::size_t>(op.port)].buffers.size();
        PortState& port = core.ports[static_cast<std::size_t>(op.port)];
        port.oldest = (port.oldest + static_cast<std::size_t>(op.count)) % n;
      }
      Release(static_cast<std::size_t>(op.lock), op.count, core.program->tile);
      break;
    case Doing::kCalling:
      if (timing_.bank_steal > 0) {
        const double words = WordsMoved(core) - core.words_at_call;
        const Ticks stretch = ToTicks(timing_.bank_steal * words / timing_.stream_words_per_cycle);
        if (stretch > 0) {
          core.doing = Doing::kStretched;
          events_.Push(now_ + stretch, EventKind::kCore, index);
          return false;
        }
      }
      break;
    case Doing::kStretched:
      break;
  }
  core.doing = Doing::kNext;
  ++core.next;
  return true;
}

// Begins the next operation; true where it took no time and is over.
bool ArrayEngine::StartOperation(CoreActor& core, std::size_t index) {
  if (++core.since_wait > kMostOperations) {
    Fail("{} runs {} statements without acquiring anything", core.program->tile.name(),
         kMostOperations);
    return false;
  }
  const CoreOp& op = core.ops[core.next];
  switch (op.kind) {
    case CoreOp::Kind::kAcquire:
      StartAcquire(core, index);
      return false;
    case CoreOp::Kind::kRelease:
      core.doing = Doing::kReleasing;
      lanes_[core.lane].Set(LaneState::kBusy, now_);
      events_.Push(now_ + core_call_, EventKind::kCore, index);
      return false;
    case CoreOp::Kind::kCall:
      StartCall(core, index);
      return false;
    case CoreOp::Kind::kLoop: {
      const std::int32_t times = ValueOf(op.times, core.rtps, core.loops);
      if (times > 0) core.loops.push_back({0, times});
      core.next = times > 0 ? core.next + 1 : op.target;
      return true;
    }
    case CoreOp::Kind::kLoopEnd:
      if (++core.loops.back().index < core.loops.back().times) {
        core.next = op.target;
      } else {
        core.loops.pop_back();
        ++core.next;
      }
      return true;
    case CoreOp::Kind::kWrap:
      return Wrap(core);
  }
  return false;
}

void ArrayEngine::StartAcquire(CoreActor& core, std::size_t index) {
  const CoreOp& op = core.ops[core.next];
  core.doing = Doing::kAcquiring;
  if (TryAcquire(static_cast<std::size_t>(op.lock), {true, index, op.count})) {
    lanes_[core.lane].Set(LaneState::kBusy, now_);
    events_.Push(now_ + core_call_, EventKind::kCore, index);
    return;
  }
  core.waits = true;
  lanes_[core.lane].Set(op.input ? LaneState::kWaitInput : LaneState::kWaitOutput, now_);
}

void ArrayEngine::StartCall(CoreActor& core, std::size_t index) {
  CoreOp& op = core.ops[core.next];
  const std::size_t pointers = core.call_pointers.size();
  const std::size_t numbers = core.call_numbers.size();
  for (const Argument& argument : op.arguments) {
    if (argument.kind == Argument::Kind::kNumber) {
      core.call_numbers.push_back(ValueOf(argument.number, core.rtps, core.loops));
    } else if (memory_) {
      core.call_pointers.push_back(Pointer(core, argument));
    }
  }
  const auto given = std::span(core.call_numbers).subspan(numbers);
  if (op.last_cycles < 0 ||
      !std::equal(given.begin(), given.end(), op.last_numbers.begin(), op.last_numbers.end())) {
    op.last_numbers.assign(given.begin(), given.end());
    try {
      op.last_cycles = op.kernel->cycles(options_.codegen, given, op.nulls);
    } catch (const Error& error) {
      Fail("{}: {}: {}", core.program->tile.name(), op.kernel->name, error.message());
      return;
    }
  }
  if (memory_) {
    if (core.calls.empty()) cores_with_calls_.push_back(index);
    core.calls.push_back({&op, pointers, numbers});
  } else {
    core.call_numbers.clear();
  }
  ++result_.kernel_calls;
  core.called = true;
  core.doing = Doing::kCalling;
  if (timing_.bank_steal > 0) core.words_at_call = WordsMoved(core);
  lanes_[core.lane].Set(LaneState::kBusy, now_, &op.kernel->name);
  events_.Push(now_ + core_call_ + ToTicks(std::max(op.last_cycles, 0.0)), EventKind::kCore, index);
}

// At the end of the program, which starts again. A pass that neither waits nor works would spin
// until a run-time parameter changes.
bool ArrayEngine::Wrap(CoreActor& core) {
  if (!core.acquired && (core.called || core.rtps.empty())) {
    Fail("{} runs its program over and over without acquiring anything", core.program->tile.name());
    return false;
  }
  core.next = 0;
  core.parked = !core.acquired;
  core.acquired = core.called = false;
  if (core.parked) lanes_[core.lane].Set(LaneState::kWaitInput, now_);
  return !core.parked;
}

void* ArrayEngine::Pointer(const CoreActor& core, const Argument& argument) const {
  if (argument.kind == Argument::Kind::kNull) return nullptr;
  auto buffer = static_cast<std::size_t>(argument.index);
  if (argument.kind == Argument::Kind::kObject) {
    const Port& port = core.program->ports[static_cast<std::size_t>(argument.index)];
    const std::size_t at = core.ports[static_cast<std::size_t>(argument.index)].oldest +
                           static_cast<std::size_t>(argument.object);
    buffer = static_cast<std::size_t>(port.buffers[at % port.buffers.size()]);
  }
  return memory_->at(buffer) + argument.offset;
}

double ArrayEngine::WordsMoved(const CoreActor& core) const {
  double words = 0;
  for (const std::size_t channel : core.channels) words += WordsMovedNow(channel);
  return words;
}

void ArrayEngine::FlushCalls() {
  if (cores_with_calls_.empty()) return;
  std::sort(cores_with_calls_.begin(), cores_with_calls_.end());
  const auto count = static_cast<std::int64_t>(cores_with_calls_.size());
  const auto run = [&](std::int64_t i, int) {
    RunCalls(cores_[cores_with_calls_[static_cast<std::size_t>(i)]]);
  };
  if (options_.pool != nullptr && count > 1 && !share_memory_) {
    options_.pool->ParallelFor(count, run);
  } else {
    for (std::int64_t i = 0; i < count; ++i) run(i, 0);
  }
  for (const std::size_t index : cores_with_calls_) {
    const CoreActor& core = cores_[index];
    if (!core.error.empty()) Fail("{}: {}", core.program->tile.name(), core.error);
  }
  cores_with_calls_.clear();
}

void ArrayEngine::RunCalls(CoreActor& core) {
  for (const PendingCall& call : core.calls) {
    const Kernel& kernel = *call.op->kernel;
    const auto pointers = std::span(core.call_pointers).subspan(call.pointers, kernel.pointers);
    const auto numbers = std::span(core.call_numbers).subspan(call.numbers, kernel.numbers);
    try {
      kernel.run(core.state, pointers, numbers);
    } catch (const std::exception& error) {
      core.error = fmt::format("kernel {}: {}", kernel.name, error.what());
      break;
    }
    std::string buffer;
    if (!ArgumentsIntact(core, *call.op, buffer)) {
      core.error = fmt::format("kernel {} wrote past buffer {}", kernel.name, buffer);
      break;
    }
  }
  core.calls.clear();
  core.call_pointers.clear();
  core.call_numbers.clear();
}

bool ArrayEngine::ArgumentsIntact(const CoreActor& core, const CoreOp& op,
                                  std::string& buffer) const {
  const auto intact = [&](int index) {
    if (memory_->Intact(static_cast<std::size_t>(index))) return true;
    buffer = overlay_.buffers[static_cast<std::size_t>(index)].name;
    return false;
  };
  for (const Argument& a : op.arguments) {
    if (a.kind == Argument::Kind::kBuffer && !intact(a.index)) return false;
    if (a.kind != Argument::Kind::kObject) continue;
    const Port& port = core.program->ports[static_cast<std::size_t>(a.index)];
    if (!std::all_of(port.buffers.begin(), port.buffers.end(), intact)) return false;
  }
  return true;
}

}  // namespace xdna::device
