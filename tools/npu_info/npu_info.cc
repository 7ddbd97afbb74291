// Prints what the time model was told: every constant with its unit, source and confidence.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/program.h"
#include "bench/command_line.h"
#include "device/sim/timing.h"
#include "kernels/aie/slot_model/slot_model.h"

namespace xdna {
namespace {

using nlohmann::ordered_json;

void PrintJson() {
  ordered_json presets = ordered_json::array();
  for (const device::Preset& p : device::Presets()) {
    presets.push_back({{"name", p.name}, {"device", p.device}, {"clock_hz", p.array.clock_hz}});
  }
  ordered_json hosts = ordered_json::array();
  for (const device::HostProfile& h : device::HostProfiles()) hosts.push_back(h.name);
  ordered_json constants = ordered_json::array();
  for (const device::TimingConstant& c : device::TimingConstants()) {
    constants.push_back({{"name", c.name},
                         {"of", c.preset},
                         {"value", c.value},
                         {"unit", c.unit},
                         {"source", c.source},
                         {"confidence", c.confidence}});
  }
  for (const kernels::Constant& c : kernels::Constants()) {
    constants.push_back({{"name", c.name},
                         {"of", "core"},
                         {"value", c.value},
                         {"unit", c.unit},
                         {"source", c.source},
                         {"confidence", c.confidence}});
  }
  fmt::print("{}\n", ordered_json({{"time_model", device::TimeModelVersion()},
                                   {"presets", presets},
                                   {"host_profiles", hosts},
                                   {"constants", constants}})
                         .dump());
}

void PrintText() {
  fmt::print("time model {}\n\npresets\n", device::TimeModelVersion());
  for (const device::Preset& p : device::Presets()) {
    fmt::print("  {:<10} {}\n", p.name, p.device);
  }
  fmt::print("\nhost profiles\n ");
  for (const device::HostProfile& h : device::HostProfiles()) fmt::print(" {}", h.name);
  fmt::print("\n\narray, firmware and host\n");
  for (const device::TimingConstant& c : device::TimingConstants()) {
    fmt::print("  {:<26} {:<10} {:>12.8g} {:<12} {:<7} {}\n", c.name, c.preset, c.value, c.unit,
               c.confidence, c.source);
  }
  fmt::print("\ncores (what compiled kernels issue)\n");
  for (const kernels::Constant& c : kernels::Constants()) {
    fmt::print("  {:<37} {:>12.8g} {:<12} {:<7} {}\n", c.name, c.value, c.unit, c.confidence,
               c.source);
  }
}

int Main(int argc, const char* const* argv) {
  CLI::App app("Prints the constants of the NPU's time model.", "npu_info");
  bool json = false;
  app.add_flag("--json", json, "one JSON object");
  if (!bench::ParseOptions(app, argc, argv)) return kExitOk;
  if (json) {
    PrintJson();
  } else {
    PrintText();
  }
  return kExitOk;
}

}  // namespace
}  // namespace xdna

int main(int argc, char** argv) {
  return xdna::RunProgram("npu_info", [&] { return xdna::Main(argc, argv); });
}
