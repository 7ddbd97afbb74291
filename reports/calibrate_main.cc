// Calibrates the gate for a machine: the same build against itself.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "bench/command_line.h"
#include "bench/run_record.h"
#include "reports/calibration.h"
#include "reports/output_file.h"
#include "reports/policy.h"
#include "reports/records.h"

namespace xdna::reports {
namespace {

constexpr const char* kHelp =
    "Runs the same build against itself and prints how often the gate raises a false alarm, and\n"
    "the smallest slow-down that it catches 9 times in 10 on this machine.";

constexpr const char* kFooter =
    "COMMAND is a benchmark that takes --json=FILE; that option is added to it.\n"
    "RECORDS are of earlier runs of one build, in place of a COMMAND.\n"
    "A policy keeps one calibration for each program: the new one is added to those of --policy,\n"
    "or takes the place of an older one of the same series.\n"
    "Examples:\n"
    "  bazel run //reports:calibrate -- --runs=10 --out=policy.json -- "
    "$PWD/bazel-bin/bench/encoder --device=cpu\n"
    "  bazel run //reports:calibrate -- aa.jsonl --policy=policy.json --out=policy.json\n";

struct Options {
  std::vector<std::string> records;
  int runs = 10;
  std::size_t samples = bench::RunRecord::kMostSamples;
  std::string out, policy, keep;
};

void RunOnce(std::vector<std::string> command, const std::string& records) {
  command.push_back("--json=" + records);
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  if (const int error = posix_spawnp(&child, argv[0], nullptr, nullptr, argv.data(), environ)) {
    Throw(ErrorCode::kNotFound, "{}: can't be run ({})", command.front(), std::strerror(error));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) Throw(ErrorCode::kInternal, "waitpid: {}", std::strerror(errno));
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    Throw(ErrorCode::kUnavailable, "{}: ended with status {}", command.front(),
          WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  }
}

// A folder that goes with the object.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "calibrate.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
      Throw(ErrorCode::kUnavailable, "{}: can't be made ({})", name, std::strerror(errno));
    }
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

RecordSet Collect(const Options& o, const std::vector<std::string>& command) {
  if (command.empty()) {
    std::vector<std::string> paths;
    for (const std::string& path : o.records) paths.push_back(UserPath(path));
    return LoadRecords(paths);
  }
  const ScratchFolder scratch;
  std::vector<std::string> files;
  for (int run = 1; run <= o.runs; ++run) {
    files.push_back(fmt::format("{}/run{:04}.jsonl", scratch.path(), run));
    fmt::print(stderr, "run {} of {}: {}\n", run, o.runs, fmt::join(command, " "));
    RunOnce(command, files.back());
  }
  return LoadRecords(files);
}

void Keep(const RecordSet& set, const std::string& path) {
  std::string lines;
  for (const LoadedRecord& loaded : set.records) lines += loaded.record.ToJsonLine() + "\n";
  WriteFile(path, lines);
}

int Main(int argc, const char* const* argv) {
  std::vector<const char*> own(argv, argv + argc);
  const auto dashes = std::find_if(own.begin(), own.end(),
                                   [](const char* word) { return std::strcmp(word, "--") == 0; });
  const std::vector<std::string> command(dashes == own.end() ? dashes : std::next(dashes),
                                         own.end());
  own.erase(dashes, own.end());

  Options o;
  CLI::App app(kHelp, "calibrate");
  app.add_option("RECORDS", o.records, "recorded runs: files, folders, patterns");
  app.add_option("--runs", o.runs, "how often to run COMMAND")
      ->check(CLI::Range(4, 10000))
      ->capture_default_str();
  app.add_option("--out", o.out, "write the policy file for //reports:gate here");
  app.add_option("--policy", o.policy, "add to this policy file's limits and calibrations");
  app.add_option("--samples", o.samples, "at most so many samples of each record")
      ->check(CLI::Range(std::size_t{4}, bench::RunRecord::kMostSamples))
      ->capture_default_str();
  app.add_option("--keep", o.keep, "write the runs' records here");
  app.footer(kFooter);
  if (!bench::ParseOptions(app, static_cast<int>(own.size()), own.data())) return kExitOk;
  if (command.empty() == o.records.empty()) {
    Throw(ErrorCode::kInvalidArgument, "expected either RECORDS or -- COMMAND (see --help)");
  }

  const Policy start = o.policy.empty() ? Policy() : LoadPolicy(UserPath(o.policy));
  const RecordSet set = Thinned(Collect(o, command), o.samples);
  for (const std::string& torn : set.torn) fmt::print(stderr, "{}\n", torn);
  const std::vector<RecordSet> runs = SplitRuns(set);
  const std::string kept = command.empty() ? o.records.front() : o.keep;
  const Policy policy = Calibrate(
      runs, start, fmt::format("{}", fmt::join(command.empty() ? o.records : command, " ")),
      std::filesystem::path(kept).filename().string());
  fmt::print("{}", CalibrationReport(runs, policy));
  if (!o.keep.empty()) Keep(set, UserPath(o.keep));
  if (!o.out.empty()) WriteFile(UserPath(o.out), ToJson(policy));
  return kExitOk;
}

}  // namespace
}  // namespace xdna::reports

int main(int argc, char** argv) {
  return xdna::RunProgram("calibrate", [&] { return xdna::reports::Main(argc, argv); });
}
