// //bench:<op>: one op (XDNA_OP), verified against its goldens and its reference, timed,
// and put beside what this machine can do.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "base/sha256.h"
#include "base/thread_pool.h"
#include "bench/cpu_timeline.h"
#include "bench/environment.h"
#include "bench/machine_peak.h"
#include "bench/op_array.h"
#include "bench/op_options.h"
#include "bench/op_point.h"
#include "bench/op_report.h"
#include "bench/op_shape.h"
#include "bench/op_tile.h"
#include "bench/progress.h"
#include "bench/resume.h"
#include "bench/run_record.h"
#include "bench/suggest.h"
#include "golden/store.h"
#include "ops/registry.h"
#include "ops/verify.h"

namespace xdna::bench {
namespace {

bool ColorWanted() {
  const char* term = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr && term != nullptr &&
         std::string_view(term) != "dumb";
}

int List(const ops::Contract& op, const golden::Store& store) {
  fmt::print("{}: {}\n\noperands\n", op.name, op.summary);
  for (const ops::Operand& input : op.inputs) {
    fmt::print("  {:<8} [{}]{}\n", input.name, input.shape, input.weight ? " (fixed)" : "");
  }
  fmt::print("  {:<8} [{}] (result)\n\ndefault sizes\n  {}\n\nvariants\n", op.output.name,
             op.output.shape, ShapeName(op, op.defaults));
  for (const ops::Variant& variant : op.variants) {
    fmt::print("  {} {}/{}{}\n", ops::DeviceName(variant.device()),
               ops::PrecisionName(variant.precision), ops::BackendName(variant),
               op.IsWrong(variant) ? "  (wrong, for comparison)" : "");
  }
  fmt::print("\ngolden cases ({})\n", store.path());
  for (const std::string& name : store.CaseNames()) {
    const golden::Case golden = store.Load(name);
    fmt::print("  {:<24} {:<8} {}\n", name, golden.data, ShapeName(op, golden.dims));
  }
  return kExitOk;
}

int Repro(const ops::Contract& op, const golden::Store& store, const OpOptions& options) {
  const ops::Check wanted =
      WithContext("--repro", [&] { return ops::ParseCheck(op, options.repro); });
  std::vector<std::string> names;
  for (const ops::Check& check : ops::ChecksOf(op, store)) names.push_back(ops::CheckName(check));
  const std::string name = ops::CheckName(wanted);
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    Throw(ErrorCode::kInvalidArgument, "--repro: no check {};{}", Quoted(name),
          Suggest(name, names));
  }
  ThreadPool pool(options.threads);
  const golden::Verdict verdict = ops::RunCheck(op, store, wanted, {&pool});
  fmt::print("{} {}: {}\n", op.name, name, golden::Describe(verdict));
  return verdict.passed() ? kExitOk : kExitWrong;
}

// Points on one tile: verdicts, unless `dry`, and the model's cycles.
int RunOnTile(const ops::Contract& op, const golden::Store& store, OpOptions& options, bool dry) {
  ThreadPool pool(options.threads);
  OpRunner runner(op, store, pool, options.seed, isatty(STDERR_FILENO) != 0);
  const TileTable table(op, options.points);
  fmt::print("{}", table.Header());
  bool wrong = false;
  for (OpPoint& point : options.points) {
    if (point.variant.backend != ops::Backend::kTile) continue;
    if (!dry) runner.Check(point);
    fmt::print("{}", table.Row(point, !dry));
    std::fflush(stdout);
    wrong = wrong || (!dry && !point.verdict.passed() &&
                      point.verdict.status != golden::Status::kUnsupported);
  }
  if (dry) fmt::print("\n{} points, nothing was run\n", options.points.size());
  if (!dry) fmt::print("{}", TileTable::Footer());
  return wrong ? kExitWrong : kExitOk;
}

int RunOnNpu(const ops::Contract& op, const golden::Store& store, OpOptions& options) {
  const auto has = [&](ops::Backend backend) {
    return std::any_of(options.points.begin(), options.points.end(),
                       [&](const OpPoint& p) { return p.variant.backend == backend; });
  };
  int status = kExitOk;
  if (has(ops::Backend::kArray)) {
    if (!options.json.empty()) CheckAppendable(options.json);
    const OpSession session = {CurrentEnvironment(options.threads), Sha256OfFile(store.path()),
                               options.seed};
    status = RunOnArray(op, store, options, session);
  }
  if (!has(ops::Backend::kTile)) return status;
  return std::max(status, RunOnTile(op, store, options, options.dry_run));
}

int DryRun(const ops::Contract& op, const OpOptions& options) {
  const MachinePeak& peak = MeasurePeak(options.threads);
  const OpTable table(options.points, ColorWanted());
  fmt::print("{}", MachineLine(CurrentEnvironment(options.threads), peak));
  fmt::print("\n{}", table.DryHeader());
  for (const OpPoint& point : options.points) {
    fmt::print("{}", table.DryRow(point, LimitsOf(op, point, peak)));
  }
  fmt::print("\n{} points, nothing was run\n", options.points.size());
  return kExitOk;
}

// Our table, a row as soon as a point is done, and a record for it.
class Reporter : public benchmark::BenchmarkReporter {
 public:
  Reporter(const ops::Contract& op, const OpOptions& options, OpSession session)
      : op_(op),
        options_(options),
        session_(std::move(session)),
        peak_(MeasurePeak(options.threads)),
        table_(options.points, ColorWanted()),
        progress_(options.points.size()) {
    if (options.own_display) display_.reset(benchmark::CreateDefaultDisplayReporter());
  }

  bool ReportContext(const Context& context) override {
    if (display_) return display_->ReportContext(context);
    fmt::print("{}\n{}", MachineLine(session_.environment, peak_), table_.Header());
    std::fflush(stdout);
    progress_.Next(options_.points.front().name);
    return true;
  }

  void ReportRuns(const std::vector<Run>& runs) override {
    if (display_) display_->ReportRuns(runs);
    for (const OpPoint& point : options_.points) {
      // Repetitions are reported again as their mean and so on: one row is enough.
      if (point.name == runs.front().run_name.function_name && reported_.insert(&point).second) {
        Report(point);
      }
    }
  }

  void Finalize() override {
    if (display_) return display_->Finalize();
    fmt::print(
        "\npassed N %: how much of the tolerance is left. of memory: each operand moved once, "
        "against what a\nworking set of that size can be read at.\n{}",
        ProvenanceLine(session_));
  }

  int timed() const { return timed_; }
  int wrong() const { return wrong_; }

 private:
  void Report(const OpPoint& point) {
    OpLimits limits = LimitsOf(op_, point, peak_);
    // Perhaps it was the peak that was measured beside other work.
    if (!RecordOf(op_, point, limits, session_).valid()) {
      RaisePeak(options_.threads);
      limits = LimitsOf(op_, point, peak_);
    }
    const RunRecord record = RecordOf(op_, point, limits, session_);
    progress_.Clear();
    if (!display_) fmt::print("{}", table_.Row(point, limits, record));
    std::fflush(stdout);
    const std::size_t next = static_cast<std::size_t>(&point - options_.points.data()) + 1;
    if (!display_ && next < options_.points.size()) progress_.Next(options_.points[next].name);
    if (!options_.json.empty()) AppendRecord(options_.json, record);
    const bool unsupported = point.verdict.status == golden::Status::kUnsupported;
    timed_ += point.verdict.passed() ? 1 : 0;
    wrong_ += (point.verdict.passed() && record.valid()) || unsupported ? 0 : 1;
  }

  const ops::Contract& op_;
  const OpOptions& options_;
  const OpSession session_;
  const MachinePeak& peak_;
  const OpTable table_;
  Progress progress_;
  std::unique_ptr<benchmark::BenchmarkReporter> display_;
  std::set<const OpPoint*> reported_;
  int timed_ = 0;
  int wrong_ = 0;
};

void StartGoogleBenchmark(const OpOptions& options) {
  std::vector<std::string> arguments = options.benchmark_arguments;
  std::vector<char*> pointers;
  pointers.reserve(arguments.size());
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (count > 1) {
    Throw(ErrorCode::kInvalidArgument,
          "{} is not an option of Google Benchmark, or not a value of it", Quoted(pointers[1]));
  }
}

// Without those that the file of records has; their number is printed.
void LeaveOutDone(const ops::Contract& op, const OpSession& session, OpOptions& options) {
  DoneSeries done(options.json, session.environment, "");
  std::erase_if(options.points, [&](const OpPoint& point) {
    const bool has = done.Has(SeriesOf(op, point, session.environment.threads));
    if (has) done.Skip();
    return has;
  });
  fmt::print("{}", done.Describe());
}

void WriteTimelines(const OpOptions& options, OpRunner& runner) {
  for (const OpPoint& point : options.points) {
    if (!point.verdict.passed()) continue;
    const std::string path = TimelinePath(options.trace, point.name, options.points.size() > 1);
    runner.Trace(point, path);
    if (options.own_display) continue;
    fmt::print("timeline   {}: one run, measured; open it in ui.perfetto.dev\n", path);
  }
}

int Run(const ops::Contract& op, const golden::Store& store, OpOptions& options) {
  StartGoogleBenchmark(options);
  OpSession session;
  session.environment = CurrentEnvironment(options.threads);
  session.golden_sha256 = Sha256OfFile(store.path());
  session.seed = options.seed;
  if (!options.json.empty()) CheckAppendable(options.json);
  if (options.resume) LeaveOutDone(op, session, options);
  if (options.points.empty()) return kExitOk;

  ThreadPool pool(options.threads);
  OpRunner runner(op, store, pool, options.seed, isatty(STDERR_FILENO) != 0);
  for (OpPoint& point : options.points) {
    benchmark::RegisterBenchmark(point.name.c_str(),
                                 [&](benchmark::State& state) { runner.Run(point, state); })
        ->UseManualTime()
        ->Unit(benchmark::kMillisecond);
  }
  if (options.list_tests) {
    benchmark::RunSpecifiedBenchmarks();
    return kExitOk;
  }
  Reporter reporter(op, options, std::move(session));
  if (benchmark::RunSpecifiedBenchmarks(&reporter) == 0) {
    Throw(ErrorCode::kInvalidArgument, "--benchmark_filter matches no point");
  }
  if (reporter.timed() == 0 && reporter.wrong() == 0) {
    fmt::print(stderr, "{}: this machine can run none of the points, so nothing was measured\n",
               op.name);
    return kExitWrong;
  }
  if (!options.trace.empty()) WriteTimelines(options, runner);
  return reporter.wrong() == 0 ? kExitOk : kExitWrong;
}

int Main(int argc, char** argv) {
  const ops::Contract& op = ops::FindOp(XDNA_OP);
  OpOptions options = ParseOpOptions(op, argc, argv);
  if (options.help) return kExitOk;
  if (options.list_tiles) {
    fmt::print("{}", TileList(op, options.points));
    return kExitOk;
  }
  const bool npu = options.device == ops::Device::kNpu;
  if (options.dry_run && !npu) return DryRun(op, options);
  const golden::Store store = golden::Store::Open(ops::GoldenPath(op), "op");
  if (options.list) return List(op, store);
  if (!options.repro.empty()) return Repro(op, store, options);
  return npu ? RunOnNpu(op, store, options) : Run(op, store, options);
}

}  // namespace
}  // namespace xdna::bench

int main(int argc, char** argv) {
  return xdna::RunProgram(XDNA_OP, [&] { return xdna::bench::Main(argc, argv); });
}
