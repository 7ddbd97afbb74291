// What the command lines of all benchmarks share.
#ifndef BENCH_COMMAND_LINE_H_
#define BENCH_COMMAND_LINE_H_

#include <CLI/App.hpp>

namespace xdna::bench {

// Parses; false where --help was asked for, and printed. Throws kInvalidArgument,
// with the nearest option's name for a mistyped one.
bool ParseOptions(CLI::App& app, int argc, const char* const* argv);

// "--help" is there: Google Benchmark's Initialize would answer it, for itself alone.
bool AsksForHelp(int argc, const char* const* argv);

}  // namespace xdna::bench

#endif  // BENCH_COMMAND_LINE_H_
