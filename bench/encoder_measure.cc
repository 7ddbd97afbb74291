#include "bench/encoder_measure.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bench/cpu_timeline.h"
#include "bench/environment.h"
#include "bench/machine_peak.h"
#include "bench/samples.h"
#include "encoder/audio/log_mel.h"
#include "ops/internal/profile.h"

namespace xdna::bench {
namespace {

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// On a terminal, a line that is rewritten; elsewhere nothing.
void ShowProgress(const std::string& what, double share) {
  if (isatty(STDERR_FILENO) == 0) return;
  fmt::print(stderr, "\r\033[K{}", share < 1 ? fmt::format("{} {:.0f} %", what, 100 * share) : "");
  std::fflush(stderr);
}

// `count` of [0, of), evenly spaced, the first among them.
std::vector<std::int64_t> Spaced(std::int64_t of, std::int64_t count) {
  std::vector<std::int64_t> chosen;
  count = std::min(count, of);
  for (std::int64_t i = 0; i < count; ++i) chosen.push_back(i * of / count);
  return chosen;
}

void Poison(const Tensor& out) {
  std::fill_n(out.data<float>(), out.size(), std::numeric_limits<float>::quiet_NaN());
}

// One precision: the encoder, its buffer, and the samples it gives.
class Run {
 public:
  Run(const EncoderJob& job, ThreadPool& pool, EncoderResult& result)
      : job_(job),
        result_(result),
        pool_(pool),
        encoder_(job.chosen.model, job.shape, {result.variant, false}, {&pool, &profile_}),
        out_(DType::kF32, {job.shape.positions, job.shape.d}) {}

  // The first window, the verdict, and a sample that does not count. False where there is nothing
  // to time.
  bool Begin() {
    const auto begin = Clock::now();
    Warm();
    result_.first_s = SecondsSince(begin);
    Verify();
    if (!result_.verdict.passed()) return false;
    Sample();
    result_.samples_s.clear();
    return true;
  }

  void Warm() { encoder_.Run(job_.Window(0), out_); }

  // All windows, `batch` times over: seconds in all.
  double Sample() {
    profile_.Clear();
    const auto begin = Clock::now();
    for (std::int64_t b = 0; b < job_.batch; ++b) {
      for (std::int64_t w = 0; w < job_.windows(); ++w) encoder_.Run(job_.Window(w), out_);
    }
    const double seconds = SecondsSince(begin);
    const double runs = Runs();
    result_.samples_s.push_back(seconds / runs);
    std::map<std::string, double> sums;
    for (const ops::Span& span : profile_.spans())
      sums[std::string(span.stage)] += span.seconds / runs;
    for (const auto& [stage, sum] : sums) stage_samples_[stage].push_back(sum);
    if (order_.empty()) {
      for (const ops::Span& span : profile_.spans()) {
        const std::string stage(span.stage);
        if (std::find(order_.begin(), order_.end(), stage) == order_.end()) order_.push_back(stage);
      }
    }
    return seconds;
  }

  // The verdict again, and what follows from the samples. False, and no samples, where it is not
  // "passed" any more.
  bool End() {
    Verify();
    if (!result_.verdict.passed()) {
      result_.samples_s.clear();
      return false;
    }
    result_.work = encoder_.work();
    for (const std::string& stage : order_) {
      result_.stages.push_back({stage, Summarize(stage_samples_.at(stage)).median});
    }
    return true;
  }

  void Trace(const std::string& name) {
    result_.traced_s =
        WriteCpuTimeline(result_.trace, name, CurrentEnvironment(pool_.threads()), pool_, profile_,
                         [&] { encoder_.Run(job_.Window(0), out_); });
  }

 private:
  // Takes over the worse of the verdict so far and that of every checked window.
  void Verify() {
    for (std::size_t i = 0; i < job_.checked.size(); ++i) {
      Poison(out_);
      encoder_.Run(job_.Window(job_.checked[i]), out_);
      const golden::Verdict verdict =
          golden::Compare(out_, job_.references[i].output, result_.tolerance);
      const bool first = std::isnan(result_.verdict.used);
      if (first || !verdict.passed() ||
          (result_.verdict.passed() && verdict.used > result_.verdict.used)) {
        result_.verdict = verdict;
      }
      if (!verdict.passed()) return;
    }
  }

  double Runs() const { return static_cast<double>(job_.windows() * job_.batch); }

  const EncoderJob& job_;
  EncoderResult& result_;
  ops::Profile profile_;
  ThreadPool& pool_;
  encoder::CpuEncoder encoder_;
  Tensor out_;
  std::map<std::string, std::vector<double>> stage_samples_;
  std::vector<std::string> order_;
};

void TimeEncoder(benchmark::State& state, const std::string& name, const EncoderJob& job,
                 ThreadPool& pool, EncoderResult& result) {
  result.samples_s.clear();
  result.stages.clear();
  try {
    Run run(job, pool, result);
    if (!run.Begin()) return state.SkipWithError(golden::Describe(result.verdict).c_str());
    for (auto _ : state) state.SetIterationTime(run.Sample());
    if (!run.End()) return state.SkipWithError(golden::Describe(result.verdict).c_str());
    if (!result.trace.empty()) run.Trace(name);
    state.counters["RTF"] =
        job.audio.seconds / (result.median_s() * static_cast<double>(job.windows()));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    result.verdict = golden::Verdict::Unsupported(error.message());
    state.SkipWithError(error.what());
  }
}

}  // namespace

TensorView EncoderJob::Window(std::int64_t i) const {
  return {mel.data<float>() + i * shape.n_mels * shape.frames, {shape.n_mels, shape.frames}};
}

EncoderJob PrepareJob(encoder::ChosenModel chosen, const std::string& geometry,
                      encoder::Audio audio, std::int64_t batch, std::int64_t most_checked,
                      ThreadPool& pool) {
  encoder::EncoderShape shape = encoder::ChooseShape(geometry, chosen.model);
  EncoderJob job{std::move(chosen), std::move(shape), std::move(audio), {}, 0, batch, {}, {}};
  const encoder::LogMel log_mel(static_cast<int>(job.shape.n_mels));
  std::vector<double> mel_s;
  for (int i = 0; i < 5; ++i) {
    const auto begin = Clock::now();
    job.mel = log_mel.Windows(job.audio, static_cast<int>(job.shape.frames), &pool);
    mel_s.push_back(SecondsSince(begin));
  }
  job.mel_s = Summarize(mel_s).median;
  job.checked = Spaced(job.windows(), most_checked);
  for (std::int64_t window : job.checked) {
    const std::string what =
        fmt::format("float64 reference of window {} of {}", window + 1, job.windows());
    job.references.push_back(
        encoder::FindReference(job.chosen.model, job.shape, job.audio, window, job.Window(window),
                               [&](double share) { ShowProgress(what, share); }));
  }
  return job;
}

double EncoderResult::median_s() const { return Summarize(samples_s).median; }
double EncoderResult::min_s() const { return Summarize(samples_s).least; }
double EncoderResult::spread() const { return Summarize(samples_s).spread / 2; }

void ApplyPeak(std::span<EncoderResult> results, int threads) {
  constexpr int kTries = 5;
  const MachinePeak& peak = MeasurePeak(threads);
  for (int i = 0; i < kTries; ++i) {
    bool possible = true;
    for (EncoderResult& result : results) {
      result.flops = result.floor_s = 0;
      for (StageTime& stage : result.stages) {
        stage.flops = stage.floor_s = stage.exps = stage.exp_s = 0;
        for (const encoder::CpuEncoder::Work& work : result.work) {
          if (work.stage != stage.stage) continue;
          stage.flops += work.flops;
          stage.floor_s += work.flops / peak.Of(work.precision).flops;
          stage.exps += work.exps;
          stage.exp_s += work.exps / peak.ExpOf(work.precision);
        }
        result.flops += stage.flops;
        result.floor_s += stage.floor_s;
      }
      possible = possible && (result.samples_s.empty() || result.min_s() >= result.floor_s);
    }
    if (possible) return;
    RaisePeak(threads);
  }
}

void TimeInTurns(const EncoderJob& job, const std::vector<ThreadPool*>& pools,
                 std::vector<EncoderResult>& results) {
  std::vector<std::unique_ptr<Run>> runs(results.size());
  try {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      runs[i] = std::make_unique<Run>(job, *pools[i], results[i]);
      if (!runs[i]->Begin()) runs[i] = nullptr;
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    for (EncoderResult& result : results) {
      result.verdict = golden::Verdict::Unsupported(error.message());
    }
    return;
  }
  std::erase(runs, nullptr);
  for (int turn = 0; turn < kTurns; ++turn) {
    for (const auto& run : runs) {
      run->Warm();  // brings its weights back into the caches
      for (int i = 0; i < kTurnSamples; ++i) run->Sample();
    }
  }
  for (const auto& run : runs) run->End();
}

void RegisterEncoder(const EncoderJob& job, ops::Variant variant, double min_time_s,
                     ThreadPool& pool, EncoderResult& result) {
  result.variant = variant;
  result.tolerance = encoder::OutputTolerance(variant.precision);
  const std::string backend = variant.backend == ops::Backend::kFast
                                  ? ""
                                  : fmt::format("/{}", ops::BackendName(variant.backend));
  const std::string name = fmt::format("encoder/{}/cpu/{}{}", job.shape.name,
                                       ops::PrecisionName(variant.precision), backend);
  auto* registered = benchmark::RegisterBenchmark(
      name.c_str(), [name, &job, &pool, &result](benchmark::State& state) {
        TimeEncoder(state, name, job, pool, result);
      });
  registered->UseManualTime()->Unit(benchmark::kMillisecond);
  if (min_time_s > 0) registered->MinTime(min_time_s);
}

}  // namespace xdna::bench
