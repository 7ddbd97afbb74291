// Prints what others measured of one core beside the slot model.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <vector>

#include "base/program.h"
#include "bench/command_line.h"
#include "kernels/aie/slot_model/fit.h"
#include "kernels/aie/slot_model/slot_model.h"

namespace xdna::kernels {
namespace {

void PrintErrors(const char* what, const FitErrors& errors) {
  fmt::print("{:<14} {:2} rows, median {:.1f} %, worst {:.1f} %\n", what, errors.rows,
             errors.median_percent, errors.worst_percent);
}

void PrintConstants() {
  fmt::print("{:<40} {:>5}  {:<44} {:<7} {}\n", "constant", "value", "unit", "trust", "source");
  for (const Constant& constant : Constants()) {
    fmt::print("{:<40} {:>5}  {:<44} {:<7} {}\n", constant.name, constant.value, constant.unit,
               constant.confidence, constant.source);
  }
}

int Main(int argc, char** argv) {
  CLI::App app(
      "Prints the published single-core figures (measured by others) beside the slot model, in MAC "
      "a cycle.\n\n"
      "  bazel run //kernels/aie/slot_model:fit\n"
      "  bazel run //kernels/aie/slot_model:fit -- --constants\n");
  bool constants = false;
  app.add_flag("--constants", constants, "prints the model's constants instead");
  if (!bench::ParseOptions(app, argc, argv)) return kExitOk;
  if (constants) {
    PrintConstants();
    return kExitOk;
  }

  fmt::print("{:<6} {:<32} {:>9} {:>9} {:>8}  {:<7} {}\n", "by", "figure", "published", "model",
             "error", "use", "source");
  const std::vector<FitRow> rows = FitRows();
  for (const FitRow& row : rows) {
    fmt::print("{:<6} {:<32} {:>9.1f} {:>9.1f} {:>+6.1f} %  {:<7} {}\n",
               CodeGeneratorName(row.figure->generator), row.figure->name,
               row.figure->macs_per_cycle, row.model_macs_per_cycle, row.error_percent(),
               row.figure->fitted ? "fitted" : "checked", row.figure->source);
  }
  fmt::print("\n");
  PrintErrors("fitted", ErrorsOf(rows, true));
  PrintErrors("only checked", ErrorsOf(rows, false));
  fmt::print("\nwhat is missing\n");
  for (const Missing& missing : MissingPieces()) {
    fmt::print("  {}: {}\n", missing.figure, missing.reason);
  }
  return kExitOk;
}

}  // namespace
}  // namespace xdna::kernels

int main(int argc, char** argv) {
  return xdna::RunProgram("fit", [&] { return xdna::kernels::Main(argc, argv); });
}
