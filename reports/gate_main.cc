// The gate: new run records beside those of a base.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "bench/command_line.h"
#include "reports/calibration.h"
#include "reports/gate.h"
#include "reports/gate_output.h"
#include "reports/output_file.h"
#include "reports/policy.h"
#include "reports/records.h"

namespace xdna::reports {
namespace {

constexpr const char* kHelp =
    "Compares run records with those of a base, series by series.\n"
    "A measured series is slower where its median is, by more than the least effect and by more\n"
    "than the same build differs from itself on this machine (policy file), its best sample is,\n"
    "and a Mann-Whitney test of the samples says so. Modelled times are compared exactly.";

constexpr const char* kFooter =
    "BASE and NEW: a file of JSON lines, a folder, or a quoted pattern; several with commas.\n"
    "A series may only vanish where a line in the records or in --notes says why:\n"
    "  {\"schema_version\": 1, \"removed\": \"KEY\", \"reason\": \"...\"}\n"
    "  {\"schema_version\": 1, \"alias\": \"OLD KEY\", \"now\": \"NEW KEY\", \"reason\": \"...\"}\n"
    "Exit codes: 0 fine, 1 slower, 2 not comparable (machine, model, preset, noise), 3 wrong\n"
    "result or lost verdict, 4 ambiguous, 5 bad input or a vanished series.\n"
    "Examples:\n"
    "  bazel run //reports:gate -- base.jsonl new.jsonl\n"
    "  bazel run //reports:gate -- history/ new.jsonl --filter='^encoder/' --markdown=comment.md\n"
    "  bazel run //reports:gate -- a.jsonl b.jsonl --policy=policy.json --junit=gate.xml\n"
    "  bazel run //reports:gate -- a.jsonl b.jsonl --inject=0.2\n";

struct Options {
  std::string base, now, policy, notes, filter, markdown, junit, json;
  double inject = 0;
};

std::vector<std::string> UserPaths(const std::string& list) {
  std::vector<std::string> paths;
  for (const std::string& path : CLI::detail::split(list, ',')) paths.push_back(UserPath(path));
  return paths;
}

Policy PolicyOf(const std::string& path) {
  if (!path.empty()) return LoadPolicy(UserPath(path));
  const std::string own = RunfilePath("reports/policy.json");
  return own.empty() ? Policy() : LoadPolicy(own);
}

int Main(int argc, const char* const* argv) {
  Options o;
  CLI::App app(kHelp, "gate");
  app.add_option("BASE", o.base, "records to compare with")->required();
  app.add_option("NEW", o.now, "records to judge")->required();
  app.add_option("--policy", o.policy, "of //reports:calibrate; the project's own by default");
  app.add_option("--notes", o.notes, "file with aliases and removals");
  app.add_option("--filter", o.filter, "regular expression: only series with a match");
  app.add_option("--markdown", o.markdown, "write a comment for a pull request to this file");
  app.add_option("--junit", o.junit, "write JUnit XML to this file");
  app.add_option("--json", o.json, "write all findings to this file");
  app.add_option("--inject", o.inject, "lengthen the new times by this fraction, as a trial")
      ->check(CLI::Range(0.0, 10.0));
  app.footer(kFooter);
  if (!bench::ParseOptions(app, argc, argv)) return kGateFine;

  const RecordSet base = LoadRecords(UserPaths(o.base));
  RecordSet now = LoadRecords(UserPaths(o.now));
  if (!o.notes.empty()) now.notes.Add(LoadRecords({UserPath(o.notes)}).notes);
  if (o.inject > 0) now = Slowed(now, o.inject);
  GateResult result = Judge(base, now, PolicyOf(o.policy), o.filter);
  if (o.inject > 0) {
    result.notes.push_back(
        fmt::format("a trial: {:.0f} % were put on all new times", 100 * o.inject));
  }
  const bool color = isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  fmt::print("{}", GateTable(result, color));
  if (!o.markdown.empty()) WriteFile(UserPath(o.markdown), GateMarkdown(result));
  if (!o.junit.empty()) WriteFile(UserPath(o.junit), GateJunit(result));
  if (!o.json.empty()) WriteFile(UserPath(o.json), GateJson(result));
  return result.exit_code;
}

}  // namespace
}  // namespace xdna::reports

int main(int argc, char** argv) {
  return xdna::RunProgram("gate", [&] {
    try {
      return xdna::reports::Main(argc, argv);
    } catch (const xdna::Error& error) {
      // The gate has codes of its own: 2 and 3 mean something else here.
      fmt::print(stderr, "gate: {}\n", error.message());
      return xdna::reports::kGateBadInput;
    }
  });
}
