#include "device/sim/lanes.h"

#include <string>

#include "device/sim/event_queue.h"
#include "device/sim/sim_array.h"
#include "device/sim/trace.h"

namespace xdna::device {

void Lane::TraceTo(Trace* trace, int lane, double us_per_tick) {
  trace_ = trace;
  trace_lane_ = lane;
  us_per_tick_ = us_per_tick;
}

void Lane::BeginRun(Ticks now) {
  running_ = true;
  run_begin_ = since_ = now;
  worked_ = false;
  busy_ = wait_input_ = wait_output_ = idle_ = 0;
}

void Lane::Set(LaneState state, Ticks now, const std::string* detail) {
  if (state == state_ && detail == detail_) return;
  Close(now);
  state_ = state;
  detail_ = detail;
  since_ = now;
}

LaneTotals Lane::EndRun(Ticks now) {
  Close(now);
  Settle(true);
  running_ = false;
  return {name_, ToCycles(busy_), ToCycles(wait_input_), ToCycles(wait_output_), ToCycles(idle_)};
}

void Lane::Close(Ticks now) {
  if (!running_ || now == since_) return;
  if (state_ != LaneState::kBusy) {
    waits_.push_back({state_, since_, now});
    return;
  }
  Settle(!worked_);
  worked_ = true;
  busy_ += now - since_;
  Emit(work_, detail_, since_, now);
}

void Lane::Settle(bool idle) {
  if (waits_.empty()) return;
  if (idle) {
    idle_ += waits_.back().end - waits_.front().begin;
    Emit("idle", nullptr, waits_.front().begin, waits_.back().end);
  } else {
    for (const Interval& wait : waits_) {
      const bool input = wait.state == LaneState::kWaitInput;
      (input ? wait_input_ : wait_output_) += wait.end - wait.begin;
      Emit(input ? "wait for input" : "wait for output", nullptr, wait.begin, wait.end);
    }
  }
  waits_.clear();
}

void Lane::Emit(const char* what, const std::string* detail, Ticks begin, Ticks end) {
  if (trace_ == nullptr) return;
  trace_->Add({.lane = trace_lane_,
               .what = what,
               .detail = detail == nullptr ? std::string() : *detail,
               .begin_us = static_cast<double>(begin - run_begin_) * us_per_tick_,
               .end_us = static_cast<double>(end - run_begin_) * us_per_tick_});
}

}  // namespace xdna::device
