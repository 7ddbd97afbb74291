#include "bench/array_time.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "device/reuse.h"
#include "device/sim/timing.h"

namespace xdna::bench {
namespace {

constexpr double kCores = 16;
constexpr double kBf16Macs = 128;  // of a core in a cycle: AM020, table of data types
constexpr double kInt8Macs = 256;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

ops::ArrayTotals operator-(ops::ArrayTotals a, const ops::ArrayTotals& b) {
  a.runs -= b.runs;
  a.cycles -= b.cycles;
  a.instruction_cycles -= b.instruction_cycles;
  a.core_cycles -= b.core_cycles;
  a.shim_cycles -= b.shim_cycles;
  a.bytes_read -= b.bytes_read;
  a.bytes_written -= b.bytes_written;
  return a;
}

}  // namespace

ArrayPeak ArrayPeakOf(const std::string& preset, ops::Precision precision) {
  const device::ArrayTiming& array = device::FindPreset(preset).array;
  const double macs = precision == ops::Precision::kInt8 ? kInt8Macs : kBf16Macs;
  return {2 * kCores * macs * array.clock_hz, array.ddr_read_bytes_per_cycle * array.clock_hz};
}

std::int64_t RowsOf(const OpPoint& point) {
  const auto m = point.dims.find("m");
  return m != point.dims.end() ? m->second : point.dims.at("u");
}

std::int64_t BatchOf(const OpPoint& point) {
  return point.array.batch == 0 ? RowsOf(point) : std::min(RowsOf(point), point.array.batch);
}

ops::ArrayOptions ArrayOptionsOf(const OpPoint& point, bool data) {
  return {.reuse = device::ParseReuse(point.array.reuse),
          .batch = point.array.batch,
          .tile = point.array.tile,
          .columns = point.array.columns,
          .data = data};
}

ArrayTime TimeOnArray(const ops::Contract& op, const OpPoint& point, const TensorMap& inputs,
                      const device::DeviceOptions& device, ThreadPool& pool) {
  const double begin = Now();
  device::DeviceOptions times_only = device;
  times_only.functional = false;
  device::ConfigureDevice(times_only);
  ops::ArrayDevice array(ArrayOptionsOf(point, false));
  const std::unique_ptr<ops::Instance> instance =
      op.make(point.dims, inputs, point.variant, {.pool = &pool, .array = &array});
  instance->Run();
  const ops::ArrayTotals before = array.totals();
  const device::RunTimer timer;
  instance->Run();
  ArrayTime time;
  time.us = timer.ElapsedUs();
  time.split = timer.Split().value_or(device::TimeSplit{});
  time.totals = array.totals() - before;
  time.overlays = array.OverlayHashes();
  time.host_s = Now() - begin;
  return time;
}

std::string BoundOf(const ArrayTime& time, const std::string& preset) {
  if (time.split.array < time.us / 2) return "dispatch";
  const device::ArrayTiming& array = device::FindPreset(preset).array;
  const ops::ArrayTotals& totals = time.totals;
  const double ddr = std::max(totals.bytes_read / array.ddr_read_bytes_per_cycle,
                              totals.bytes_written / array.ddr_write_bytes_per_cycle);
  const std::pair<double, const char*> causes[] = {
      {totals.core_cycles, "compute"},
      {totals.shim_cycles, ddr > 0.9 * totals.shim_cycles ? "ddr" : "dma"},
      {totals.instruction_cycles, "issue"}};
  return std::ranges::max_element(causes, {}, [](const auto& c) { return c.first; })->second;
}

}  // namespace xdna::bench
