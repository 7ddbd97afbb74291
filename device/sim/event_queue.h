// Virtual time and the queue of what happens next.
#ifndef DEVICE_SIM_EVENT_QUEUE_H_
#define DEVICE_SIM_EVENT_QUEUE_H_

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace xdna::device {

// 1/1024 of a cycle: whole numbers, so that intervals add up to a run's time to the last bit.
using Ticks = std::int64_t;
inline constexpr Ticks kTicksPerCycle = 1024;
inline Ticks ToTicks(double cycles) {
  return static_cast<Ticks>(std::ceil(cycles * static_cast<double>(kTicksPerCycle)));
}
inline double ToCycles(Ticks ticks) {
  return static_cast<double>(ticks) / static_cast<double>(kTicksPerCycle);
}

enum class EventKind : std::uint32_t {
  kCore,     // core `index`: its statement has ended
  kJoin,     // route `index`: its step begins to use host memory
  kStepEnd,  // route `index`
  kBus,      // host memory: a step has ended, if `index` is the bus's present version
  kCommand,  // the command processor's instruction has ended
};

struct Event {
  Ticks time;
  std::uint64_t sequence;  // equal times: as queued
  EventKind kind;
  std::uint32_t index;
};

class EventQueue {
 public:
  bool empty() const { return heap_.empty(); }

  void Push(Ticks time, EventKind kind, std::size_t index) {
    heap_.push_back({time, sequence_++, kind, static_cast<std::uint32_t>(index)});
    std::push_heap(heap_.begin(), heap_.end(), Later);
  }

  Event Pop() {
    std::pop_heap(heap_.begin(), heap_.end(), Later);
    const Event event = heap_.back();
    heap_.pop_back();
    return event;
  }

 private:
  static bool Later(const Event& a, const Event& b) {
    return a.time != b.time ? a.time > b.time : a.sequence > b.sequence;
  }

  std::vector<Event> heap_;
  std::uint64_t sequence_ = 0;
};

}  // namespace xdna::device

#endif  // DEVICE_SIM_EVENT_QUEUE_H_
