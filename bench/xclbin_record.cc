#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "bench/samples.h"
#include "bench/xclbin_runner.h"
#include "device/sim/timing.h"

namespace xdna::bench {
namespace {

SeriesKey KeyOf(const Manifest& manifest, const device::DeviceOptions& npu) {
  std::vector<std::string> shapes;
  std::string dtype = "-";
  for (const ManifestArgument& argument : manifest.arguments) {
    if (argument.role == ManifestArgument::Role::kUnused) continue;
    shapes.push_back(fmt::format("{}={}", argument.name, fmt::join(argument.shape, "x")));
    if (argument.has_result()) dtype = DTypeName(argument.dtype);
  }
  SeriesKey key;
  key.op = manifest.name;
  key.shape = fmt::format("{}", fmt::join(shapes, ","));
  key.dtype = dtype;
  key.device = "npu";
  key.preset = device::IsSimulated() ? npu.preset : "-";
  key.schedule = "xclbin";
  if (device::IsSimulated()) key.schedule += fmt::format(",{},{}", npu.host, npu.codegen);
  key.reuse = manifest.reuse.name();
  key.batch = "1";
  return key;
}

TimeModel ModelOf(const XclbinResult& result, const device::DeviceOptions& npu) {
  TimeModel model{
      std::string(device::TimeModelVersion()), npu.preset, npu.host, npu.codegen, {}, {}};
  for (const device::TimingConstant& one : device::TimingConstants()) {
    if (one.preset == "all" || one.preset == npu.preset || one.preset == npu.host) {
      model.constants[std::string(one.name)] = one.value;
    }
  }
  model.schedule = {{"overlay", result.xclbin_sha256}, {"steps", result.instructions_sha256}};
  return model;
}

}  // namespace

RunRecord XclbinRecord(const Manifest& manifest, const XclbinResult& result,
                       const device::DeviceOptions& npu, const Environment& environment) {
  const XclbinCheck& check = result.decisive();
  const bool simulated = device::IsSimulated();
  RunRecord record(KeyOf(manifest, npu), simulated ? Provenance::kModelled : Provenance::kMeasured,
                   RecordedVerdict(check.verdict, check.tolerance));
  record.environment = environment;
  record.hashes = {{"xclbin", result.xclbin_sha256}, {"instructions", result.instructions_sha256}};
  if (simulated) record.model = ModelOf(result, npu);
  double bytes = 0;
  for (const ManifestArgument& argument : manifest.arguments) {
    if (argument.role == ManifestArgument::Role::kUnused) continue;
    const bool both = argument.role == ManifestArgument::Role::kInOut;
    bytes += static_cast<double>(argument.bytes()) * (both ? 2 : 1);
  }
  record.SetMetric("bytes", bytes);
  if (manifest.flops) record.SetMetric("flops", *manifest.flops);
  if (!check.verdict.passed()) return record;
  const double median = Summarize(result.samples_s).median;
  record.SetTimes({{"total", median}}, result.samples_s);
  if (manifest.flops) record.SetMetric("flops_per_s", *manifest.flops / median);
  return record;
}

}  // namespace xdna::bench
