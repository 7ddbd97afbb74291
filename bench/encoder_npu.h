// The encoder on the simulated NPU by schedules: verified with data, timed without, never one
// without the other.
#ifndef BENCH_ENCODER_NPU_H_
#define BENCH_ENCODER_NPU_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/encoder_measure.h"
#include "bench/environment.h"
#include "bench/run_record.h"
#include "device/measure.h"
#include "encoder/cpu_profile.h"
#include "encoder/mixed_encoder.h"
#include "encoder/npu_encoder.h"
#include "encoder/schedule.h"
#include "golden/compare.h"

namespace xdna::bench {

struct NpuRunOptions {
  std::string preset = "phx-1.0", host = "cpp", codegen = "chess", cpu = "numpy";
  std::int64_t batch = 1;      // windows of the throughput
  bool fast_verdicts = false;  // take proofs that were kept, where they are of this very program
  std::string proofs;          // the folder that keeps them; empty: none is kept
  std::string trace;           // a file for the timeline of one window; empty: none
  int threads = 1;
};

struct TapStatistics {
  std::string name;
  double mean = 0, deviation = 0, least = 0, most = 0;
  bool finite = true;
};
TapStatistics StatisticsOf(const std::string& name, const TensorView& values);

// Milliseconds of a window, which add up to `total`.
struct NpuTime {
  double total = 0;       // latency of one window
  double compute = 0;     // the busiest core, calling kernels
  double dma = 0;         // the array running beyond that
  double dispatch = 0;    // host code, driver, firmware, buffers, syncs
  double change = 0;      // contexts made, loaded and switched
  double cpu = 0;         // the CPU profile's
  double throughput = 0;  // a window, `batch` of them one behind the other
};

struct NpuResult {
  encoder::Schedule schedule;
  golden::Verdict verdict;
  golden::Tolerance tolerance;
  bool kept_proof = false;
  double verdict_s = 0;                     // that checking took
  NpuTime time;                             // only of what passed
  encoder::MixedTimes mixed;                // of a mixed schedule: its parts, run one by one
  std::vector<encoder::NpuStepTime> steps;  // of a schedule that is whole on the NPU
  std::string design;                       // likewise
  std::int64_t runs = 0;
  std::vector<TapStatistics> taps;

  bool timed() const { return verdict.passed(); }
  double Rtf(const EncoderJob& job) const;
  std::string Bound() const;  // what most of the time goes to
};

// Limits of the NPU's output: bf16 2.5e-2, int8 7e-2.
golden::Tolerance NpuTolerance(const std::string& precision);

// Checks the job's windows, then times one. Throws what the options or the schedule get wrong; what
// the array can't do is a verdict "unsupported".
NpuResult RunSchedule(const EncoderJob& job, const encoder::Schedule& schedule,
                      const NpuRunOptions& options);

// Names of presets and profiles that do not exist throw kInvalidArgument, listing what there is.
void CheckNpuOptions(const NpuRunOptions& options);

// Under which a passed verdict is kept: schedule, program, time model, model, speech and windows.
std::string ProofKey(const EncoderJob& job, const encoder::Schedule& schedule);

RunRecord NpuEncoderRecord(const EncoderJob& job, const NpuResult& result,
                           const NpuRunOptions& options, const Environment& environment);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_NPU_H_
