// The history store's commands.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "bench/command_line.h"
#include "bench/suggest.h"
#include "reports/history.h"
#include "reports/records.h"

namespace xdna::reports {
namespace {

constexpr const char* kHelp =
    "Keeps results over time: a folder of JSON lines by date and revision. Writers take turns, a\n"
    "killed one loses nothing that was written; records that are there already are not added "
    "again.";

constexpr const char* kFooter =
    "COMMANDs:\n"
    "  append STORE RUNS...    add run records\n"
    "  merge STORE STORES...   add what other stores have\n"
    "  prune STORE --keep=N    delete the oldest files (a date and revision each) but N\n"
    "  list STORE              one line a file\n"
    "Examples:\n"
    "  bazel run //reports:history -- append history runs.jsonl\n"
    "  bazel run //reports:history -- prune history --keep=200 --dry_run\n"
    "  bazel run //reports:gate -- history runs.jsonl\n";

struct Options {
  std::string command, store;
  std::vector<std::string> inputs;
  std::size_t keep = std::numeric_limits<std::size_t>::max();
  bool dry_run = false;
};

void Append(const Options& o) {
  if (o.inputs.empty()) {
    Throw(ErrorCode::kInvalidArgument, "{}: nothing to add (see --help)", o.command);
  }
  std::vector<std::string> paths;
  for (const std::string& path : o.inputs) paths.push_back(UserPath(path));
  const RecordSet set = LoadRecords(paths);
  for (const std::string& torn : set.torn) fmt::print(stderr, "{}\n", torn);
  const HistoryChange change = History(UserPath(o.store)).Append(set);
  for (const std::string& repaired : change.repaired) fmt::print(stderr, "{}\n", repaired);
  fmt::print("{} added, {} there already\n", change.added, change.known);
}

void Prune(const Options& o) {
  if (o.keep == std::numeric_limits<std::size_t>::max()) {
    Throw(ErrorCode::kInvalidArgument, "prune: --keep=N is missing");
  }
  const std::vector<std::string> gone = History(UserPath(o.store)).Prune(o.keep, o.dry_run);
  for (const std::string& path : gone) fmt::print("{}\n", path);
  fmt::print("{} files {}\n", gone.size(), o.dry_run ? "would be deleted" : "deleted");
}

void List(const Options& o) {
  fmt::print("{:<10}  {:<18} {:>7} {:>7} {:>7}\n", "date", "revision", "records", "passed",
             "series");
  for (const HistoryFile& file : History(UserPath(o.store)).List()) {
    fmt::print("{:<10}  {:<18} {:>7} {:>7} {:>7}\n", file.date, file.revision, file.records,
               file.passed, file.series);
  }
}

int Main(int argc, const char* const* argv) {
  Options o;
  CLI::App app(kHelp, "history");
  app.add_option("COMMAND", o.command, "append, merge, prune or list")->required();
  app.add_option("STORE", o.store, "the folder")->required();
  app.add_option("INPUTS", o.inputs, "files, folders, patterns to add");
  app.add_option("--keep", o.keep, "how many files prune leaves");
  app.add_flag("--dry_run", o.dry_run, "only say what prune would delete");
  app.footer(kFooter);
  if (!bench::ParseOptions(app, argc, argv)) return kExitOk;
  if (o.command == "append" || o.command == "merge") {
    Append(o);
  } else if (o.command == "prune") {
    Prune(o);
  } else if (o.command == "list") {
    List(o);
  } else {
    Throw(ErrorCode::kInvalidArgument, "no such command {};{}", bench::Quoted(o.command),
          bench::Suggest(o.command, {"append", "merge", "prune", "list"}));
  }
  return kExitOk;
}

}  // namespace
}  // namespace xdna::reports

int main(int argc, char** argv) {
  return xdna::RunProgram("history", [&] { return xdna::reports::Main(argc, argv); });
}
