// //bench:coverage: op x device x dtype x backend x golden case, with verdict and headroom. All of
// it comes from the registry and the golden files.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "base/program.h"
#include "base/thread_pool.h"
#include "bench/command_line.h"
#include "bench/op_shape.h"
#include "bench/suggest.h"
#include "golden/compare.h"
#include "golden/store.h"
#include "ops/registry.h"
#include "ops/verify.h"

namespace xdna::bench {
namespace {

constexpr int kMostThreads = 1024;

struct Options {
  std::string match;
  int threads = AvailableCpus();
  bool json = false;
  bool list = false;
};

struct Cell {
  const ops::Contract* op;
  ops::Check check;
  std::string shape;
  golden::Verdict verdict;

  bool wrong_kernel() const { return op->IsWrong(check.variant); }
  std::string name() const { return fmt::format("{}/{}", op->name, ops::CheckName(check)); }
};

golden::Store OpenStore(const ops::Contract& op) {
  return golden::Store::Open(ops::GoldenPath(op), "op");
}

std::vector<Cell> CellsOf(const std::string& match) {
  std::regex pattern;
  try {
    pattern = std::regex(match);
  } catch (const std::regex_error&) {
    Throw(ErrorCode::kInvalidArgument, "--match: {} is not a regular expression", Quoted(match));
  }
  std::vector<Cell> cells;
  for (const ops::Contract& op : ops::Registry()) {
    const golden::Store store = OpenStore(op);
    std::string case_name, shape;
    for (ops::Check& check : ops::ChecksOf(op, store)) {
      if (check.case_name != case_name) {
        case_name = check.case_name;
        shape = ShapeName(op, store.Load(case_name).dims);
      }
      Cell cell{&op, std::move(check), shape, {}};
      if (std::regex_search(cell.name(), pattern)) cells.push_back(std::move(cell));
    }
  }
  if (cells.empty()) {
    Throw(ErrorCode::kInvalidArgument, "--match: {} matches no OP/CASE/PRECISION/BACKEND",
          Quoted(match));
  }
  return cells;
}

// Says on a terminal what is being run.
void Progress(std::size_t done, std::size_t all, const std::string& name) {
  if (isatty(STDERR_FILENO) == 0) return;
  fmt::print(stderr, "\r\033[K{}", done == all ? "" : fmt::format("{}/{} {}", done, all, name));
  std::fflush(stderr);
}

void RunCells(std::vector<Cell>& cells, int threads) {
  ThreadPool pool(threads);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    Cell& cell = cells[i];
    Progress(i, cells.size(), cell.name());
    cell.verdict = ops::RunCheck(*cell.op, OpenStore(*cell.op), cell.check, {&pool});
  }
  Progress(cells.size(), cells.size(), "");
}

std::string Headroom(const golden::Verdict& verdict) {
  return verdict.passed() ? fmt::format("{:.0f} %", verdict.headroom_percent()) : "";
}

std::string Columns(const Cell& cell, std::size_t shape_width) {
  const ops::Variant& v = cell.check.variant;
  return fmt::format("{:<11} {:<4} {:<5} {:<14} {:<15} {:<{}}", cell.op->name,
                     ops::DeviceName(v.device()), ops::PrecisionName(v.precision),
                     ops::BackendName(v), cell.check.case_name, cell.shape, shape_width);
}

void PrintRows(const std::vector<Cell>& cells, bool verdicts) {
  std::size_t width = 5;
  for (const Cell& cell : cells) width = std::max(width, cell.shape.size());
  fmt::print("{:<11} {:<4} {:<5} {:<14} {:<15} {:<{}}{}\n", "op", "on", "dtype", "backend", "case",
             "shape", width, verdicts ? " verdict     headroom" : "");
  for (const Cell& cell : cells) {
    std::string row = Columns(cell, width);
    if (verdicts) {
      row += fmt::format(" {:<11} {:>8}", golden::StatusName(cell.verdict.status),
                         Headroom(cell.verdict));
    }
    fmt::print("{}\n", row.substr(0, row.find_last_not_of(' ') + 1));
  }
}

// What the cases of one op's variant come to.
struct Tally {
  const Cell* first = nullptr;
  int cases = 0, passed = 0, unsupported = 0;
  double headroom = 100;

  int failed() const { return cases - passed - unsupported; }
  // A wrong kernel has to fail somewhere, a right one nowhere.
  bool good() const { return first->wrong_kernel() ? failed() > 0 : failed() == 0; }
};

std::vector<Tally> TalliesOf(const std::vector<Cell>& cells) {
  std::vector<Tally> tallies;
  for (const Cell& cell : cells) {
    auto it = std::find_if(tallies.begin(), tallies.end(), [&](const Tally& t) {
      return t.first->op == cell.op && t.first->check.variant == cell.check.variant;
    });
    if (it == tallies.end()) it = tallies.insert(it, Tally{&cell});
    ++it->cases;
    it->passed += cell.verdict.passed() ? 1 : 0;
    it->unsupported += cell.verdict.status == golden::Status::kUnsupported ? 1 : 0;
    if (cell.verdict.passed())
      it->headroom = std::min(it->headroom, cell.verdict.headroom_percent());
  }
  return tallies;
}

void PrintTallies(const std::vector<Tally>& tallies) {
  fmt::print("\n{:<11} {:<4} {:<5} {:<14} {:>6} {:>6} {:>11} {:>6}  least headroom\n", "op", "on",
             "dtype", "backend", "cases", "passed", "unsupported", "failed");
  for (const Tally& t : tallies) {
    const ops::Variant& v = t.first->check.variant;
    const bool wrong = t.first->wrong_kernel();
    std::string note = wrong ? "wrong on purpose" : fmt::format("{:.0f} %", t.headroom);
    if (!t.good()) note += wrong ? ", and no case shows it" : ", WRONG";
    fmt::print("{:<11} {:<4} {:<5} {:<14} {:>6} {:>6} {:>11} {:>6}  {}\n", t.first->op->name,
               ops::DeviceName(v.device()), ops::PrecisionName(v.precision), ops::BackendName(v),
               t.cases, t.passed, t.unsupported, t.failed(), note);
  }
}

void PrintFailures(const std::vector<Cell>& cells) {
  for (const Cell& cell : cells) {
    const golden::Status status = cell.verdict.status;
    if (cell.wrong_kernel() || cell.verdict.passed() || status == golden::Status::kUnsupported) {
      continue;
    }
    fmt::print("\n{}: {}\n  repro: {}\n", cell.name(), golden::Describe(cell.verdict),
               ops::ReproLine(*cell.op, cell.check));
  }
}

nlohmann::json JsonOf(const Cell& cell, bool verdict) {
  const ops::Variant& v = cell.check.variant;
  nlohmann::json json = {{"op", cell.op->name},
                         {"device", ops::DeviceName(v.device())},
                         {"dtype", ops::PrecisionName(v.precision)},
                         {"backend", ops::BackendName(v)},
                         {"case", cell.check.case_name},
                         {"shape", cell.shape},
                         {"wrong_on_purpose", cell.wrong_kernel()}};
  if (!verdict) return json;
  json["verdict"] = golden::StatusName(cell.verdict.status);
  json["reason"] = cell.verdict.reason;
  json["repro"] = ops::ReproLine(*cell.op, cell.check);
  if (cell.verdict.passed()) json["headroom_percent"] = cell.verdict.headroom_percent();
  return json;
}

bool Parse(int argc, char** argv, Options& options) {
  CLI::App app(
      "coverage: every op on every device, in each dtype and backend, on each golden case.\n\n"
      "  bazel run //bench:coverage -- --match='^layer_norm/.*/tile'\n");
  app.add_option("--match", options.match,
                 "only those whose OP/CASE/PRECISION/BACKEND matches this expression");
  app.add_option("--threads", options.threads, "default: the CPUs that this process may use")
      ->check(CLI::Range(1, kMostThreads));
  app.add_flag("--json", options.json, "print a JSON array in place of the tables");
  app.add_flag("--list", options.list, "what would be run, without verdicts");
  return ParseOptions(app, argc, argv);
}

int Main(int argc, char** argv) {
  Options options;
  if (!Parse(argc, argv, options)) return kExitOk;
  std::vector<Cell> cells = CellsOf(options.match);
  if (!options.list) RunCells(cells, options.threads);
  if (options.json) {
    nlohmann::json array = nlohmann::json::array();
    for (const Cell& cell : cells) array.push_back(JsonOf(cell, !options.list));
    fmt::print("{}\n", array.dump(1));
  } else {
    PrintRows(cells, !options.list);
  }
  if (options.list) return kExitOk;
  const std::vector<Tally> tallies = TalliesOf(cells);
  if (!options.json) PrintTallies(tallies), PrintFailures(cells);
  // Of a part of the cases, those that show a wrong kernel may be left out.
  const bool good = std::all_of(tallies.begin(), tallies.end(), [&](const Tally& t) {
    return t.good() || (t.first->wrong_kernel() && !options.match.empty());
  });
  return good ? kExitOk : kExitWrong;
}

}  // namespace
}  // namespace xdna::bench

int main(int argc, char** argv) {
  return xdna::RunProgram("coverage", [&] { return xdna::bench::Main(argc, argv); });
}
