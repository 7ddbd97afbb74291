// With a real NPU: the host's clock, and nothing that only a simulator knows.
#include <chrono>
#include <thread>

#include "base/error.h"
#include "device/measure.h"

namespace xdna::device {

void ConfigureDevice(const DeviceOptions& options) {
  const DeviceOptions defaults;
  if (options.preset != defaults.preset || options.host != defaults.host ||
      options.codegen != defaults.codegen || !options.functional || !options.faults.empty() ||
      options.keep_trace) {
    Throw(
        ErrorCode::kUnsupported,
        "this program drives a real NPU: preset, host profile, code generator, faults, traces and "
        "times without data are for the simulated one (build without --config=xrt)");
  }
}

bool IsSimulated() { return false; }
std::string_view Provenance() { return "measured"; }

double NowUs() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::micro>(now).count();
}

void Idle(double us) { std::this_thread::sleep_for(std::chrono::duration<double, std::micro>(us)); }

std::optional<TimeSplit> Spent() { return std::nullopt; }
std::optional<ArrayResult> LastArrayResult() { return std::nullopt; }
std::vector<Violation> Violations() { return {}; }
void ClearViolations() {}
std::vector<InjectedFault> InjectedFaults() { return {}; }

void WriteTrace(const std::string& path) {
  Throw(ErrorCode::kUnsupported, "{}: only the simulated NPU can be traced", path);
}

}  // namespace xdna::device
