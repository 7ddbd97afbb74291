// The time model behind a modelled record.
#ifndef BENCH_TIME_MODEL_H_
#define BENCH_TIME_MODEL_H_

#include "bench/run_record.h"
#include "device/measure.h"

namespace xdna::bench {

// Version, names and every constant of the preset and the host profile (device/sim/timing.h);
// `schedule` is left to the caller.
TimeModel TimeModelOf(const device::DeviceOptions& options);

}  // namespace xdna::bench

#endif  // BENCH_TIME_MODEL_H_
