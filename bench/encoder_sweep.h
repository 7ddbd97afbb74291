// A sweep of the whole encoder on the NPU: point by point, with what earlier runs have left out.
#ifndef BENCH_ENCODER_SWEEP_H_
#define BENCH_ENCODER_SWEEP_H_

#include <optional>
#include <string>
#include <vector>

#include "bench/encoder_npu.h"
#include "bench/encoder_points.h"
#include "bench/environment.h"
#include "bench/run_record.h"

namespace xdna::bench {

struct SweepRun {
  std::string json;     // records are added here; empty: nowhere
  bool resume = false;  // leave out what is there already
};

// --list, and --dry_run with the time it is about to take: what would run.
std::string PointList(const encoder::EncoderShape& shape, const std::vector<EncoderPoint>& points,
                      int threads, bool estimate);

// The passed record in `path` of the same series, program, time model, model and speech as `like`.
std::optional<RunRecord> EarlierRecord(const std::string& path, const RunRecord& like);

// Prints a row as each is done, and adds its record. False where a verdict is "failed".
bool RunSweep(const EncoderJob& job, const std::vector<EncoderPoint>& points,
              const NpuRunOptions& options, const SweepRun& run, const Environment& environment);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_SWEEP_H_
