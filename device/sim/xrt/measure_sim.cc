// device/measure.h, of the simulated NPU.
#include "base/error.h"
#include "device/measure.h"
#include "device/sim/xrt/npu.h"

namespace xdna::device {

void ConfigureDevice(const DeviceOptions& options) { Npu::Configure(options); }
bool IsSimulated() { return true; }
std::string_view Provenance() { return "modelled"; }

double NowUs() {
  const auto npu = Npu::Current();
  const auto lock = npu->Lock();
  return npu->now_us();
}

void Idle(double us) {
  const auto npu = Npu::Current();
  const auto lock = npu->Lock();
  npu->Idle(us);
}

std::optional<TimeSplit> Spent() {
  const auto npu = Npu::Current();
  const auto lock = npu->Lock();
  return npu->spent();
}

std::optional<ArrayResult> LastArrayResult() {
  const auto npu = Npu::Current();
  const auto lock = npu->Lock();
  return npu->last_result();
}

std::vector<Violation> Violations() {
  const auto npu = Npu::Current();
  const auto lock = npu->Lock();
  return npu->violations();
}

void ClearViolations() {
  const auto npu = Npu::Current();
  const auto lock = npu->Lock();
  npu->violations().clear();
}

std::vector<InjectedFault> InjectedFaults() {
  const auto npu = Npu::Current();
  const auto lock = npu->Lock();
  return npu->faults();
}

void WriteTrace(const std::string& path) {
  const auto npu = Npu::Current();
  const auto lock = npu->Lock();
  if (!npu->options().keep_trace) {
    Throw(ErrorCode::kUnsupported, "{}: no trace was kept: set DeviceOptions::keep_trace", path);
  }
  npu->trace().Write(path);
}

}  // namespace xdna::device
