// Verifies and times the decoder: what //bench:decoder reports.
#ifndef BENCH_DECODER_MEASURE_H_
#define BENCH_DECODER_MEASURE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "bench/environment.h"
#include "bench/run_record.h"
#include "encoder/inputs.h"
#include "golden/compare.h"
#include "ops/contract.h"

namespace xdna::bench {

// What all series share.
struct DecoderJob {
  encoder::ChosenModel chosen;
  Tensor encoded;           // [n_audio_ctx,d], of the default speech
  std::vector<int> tokens;  // a prompt of kPromptTokens, and what f32 finds likeliest after it
  Tensor want;              // [tokens.size(), n_vocab] f64: logits after each token
  int steps = 0;            // tokens of one sample
};

inline constexpr int kPromptTokens = 4;  // start, language, task, no timestamps

// `steps` tokens a sample, at most what the model has positions for. Throws kInvalidArgument for
// more.
DecoderJob PrepareDecoderJob(encoder::ChosenModel chosen, int steps, ThreadPool& pool);

struct DecoderResult {
  ops::Precision precision = ops::Precision::kF32;
  int beams = 1;
  golden::Verdict verdict;  // of all logits of a teacher-forced run, the worse of before and after
  golden::Tolerance tolerance;
  std::vector<double> samples_s;  // of one step of all beams; empty unless passed
  double audio_s = 0;             // keys and values of a window, median
  double prefill_s = 0;           // the prompt, median
  double step_bytes = 0;          // read by a step: weights, keys and values, mean
  double bandwidth = 0;           // bytes a second that the machine reads from DRAM

  double percent_of_bandwidth() const;
};

// Registers "decoder/MODEL/cpu/PRECISION/beams:N" with Google Benchmark; its run fills `result`.
// Nothing is timed unless the verdict before is "passed", and the samples are thrown away unless
// it still is afterwards.
void RegisterDecoder(const DecoderJob& job, ops::Precision precision, int beams, double min_time_s,
                     ThreadPool& pool, DecoderResult& result);

// Lines end in '\n'; with a synthetic model every line says so.
std::string DecoderReport(const DecoderJob& job, const std::vector<DecoderResult>& results,
                          const Environment& environment);

// Seconds a step in times_s "total"; "audio" a window, "prefill" a prompt.
RunRecord DecoderRecord(const DecoderJob& job, const DecoderResult& result,
                        const Environment& environment);

}  // namespace xdna::bench

#endif  // BENCH_DECODER_MEASURE_H_
