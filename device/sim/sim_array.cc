#include "device/sim/sim_array.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "device/array/overlay_routes.h"
#include "device/sim/array_engine.h"

namespace xdna::device {
namespace {

double Total(const LaneTotals& lane) {
  return lane.busy + lane.wait_input + lane.wait_output + lane.idle;
}

// Adds a part's lanes. Those that the other parts do not have were idle there.
void AddLanes(std::vector<LaneTotals>& total, double before, const ArrayResult& part) {
  for (const LaneTotals& lane : part.lanes) {
    const auto same = [&lane](const LaneTotals& other) { return other.name == lane.name; };
    auto found = std::find_if(total.begin(), total.end(), same);
    if (found == total.end()) {
      found = total.insert(total.end(), {.name = lane.name, .idle = before});
    }
    found->busy += lane.busy;
    found->wait_input += lane.wait_input;
    found->wait_output += lane.wait_output;
    found->idle += lane.idle;
  }
  for (LaneTotals& lane : total) lane.idle += before + part.cycles - Total(lane);
}

}  // namespace

SimArray::SimArray(const Overlay& overlay, const ArrayTiming& timing, ArrayOptions options)
    : overlay_(overlay), timing_(timing), options_(std::move(options)) {
  if (const Fit fit = CheckOverlay(overlay); !fit) {
    Throw(ErrorCode::kInvalidArgument, "{}", fit.reason);
  }
  if (!(timing.clock_hz > 0) || !(timing.shim_read_words_per_cycle > 0) ||
      !(timing.shim_write_words_per_cycle > 0) || !(timing.stream_words_per_cycle > 0) ||
      !(timing.ddr_read_bytes_per_cycle > 0) || !(timing.ddr_write_bytes_per_cycle > 0) ||
      timing.task_queue_depth == 0) {
    Throw(ErrorCode::kInvalidArgument,
          "array timing: clock, rates and the depth of task queues must be more than 0");
  }
  // All of them, so that a kernel that does not exist shows now.
  for (std::size_t i = overlay_.alternatives.size() + 1; i-- > 0;) {
    engine_ = std::make_unique<ArrayEngine>(At(i), timing_, options_);
  }
}

SimArray::~SimArray() = default;

const Overlay& SimArray::At(std::size_t index) const {
  return index == 0 ? overlay_ : overlay_.alternatives[index - 1];
}

double SimArray::ConfigureCycles(std::size_t index) const {
  const ConfigureWrites writes = WritesOf(At(index));
  return timing_.block_write * static_cast<double>(writes.blocks) +
         timing_.write32 * static_cast<double>(writes.words);
}

void SimArray::RunPart(std::span<const Instruction> part, std::span<const DeviceMemory> memory,
                       ArrayResult& total) {
  const ArrayResult result = engine_->Run(part, memory);
  AddLanes(total.lanes, total.cycles, result);
  total.cycles += result.cycles;
  total.instruction_cycles += result.instruction_cycles;
  total.bytes_read += result.bytes_read;
  total.bytes_written += result.bytes_written;
  total.kernel_calls += result.kernel_calls;
  total.core_cycles_max += result.core_cycles_max;
  if (!result.completed) failed_ = result.reason;
}

void SimArray::RunConfigure(const Configure& configure, ArrayResult& total) {
  if (configure.index > overlay_.alternatives.size()) {
    failed_ = fmt::format("overlay {} has {} alternatives, and the stream configures {}",
                          overlay_.name, overlay_.alternatives.size(), configure.index);
    return;
  }
  const double cycles = ConfigureCycles(configure.index);
  if (options_.trace != nullptr) {
    options_.trace->Add({.lane = options_.trace->Lane("firmware", "configure"),
                         .what = "configure",
                         .detail = At(configure.index).name,
                         .begin_us = 0,
                         .end_us = cycles * 1e6 / timing_.clock_hz});
  }
  for (LaneTotals& lane : total.lanes) lane.idle += cycles;
  total.cycles += cycles;
  total.instruction_cycles += cycles;
  engine_ = std::make_unique<ArrayEngine>(At(configure.index), timing_, options_);
}

ArrayResult SimArray::Run(std::span<const Instruction> instructions,
                          std::span<const DeviceMemory> memory) {
  ArrayResult total;
  if (!failed_.empty()) {
    total.reason = fmt::format("the array needs a reset after: {}", failed_);
    return total;
  }
  const double origin = options_.trace != nullptr ? options_.trace->origin() : 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= instructions.size() && failed_.empty(); ++i) {
    const auto* configure =
        i < instructions.size() ? std::get_if<Configure>(&instructions[i]) : nullptr;
    if (configure == nullptr && i < instructions.size()) continue;
    const auto set_origin = [&] {
      if (options_.trace == nullptr) return;
      options_.trace->SetOrigin(origin + total.cycles * 1e6 / timing_.clock_hz);
    };
    set_origin();
    // An empty stream is a run, too: its lanes are idle.
    if (begin < i || instructions.empty()) {
      RunPart(instructions.subspan(begin, i - begin), memory, total);
    }
    set_origin();
    if (configure != nullptr && failed_.empty()) RunConfigure(*configure, total);
    begin = i + 1;
  }
  if (options_.trace != nullptr) options_.trace->SetOrigin(origin);
  total.completed = failed_.empty();
  total.reason = failed_;
  return total;
}

}  // namespace xdna::device
