#include "bench/decoder_measure.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bench/machine_peak.h"
#include "bench/samples.h"
#include "decoder/decoder.h"
#include "decoder/reference_decoder.h"
#include "decoder/verify.h"
#include "encoder/audio/log_mel.h"
#include "encoder/cpu_encoder.h"
#include "encoder/graph.h"

namespace xdna::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kCheckedTokens = 16;
constexpr const char* kSyntheticMark = "SYNTHETIC WEIGHTS | ";

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// The encoder's output for the first window of the default speech.
Tensor Encoded(const encoder::Model& model, ThreadPool& pool) {
  const encoder::EncoderShape shape = encoder::WhisperShape(model.geometry());
  const Tensor mel = encoder::LogMel(static_cast<int>(shape.n_mels))
                         .Windows(encoder::ChooseAudio({}), static_cast<int>(shape.frames), &pool);
  encoder::CpuEncoder encode(model, shape, {{}, false}, {&pool, nullptr});
  Tensor out(DType::kF32, {shape.positions, shape.d});
  encode.Run(TensorView(mel.data<float>(), {shape.n_mels, shape.frames}), out);
  return out;
}

// A prompt (start, English, transcribe, no timestamps) and the likeliest tokens after it.
std::vector<int> Spoken(const DecoderJob& job, ThreadPool& pool) {
  std::vector<int> tokens = {50258, 50259, 50359, 50363};
  decoder::Decoder decoder(job.chosen.model, ops::Precision::kF32, {&pool, nullptr});
  const auto state = decoder.NewState(1, 1);
  decoder.SetAudio(*state, 0, job.encoded);
  decoder.Start(*state, std::vector<int>{0});
  const std::int64_t vocabulary = decoder.geometry().n_vocab;
  const Tensor first(DType::kF32, {1, vocabulary});
  decoder.Prefill(*state, 0, tokens, std::vector<int>{kPromptTokens - 1}, first);
  TensorView logits = first;
  while (tokens.size() < kCheckedTokens) {
    const auto* begin = logits.data<const float>();
    tokens.push_back(static_cast<int>(std::max_element(begin, begin + vocabulary) - begin));
    logits = decoder.Step(*state, std::vector<int>{tokens.back()});
  }
  return tokens;
}

// One precision and number of beams.
class Run {
 public:
  Run(const DecoderJob& job, ThreadPool& pool, DecoderResult& result)
      : job_(job),
        result_(result),
        decoder_(job.chosen.model, result.precision, {&pool, nullptr}),
        state_(decoder_.NewState(1, result.beams)),
        prompt_logits_(DType::kF32, {1, job.want.dim(1)}),
        next_(result.beams) {
    decoder_.SetAudio(*state_, 0, job.encoded);
  }

  // Feeds the fixed tokens to all beams, and compares the logits of each step in one of them.
  void Verify() {
    const std::int64_t vocabulary = job_.want.dim(1);
    const int last = kCheckedTokens - kPromptTokens;
    const Tensor got(DType::kF32, {last + 1, vocabulary});
    Prompt();
    std::copy_n(prompt_logits_.data<float>(), vocabulary, got.data<float>());
    for (int step = 0; step < last; ++step) {
      std::fill(next_.begin(), next_.end(), job_.tokens[kPromptTokens + step]);
      decoder_.Reorder(*state_, Fork(step));
      const TensorView logits = decoder_.Step(*state_, next_);
      std::copy_n(logits.data<float>() + step % result_.beams * vocabulary, vocabulary,
                  got.data<float>() + (step + 1) * vocabulary);
    }
    const golden::Verdict verdict =
        golden::Compare(got, job_.want.view().Rows(kPromptTokens - 1, last + 1), result_.tolerance);
    if (std::isnan(result_.verdict.used) || !verdict.passed() ||
        verdict.used > result_.verdict.used) {
      result_.verdict = verdict;
    }
  }

  // One sequence: seconds in all.
  double Sample() {
    auto begin = Clock::now();
    decoder_.SetAudio(*state_, 0, job_.encoded);
    audio_s_.push_back(SecondsSince(begin));
    begin = Clock::now();
    Prompt();
    prefill_s_.push_back(SecondsSince(begin));
    double bytes = 0;
    begin = Clock::now();
    for (int step = 0; step < job_.steps; ++step) {
      const int token = job_.tokens[(kPromptTokens + step) % job_.tokens.size()];
      for (int beam = 0; beam < result_.beams; ++beam)
        next_[beam] = static_cast<int>((token + beam) % job_.want.dim(1));
      decoder_.Reorder(*state_, Fork(step));
      benchmark::DoNotOptimize(decoder_.Step(*state_, next_).data<float>());
      bytes += static_cast<double>(decoder_.weight_bytes() + state_->cache_bytes());
    }
    const double seconds = SecondsSince(begin);
    result_.samples_s.push_back(seconds / job_.steps);
    result_.step_bytes = bytes / job_.steps;
    return seconds;
  }

  void Finish(int threads) {
    result_.audio_s = Summarize(audio_s_).median;
    result_.prefill_s = Summarize(prefill_s_).median;
    result_.bandwidth = MeasurePeak(threads).bandwidth;
  }

  void Forget() {
    result_.samples_s.clear();
    audio_s_.clear();
    prefill_s_.clear();
  }

 private:
  void Prompt() {
    decoder_.Start(*state_, window_);
    decoder_.Prefill(*state_, 0, {job_.tokens.data(), kPromptTokens}, last_of_prompt_,
                     prompt_logits_);
  }

  // From one row to all beams, then as a search does it: some go on twice, others not.
  const std::vector<int>& Fork(int step) {
    from_.resize(result_.beams);
    for (int beam = 0; beam < result_.beams; ++beam) from_[beam] = step == 0 ? 0 : beam * 3 / 4;
    return from_;
  }

  const DecoderJob& job_;
  DecoderResult& result_;
  decoder::Decoder decoder_;
  std::unique_ptr<decoder::DecoderState> state_;
  Tensor prompt_logits_;
  std::vector<int> next_, from_;
  const std::vector<int> window_ = {0};
  const std::vector<int> last_of_prompt_ = {kPromptTokens - 1};
  std::vector<double> audio_s_, prefill_s_;
};

void TimeDecoder(benchmark::State& state, const DecoderJob& job, ThreadPool& pool,
                 DecoderResult& result) {
  Run run(job, pool, result);
  run.Verify();
  if (!result.verdict.passed())
    return state.SkipWithError(golden::Describe(result.verdict).c_str());
  run.Sample();
  run.Forget();
  for (auto _ : state) state.SetIterationTime(run.Sample());
  run.Verify();
  if (!result.verdict.passed()) {
    run.Forget();
    return state.SkipWithError(golden::Describe(result.verdict).c_str());
  }
  run.Finish(pool.threads());
}

}  // namespace

double DecoderResult::percent_of_bandwidth() const {
  return 100 * step_bytes / Summarize(samples_s).median / bandwidth;
}

DecoderJob PrepareDecoderJob(encoder::ChosenModel chosen, int steps, ThreadPool& pool) {
  const encoder::Geometry& g = chosen.model.geometry();
  if (steps < 1 || steps + kPromptTokens > g.n_text_ctx) {
    Throw(ErrorCode::kInvalidArgument, "--tokens={}: {} has positions for 1 to {} after the prompt",
          steps, g.name, g.n_text_ctx - kPromptTokens);
  }
  Tensor encoded = Encoded(chosen.model, pool);
  DecoderJob job{std::move(chosen), std::move(encoded), {}, {}, steps};
  job.tokens = Spoken(job, pool);
  job.want = decoder::ReferenceLogits(job.chosen.model, job.encoded, job.tokens);
  return job;
}

void RegisterDecoder(const DecoderJob& job, ops::Precision precision, int beams, double min_time_s,
                     ThreadPool& pool, DecoderResult& result) {
  result.precision = precision;
  result.beams = beams;
  result.tolerance = decoder::LogitsTolerance(precision);
  const std::string name =
      fmt::format("decoder/{}/cpu/{}/beams:{}", job.chosen.model.geometry().name,
                  ops::PrecisionName(precision), beams);
  auto* registered = benchmark::RegisterBenchmark(
      name.c_str(),
      [&job, &pool, &result](benchmark::State& state) { TimeDecoder(state, job, pool, result); });
  registered->UseManualTime()->Unit(benchmark::kMillisecond);
  if (min_time_s > 0) registered->MinTime(min_time_s);
}

std::string DecoderReport(const DecoderJob& job, const std::vector<DecoderResult>& results,
                          const Environment& environment) {
  std::string text;
  const auto line = [&]<typename... Args>(fmt::format_string<Args...> format, Args&&... args) {
    if (job.chosen.synthetic) text += kSyntheticMark;
    fmt::format_to(std::back_inserter(text), format, std::forward<Args>(args)...);
    text += '\n';
  };
  const encoder::Model& model = job.chosen.model;
  line("decoder    {} on cpu, measured; {} tokens after a prompt of {}; {} threads",
       model.geometry().name, job.steps, kPromptTokens, environment.threads);
  line("model      {}, sha256 {:.12}", model.format(), model.sha256());
  if (job.chosen.synthetic) line("           seeded numbers: {}", job.chosen.note);
  line("check      logits of {} tokens against float64, before and after", kCheckedTokens);
  line("");
  line("{:9} {:>5} {:12} {:>8} {:>8} {:>8} {:>7} {:>5} {:>9} {:>8} {:>7} {:>8} {:>9}", "precision",
       "beams", "verdict", "rel-L2", "limit", "ms/step", "best", "+-", "tokens/s", "MB/step",
       "GB/s", "of peak", "prompt ms");
  for (const DecoderResult& r : results) {
    const char* precision = ops::PrecisionName(r.precision);
    if (!r.verdict.passed()) {
      line("{:9} {:5} {}", precision, r.beams, golden::Describe(r.verdict));
      continue;
    }
    const SampleSummary s = Summarize(r.samples_s);
    line(
        "{:9} {:5} {:12} {:8.1e} {:8.1e} {:8.2f} {:7.2f} {:>5} {:9.0f} {:8.0f} {:7.1f} {:>8} "
        "{:9.1f}",
        precision, r.beams,
        fmt::format("{} {:.0f} %", golden::StatusName(r.verdict.status),
                    r.verdict.headroom_percent()),
        r.verdict.rel_l2, r.tolerance.rel_l2, 1e3 * s.median, 1e3 * s.least,
        fmt::format("{:.0f} %", 50 * s.spread), r.beams / s.median, r.step_bytes / 1e6,
        r.step_bytes / s.median / 1e9, fmt::format("{:.0f} %", r.percent_of_bandwidth()),
        1e3 * r.prefill_s);
  }
  line("tokens/s counts each beam's; a step reads weights, keys and values once");
  for (const DecoderResult& r : results) {
    if (!r.verdict.passed()) continue;
    line("{:9} {:5} keys and values of a window {:.1f} ms; memory {:.1f} GB/s, measured here",
         ops::PrecisionName(r.precision), r.beams, 1e3 * r.audio_s, r.bandwidth / 1e9);
  }
  line("provenance {}; {}; {}", RevisionString(environment), environment.compiler,
       environment.date);
  line("           {}; {}; load {:.1f}", environment.machine_class, environment.cpu_features,
       environment.load_average);
  return text;
}

RunRecord DecoderRecord(const DecoderJob& job, const DecoderResult& result,
                        const Environment& environment) {
  const std::string& name = job.chosen.model.geometry().name;
  SeriesKey key;
  key.op = "decoder";
  key.shape = job.chosen.synthetic ? "synthetic-" + name : name;
  key.dtype = ops::PrecisionName(result.precision);
  key.device = "cpu";
  key.preset = fmt::format("threads={}", environment.threads);
  key.schedule = ops::BackendName(ops::Backend::kFast);
  key.batch = fmt::format("beams={}", result.beams);
  RunRecord record(key, Provenance::kMeasured, RecordedVerdict(result.verdict, result.tolerance));
  record.environment = environment;
  record.hashes = {{"model", job.chosen.model.sha256()}};
  if (!result.verdict.passed()) return record;
  const double median = Summarize(result.samples_s).median;
  record.SetTimes({{"total", median}, {"audio", result.audio_s}, {"prefill", result.prefill_s}},
                  result.samples_s);
  record.SetMetric("bytes", result.step_bytes);
  record.SetMetric("peak_bandwidth", result.bandwidth);
  record.SetMetric("percent_of_bandwidth", result.percent_of_bandwidth());
  record.SetMetric("tokens_per_s", result.beams / median);
  return record;
}

}  // namespace xdna::bench
