// The command line of //bench:<op>.
#ifndef BENCH_OP_OPTIONS_H_
#define BENCH_OP_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "bench/op_point.h"
#include "device/measure.h"
#include "ops/contract.h"

namespace xdna::bench {

struct OpOptions {
  bool help = false;  // asked for, and printed
  bool list = false;
  bool list_tiles = false;
  bool dry_run = false;
  bool resume = false;                     // leave out what the file of records has already
  bool tune = false;                       // search tiles
  bool retune = false;                     // even where the cache has them
  int tune_simulate = 0;                   // tiles that a search simulates
  bool columns_chosen = false;             // else a search takes 1, 2 and 4
  ops::Device device = ops::Device::kCpu;  // of all points
  device::DeviceOptions npu;               // speed bin, host profile, code generator of the array
  int threads = 1;
  std::uint64_t seed = 1;
  std::string repro;  // CASE/PRECISION/BACKEND
  std::string json;   // where records go, as the user meant the path
  std::string trace;  // where timelines go, likewise
  std::vector<OpPoint> points;
  // Google Benchmark's own (--benchmark_...), with the program's name first.
  std::vector<std::string> benchmark_arguments;
  bool list_tests = false;   // --benchmark_list_tests
  bool own_display = false;  // --benchmark_format: its output in place of our table
};

// Throws kInvalidArgument: an unknown option or value, a sweep that can't be, a --match
// that no point matches.
OpOptions ParseOpOptions(const ops::Contract& op, int argc, char** argv);

}  // namespace xdna::bench

#endif  // BENCH_OP_OPTIONS_H_
