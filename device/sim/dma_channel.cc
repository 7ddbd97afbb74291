// Locks, descriptors of cores and memory tiles, and tasks of shims.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "device/array/overlay_check.h"
#include "device/sim/array_engine.h"

namespace xdna::device {

// Takes from the lock, or queues the waiter.
bool ArrayEngine::TryAcquire(std::size_t lock, const Waiter& waiter) {
  LockState& state = locks_[lock];
  if (state.value >= waiter.wants) {
    state.value -= waiter.wants;
    return true;
  }
  state.waiters.push_back(waiter);
  return false;
}

void ArrayEngine::Release(std::size_t lock, int count, Tile who) {
  LockState& state = locks_[lock];
  if (state.value + count > static_cast<int>(kLockMax)) {
    Fail("{} releases lock {} of {} to {} > {}", who.name(), overlay_.locks[lock].name,
         overlay_.locks[lock].tile.name(), state.value + count, kLockMax);
    return;
  }
  state.value += count;
  if (!state.waiters.empty()) Serve(lock);
}

void ArrayEngine::Serve(std::size_t lock) {
  LockState& state = locks_[lock];
  for (std::size_t i = 0; i < state.waiters.size();) {
    const Waiter waiter = state.waiters[i];
    if (state.value < waiter.wants) {
      ++i;
      continue;
    }
    state.value -= waiter.wants;
    state.waiters.erase(state.waiters.begin() + static_cast<std::ptrdiff_t>(i));
    if (waiter.core) {
      events_.Push(now_ + lock_latency_ + core_call_, EventKind::kCore, waiter.index);
    } else {
      channels_[waiter.index].ready = now_ + lock_latency_;
      Activate(waiter.index);
    }
  }
}

void ArrayEngine::StartDescriptor(std::size_t channel) {
  ChannelState& state = channels_[channel];
  const Descriptor& d = overlay_.descriptors[state.descriptor];
  state.ready = now_;
  if (d.acquire.lock >= 0 &&
      !TryAcquire(static_cast<std::size_t>(d.acquire.lock), {false, channel, d.acquire.value})) {
    state.phase = Phase::kWaitsForLock;
    return;
  }
  Activate(channel);
}

// The descriptor has its lock at `ready`.
void ArrayEngine::Activate(std::size_t channel) {
  ChannelState& state = channels_[channel];
  const Descriptor& d = overlay_.descriptors[state.descriptor];
  state.ready += descriptor_start_;
  state.phase = Phase::kActive;
  state.words_left = d.bytes / 4;
  if (memory_) {
    std::size_t offset = d.offset;
    if (d.pattern.iteration.count > 1) {
      const std::size_t round = activations_[state.descriptor]++ % d.pattern.iteration.count;
      offset += round * d.pattern.iteration.step * d.pattern.element_bytes;
    }
    state.cursor.Start(&walks_[state.descriptor],
                       memory_->at(static_cast<std::size_t>(d.buffer)) + offset);
  }
  TryStart(state.route);
}

// All words of the present descriptor have moved.
void ArrayEngine::EndExecution(std::size_t channel) {
  ChannelState& state = channels_[channel];
  state.phase = Phase::kStopped;
  if (!state.shim) {
    const Descriptor& d = overlay_.descriptors[state.descriptor];
    if (d.release.lock >= 0) {
      Release(static_cast<std::size_t>(d.release.lock), d.release.value, ChannelAt(channel).tile);
    }
    if (d.next < 0) return;
    state.descriptor = static_cast<std::size_t>(d.next);
    StartDescriptor(channel);
    return;
  }
  if (++state.executions < state.tasks.front().repeat) {
    StartExecution(channel, now_);
    return;
  }
  const Task done = state.tasks.front();
  state.tasks.pop_front();
  const auto column = static_cast<std::size_t>(ChannelAt(channel).tile.col);
  --shim_descriptors_[column][done.descriptor].tasks;
  if (done.token) ++state.tokens;
  state.executions = 0;
  if (!state.tasks.empty()) {
    const double start = state.sends ? timing_.shim_task_start_read : timing_.shim_task_start_write;
    StartExecution(channel, std::max(now_, state.tasks.front().pushed + ToTicks(start)));
  }
  // It may wait for the token, or for room in the queue.
  if (command_stalled_) {
    command_stalled_ = false;
    events_.Push(now_, EventKind::kCommand, 0);
  }
}

// Whether all executions of a task stay within the buffer.
bool ArrayEngine::CheckRange(const ShimDescriptor& descriptor, const PushTask& push) {
  const WriteDescriptor& w = descriptor.written;
  if (!memory_ && host_memory_.empty()) return true;
  if (w.argument >= host_memory_.size()) {
    Fail("instruction {}: descriptor {} of {} is for argument {}, and there are {}", instruction_,
         push.descriptor, Tile{push.column, kShimRow}.name(), w.argument, host_memory_.size());
    return false;
  }
  const std::size_t size = host_memory_[w.argument].bytes.size();
  const std::size_t extent = internal::ExtentOf(w.pattern, w.bytes, push.repeat);
  if (w.offset <= size && extent <= size - w.offset) return true;
  Fail("instruction {}: descriptor {} of {} {} bytes {} to {} of argument {}, which has {}",
       instruction_, push.descriptor, Tile{push.column, kShimRow}.name(),
       push.sends ? "reads" : "writes", w.offset, w.offset + extent, w.argument, size);
  return false;
}

// One execution of a shim channel's present task.
void ArrayEngine::StartExecution(std::size_t channel, Ticks ready) {
  ChannelState& state = channels_[channel];
  const auto column = static_cast<std::size_t>(ChannelAt(channel).tile.col);
  const ShimDescriptor& descriptor = shim_descriptors_[column][state.tasks.front().descriptor];
  const WriteDescriptor& w = descriptor.written;
  state.phase = Phase::kActive;
  state.ready = ready;
  state.words_left = w.bytes / 4;
  if (memory_) {
    const std::size_t count = std::max<std::size_t>(w.pattern.iteration.count, 1);
    const std::size_t step = w.pattern.iteration.step * w.pattern.element_bytes;
    state.cursor.Start(&descriptor.walk, host_memory_[w.argument].bytes.data() + w.offset +
                                             state.executions % count * step);
  }
  TryStart(state.route);
}

}  // namespace xdna::device
