// The device's side of a run: firmware, array, faults.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <variant>

#include "base/error.h"
#include "device/container/container.h"
#include "device/poison.h"
#include "device/sim/xrt/npu.h"
#include "device/sim/xrt/outputs.h"

namespace xdna::device {
namespace {

constexpr double kUsPerSecond = 1e6;

// Empty, or what is wrong with the arguments.
std::string CheckArguments(const Command& command) {
  if (command.opcode != kOpcode) {
    return fmt::format("opcode (argument 0) is {}, {} runs an instruction stream", command.opcode,
                       kOpcode);
  }
  const std::size_t room = command.instructions.bytes / sizeof(std::uint32_t);
  if (command.words == 0 || command.words > room) {
    return fmt::format(
        "ninstr (argument {}) is {} words, the instruction buffer has {} of 4 bytes each",
        kInstructionCountArgument, command.words, room);
  }
  return {};
}

std::vector<Instruction> ReadInstructions(const Command& command) {
  std::vector<std::uint32_t> words(command.words);
  std::memcpy(words.data(), command.instructions.device().data(),
              words.size() * sizeof(std::uint32_t));
  if (words.front() == kPoison) {
    Throw(ErrorCode::kCorrupt,
          "the instruction buffer was never synced to the device: xrt::bo::sync(TO_DEVICE)");
  }
  return DecodeInstructions(words);
}

// Throws where the stream uses a buffer that the run has not.
void CheckData(const Command& command, std::span<const Instruction> instructions) {
  for (const Instruction& instruction : instructions) {
    const auto* descriptor = std::get_if<WriteDescriptor>(&instruction);
    if (descriptor == nullptr) continue;
    const unsigned argument = descriptor->argument;
    if (argument >= command.data.size() || !command.data[argument].memory) {
      Throw(ErrorCode::kInvalidArgument,
            "argument {} (bo{}) is used by the instruction stream and was not set",
            kFirstDataArgument + static_cast<int>(argument), argument);
    }
  }
}

// The part of a piece that lies in its buffer.
std::span<std::byte> InBuffer(const BufferView& view, std::size_t offset, std::size_t bytes) {
  if (offset >= view.bytes) return {};
  return view.device().subspan(offset, std::min(bytes, view.bytes - offset));
}

struct Piece {
  unsigned argument;
  std::span<std::byte> bytes;
};

std::vector<Piece> OutputPieces(const Command& command, std::span<const Instruction> instructions) {
  std::vector<Piece> pieces;
  ForEachOutput(instructions, [&](unsigned argument, std::size_t offset, std::size_t bytes) {
    const auto part = InBuffer(command.data[argument], offset, bytes);
    if (!part.empty()) pieces.push_back({argument, part});
  });
  return pieces;
}

}  // namespace

void Npu::Execute(Command& command) {
  WakeUp(command);
  const DispatchTiming& dispatch = preset_.dispatch;
  const bool in_runlist = command.runlist_failed != nullptr;
  if (in_runlist && *command.runlist_failed) {
    Fail(command, ERT_CMD_STATE_ABORT, "a run before it in the runlist failed");
  } else if (!command.context->lost.empty()) {
    Advance(&TimeSplit::firmware, dispatch.firmware_single_us, "dispatch");
    Fail(command, ERT_CMD_STATE_ABORT, command.context->lost);
  } else {
    PutOnArray(command.context);
    if (command.starts_runlist) {
      Advance(&TimeSplit::firmware, dispatch.runlist_start_us, "runlist");
    }
    Advance(&TimeSplit::firmware,
            in_runlist ? dispatch.firmware_runlist_us : dispatch.firmware_single_us, "dispatch");
    const Fault fault = plan_.Draw(command.run);
    if (!InjectState(command, fault)) RunArray(command, fault);
  }
  command.end_us = device_us_;
  command.executed = true;
  if (command.state == ERT_CMD_STATE_COMPLETED) return;
  if (in_runlist) *command.runlist_failed = true;
  for (const BufferView& view : command.data) {
    if (view.memory) view.memory->failed_run = command.run;
  }
}

void Npu::WakeUp(const Command& command) {
  const double active_us = std::max(device_us_, awake_us_);
  device_us_ = std::max(device_us_, command.submitted_us);
  if (command.submitted_us - active_us > preset_.dispatch.idle_s * kUsPerSecond) {
    Advance(&TimeSplit::wake, preset_.dispatch.wake_us, "wake");
  }
}

void Npu::PutOnArray(const std::shared_ptr<Context>& context) {
  if (!std::exchange(context->loaded, true)) {
    Advance(&TimeSplit::load, preset_.dispatch.overlay_load_us, "load overlay");
    if (!context->array) context->array = MakeArray(context->overlay);
  } else if (on_array_.lock() != context) {
    Advance(&TimeSplit::context_switch, preset_.dispatch.context_switch_us, "switch context");
  }
  on_array_ = context;
}

void Npu::RunArray(Command& command, Fault fault) {
  if (const std::string wrong = CheckArguments(command); !wrong.empty()) {
    Fail(command, ERT_CMD_STATE_ERROR, wrong);
    return;
  }
  try {
    const std::vector<Instruction> instructions = ReadInstructions(command);
    CheckData(command, instructions);
    if (options_.functional) {
      for (const Piece& piece : OutputPieces(command, instructions)) FillPoison(piece.bytes);
    }
    std::vector<DeviceMemory> memory;
    for (const BufferView& view : command.data) {
      memory.push_back({view.memory ? view.device() : std::span<std::byte>()});
    }
    if (options_.keep_trace) trace_.SetOrigin(device_us_);
    const ArrayResult result = command.context->array->Run(instructions, memory);
    EndRun(command, result);
    last_result_ = result;
    if (result.completed && options_.functional) InjectData(command, fault, instructions);
  } catch (const Error& error) {
    Fail(command, ERT_CMD_STATE_ERROR, error.message());
  }
}

void Npu::EndRun(Command& command, const ArrayResult& result) {
  Advance(&TimeSplit::array, result.cycles / preset_.array.clock_hz * kUsPerSecond, "array");
  Context& context = *command.context;
  for (const BufferView& view : command.data) {
    if (!view.memory) continue;
    if (const std::string damage = view.memory->device.Damage(); !damage.empty()) {
      Report("device-guard", fmt::format("run {} wrote outside a buffer: {}", command.run, damage));
      view.memory->device.Repair();
    }
  }
  if (result.completed) {
    command.state = ERT_CMD_STATE_COMPLETED;
    for (const BufferView& view : command.data) {
      if (!view.memory) continue;
      view.memory->failed_run = 0;
      view.memory->skip_next_read = false;
    }
    return;
  }
  context.array = nullptr;
  context.loaded = false;
  if (result.reason.starts_with("deadlock")) {
    Advance(&TimeSplit::failed, kWatchdogUs, "no answer");
    context.lost = fmt::format("the context was lost in run {}: {}", command.run, result.reason);
    Fail(command, ERT_CMD_STATE_TIMEOUT, result.reason);
  } else {
    Fail(command, ERT_CMD_STATE_ERROR, result.reason);
  }
}

void Npu::Fail(Command& command, ert_cmd_state state, std::string reason) {
  command.state = state;
  command.reason = std::move(reason);
}

// --- faults ------------------------------------------------------------------------------------

void Npu::Log(const Command& command, Fault fault, bool in_state, std::string what) {
  faults_.push_back({.kind = std::string(FaultName(fault)),
                     .run = command.run,
                     .what = std::move(what),
                     .in_state = in_state});
}

bool Npu::InjectState(Command& command, Fault fault) {
  Context& context = *command.context;
  switch (fault) {
    case Fault::kTimeout:
      Advance(&TimeSplit::failed, kWatchdogUs, "no answer");
      Fail(command, ERT_CMD_STATE_TIMEOUT, "the firmware did not answer (injected fault)");
      break;
    case Fault::kHang:
      Advance(&TimeSplit::failed, kWatchdogUs, "no answer");
      context.lost = fmt::format("the context was lost when the array hung in run {}", command.run);
      Fail(command, ERT_CMD_STATE_TIMEOUT, "the array hung (injected fault)");
      break;
    case Fault::kContextLost:
      context.lost = fmt::format("the context was lost in run {}", command.run);
      Fail(command, ERT_CMD_STATE_ABORT, "the context was lost (injected fault)");
      break;
    default:
      return false;
  }
  Log(command, fault, true, command.reason);
  return true;
}

void Npu::InjectData(const Command& command, Fault fault,
                     std::span<const Instruction> instructions) {
  if (fault == Fault::kNone) return;
  std::vector<Piece> pieces = OutputPieces(command, instructions);
  if (pieces.empty()) return;
  const unsigned argument = pieces[plan_.DrawBelow(command.run, pieces.size())].argument;
  std::erase_if(pieces, [argument](const Piece& piece) { return piece.argument != argument; });
  if (fault == Fault::kStale) {
    command.data[argument].memory->skip_next_read = true;
    Log(command, fault, false, fmt::format("bo{} keeps what the host has", argument));
  } else if (fault == Fault::kPartial) {
    std::span<std::byte> last = pieces.back().bytes;
    FillPoison(last.subspan(last.size() / 8 * 4));
    for (std::size_t i = (pieces.size() + 1) / 2; i < pieces.size(); ++i) {
      FillPoison(pieces[i].bytes);
    }
    Log(command, fault, false, fmt::format("the end of bo{} was not written", argument));
  } else {
    const Piece& piece = pieces[plan_.DrawBelow(command.run, pieces.size())];
    const std::size_t words = std::max<std::size_t>(piece.bytes.size() / 4, 1);
    const std::size_t top =
        std::min(plan_.DrawBelow(command.run, words) * 4 + 3, piece.bytes.size() - 1);
    piece.bytes[top] ^= std::byte{0x40};
    Log(command, fault, false, fmt::format("bit 30 of a word of bo{} flipped", argument));
  }
}

}  // namespace xdna::device
