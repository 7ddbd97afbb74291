// The last run on one screen.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/program.h"
#include "bench/command_line.h"
#include "reports/policy.h"
#include "reports/records.h"
#include "reports/summary.h"

namespace xdna::reports {
namespace {

constexpr const char* kHelp =
    "Says on one screen what the last run of benchmarks found: real-time factor, change since the\n"
    "base, what bounds it, and what to do next.";

constexpr const char* kFooter =
    "Without --base, each series is compared with its newest record of another revision.\n"
    "Colours: only on a terminal, and not where NO_COLOR is set.\n"
    "Examples:\n"
    "  bazel run //reports:summary -- runs.jsonl\n"
    "  bazel run //reports:summary -- runs.jsonl --base=history\n";

int Main(int argc, const char* const* argv) {
  std::vector<std::string> runs;
  std::vector<std::string> bases;
  std::string policy_path;
  CLI::App app(kHelp, "summary");
  app.add_option("RUNS", runs, "records: files, folders, patterns")->required();
  app.add_option("--base", bases, "records to compare with");
  app.add_option("--policy", policy_path, "of //reports:calibrate; the project's own by default");
  app.footer(kFooter);
  if (!bench::ParseOptions(app, argc, argv)) return kExitOk;
  for (std::string& path : runs) path = UserPath(path);
  for (std::string& path : bases) path = UserPath(path);
  policy_path = policy_path.empty() ? RunfilePath("reports/policy.json") : UserPath(policy_path);

  const RecordSet set = LoadRecords(runs);
  for (const std::string& torn : set.torn) fmt::print(stderr, "{}\n", torn);
  LastRun last = FindLastRun(set);
  if (!bases.empty()) last.base = LoadRecords(bases);
  const bool color = isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  fmt::print("{}", Summary(last.now, last.base,
                           policy_path.empty() ? Policy() : LoadPolicy(policy_path), color));
  return kExitOk;
}

}  // namespace
}  // namespace xdna::reports

int main(int argc, char** argv) {
  return xdna::RunProgram("summary", [&] { return xdna::reports::Main(argc, argv); });
}
