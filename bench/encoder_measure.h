// Verifies and times the encoder: what //bench:encoder reports.
#ifndef BENCH_ENCODER_MEASURE_H_
#define BENCH_ENCODER_MEASURE_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "encoder/audio/audio.h"
#include "encoder/cpu_encoder.h"
#include "encoder/graph.h"
#include "encoder/inputs.h"
#include "encoder/verify.h"
#include "golden/compare.h"
#include "ops/contract.h"

namespace xdna::bench {

// What all precisions share: the model, the speech, its spectrogram and what the
// output should be.
struct EncoderJob {
  encoder::ChosenModel chosen;
  encoder::EncoderShape shape;
  encoder::Audio audio;
  Tensor mel;                                  // [windows,n_mels,frames]
  double mel_s = 0;                            // median of making it, seconds
  std::int64_t batch = 1;                      // times that all windows are encoded in one sample
  std::vector<std::int64_t> checked;           // windows that are compared
  std::vector<encoder::Reference> references;  // of those

  std::int64_t windows() const { return mel.dim(0); }
  TensorView Window(std::int64_t i) const;
};

// Loads and computes everything but the runs themselves. At most `most_checked`
// windows, evenly spaced, get a reference (ten seconds each without a golden).
EncoderJob PrepareJob(encoder::ChosenModel chosen, const std::string& geometry,
                      encoder::Audio audio, std::int64_t batch, std::int64_t most_checked,
                      ThreadPool& pool);

struct StageTime {
  std::string stage;
  double seconds = 0;  // a window: the median over samples
  double flops = 0;    // a window
  double floor_s = 0;  // that work at the machine's peak in the stage's precisions: ApplyPeak
  double exps = 0;     // a window: softmax's exponentials
  double exp_s = 0;    // those at their own peak: ApplyPeak

  // The least time of all parts one after the other.
  double limit_s() const { return floor_s + exp_s; }
};

struct EncoderResult {
  ops::Variant variant;
  golden::Verdict verdict;  // the worst of all windows checked, before and after timing
  golden::Tolerance tolerance;
  double first_s = 0;             // of the first window ever: pages and caches are cold
  std::vector<double> samples_s;  // a window, steady state; empty unless passed
  std::vector<StageTime> stages;  // in the order of computation
  std::vector<encoder::CpuEncoder::Work> work;
  double flops = 0;    // a window
  double floor_s = 0;  // a window at peak: ApplyPeak
  // Where the timeline of one more window goes, after the samples; empty: nowhere. What it took.
  std::string trace;
  double traced_s = 0;

  double median_s() const;
  double min_s() const;
  // Half the distance between the quartiles, over the median.
  double spread() const;
};

// Registers the benchmark "encoder/SHAPE/cpu/PRECISION" with Google Benchmark; its
// run fills `result`. Nothing is timed unless the verdict before is "passed", and
// the samples are thrown away unless it still is afterwards; only then is a timeline written.
// `min_time_s` is how long samples are taken for; 0 leaves that to Google Benchmark's own option.
void RegisterEncoder(const EncoderJob& job, ops::Variant variant, double min_time_s,
                     ThreadPool& pool, EncoderResult& result);

// Fills results[i], whose variant and tolerance are set, with times on `pools[i]`, under the same
// conditions. All take turns, each of one window untimed and kTurnSamples samples, kTurns times
// over: a clock that drifts and other programs meet them alike.
inline constexpr int kTurns = 5, kTurnSamples = 3;
void TimeInTurns(const EncoderJob& job, const std::vector<ThreadPool*>& pools,
                 std::vector<EncoderResult>& results);

// Works out every floor_s. Where a window took less than its floor, the peak was
// measured beside other work: it is measured again, a few times at most.
void ApplyPeak(std::span<EncoderResult> results, int threads);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_MEASURE_H_
