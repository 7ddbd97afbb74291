// Host memory as the shims share it: steps that run at the same time split its bandwidth.
//
// Each shim channel wants its own full rate. Where that is more than host memory gives all readers
// (or all writers), each gets an equal part. Rates count the moved bytes and, for each contiguous
// run of memory, `ddr_run_overhead_bytes` on top. They change whenever a step begins or ends.
#ifndef DEVICE_SIM_HOST_MEMORY_BUS_H_
#define DEVICE_SIM_HOST_MEMORY_BUS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "device/sim/event_queue.h"
#include "device/sim/timing.h"

namespace xdna::device {

class HostMemoryBus {
 public:
  // What a step of a route asks for: its channels that read and write host memory, and what each
  // byte costs them, 1 or more.
  struct Use {
    unsigned reads = 0;
    unsigned writes = 0;
    double read_cost = 1;
    double write_cost = 1;
  };

  explicit HostMemoryBus(const ArrayTiming& timing);

  void Begin(std::size_t route, double bytes, const Use& use, Ticks now);
  // Takes out the steps that have ended by `now`, in the order of their beginning.
  void TakeEnded(Ticks now, std::vector<std::size_t>& routes);
  bool idle() const { return steps_.empty(); }
  // When the next step ends if nothing changes.
  Ticks NextEnd() const;
  // Bytes of a route's step that are still to come.
  double BytesLeft(std::size_t route, Ticks now) const;

 private:
  struct Step {
    std::size_t route;
    double left;  // bytes
    double rate;  // bytes per tick
    Use use;
  };

  void Advance(Ticks now);
  void ShareOut();

  const ArrayTiming& timing_;
  std::vector<Step> steps_;
  Ticks now_ = 0;
};

}  // namespace xdna::device

#endif  // DEVICE_SIM_HOST_MEMORY_BUS_H_
