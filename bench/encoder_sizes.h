// How a schedule does on encoders of other sizes: one line a geometry.
#ifndef BENCH_ENCODER_SIZES_H_
#define BENCH_ENCODER_SIZES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bench/encoder_npu.h"
#include "bench/encoder_points.h"
#include "bench/encoder_sweep.h"
#include "bench/environment.h"
#include "encoder/audio/audio.h"

namespace xdna::bench {

// Of a geometry "synthetic-whisper-small": the encoder in full, with no weights read, for times;
// and one of the same widths with seeded weights, but so short that its float64 reference and its
// arithmetic take seconds, for verdicts. Throws kInvalidArgument, listing names, for any other.
inline constexpr std::int64_t kProofPositions = 128, kProofLayers = 2;
EncoderJob SizeJob(const std::string& geometry, const encoder::Audio& audio);
EncoderJob SizeProof(const std::string& geometry, const encoder::Audio& audio);

// Each geometry with each schedule and choice of the sweep, as RunSweep().
bool RunSizes(const std::vector<std::string>& geometries, const encoder::Audio& audio,
              const std::vector<encoder::Schedule>& schedules, const EncoderSweep& sweep,
              const NpuRunOptions& options, const SweepRun& run, const Environment& environment);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_SIZES_H_
