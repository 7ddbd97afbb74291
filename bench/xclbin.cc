// //bench:xclbin: a user's own xclbin and instruction stream, verified and timed by a manifest.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>

#include "base/error.h"
#include "base/program.h"
#include "bench/command_line.h"
#include "bench/environment.h"
#include "bench/run_record.h"
#include "bench/samples.h"
#include "bench/xclbin_manifest.h"
#include "bench/xclbin_runner.h"
#include "device/measure.h"

namespace xdna::bench {
namespace {

struct Options {
  std::string manifest;
  std::string json;
  device::DeviceOptions npu;
};

void Print(const Manifest& manifest, const XclbinResult& result, const Options& options) {
  fmt::print("{}: {} of {} (SHA-256 {:.12}), reuse {}\n", manifest.name, manifest.kernel,
             manifest.xclbin, result.xclbin_sha256, manifest.reuse.name());
  if (device::IsSimulated()) {
    fmt::print(
        "MODELLED times of a simulated NPU: {}, host profile {}, codegen {}; nothing was "
        "measured on hardware\n",
        options.npu.preset, options.npu.host, options.npu.codegen);
  } else {
    fmt::print("measured on {}\n", result.device);
  }
  for (const XclbinCheck& check : result.checks) {
    fmt::print("  {:<14} {}: {}\n", check.when, check.argument, golden::Describe(check.verdict));
  }
  if (result.samples_s.empty()) return;
  const SampleSummary times = Summarize(result.samples_s);
  fmt::print(
      "  {} samples of {} run{}: least {:.3f} us, median {:.3f} us, spread {:.1f} %, per run "
      "({})\n",
      result.samples_s.size(), manifest.reuse.runs, manifest.reuse.runs == 1 ? "" : "s",
      1e6 * times.least, 1e6 * times.median, 100 * times.spread, device::Provenance());
  if (manifest.flops) fmt::print("  {:.2f} GFLOP/s\n", 1e-9 * *manifest.flops / times.median);
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app(
      "Verifies and times an xclbin file with its instruction stream, as a manifest "
      "describes them (bench/xclbin_manifest.h has its fields).",
      "xclbin");
  app.add_option("--manifest", options.manifest, "JSON file; required");
  app.add_option("--json", options.json, "file to add the run record to");
  app.add_option("--preset", options.npu.preset, "simulated NPU: speed bin")->capture_default_str();
  app.add_option("--host", options.npu.host, "simulated NPU: cost of the host's code")
      ->capture_default_str();
  app.add_option("--codegen", options.npu.codegen, "simulated NPU: chess or peano")
      ->capture_default_str();
  app.add_option("--faults", options.npu.faults,
                 "simulated NPU: kind:probability,.. of timeout, partial, stale, bitflip, "
                 "context_lost, hang");
  app.add_option("--fault_seed", options.npu.fault_seed)->capture_default_str();
  app.add_option("--threads", options.npu.threads, "simulated NPU: 0, all")->capture_default_str();
  if (!ParseOptions(app, argc, argv)) return kExitOk;

  if (options.manifest.empty()) {
    Throw(ErrorCode::kInvalidArgument, "--manifest: missing (see --help)");
  }
  const Manifest manifest = ReadManifest(UserPath(options.manifest));
  if (!options.json.empty()) CheckAppendable(UserPath(options.json));
  device::ConfigureDevice(options.npu);
  const XclbinResult result = RunXclbin(manifest);
  Print(manifest, result, options);
  if (!options.json.empty()) {
    const Environment environment = CurrentEnvironment(std::max(options.npu.threads, 1));
    AppendRecord(UserPath(options.json), XclbinRecord(manifest, result, options.npu, environment));
  }
  return result.samples_s.empty() ? kExitWrong : kExitOk;
}

}  // namespace
}  // namespace xdna::bench

int main(int argc, char** argv) {
  return xdna::RunProgram("xclbin", [&] { return xdna::bench::Main(argc, argv); });
}
