// The encoder on the simulated NPU by schedules: verified with data, timed without, never one
// without the other.
#ifndef BENCH_ENCODER_NPU_H_
#define BENCH_ENCODER_NPU_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/encoder_measure.h"
#include "bench/encoder_points.h"
#include "device/measure.h"
#include "encoder/cpu_profile.h"
#include "encoder/mixed_encoder.h"
#include "encoder/npu_encoder.h"
#include "encoder/schedule.h"
#include "golden/compare.h"

namespace xdna::bench {

struct NpuRunOptions {
  std::string preset = "phx-1.0", host = "cpp", codegen = "chess", cpu = "numpy";
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
  double throughput = 0;  // a window of many, with so many in flight as the point says
};

struct NpuResult {
  encoder::Schedule schedule;
  std::string variant;     // as EncoderPoint has them
  std::int64_t batch = 1;  // windows in flight
  bool reuse = false;
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
  // Of one window, and of many with `batch` in flight.
  double Rtf(const EncoderJob& job) const;
  double RtfInFlight(const EncoderJob& job) const;
  // Of the array's, over the latency of one window.
  double PercentOfPeak(const EncoderJob& job, const NpuRunOptions& options) const;
  std::string Bound() const;  // what most of the time goes to
};

// 16 cores of 128 bf16 or 256 int8 multiply-adds a cycle, a second.
double PeakFlops(const std::string& preset, const std::string& precision);

// Limits of the NPU's output: bf16 2.5e-2, int8 7e-2.
golden::Tolerance NpuTolerance(const std::string& precision);

// Checks the job's windows, then times one, and many. Throws what the options or the schedule get
// wrong; what the array can't do is a verdict "unsupported".
NpuResult RunPoint(const EncoderJob& job, const EncoderPoint& point, const NpuRunOptions& options);
// The same with the verdict of `proof`, another job for the same widths, and times of `job`.
NpuResult RunPoint(const EncoderJob& job, const EncoderJob& proof, const EncoderPoint& point,
                   const NpuRunOptions& options);
// A schedule as it is, one window at a time.
NpuResult RunSchedule(const EncoderJob& job, const encoder::Schedule& schedule,
                      const NpuRunOptions& options);

// The job's first window, with results inside by the graph's names, f32. Throws kUnsupported for
// what the array can't do.
void RunWithTaps(const EncoderJob& job, const EncoderPoint& point, const NpuRunOptions& options,
                 const std::function<void(const std::string& name, const Tensor& result)>& tap);

// Names of presets and profiles that do not exist throw kInvalidArgument, listing what there is.
void CheckNpuOptions(const NpuRunOptions& options);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_NPU_H_
