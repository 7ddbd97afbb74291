// Where the time of a core or a shim channel goes.
#ifndef DEVICE_SIM_LANES_H_
#define DEVICE_SIM_LANES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "device/sim/event_queue.h"
#include "device/sim/sim_array.h"
#include "device/sim/trace.h"

namespace xdna::device {

enum class LaneState : std::uint8_t { kBusy, kWaitInput, kWaitOutput };

// Time between two works is waiting, as stated; that before the first and after the last work of a
// run is idle. Intervals go to the trace, and add up to the totals.
class Lane {
 public:
  // `work`: what a busy interval is called in the trace; a literal.
  Lane(std::string name, const char* work) : name_(std::move(name)), work_(work) {}
  void TraceTo(Trace* trace, int lane, double us_per_tick);

  void BeginRun(Ticks now);
  // From `now` on; `detail` (a kernel's name) must live as long as the lane, or be null.
  void Set(LaneState state, Ticks now, const std::string* detail = nullptr);
  // The run's totals. What follows counts nowhere until the next BeginRun().
  LaneTotals EndRun(Ticks now);

 private:
  struct Interval {
    LaneState state;
    Ticks begin, end;
  };
  void Close(Ticks now);
  void Settle(bool idle);
  void Emit(const char* what, const std::string* detail, Ticks begin, Ticks end);

  std::string name_;
  const char* work_;
  Trace* trace_ = nullptr;
  int trace_lane_ = 0;
  double us_per_tick_ = 0;

  LaneState state_ = LaneState::kWaitInput;
  const std::string* detail_ = nullptr;
  Ticks since_ = 0;
  bool running_ = false;
  Ticks run_begin_ = 0;
  bool worked_ = false;
  std::vector<Interval> waits_;  // since the last work
  Ticks busy_ = 0, wait_input_ = 0, wait_output_ = 0, idle_ = 0;
};

}  // namespace xdna::device

#endif  // DEVICE_SIM_LANES_H_
