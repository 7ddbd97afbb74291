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
  ops::Device device = ops::Device::kCpu;  // of all points
  device::DeviceOptions npu;               // speed bin, host profile, code generator of the array
  int threads = 1;
  std::uint64_t seed = 1;
  std::string repro;  // CASE/PRECISION/BACKEND
  std::string json;   // where records go, as the user meant the path
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
