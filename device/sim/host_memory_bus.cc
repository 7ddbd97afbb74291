#include "device/sim/host_memory_bus.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "device/sim/event_queue.h"
#include "device/sim/timing.h"

namespace xdna::device {
namespace {

constexpr double kNothing = 1e-3;  // bytes: less than rounding leaves of a word

}  // namespace

HostMemoryBus::HostMemoryBus(const ArrayTiming& timing) : timing_(timing) {}

void HostMemoryBus::Begin(std::size_t route, double bytes, const Use& use, Ticks now) {
  Advance(now);
  steps_.push_back({route, bytes, 0, use});
  ShareOut();
}

void HostMemoryBus::TakeEnded(Ticks now, std::vector<std::size_t>& routes) {
  Advance(now);
  const auto ended = [](const Step& step) { return step.left < kNothing; };
  for (const Step& step : steps_) {
    if (ended(step)) routes.push_back(step.route);
  }
  std::erase_if(steps_, ended);
  ShareOut();
}

Ticks HostMemoryBus::NextEnd() const {
  Ticks next = std::numeric_limits<Ticks>::max();
  for (const Step& step : steps_) {
    const auto ticks = static_cast<Ticks>(std::ceil((step.left - kNothing / 2) / step.rate));
    next = std::min(next, now_ + std::max<Ticks>(ticks, 1));
  }
  return next;
}

double HostMemoryBus::BytesLeft(std::size_t route, Ticks now) const {
  for (const Step& step : steps_) {
    if (step.route == route) {
      return std::max(0.0, step.left - step.rate * static_cast<double>(now - now_));
    }
  }
  return 0;
}

void HostMemoryBus::Advance(Ticks now) {
  for (Step& step : steps_) step.left -= step.rate * static_cast<double>(now - now_);
  now_ = now;
}

void HostMemoryBus::ShareOut() {
  unsigned readers = 0;
  unsigned writers = 0;
  for (const Step& step : steps_) {
    readers += step.use.reads;
    writers += step.use.writes;
  }
  constexpr double kWordBytes = 4;
  const double read = std::min(kWordBytes * timing_.shim_read_words_per_cycle,
                               timing_.ddr_read_bytes_per_cycle / std::max(readers, 1u));
  const double write = std::min(kWordBytes * timing_.shim_write_words_per_cycle,
                                timing_.ddr_write_bytes_per_cycle / std::max(writers, 1u));
  for (Step& step : steps_) {
    double rate = kWordBytes * timing_.stream_words_per_cycle;
    if (step.use.reads > 0) rate = std::min(rate, read / step.use.read_cost);
    if (step.use.writes > 0) rate = std::min(rate, write / step.use.write_cost);
    step.rate = rate / static_cast<double>(kTicksPerCycle);
  }
}

}  // namespace xdna::device
