// What a sweep of the whole encoder on the NPU runs: schedules, each with other columns, tiles,
// reuse, and with so many windows in flight.
#ifndef BENCH_ENCODER_POINTS_H_
#define BENCH_ENCODER_POINTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "encoder/schedule.h"

namespace xdna::bench {

// A value of the axis "tile".
inline constexpr const char* kTunedTile = "tuned";

// As typed; empty: as the schedule has it.
struct EncoderSweep {
  std::string sweep = {};  // 'columns=1,2,4 batch=1,2', axes as below
  std::string columns = {}, tile = {}, reuse = {}, batch = {};
  std::string match = {};  // a regular expression on names

  bool varied() const {
    return !sweep.empty() || !columns.empty() || !tile.empty() || !reuse.empty();
  }
};

struct EncoderPoint {
  std::string name;  // "encoder/whisper-base/npu/phase6-resident/columns=2/batch=4"
  encoder::Schedule schedule;
  std::string variant;     // of the schedule, what of it the sweep changed: "2col"; else empty
  std::int64_t batch = 1;  // windows in flight
  bool reuse = false;      // it was asked for
  bool tuned = false;      // its tile is to be searched for
  std::string refused;     // why the schedule can't be so; empty: it can
};

// "64x64x32": rows, depth and columns of a product's tile; "+64x48": queries and keys of the fused
// attention's. False for another text, and then the schedule is as it was.
bool SetTile(encoder::Schedule& schedule, const std::string& text);

// In the order of schedules, later axes fastest. Throws kInvalidArgument as bench/sweep.h does, for
// an option and an axis that say the same, and for a `match` that matches nothing.
std::vector<EncoderPoint> EncoderPoints(const std::string& shape,
                                        const std::vector<encoder::Schedule>& schedules,
                                        const EncoderSweep& sweep);

// Seconds on this host that a point is about to take: its work at rates measured on two cores.
double EstimatedSeconds(const EncoderPoint& point, double flops, int threads);

// "3 s", "4 min".
std::string Duration(double seconds);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_POINTS_H_
