// Tokens a second of the verified decoder, and how near it is to the memory's bandwidth.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/program.h"
#include "base/thread_pool.h"
#include "bench/command_line.h"
#include "bench/decoder_measure.h"
#include "bench/environment.h"
#include "bench/run_record.h"
#include "bench/sweep.h"
#include "encoder/inputs.h"

namespace xdna::bench {
namespace {

constexpr const char* kHelp =
    "Decodes token by token with Whisper's decoder, checks the logits, and reports tokens a "
    "second\n"
    "and the share of the memory's bandwidth. Without options: Whisper base, one beam and five.\n"
    "Options of Google Benchmark (--benchmark_out=FILE, --benchmark_min_time=S, ...) work as "
    "always.\n";

constexpr const char* kExamples =
    "Examples:\n"
    "  bazel run //bench:decoder -- --precision=int8 --beams=1\n"
    "  bazel run //bench:decoder -- --geometry=synthetic-whisper-small --json=runs.jsonl\n";

struct Options {
  std::string model, geometry, precision = "f32,bf16,int8", json;
  std::vector<int> beams = {1, 5};
  int threads = AvailableCpus();
  int tokens = 64;
};

void Declare(CLI::App& app, Options& o) {
  app.add_option("--model", o.model,
                 "checkpoint: CTranslate2, safetensors, ggml or our HDF5; file or folder");
  app.add_option("--geometry", o.geometry, "synthetic-NAME for seeded weights of that size");
  app.add_option("--precision", o.precision, "of f32,bf16,int8")->capture_default_str();
  app.add_option("--beams", o.beams, "sequences that are decoded together")
      ->delimiter(',')
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--tokens", o.tokens, "tokens of a sample")->capture_default_str();
  app.add_option("--threads", o.threads, "threads, this one included")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  app.add_option("--json", o.json, "append run records, one JSON line each, to this file");
  app.footer(kExamples);
}

// Our report takes the place of Google Benchmark's table.
class Silent : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

int Main(int argc, char** argv) {
  constexpr double kMinTimeSeconds = 1.5;
  const bool own_time = std::any_of(argv, argv + argc, [](const char* arg) {
    return std::string_view(arg).starts_with("--benchmark_min_time");
  });
  if (!AsksForHelp(argc, argv)) benchmark::Initialize(&argc, argv);  // takes its own options out
  Options options;
  CLI::App app(kHelp, "decoder");
  Declare(app, options);
  if (!ParseOptions(app, argc, argv)) return kExitOk;
  const std::vector<std::string> precisions =
      ParseSweepValues(options.precision, {"precision", {"f32", "bf16", "int8"}});
  if (!options.json.empty()) CheckAppendable(UserPath(options.json));
  const Environment environment = CurrentEnvironment(options.threads);

  ThreadPool pool(options.threads);
  const DecoderJob job = PrepareDecoderJob(encoder::ChooseModel(options.model, options.geometry),
                                           options.tokens, pool);
  std::vector<DecoderResult> results(precisions.size() * options.beams.size());
  std::size_t next = 0;
  for (const std::string& precision : precisions) {
    for (int beams : options.beams) {
      RegisterDecoder(job, ops::PrecisionFromName(precision), beams, own_time ? 0 : kMinTimeSeconds,
                      pool, results[next++]);
    }
  }
  Silent silent;
  if (benchmark::RunSpecifiedBenchmarks(&silent) == 0) {
    Throw(ErrorCode::kInvalidArgument, "--benchmark_filter matches none of the {} benchmarks",
          results.size());
  }
  std::erase_if(
      results, [](const DecoderResult& r) { return r.verdict.status == golden::Status::kSkipped; });
  fmt::print("{}", DecoderReport(job, results, environment));
  if (!options.json.empty()) {
    for (const DecoderResult& result : results)
      AppendRecord(UserPath(options.json), DecoderRecord(job, result, environment));
  }
  const bool wrong = std::any_of(results.begin(), results.end(),
                                 [](const DecoderResult& r) { return !r.verdict.passed(); });
  return wrong ? kExitWrong : kExitOk;
}

}  // namespace
}  // namespace xdna::bench

int main(int argc, char** argv) {
  return xdna::RunProgram("decoder", [&] { return xdna::bench::Main(argc, argv); });
}
