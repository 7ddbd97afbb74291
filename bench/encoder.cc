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
#include <utility>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/program.h"
#include "base/sha256.h"
#include "base/thread_pool.h"
#include "bench/command_line.h"
#include "bench/cpu_timeline.h"
#include "bench/encoder_kernels.h"
#include "bench/encoder_measure.h"
#include "bench/encoder_npu.h"
#include "bench/encoder_npu_report.h"
#include "bench/encoder_options.h"
#include "bench/encoder_origin.h"
#include "bench/encoder_points.h"
#include "bench/encoder_record.h"
#include "bench/encoder_report.h"
#include "bench/encoder_scaling.h"
#include "bench/encoder_sizes.h"
#include "bench/encoder_sweep.h"
#include "bench/encoder_taps.h"
#include "bench/encoder_tune.h"
#include "bench/environment.h"
#include "bench/machine_peak.h"
#include "bench/progress.h"
#include "bench/run_record.h"
#include "bench/schedule_tune.h"
#include "bench/sweep.h"
#include "bench/user_cache.h"
#include "encoder/inputs.h"

namespace xdna::bench {
namespace {

std::vector<std::string> Split(const std::string& list) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(',', begin), list.size());
    parts.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::vector<std::string> ScheduleList(const std::string& option) {
  return option == "all" ? encoder::ScheduleNames() : Split(option);
}

// --list_schedules and --explain; false where neither was asked for.
bool ShowSchedules(const EncoderOptions& o) {
  if (o.list_schedules) {
    for (const std::string& name : encoder::ScheduleNames()) {
      fmt::print("{:17} {}\n", name, encoder::FindSchedule(name).claim);
    }
    return true;
  }
  if (o.explain.empty() || o.explain == "origin" || o.explain == "kernels") return false;
  if (o.explain != "schedule") {
    Throw(ErrorCode::kInvalidArgument,
          "--explain={}: there are schedule (as without =), origin and kernels", o.explain);
  }
  for (const std::string& name : ScheduleList(o.schedule)) {
    const encoder::Schedule schedule = encoder::FindSchedule(name);
    fmt::print("{}", o.against.empty()
                         ? encoder::Explain(schedule)
                         : encoder::ExplainAgainst(schedule, encoder::FindSchedule(o.against)));
  }
  return true;
}

encoder::Audio AudioOf(const EncoderOptions& o) {
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

void PrintTimeline(const EncoderJob& job, const std::string& path, const std::string& what) {
  fmt::print("{}timeline   {}: {}; open it in ui.perfetto.dev\n",
             job.chosen.synthetic ? kSyntheticMark : "", path, what);
}

// The ladder, a schedule after the other; false where a verdict is not "passed".
bool RunLadder(const EncoderOptions& o, const EncoderJob& job,
               const std::vector<EncoderPoint>& points, const Environment& environment) {
  std::vector<NpuResult> results;
  {
    Progress progress(points.size());
    for (const EncoderPoint& point : points) {
      progress.Next(point.name);
      NpuRunOptions npu = o.npu;
      npu.trace = TimelinePath(o.trace, point.schedule.name, o.many);
      results.push_back(RunPoint(job, point, npu));
    }
  }
  fmt::print("{}", LadderReport(job, results, o.npu, o.target));
  bool right = true;
  for (const NpuResult& result : results) {
    right = right && (result.timed() || result.verdict.status == golden::Status::kUnsupported);
    if (!o.json.empty()) {
      AppendRecord(o.json, NpuEncoderRecord(job, result, o.npu, environment));
    }
    if (!result.timed()) continue;
    if (!o.trace.empty()) {
      PrintTimeline(job, TimelinePath(o.trace, result.schedule.name, o.many),
                    fmt::format("{} on the NPU, MODELLED", result.schedule.name));
    }
    const bool start =
        job.shape.stem == encoder::Stem::kProjection && result.schedule.name == "phase0-naive";
    if (start) fmt::print("{}", StartReport(job, result));
    if (!result.steps.empty() && (o.profile || points.size() == 1)) {
      fmt::print("{}", NpuProfileReport(job, result));
    }
    if (o.budget) fmt::print("{}", NpuBudgetReport(job, result, o.target));
  }
  return right;
}

std::vector<ops::Variant> VariantsOf(const EncoderOptions& o) {
  std::vector<ops::Variant> variants;
  for (const std::string& backend : ParseSweepValues(o.backend, {"backend", {"fast", "eigen"}})) {
    for (const std::string& precision :
         ParseSweepValues(o.precision, {"precision", {"f32", "bf16", "int8", "mixed"}})) {
      variants.push_back({ops::PrecisionFromName(precision), ops::BackendFromName(backend)});
    }
  }
  return variants;
}

TuneOptions TuneOptionsOf(const EncoderOptions& o) {
  TuneOptions tune;
  tune.npu = {.preset = o.npu.preset, .host = o.npu.host, .codegen = o.npu.codegen};
  tune.threads = o.threads;
  tune.cache = UserCacheFolder("tiles");
  tune.again = o.retune;
  return tune;
}

// --json, found to be writable before the work, so that a place that is not costs nobody any time.
std::string RecordsFile(const EncoderOptions& o) {
  if (o.json.empty()) return "";
  std::string path = UserPath(o.json);
  CheckAppendable(path);
  return path;
}

// --tune.
int Tune(const EncoderOptions& o) {
  CheckNpuOptions(o.npu);
  const encoder::ChosenModel chosen = encoder::ChooseModel(o.model, o.geometry);
  const std::vector<std::string> precisions =
      ParseSweepValues(o.precision, {"precision", {"f32", "bf16", "int8", "mixed"}});
  const bool right = TuneEncoder(encoder::ChooseShape(o.geometry, chosen.model), precisions,
                                 TuneOptionsOf(o), RecordsFile(o));
  return right ? kExitOk : kExitWrong;
}

std::vector<encoder::Schedule> Schedules(const EncoderOptions& o) {
  CheckNpuOptions(o.npu);
  std::vector<encoder::Schedule> schedules;
  for (const std::string& name : ScheduleList(o.schedule)) {
    schedules.push_back(encoder::FindSchedule(name));
  }
  return schedules;
}

// As Google Benchmark knows it.
std::string CpuName(const std::string& shape, const ops::Variant& variant) {
  return fmt::format("encoder/{}/cpu/{}{}", shape, ops::PrecisionName(variant.precision),
                     variant.backend == ops::Backend::kFast ? "" : "/eigen");
}

// Times that the CPU encodes the audio in one sample.
std::int64_t CpuBatch(const EncoderOptions& o) {
  if (o.sweep.batch.empty()) return 1;
  const std::vector<std::string> values = WithContext(
      "--batch", [&] { return ParseSweepValues(o.sweep.batch, {.name = "batch", .most = 10000}); });
  if (values.size() > 1) {
    Throw(ErrorCode::kInvalidArgument, "--batch={}: several are for the NPU; add --device=npu",
          o.sweep.batch);
  }
  return std::stoll(values.front());
}

// What runs this again with the same inputs.
std::string CommandOf(const EncoderOptions& o) {
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
bool RunCpu(const EncoderOptions& options, const EncoderJob& job,
            const std::vector<ops::Variant>& variants, bool own_time,
            const Environment& environment, ThreadPool& pool) {
  // Ten samples of a window, unless the user wants another time.
  constexpr double kMinTimeSeconds = 1.5;
  const MachinePeak& peak = MeasurePeak(options.threads);
  std::vector<EncoderResult> results(variants.size());
  for (std::size_t i = 0; i < variants.size(); ++i) {
    const std::string run = fmt::format("{}_{}", ops::PrecisionName(variants[i].precision),
                                        ops::BackendName(variants[i].backend));
    results[i].trace = TimelinePath(options.trace, run, options.many);
    RegisterEncoder(job, variants[i], own_time ? 0 : kMinTimeSeconds, pool, results[i]);
  }
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
  for (const EncoderResult& result : results) {
    if (result.trace.empty() || !result.verdict.passed()) continue;
    PrintTimeline(job, result.trace,
                  fmt::format("one window of {} on the CPU, measured, {:.1f} ms",
                              ops::PrecisionName(result.variant.precision), 1e3 * result.traced_s));
  }
  if (!options.json.empty()) {
    for (const EncoderResult& result : results) {
      AppendRecord(options.json, EncoderRecord(job, result, peak, environment));
    }
  }
  return std::none_of(results.begin(), results.end(), [](const EncoderResult& r) {
    return !r.verdict.passed() && r.verdict.status != golden::Status::kUnsupported;
  });
}

std::vector<int> ThreadCounts(const std::string& option) {
  std::vector<int> counts;
  for (const std::string& value : WithContext("--threads", [&] {
         return ParseSweepValues(option, {.name = "threads", .most = 1024});
       })) {
    counts.push_back(std::stoi(value));
  }
  return counts;
}

// Several --threads are for the CPU's time alone.
void CheckScaling(const EncoderOptions& o, bool npu) {
  const char* other = npu                  ? "for the CPU; add --device=cpu"
                      : !o.trace.empty()   ? "without --trace"
                      : o.taps             ? "without --taps"
                      : !o.explain.empty() ? "without --explain"
                                           : nullptr;
  if (other == nullptr) return;
  Throw(ErrorCode::kInvalidArgument, "--threads={}: several are {}", o.thread_counts, other);
}

// --explain=origin.
int ExplainOrigin(EncoderOptions o) {
  if (o.audio_s <= 0) o.audio_s = kOriginSeconds;
  o.geometry = kOriginGeometry;
  ThreadPool pool(o.threads);
  const EncoderJob job =
      PrepareJob(encoder::ChooseModel(o.model, ""), o.geometry, AudioOf(o), 1, 1, pool);
  return PrintOrigin(job, OriginOptions(o.npu)) ? kExitOk : kExitWrong;
}

// --explain=kernels.
int ExplainKernels(const EncoderOptions& o, const std::vector<ops::Variant>& variants) {
  if (variants.empty()) {
    Throw(ErrorCode::kInvalidArgument, "--explain=kernels: of the CPU; add --device=cpu");
  }
  const encoder::ChosenModel chosen = encoder::ChooseModel(o.model, o.geometry);
  ThreadPool pool(o.threads);
  fmt::print("{}", KernelTables(encoder::ChooseShape(o.geometry, chosen.model), variants, pool));
  return kExitOk;
}

int Main(int argc, char** argv) {
  const bool own_time = std::any_of(argv, argv + argc, [](const char* arg) {
    return std::string_view(arg).starts_with("--benchmark_min_time");
  });
  if (!AsksForHelp(argc, argv)) benchmark::Initialize(&argc, argv);  // takes its own options out
  EncoderOptions options;
  CLI::App app(EncoderHelp(), "encoder");
  DeclareEncoderOptions(app, options);
  if (!ParseOptions(app, argc, argv)) return kExitOk;
  if (app.count("--isa") != 0) WithContext("--isa", [&] { LimitCpu(IsaFromName(options.isa)); });
  const std::vector<int> thread_counts = ThreadCounts(options.thread_counts);
  options.threads = *std::max_element(thread_counts.begin(), thread_counts.end());
  if (ShowSchedules(options)) return kExitOk;
  const bool tuned = options.sweep.tile.find(kTunedTile) != std::string::npos;
  const std::vector<std::string> devices =
      ParseSweepValues(options.device, {"device", {"cpu", "npu"}});
  const auto wants = [&devices](const char* device) {
    return std::find(devices.begin(), devices.end(), device) != devices.end();
  };
  const bool tune = options.tune || (options.retune && !tuned);
  if (thread_counts.size() > 1) CheckScaling(options, tune || wants("npu"));
  if (tune) return Tune(options);
  const std::vector<ops::Variant> variants =
      wants("cpu") ? VariantsOf(options) : std::vector<ops::Variant>{};
  const std::vector<encoder::Schedule> schedules =
      wants("npu") ? Schedules(options) : std::vector<encoder::Schedule>{};
  options.npu.proofs = UserCacheFolder("verdicts");
  options.npu.threads = options.threads;
  if (options.explain == "origin") return ExplainOrigin(options);
  if (options.explain == "kernels") return ExplainKernels(options, variants);
  if (!options.trace.empty()) options.trace = UserPath(options.trace);
  options.json = RecordsFile(options);
  if (options.resume && options.json.empty()) {
    Throw(ErrorCode::kInvalidArgument, "--resume: needs the file of records, --json=FILE");
  }
  const Environment environment = CurrentEnvironment(options.threads);
  const SweepRun run = {options.json, options.resume};
  if (options.geometry.find(',') != std::string::npos) {
    if (!variants.empty()) {
      Throw(ErrorCode::kInvalidArgument, "--geometry={}: several are for the NPU; add --device=npu",
            options.geometry);
    }
    const bool right = RunSizes(Split(options.geometry), AudioOf(options), schedules, options.sweep,
                                options.npu, run, environment);
    return right ? kExitOk : kExitWrong;
  }
  const std::int64_t batch = variants.empty() ? 1 : CpuBatch(options);
  encoder::ChosenModel chosen = encoder::ChooseModel(options.model, options.geometry);
  const encoder::EncoderShape shape = encoder::ChooseShape(options.geometry, chosen.model);
  const std::string shape_name = (chosen.synthetic ? "synthetic-" : "") + shape.name;
  std::vector<EncoderPoint> points = schedules.empty()
                                         ? std::vector<EncoderPoint>{}
                                         : EncoderPoints(shape_name, schedules, options.sweep);
  options.many = variants.size() + points.size() > 1;
  if (options.list || options.dry_run) {
    for (const ops::Variant& variant : variants) {
      fmt::print("{}\n", CpuName(shape_name, variant));
    }
    fmt::print("{}", PointList(shape, points, options.threads, options.dry_run));
    return kExitOk;
  }

  ThreadPool pool(options.threads);
  const EncoderJob job =
      PrepareJob(std::move(chosen), options.geometry, AudioOf(options), batch, options.check, pool);
  for (EncoderPoint& point : points) {
    if (!point.tuned) continue;
    point.schedule = TuneSchedule(job, point.schedule, options.npu, TuneOptionsOf(options));
  }
  if (thread_counts.size() > 1) {
    return RunScaling(job, variants, thread_counts, options.json, environment) ? kExitOk
                                                                               : kExitWrong;
  }
  bool right = variants.empty() || RunCpu(options, job, variants, own_time, environment, pool);
  if (!variants.empty() && !points.empty()) fmt::print("\n");
  if (!points.empty()) {
    const bool sweep = options.sweep.varied() || options.resume ||
                       std::ranges::any_of(points, [](const auto& p) { return p.batch > 1; });
    right = (sweep ? RunSweep(job, points, options.npu, run, environment)
                   : RunLadder(options, job, points, environment)) &&
            right;
  }
  if (options.taps) fmt::print("{}", TapReports(job, variants, points, options.npu, pool));
  return right ? kExitOk : kExitWrong;
}

}  // namespace
}  // namespace xdna::bench

int main(int argc, char** argv) {
  return xdna::RunProgram("encoder", [&] { return xdna::bench::Main(argc, argv); });
}
