// Time on the device that this program is linked with, and what only a simulated device can tell.
//
// The same host code runs on the simulated NPU and, with --config=xrt, on a real one: two libraries
// define these functions (device/sim/xrt, device/measure_hardware.cc), and the linker picks.
#ifndef DEVICE_MEASURE_H_
#define DEVICE_MEASURE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "device/sim/sim_array.h"

namespace xdna::device {

struct DeviceOptions {
  std::string preset = "phx-1.0";  // device/sim/timing.h: Presets()
  std::string host = "cpp";        // HostProfiles()
  std::string codegen = "chess";   // or "peano": who compiled the cores' programs
  bool functional = true;          // false: times only, no data is moved or computed
  std::string faults = {};         // "timeout:0.01,bitflip:0.02": FaultPlan; empty: none
  std::uint64_t fault_seed = 1;
  int threads = 0;          // that run the cores' programs; 0: as the host has cores
  bool keep_trace = false;  // for WriteTrace()
};

// Makes a new simulated device, whose clock begins at 0. Throws kInvalidArgument for names that do
// not exist, kUnavailable while the device is open. On hardware throws kUnsupported for whatever
// differs from the defaults.
void ConfigureDevice(const DeviceOptions& options);

bool IsSimulated();
// "modelled" or "measured": how every time from this device must be marked.
std::string_view Provenance();

// The device's clock: virtual time, or the host's steady clock; microseconds.
double NowUs();
// The host does nothing for so long.
void Idle(double us);

// Where virtual time went, in microseconds. The parts add up to the clock.
struct TimeSplit {
  double submit = 0;          // the host's code and driver, per run
  double buffers = 0;         // making buffers
  double sync = 0;            // flushing and invalidating caches
  double context_create = 0;  // making contexts
  double firmware = 0;        // dispatch, waited for
  double load = 0;            // an overlay onto the array, waited for
  double context_switch = 0;  // waited for
  double wake = 0;            // waited for
  double array = 0;           // the array running, waited for
  double failed = 0;          // until the driver gave a run up
  double idle = 0;            // Idle() and polling

  double total() const;
  TimeSplit operator-(const TimeSplit& earlier) const;
};
// Since ConfigureDevice(). No value on hardware.
std::optional<TimeSplit> Spent();

// From its making on.
class RunTimer {
 public:
  RunTimer() : begin_us_(NowUs()), begin_(Spent()) {}
  double ElapsedUs() const { return NowUs() - begin_us_; }
  std::optional<TimeSplit> Split() const {
    const std::optional<TimeSplit> now = Spent();
    return now && begin_ ? std::optional(*now - *begin_) : std::nullopt;
  }

 private:
  double begin_us_;
  std::optional<TimeSplit> begin_;
};

// What the array did in the last run that it ended. No value on hardware, or before a run.
std::optional<ArrayResult> LastArrayResult();

// A rule of XRT or of the hardware that the host broke and that hardware would not tell.
struct Violation {
  std::string rule;  // "read-before-wait", "result-ignored", ...; device/sim/xrt/npu.h has the list
  std::string message;
  double at_us = 0;
};
// Since ConfigureDevice() or ClearViolations(). Always empty on hardware.
std::vector<Violation> Violations();
void ClearViolations();

struct InjectedFault {
  std::string kind;       // a name of the plan
  std::uint64_t run = 0;  // the how-manieth run of the device, from 1
  std::string what;
  bool in_state = false;  // the run's state tells (timeout, hang, context_lost); else its data does
};
// Since ConfigureDevice(), in order. Always empty on hardware.
std::vector<InjectedFault> InjectedFaults();

// Chrome's trace format, of everything since ConfigureDevice(). Throws kUnavailable where the file
// can't be written, kUnsupported on hardware or without `keep_trace`.
void WriteTrace(const std::string& path);

}  // namespace xdna::device

#endif  // DEVICE_MEASURE_H_
