// The main benchmark: real speech through the verified encoder.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/program.h"
#include "base/sha256.h"
#include "base/thread_pool.h"
#include "bench/command_line.h"
#include "bench/encoder_measure.h"
#include "bench/encoder_npu.h"
#include "bench/encoder_npu_report.h"
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
    "where the time went. Without options: Whisper base on LibriVox speech, on the CPU in f32, "
    "bf16\n"
    "and int8 (measured), and on the NPU by the best schedule (modelled).\n"
    "Options of Google Benchmark (--benchmark_out=FILE, --benchmark_min_time=S, ...) work as "
    "always.\n";

constexpr const char* kExamples =
    "Examples:\n"
    "  bazel run //bench:encoder -- --audio=talk.flac --precision=bf16\n"
    "  bazel run //bench:encoder -- --device=npu --schedule=all --fast_verdicts\n"
    "  bazel run //bench:encoder -- --schedule=phase4-overlap --explain --against=phase3-ffn\n"
    "  bazel run //bench:encoder -- --model=model.safetensors --json=runs.jsonl\n"
    "  bazel run //bench:encoder -- --geometry=synthetic-whisper-tiny --threads=1\n";

struct Options {
  std::string model, geometry, precision = "f32,bf16,int8", backend = "fast", json;
  std::vector<std::string> audio;
  int threads = AvailableCpus();
  std::int64_t batch = 1, check = 1;
  std::string device = "cpu,npu", schedule = "phase6-resident", against;
  NpuRunOptions npu;
  double audio_s = 0, target = kTargetRtf;
  bool list_schedules = false, explain = false, profile = false, budget = false;
};

// Where proofs are kept: the user's cache.
std::string ProofFolder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache != '\0') {
    return std::string(cache) + "/xdna-whisper-bench/verdicts";
  }
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') return "";
  return std::string(home) + "/.cache/xdna-whisper-bench/verdicts";
}

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
  app.add_option("--device", o.device, "of cpu,npu: measured, modelled")->capture_default_str();
  app.add_option("--schedule", o.schedule, "npu: names, \"all\" or a file of your own (*.json)")
      ->capture_default_str();
  app.add_flag("--list_schedules", o.list_schedules, "names and claims of all schedules");
  app.add_flag("--explain", o.explain, "print the schedule: what runs where, what is assumed");
  app.add_option("--against", o.against, "with --explain: what differs from this schedule");
  app.add_option("--preset", o.npu.preset, "npu: phx-1.0, hpt-1.6 or 8700g-1.8")
      ->capture_default_str();
  app.add_option("--host", o.npu.host, "npu: cpp, pyxrt or iron-jit")->capture_default_str();
  app.add_option("--codegen", o.npu.codegen, "npu: chess or peano")->capture_default_str();
  app.add_option("--cpu_profile", o.npu.cpu, "npu: CPU beside it, numpy or cpp")
      ->capture_default_str();
  app.add_option("--audio_s", o.audio_s, "only so many seconds of the audio")
      ->check(CLI::PositiveNumber);
  app.add_flag("--fast_verdicts", o.npu.fast_verdicts,
               "npu: take the proofs that earlier runs of this very program kept");
  app.add_flag("--profile", o.profile, "npu: op by op, where the array's time goes");
  app.add_flag("--budget", o.budget, "npu: what must shrink for --target");
  app.add_option("--target", o.target, "times real time")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--trace", o.npu.trace, "npu: timeline of a run, Chrome's trace format");
  app.footer(kExamples);
}

std::vector<std::string> ScheduleList(const std::string& option) {
  if (option == "all") return encoder::ScheduleNames();
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin <= option.size();) {
    const std::size_t end = std::min(option.find(',', begin), option.size());
    names.push_back(option.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

// --list_schedules and --explain; false where neither was asked for.
bool ShowSchedules(const Options& o) {
  if (o.list_schedules) {
    for (const std::string& name : encoder::ScheduleNames()) {
      fmt::print("{:17} {}\n", name, encoder::FindSchedule(name).claim);
    }
    return true;
  }
  if (!o.explain) return false;
  for (const std::string& name : ScheduleList(o.schedule)) {
    const encoder::Schedule schedule = encoder::FindSchedule(name);
    fmt::print("{}", o.against.empty()
                         ? encoder::Explain(schedule)
                         : encoder::ExplainAgainst(schedule, encoder::FindSchedule(o.against)));
  }
  return true;
}

encoder::Audio AudioOf(const Options& o) {
  encoder::Audio audio = encoder::ChooseAudio(o.audio);
  if (o.audio_s <= 0) return audio;
  if (o.audio_s > audio.seconds) {
    Throw(ErrorCode::kInvalidArgument, "--audio_s={}: the audio has {:.2f} s", o.audio_s,
          audio.seconds);
  }
  audio.samples.resize(static_cast<std::size_t>(o.audio_s * 16000));
  audio.seconds = static_cast<double>(audio.samples.size()) / 16000;
  audio.sha256 = Sha256(audio.samples.data(), audio.samples.size() * sizeof(float));
  audio.source += fmt::format(", first {} s", o.audio_s);
  return audio;
}

// The schedules one after the other; false where a verdict is not "passed".
bool RunNpu(const Options& o, const EncoderJob& job,
            const std::vector<encoder::Schedule>& schedules, const Environment& environment) {
  std::vector<NpuResult> results;
  for (const encoder::Schedule& schedule : schedules) {
    if (isatty(STDERR_FILENO) != 0) {
      fmt::print(stderr, "\r\033[K{} ({} of {})", schedule.name, results.size() + 1,
                 schedules.size());
    }
    results.push_back(RunSchedule(job, schedule, o.npu));
  }
  if (isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\r\033[K");
  fmt::print("{}", LadderReport(job, results, o.npu, o.target));
  bool right = true;
  for (const NpuResult& result : results) {
    right = right && (result.timed() || result.verdict.status == golden::Status::kUnsupported);
    if (!o.json.empty()) {
      AppendRecord(UserPath(o.json), NpuEncoderRecord(job, result, o.npu, environment));
    }
    if (!result.timed()) continue;
    const bool start =
        job.shape.stem == encoder::Stem::kProjection && result.schedule.name == "phase0-naive";
    if (start) fmt::print("{}", StartReport(job, result));
    if (!result.steps.empty() && (o.profile || schedules.size() == 1)) {
      fmt::print("{}", NpuProfileReport(job, result));
    }
    if (o.budget) fmt::print("{}", NpuBudgetReport(job, result, o.target));
  }
  return right;
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

// All variants on this machine's cores; false where a verdict is not "passed".
bool RunCpu(const Options& options, const EncoderJob& job,
            const std::vector<ops::Variant>& variants, bool own_time,
            const Environment& environment, ThreadPool& pool) {
  // Ten samples of a window, unless the user wants another time.
  constexpr double kMinTimeSeconds = 1.5;
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
  return std::none_of(results.begin(), results.end(), [](const EncoderResult& r) {
    return !r.verdict.passed() && r.verdict.status != golden::Status::kUnsupported;
  });
}

int Main(int argc, char** argv) {
  const bool own_time = std::any_of(argv, argv + argc, [](const char* arg) {
    return std::string_view(arg).starts_with("--benchmark_min_time");
  });
  benchmark::Initialize(&argc, argv);  // takes its own options out
  Options options;
  CLI::App app(kHelp, "encoder");
  Declare(app, options);
  if (!ParseOptions(app, argc, argv)) return kExitOk;
  if (ShowSchedules(options)) return kExitOk;
  const std::vector<std::string> devices =
      ParseSweepValues(options.device, {"device", {"cpu", "npu"}});
  const auto wants = [&devices](const char* device) {
    return std::find(devices.begin(), devices.end(), device) != devices.end();
  };
  const std::vector<ops::Variant> variants =
      wants("cpu") ? VariantsOf(options) : std::vector<ops::Variant>{};
  std::vector<encoder::Schedule> schedules;
  if (wants("npu")) {
    CheckNpuOptions(options.npu);
    for (const std::string& name : ScheduleList(options.schedule)) {
      schedules.push_back(encoder::FindSchedule(name));
    }
    options.npu.proofs = ProofFolder();
    options.npu.batch = options.batch;
    options.npu.threads = options.threads;
    if (!options.npu.trace.empty()) options.npu.trace = UserPath(options.npu.trace);
  }
  // Before the work, so that a place that can't be written to costs nobody any time.
  if (!options.json.empty()) CheckAppendable(UserPath(options.json));
  const Environment environment = CurrentEnvironment(options.threads);

  ThreadPool pool(options.threads);
  const EncoderJob job =
      PrepareJob(encoder::ChooseModel(options.model, options.geometry), options.geometry,
                 AudioOf(options), options.batch, options.check, pool);
  bool right = variants.empty() || RunCpu(options, job, variants, own_time, environment, pool);
  if (!variants.empty() && !schedules.empty()) fmt::print("\n");
  if (!schedules.empty()) right = RunNpu(options, job, schedules, environment) && right;
  return right ? kExitOk : kExitWrong;
}

}  // namespace
}  // namespace xdna::bench

int main(int argc, char** argv) {
  return xdna::RunProgram("encoder", [&] { return xdna::bench::Main(argc, argv); });
}
