// The main benchmark: real speech through the verified encoder.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/program.h"
#include "base/thread_pool.h"
#include "bench/command_line.h"
#include "bench/encoder_measure.h"
#include "bench/encoder_record.h"
#include "bench/encoder_report.h"
#include "bench/environment.h"
#include "bench/machine_peak.h"
#include "bench/run_record.h"
#include "bench/sweep.h"
#include "encoder/inputs.h"

namespace xdna::bench {
namespace {

constexpr const char* kHelp =
    "Encodes speech with Whisper's encoder, checks the output, and reports the real-time factor "
    "and\n"
    "where the time went. Without options: Whisper base on LibriVox speech in f32, bf16 and int8.\n"
    "Options of Google Benchmark (--benchmark_out=FILE, --benchmark_min_time=S, ...) work as "
    "always.\n";

constexpr const char* kExamples =
    "Examples:\n"
    "  bazel run //bench:encoder -- --audio=talk.flac --precision=bf16\n"
    "  bazel run //bench:encoder -- --model=model.safetensors --json=runs.jsonl\n"
    "  bazel run //bench:encoder -- --geometry=synthetic-whisper-tiny --threads=1\n";

struct Options {
  std::string model, geometry, precision = "f32,bf16,int8", backend = "fast", json;
  std::vector<std::string> audio;
  int threads = AvailableCpus();
  std::int64_t batch = 1, check = 1;
};

void Declare(CLI::App& app, Options& o) {
  app.add_option("--model", o.model,
                 "checkpoint: CTranslate2, safetensors, ggml or our HDF5; file or folder");
  app.add_option("--audio", o.audio, "sound file; may be given again: they are joined");
  app.add_option("--geometry", o.geometry,
                 "the model's own (default), seed-3001, or synthetic-NAME for seeded weights");
  app.add_option("--precision", o.precision, "of f32,bf16,int8")->capture_default_str();
  app.add_option("--backend", o.backend, "of fast,eigen (eigen: plain f32)")->capture_default_str();
  app.add_option("--threads", o.threads, "threads, this one included")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--batch", o.batch, "times that the audio is encoded in one sample")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  app.add_option("--check", o.check, "windows to compare with the float64 reference, evenly spaced")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--json", o.json, "append run records, one JSON line each, to this file");
  app.footer(kExamples);
}

std::vector<ops::Variant> VariantsOf(const Options& o) {
  std::vector<ops::Variant> variants;
  for (const std::string& backend : ParseSweepValues(o.backend, {"backend", {"fast", "eigen"}})) {
    for (const std::string& precision :
         ParseSweepValues(o.precision, {"precision", {"f32", "bf16", "int8"}})) {
      variants.push_back({ops::PrecisionFromName(precision), ops::BackendFromName(backend)});
    }
  }
  return variants;
}

// What runs this again with the same inputs.
std::string CommandOf(const Options& o) {
  std::string command = "bazel run //bench:encoder --";
  if (!o.model.empty()) command += " --model=" + o.model;
  if (!o.geometry.empty()) command += " --geometry=" + o.geometry;
  for (const std::string& audio : o.audio) command += " --audio=" + audio;
  return command;
}

// Our report takes the place of Google Benchmark's table.
class Silent : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

int Main(int argc, char** argv) {
  // Ten samples of a window, unless the user wants another time.
  constexpr double kMinTimeSeconds = 1.5;
  const bool own_time = std::any_of(argv, argv + argc, [](const char* arg) {
    return std::string_view(arg).starts_with("--benchmark_min_time");
  });
  benchmark::Initialize(&argc, argv);  // takes its own options out
  Options options;
  CLI::App app(kHelp, "encoder");
  Declare(app, options);
  if (!ParseOptions(app, argc, argv)) return kExitOk;
  const std::vector<ops::Variant> variants = VariantsOf(options);
  // Before the work, so that a place that can't be written to costs nobody any time.
  if (!options.json.empty()) CheckAppendable(UserPath(options.json));
  const Environment environment = CurrentEnvironment(options.threads);

  ThreadPool pool(options.threads);
  const EncoderJob job =
      PrepareJob(encoder::ChooseModel(options.model, options.geometry), options.geometry,
                 encoder::ChooseAudio(options.audio), options.batch, options.check, pool);
  const MachinePeak& peak = MeasurePeak(options.threads);
  std::vector<EncoderResult> results(variants.size());
  for (std::size_t i = 0; i < variants.size(); ++i)
    RegisterEncoder(job, variants[i], own_time ? 0 : kMinTimeSeconds, pool, results[i]);
  Silent silent;
  if (benchmark::RunSpecifiedBenchmarks(&silent) == 0) {
    Throw(ErrorCode::kInvalidArgument, "--benchmark_filter matches none of the {} benchmarks",
          variants.size());
  }
  std::erase_if(
      results, [](const EncoderResult& r) { return r.verdict.status == golden::Status::kSkipped; });

  ApplyPeak(results, options.threads);
  fmt::print("{}", EncoderReport(job, results, peak, environment, CommandOf(options),
                                 isatty(STDOUT_FILENO) != 0));
  if (!options.json.empty()) {
    for (const EncoderResult& result : results) {
      AppendRecord(UserPath(options.json), EncoderRecord(job, result, peak, environment));
    }
  }
  const bool wrong = std::any_of(results.begin(), results.end(), [](const EncoderResult& r) {
    return !r.verdict.passed() && r.verdict.status != golden::Status::kUnsupported;
  });
  return wrong ? kExitWrong : kExitOk;
}

}  // namespace
}  // namespace xdna::bench

int main(int argc, char** argv) {
  return xdna::RunProgram("encoder", [&] { return xdna::bench::Main(argc, argv); });
}
