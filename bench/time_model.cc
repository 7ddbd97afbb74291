#include "bench/time_model.h"

#include <string>

#include "device/sim/timing.h"

namespace xdna::bench {

TimeModel TimeModelOf(const device::DeviceOptions& options) {
  TimeModel model;
  model.version = std::string(device::TimeModelVersion());
  model.preset = options.preset;
  model.host_profile = options.host;
  model.codegen = options.codegen;
  for (const device::TimingConstant& c : device::TimingConstants()) {
    if (c.preset == "all" || c.preset == options.preset || c.preset == options.host) {
      model.constants[std::string(c.name)] = c.value;
    }
  }
  return model;
}

}  // namespace xdna::bench
