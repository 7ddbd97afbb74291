// --explain=origin: what does not add up in the report that the ladder starts from (a public run of
// November 2025, its plan for 220x), and what is found instead.
#ifndef BENCH_ENCODER_ORIGIN_H_
#define BENCH_ENCODER_ORIGIN_H_

#include <string>

#include "bench/encoder_measure.h"
#include "bench/encoder_npu.h"

namespace xdna::bench {

// The report's own circumstances: seed-3001, so many seconds of audio, a Hawk Point, pyxrt.
inline constexpr double kOriginSeconds = 5;
inline constexpr const char* kOriginGeometry = "seed-3001";
NpuRunOptions OriginOptions(NpuRunOptions options);

// `job` is in them. Runs the schedules that answer, verdicts and all; an answer whose schedule did
// not pass says so in its number's place. False then.
bool PrintOrigin(const EncoderJob& job, const NpuRunOptions& options);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_ORIGIN_H_
