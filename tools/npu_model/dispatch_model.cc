#include "tools/npu_model/dispatch_model.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "device/array/instructions.h"
#include "device/array/overlay_builder.h"
#include "device/sim/sim_array.h"
#include "device/sim/timing.h"

namespace xdna::model {
namespace {

using device::ArrayResult;
using device::FifoId;
using device::Instruction;
using device::OverlayBuilder;
using device::Tile;

constexpr std::size_t kObjectBytes = 4096;

double MicrosecondsPerCycle(const device::Preset& preset) { return 1e6 / preset.array.clock_hz; }

ArrayResult RunStream(const device::Preset& preset, OverlayBuilder& builder,
                      const std::vector<Instruction>& stream) {
  device::SimArray array(builder.Finish(), preset.array, {.functional = false});
  ArrayResult result = array.Run(stream, {});
  if (!result.completed) Throw(ErrorCode::kInternal, "{}", result.reason);
  return result;
}

// A linear descriptor of a channel of the shims, and its task.
void PushLinear(std::vector<Instruction>& stream, const device::Channel& channel, unsigned id,
                std::size_t bytes, unsigned repeat, bool token) {
  device::WriteDescriptor write{.column = channel.tile.col, .id = id, .bytes = bytes};
  write.pattern.engine = device::Engine::kShim;
  write.pattern.sends = channel.sends;
  stream.emplace_back(write);
  stream.emplace_back(
      device::PushTask{channel.tile.col, channel.sends, channel.index, id, repeat, token});
}

// The array's time for a copy of `bytes` through one memory tile.
ArrayResult Passthrough(const device::Preset& preset, std::size_t bytes) {
  const std::size_t whole = bytes <= kObjectBytes
                                ? std::max<std::size_t>(4, (bytes + 3) / 4 * 4)
                                : (bytes + kObjectBytes - 1) / kObjectBytes * kObjectBytes;
  OverlayBuilder b("passthrough");
  const Tile shim{0, device::kShimRow}, mem{0, device::kMemRow};
  const auto object = b.MemObject(mem, "x", {std::min(whole, kObjectBytes)});
  const FifoId in =
      b.Fifo({.name = "in", .from = {.tile = shim}, .to = {{.tile = mem, .object = object}}});
  const FifoId out =
      b.Fifo({.name = "out", .from = {.tile = mem, .object = object}, .to = {{.tile = shim}}});
  std::vector<Instruction> stream;
  PushLinear(stream, b.ShimChannel(in), 0, whole, 1, false);
  PushLinear(stream, b.ShimChannel(out), 1, whole, 1, true);
  stream.emplace_back(device::WaitToken{0, false, b.ShimChannel(out).index});
  return RunStream(preset, b, stream);
}

const char* LargestOf(const std::vector<std::pair<std::string, double>>& parts,
                      const char* array_bound) {
  const auto largest = std::max_element(
      parts.begin(), parts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return largest->first == "array" ? array_bound : "dispatch";
}

}  // namespace

Prediction PredictDispatch(const DispatchQuery& q) {
  const device::Preset& preset = device::FindPreset(q.preset);
  const device::HostProfile& host = device::FindHostProfile(q.host);
  if (q.mode != "single" && q.mode != "runlist") {
    Throw(ErrorCode::kInvalidArgument, "no mode \"{}\"; there are single, runlist", q.mode);
  }
  if (q.count == 0) Throw(ErrorCode::kInvalidArgument, "a count of 0 runs; want 1 or more");
  const ArrayResult array = Passthrough(preset, q.bytes);
  const auto count = static_cast<double>(q.count);
  const bool runlist = q.mode == "runlist";
  Prediction p;
  p.cycles = count * array.cycles;
  p.breakdown_us = {{"submit", count * (runlist ? host.runlist_submit_us : host.submit_us)},
                    {"firmware", runlist ? preset.dispatch.runlist_start_us +
                                               count * preset.dispatch.firmware_runlist_us
                                         : count * preset.dispatch.firmware_single_us},
                    {"array", p.cycles * MicrosecondsPerCycle(preset)}};
  for (const auto& [name, us] : p.breakdown_us) p.time_us += us;
  p.bound = LargestOf(p.breakdown_us, "dma");
  p.gigabytes_per_s = 2 * count * static_cast<double>(q.bytes) / p.time_us / 1e3;
  p.assumptions = {fmt::format("each run copies {} bytes through one memory tile", q.bytes),
                   "buffers exist and are synced"};
  return p;
}

Prediction PredictIdle(const IdleQuery& q) {
  const device::Preset& preset = device::FindPreset(q.preset);
  if (!(q.gap_s >= 0)) Throw(ErrorCode::kInvalidArgument, "a gap of {} s; want 0 or more", q.gap_s);
  Prediction p = PredictDispatch({.preset = q.preset, .host = q.host});
  const bool sleeps = q.gap_s > preset.dispatch.idle_s;
  const double wake_us = sleeps ? preset.dispatch.wake_us : 0;
  p.breakdown_us.insert(p.breakdown_us.begin(), {"wake", wake_us});
  p.time_us += wake_us;
  p.gigabytes_per_s.reset();
  p.bound = "dispatch";
  p.assumptions.push_back(
      fmt::format("the device sleeps after {} s without work", preset.dispatch.idle_s));
  return p;
}

Prediction PredictStream(const StreamQuery& q) {
  const device::Preset& preset = device::FindPreset(q.preset);
  constexpr std::size_t kMostObjectWords = 1024;
  const std::size_t total = q.tasks * q.words;
  if (total == 0 || total > (std::size_t{1} << 32) || q.tasks > 4096) {
    Throw(ErrorCode::kInvalidArgument, "{} tasks of {} words; want 1 to 4096, of 2^32 in all",
          q.tasks, q.words);
  }
  // A core takes or gives whole objects, whatever the tasks.
  std::size_t object = std::min(total, kMostObjectWords);
  while (total % object != 0) --object;
  OverlayBuilder b("stream");
  const Tile shim{0, device::kShimRow}, core{0, device::kFirstCoreRow};
  const device::FifoEnd at_shim{.tile = shim}, at_core{.tile = core};
  const FifoId fifo = b.Fifo({.name = "x",
                              .object_bytes = 4 * object,
                              .from = q.to_array ? at_shim : at_core,
                              .to = {q.to_array ? at_core : at_shim}});
  const int port = q.to_array ? b.In(fifo) : b.Out(fifo);
  b.Run(core, {device::Acquire(port), device::Release(port)});
  const device::Channel channel = b.ShimChannel(fifo);
  std::vector<Instruction> stream;
  PushLinear(stream, channel, 0, 4 * q.words, 1, q.tasks == 1);
  for (std::size_t i = 1; i < q.tasks; ++i) {
    stream.emplace_back(device::PushTask{0, channel.sends, channel.index, 0, 1, i + 1 == q.tasks});
  }
  stream.emplace_back(device::WaitToken{0, channel.sends, channel.index});
  const ArrayResult result = RunStream(preset, b, stream);

  Prediction p;
  const double us_per_cycle = MicrosecondsPerCycle(preset);
  p.cycles = result.cycles;
  p.time_us = result.cycles * us_per_cycle;
  for (const device::LaneTotals& lane : result.lanes) {
    if (lane.name != channel.name()) continue;
    p.breakdown_us = {{"move", lane.busy * us_per_cycle},
                      {"wait", (lane.wait_input + lane.wait_output) * us_per_cycle},
                      {"start_and_end", lane.idle * us_per_cycle}};
    p.cycles_per_word = lane.busy / static_cast<double>(total);
  }
  p.percent_of_peak = 100 * static_cast<double>(total) / result.cycles;
  p.gigabytes_per_s = 4 * static_cast<double>(total) / p.time_us / 1e3;
  p.bound = p.breakdown_us[0].second >= p.time_us / 2 ? "dma" : "issue";
  p.assumptions = {"no dispatch around it", "one descriptor, pushed once a task"};
  return p;
}

Prediction PredictCopy(const CopyQuery& q) {
  const device::Preset& preset = device::FindPreset(q.preset);
  const std::size_t most = 2 * device::kColumns;
  if (q.channels == 0 || q.channels > most || q.bytes == 0 ||
      q.bytes % (q.channels * kObjectBytes) != 0 || q.reads == 0 || q.reads > 2) {
    Throw(ErrorCode::kInvalidArgument,
          "copy: {} bytes by {} channels, read {} times; want multiples of {} for each of 1 to {}, "
          "once or twice",
          q.bytes, q.channels, q.reads, kObjectBytes, most);
  }
  const std::size_t objects = q.bytes / q.channels / kObjectBytes;
  OverlayBuilder b("copy");
  std::vector<Instruction> stream;
  std::vector<device::Channel> outs;
  for (std::size_t i = 0; i < q.channels; ++i) {
    const int col = static_cast<int>(i) / 2 % device::kColumns;
    const Tile shim{col, device::kShimRow};
    const Tile core{col, device::kFirstCoreRow + static_cast<int>(i % 2)};
    const FifoId in = b.Fifo({.name = "in",
                              .object_bytes = kObjectBytes,
                              .from = {.tile = shim},
                              .to = {{.tile = core}}});
    const FifoId out = b.Fifo({.name = "out",
                               .object_bytes = kObjectBytes,
                               .from = {.tile = core},
                               .to = {{.tile = shim}}});
    const std::vector<device::Statement> take = {device::Acquire(b.In(in)),
                                                 device::Release(b.In(in))};
    const std::vector<device::Statement> copy = {
        device::Acquire(b.In(in)), device::Acquire(b.Out(out)), device::Release(b.In(in)),
        device::Release(b.Out(out))};
    const auto times = device::Constant(static_cast<std::int32_t>(objects));
    std::vector<device::Statement> body;
    if (q.reads == 2) body.push_back(device::Loop(times, take));
    body.push_back(device::Loop(times, copy));
    b.Run(core, body);
    const auto id = static_cast<unsigned>(2 * (i % 2));
    PushLinear(stream, b.ShimChannel(in), id, q.bytes / q.channels, static_cast<unsigned>(q.reads),
               false);
    PushLinear(stream, b.ShimChannel(out), id + 1, q.bytes / q.channels, 1, true);
    outs.push_back(b.ShimChannel(out));
  }
  for (const device::Channel& channel : outs) {
    stream.emplace_back(device::WaitToken{channel.tile.col, false, channel.index});
  }
  const ArrayResult result = RunStream(preset, b, stream);
  Prediction p;
  p.cycles = result.cycles;
  p.time_us = result.cycles * MicrosecondsPerCycle(preset);
  p.breakdown_us = {{"array", p.time_us}};
  p.gigabytes_per_s = static_cast<double>(q.reads * q.bytes) / p.time_us / 1e3;
  p.bound = "ddr";
  return p;
}

}  // namespace xdna::model
