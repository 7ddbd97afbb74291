// Prints this machine's limits: each instruction and softmax's exponentials on one thread and on
// all, and the bandwidth of each size of working set.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstddef>
#include <string>

#include "base/cpu.h"
#include "base/program.h"
#include "bench/command_line.h"
#include "bench/machine_peak.h"
#include "bench/peak_kernels.h"

namespace xdna::bench {
namespace {

int Main(int argc, char** argv) {
  CLI::App app(
      "Prints what this machine can do at most: operations a second of each instruction, values a "
      "second of a softmax's 2^x (scaled, summed and stored in the precision), GB/s of each size "
      "of "
      "working set.\n\n"
      "  bazel run //bench:machine_peak\n"
      "  bazel run //bench:machine_peak -- --threads=1\n");
  int threads = AvailableCpus();
  app.add_option("--threads", threads, "threads of the last column")
      ->check(CLI::Range(1, AvailableCpus()));
  if (!ParseOptions(app, argc, argv)) return kExitOk;

  fmt::print("{} ({})\n\n", CpuModelName(), CpuFeatureString());
  fmt::print("{:<10} {:<18} {:>14} {:>14}\n", "precision", "instruction", "1 thread",
             fmt::format("{} thread{}", threads, threads == 1 ? "" : "s"));
  const auto row = [&](const std::string& name, const auto& kernel, int digits) {
    fmt::print("{:<10} {:<18} {:>10.{}f} G/s {:>10.{}f} G/s\n", name, kernel.instruction,
               MeasureKernel(kernel, 1) * 1e-9, digits, MeasureKernel(kernel, threads) * 1e-9,
               digits);
  };
  for (const PeakKernel& kernel : PeakKernels()) {
    row(ops::PrecisionName(kernel.precision), kernel, 0);
  }
  for (const ExpKernel& kernel : ExpKernels()) {
    row(fmt::format("2^x {}", ops::PrecisionName(kernel.precision)), kernel, 1);
  }
  fmt::print("\n{:<29} {:>14} {:>14}\n", "working set, all threads", "1 thread", "read by all");
  for (std::size_t kib = 32; kib <= 512 << 10; kib *= 2) {
    const std::string size =
        kib < 1024 ? fmt::format("{} KiB", kib) : fmt::format("{} MiB", kib >> 10);
    fmt::print("{:<29} {:>9.1f} GB/s {:>9.1f} GB/s\n", size, ReadBandwidth(1, kib << 10) * 1e-9,
               ReadBandwidth(threads, kib << 10) * 1e-9);
  }
  return kExitOk;
}

}  // namespace
}  // namespace xdna::bench

int main(int argc, char** argv) {
  return xdna::RunProgram("machine_peak", [&] { return xdna::bench::Main(argc, argv); });
}
