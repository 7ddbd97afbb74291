#include "device/sim/timing.h"

#include <fmt/core.h>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace xdna::device {
namespace {

// Sources, by short names.
constexpr std::string_view kGemm25 =
    "arXiv 2512.13282 (Ryzen 9 7940HS): GEMM sweeps, 5.2.1 and 5.3.1";
constexpr std::string_view kSilicon =
    "jdominick05/ryzen-ai-xdna1-quantization docs/SILICON.md (Ryzen 7 8700G)";
constexpr std::string_view kEmulator =
    "FIM43-Redeye/xdna-emu docs/superpowers/findings (Ryzen 9 7940HS traces)";
constexpr std::string_view kDriver = "amd/xdna-driver src/driver/amdxdna/npu1_regs.c";
constexpr std::string_view kAm020 = "AMD AM020, chapter 2";
constexpr std::string_view kWhisperXdna = "drakosha/whisper-xdna HISTORY (Ryzen 7 PRO 8845HS)";
constexpr std::string_view kIdle = "Xilinx/mlir-aie issue 2944; amd/xdna-driver PR 535";
constexpr std::string_view kFit = "set so that published products come out (//tools:npu_model)";

constexpr TimingConstant kConstants[] = {
    {"clock_hz", "phx-1.0", 1.0e9, "Hz", kGemm25, "high"},
    {"clock_hz", "hpt-1.6", 1.6e9, "Hz", kDriver, "medium"},
    {"clock_hz", "8700g-1.8", 1.8e9, "Hz", kSilicon, "high"},

    {"shim_read_words_per_cycle", "all", 1 / 1.05, "words/cycle", kEmulator, "high"},
    {"shim_write_words_per_cycle", "all", 1.0, "words/cycle", kEmulator, "high"},
    {"stream_words_per_cycle", "all", 1.0, "words/cycle", kAm020, "high"},
    // 16 bytes a cycle in mlir-aie's device.yaml; 15 GB/s at 1 GHz and 26 at 1.8 in use.
    {"ddr_read_bytes_per_cycle", "all", 16, "B/cycle", kSilicon, "medium"},
    {"ddr_write_bytes_per_cycle", "all", 16, "B/cycle", kSilicon, "medium"},
    // //tools:npu_model's table: products with runs of 128 to 448 bytes.
    {"ddr_run_overhead_bytes", "all", 20, "B/run", kFit, "fitted"},
    {"descriptor_start", "all", 8, "cycles", "no source: a few register reads", "low"},
    {"shim_task_start_read", "all", 950, "cycles", kEmulator, "medium"},
    {"shim_task_start_write", "all", 370, "cycles", kEmulator, "medium"},
    {"switch_hop", "all", 4, "cycles", kAm020, "high"},
    {"lock_latency", "all", 4, "cycles", "no source: as a switch hop", "low"},
    {"core_call", "all", 10, "cycles", kFit, "fitted"},
    // A DMA takes a bank one cycle in four, and the core's loads rarely want that one.
    {"bank_steal", "all", 0.03, "share", kFit, "fitted"},
    {"write32", "all", 100.5, "cycles", kEmulator, "medium"},
    {"block_write", "all", 203, "cycles", kEmulator, "medium"},
    {"task_push_idle_read", "all", 2700, "cycles", kEmulator, "medium"},
    {"task_push_idle_write", "all", 2870, "cycles", kEmulator, "medium"},
    {"task_push_busy", "all", 520, "cycles", kEmulator, "medium"},
    {"task_queue_depth", "all", 4, "tasks", "AMD AM020, chapter 5", "medium"},

    {"firmware_single_us", "all", 96, "us", kSilicon, "fitted"},
    {"firmware_runlist_us", "all", 30.8, "us", kSilicon, "fitted"},
    {"runlist_start_us", "all", 64, "us", "a run alone less one of a runlist", "low"},
    {"context_create_us", "all", 2500, "us", kWhisperXdna, "medium"},
    {"context_switch_us", "all", 1400, "us", kWhisperXdna, "high"},
    {"overlay_load_us", "all", 3400, "us", kGemm25, "high"},
    {"wake_us", "all", 128500, "us", kIdle, "medium"},
    {"idle_s", "all", 5, "s", kIdle, "high"},

    {"submit_us", "cpp", 8, "us", kSilicon, "fitted"},
    {"submit_us", "pyxrt", 40, "us", kSilicon, "fitted"},
    {"submit_us", "iron-jit", 517, "us", kSilicon, "fitted"},
    {"runlist_submit_us", "cpp", 0.5, "us", kSilicon, "low"},
    {"runlist_submit_us", "pyxrt", 0.5, "us", kSilicon, "low"},
    {"runlist_submit_us", "iron-jit", 495, "us", kSilicon, "fitted"},
    {"bo_create_us", "cpp", 12, "us", "no source: an ioctl and a mapping", "low"},
    {"bo_create_us", "pyxrt", 20, "us", "no source: the same from Python", "low"},
    {"bo_create_us", "iron-jit", 20, "us", "no source: the same from Python", "low"},
    {"bo_create_us_per_mib", "all", 40, "us/MiB", "no source: 256 pages pinned and cleared", "low"},
    {"sync_us", "cpp", 2, "us", "no source: an ioctl", "low"},
    {"sync_us", "pyxrt", 4, "us", "no source: the same from Python", "low"},
    {"sync_us", "iron-jit", 4, "us", "no source: the same from Python", "low"},
    {"sync_us_per_mib", "all", 30, "us/MiB", "no source: clflush of 16384 lines", "low"},
};

// The value for one preset or host profile.
double Value(std::string_view name, std::string_view of) {
  for (const TimingConstant& c : kConstants) {
    if (c.name == name && (c.preset == of || c.preset == "all")) return c.value;
  }
  Throw(ErrorCode::kInternal, "time model: no constant {} for {}", name, of);
}

Preset MakePreset(const char* name, const char* device) {
  const auto value = [name](std::string_view constant) { return Value(constant, name); };
  Preset p{name, device, {}, {}};
  ArrayTiming& a = p.array;
  a.clock_hz = value("clock_hz");
  a.shim_read_words_per_cycle = value("shim_read_words_per_cycle");
  a.shim_write_words_per_cycle = value("shim_write_words_per_cycle");
  a.stream_words_per_cycle = value("stream_words_per_cycle");
  a.ddr_read_bytes_per_cycle = value("ddr_read_bytes_per_cycle");
  a.ddr_write_bytes_per_cycle = value("ddr_write_bytes_per_cycle");
  a.ddr_run_overhead_bytes = value("ddr_run_overhead_bytes");
  a.descriptor_start = value("descriptor_start");
  a.shim_task_start_read = value("shim_task_start_read");
  a.shim_task_start_write = value("shim_task_start_write");
  a.switch_hop = value("switch_hop");
  a.lock_latency = value("lock_latency");
  a.core_call = value("core_call");
  a.bank_steal = value("bank_steal");
  a.write32 = value("write32");
  a.block_write = value("block_write");
  a.task_push_idle_read = value("task_push_idle_read");
  a.task_push_idle_write = value("task_push_idle_write");
  a.task_push_busy = value("task_push_busy");
  a.task_queue_depth = static_cast<unsigned>(value("task_queue_depth"));
  p.dispatch = {value("firmware_single_us"),
                value("firmware_runlist_us"),
                value("runlist_start_us"),
                value("context_create_us"),
                value("context_switch_us"),
                value("overlay_load_us"),
                value("wake_us"),
                value("idle_s")};
  return p;
}

HostProfile MakeHostProfile(const char* name) {
  const auto value = [name](std::string_view constant) { return Value(constant, name); };
  return {name,
          value("submit_us"),
          value("runlist_submit_us"),
          value("bo_create_us"),
          value("bo_create_us_per_mib"),
          value("sync_us"),
          value("sync_us_per_mib")};
}

template <typename T>
const T& FindByName(std::span<const T> all, std::string_view name, std::string_view what) {
  std::string names;
  for (const T& one : all) {
    if (one.name == name) return one;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", one.name);
  }
  Throw(ErrorCode::kInvalidArgument, "no {} \"{}\"; there are {}", what, name, names);
}

}  // namespace

std::span<const Preset> Presets() {
  static const std::array<Preset, 3> kPresets = {
      MakePreset("phx-1.0", "Phoenix, Ryzen 7040 (7940HS): 1.0 GHz"),
      MakePreset("hpt-1.6", "Hawk Point, Ryzen 8040 (8845HS): 1.6 GHz"),
      MakePreset("8700g-1.8", "Ryzen 7 8700G: 1.8 GHz"),
  };
  return kPresets;
}

std::span<const HostProfile> HostProfiles() {
  static const std::array<HostProfile, 3> kProfiles = {
      MakeHostProfile("cpp"), MakeHostProfile("pyxrt"), MakeHostProfile("iron-jit")};
  return kProfiles;
}

const Preset& FindPreset(std::string_view name) { return FindByName(Presets(), name, "preset"); }

const HostProfile& FindHostProfile(std::string_view name) {
  return FindByName(HostProfiles(), name, "host profile");
}

std::span<const TimingConstant> TimingConstants() { return kConstants; }

std::string_view TimeModelVersion() { return "2"; }

}  // namespace xdna::device
