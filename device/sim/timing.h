// Every constant of the time model, in one table with unit, source and confidence, and the presets
// and host profiles that pick from it.
#ifndef DEVICE_SIM_TIMING_H_
#define DEVICE_SIM_TIMING_H_

#include <span>
#include <string>
#include <string_view>

namespace xdna::device {

// The array's constants, in cycles of its clock, words of 32 bits and bytes.
struct ArrayTiming {
  double clock_hz = 0;
  double shim_read_words_per_cycle = 0;   // one shim channel, MM2S
  double shim_write_words_per_cycle = 0;  // S2MM
  double stream_words_per_cycle = 0;      // any stream or tile channel
  double ddr_read_bytes_per_cycle = 0;    // all shim channels together, each way
  double ddr_write_bytes_per_cycle = 0;
  double ddr_run_overhead_bytes = 0;  // lost per contiguous run that a shim descriptor touches
  double descriptor_start = 0;        // of a core's or memory tile's DMA, per descriptor
  double shim_task_start_read = 0;    // from a push to the first word
  double shim_task_start_write = 0;
  double switch_hop = 0;           // latency of one stream switch
  double lock_latency = 0;         // from a release to the waiting side
  double core_call = 0;            // acquiring, calling and releasing, per statement
  double bank_steal = 0;           // share of a core's cycles lost while its DMA moves data
  double write32 = 0;              // instruction stream
  double block_write = 0;          // of one descriptor
  double task_push_idle_read = 0;  // of a task, onto an idle channel
  double task_push_idle_write = 0;
  double task_push_busy = 0;  // onto one that has tasks
  unsigned task_queue_depth = 0;
};

// The rest of a device, in microseconds.
struct DispatchTiming {
  double firmware_single_us = 0;   // a run on its own: driver, firmware, interrupt
  double firmware_runlist_us = 0;  // each run of a runlist
  double runlist_start_us = 0;     // once per runlist
  double context_create_us = 0;
  double context_switch_us = 0;  // to another resident context
  double overlay_load_us = 0;    // a new xclbin
  double wake_us = 0;            // the first run after idle_s without any
  double idle_s = 0;
};

// What the host's code costs, by how it calls XRT.
struct HostProfile {
  std::string name;                 // "cpp", "pyxrt", "iron-jit"
  double submit_us = 0;             // per run on its own
  double runlist_submit_us = 0;     // per run of a runlist
  double bo_create_us = 0;          // per buffer
  double bo_create_us_per_mib = 0;  // page pinning
  double sync_us = 0;               // per call
  double sync_us_per_mib = 0;
};

struct Preset {
  std::string name;  // "phx-1.0", "hpt-1.6", "8700g-1.8"
  std::string device;
  ArrayTiming array;
  DispatchTiming dispatch;
};

// Throw kInvalidArgument, listing what there is.
const Preset& FindPreset(std::string_view name);
const HostProfile& FindHostProfile(std::string_view name);
std::span<const Preset> Presets();
std::span<const HostProfile> HostProfiles();

// The table behind them, for `//tools:npu_info`.
struct TimingConstant {
  std::string_view name;
  std::string_view preset;  // or host profile; "all"
  double value;
  std::string_view unit;
  std::string_view source;
  std::string_view confidence;  // "high", "medium", "low", "fitted"
};
std::span<const TimingConstant> TimingConstants();

// Changes with every change of the model that can move a modelled time.
std::string_view TimeModelVersion();

}  // namespace xdna::device

#endif  // DEVICE_SIM_TIMING_H_
