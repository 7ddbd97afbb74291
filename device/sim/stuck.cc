// Who waits for what, when nothing more happens.
#include <fmt/core.h>

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "device/sim/array_engine.h"

namespace xdna::device {
namespace {

constexpr std::size_t kMostLines = 6;  // of cores, and of channels

void Add(const std::vector<std::string>& lines, std::string& text) {
  for (std::size_t i = 0; i < lines.size() && i < kMostLines; ++i) {
    text += text.empty() ? lines[i] : "; " + lines[i];
  }
  if (lines.size() > kMostLines) text += fmt::format("; {} more", lines.size() - kMostLines);
}

}  // namespace

// The lock with its value, and who would release it.
std::string ArrayEngine::LockText(int lock, int wants) const {
  const Lock& config = overlay_.locks[static_cast<std::size_t>(lock)];
  std::vector<std::string> holders;
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    std::vector<bool> seen(overlay_.descriptors.size());
    for (int d = ChannelAt(c).first; d >= 0 && !seen[static_cast<std::size_t>(d)];) {
      seen[static_cast<std::size_t>(d)] = true;
      const Descriptor& descriptor = overlay_.descriptors[static_cast<std::size_t>(d)];
      if (descriptor.release.lock == lock) {
        holders.push_back(ChannelAt(c).name());
        break;
      }
      d = descriptor.next;
    }
  }
  for (const CoreActor& core : cores_) {
    for (const CoreOp& op : core.ops) {
      if (op.kind == CoreOp::Kind::kRelease && op.lock == lock) {
        holders.push_back(core.program->tile.name());
        break;
      }
    }
  }
  std::string by;
  for (const std::string& holder : holders) by += (by.empty() ? "" : ", ") + holder;
  return fmt::format("lock {} (value {}, wants {}; {})", config.name,
                     locks_[static_cast<std::size_t>(lock)].value, wants,
                     by.empty() ? "nobody releases it" : "released by " + by);
}

std::string ArrayEngine::WhoWaits() const {
  std::string text;
  if (command_stalled_) {
    const Instruction& instruction = instructions_[instruction_];
    if (const auto* wait = std::get_if<WaitToken>(&instruction)) {
      text = fmt::format("instruction {} waits for a token of {}", instruction_,
                         Channel{{wait->column, kShimRow}, wait->sends, wait->channel}.name());
    } else if (const auto* push = std::get_if<PushTask>(&instruction)) {
      text = fmt::format("instruction {} waits for room in the queue of {}", instruction_,
                         Channel{{push->column, kShimRow}, push->sends, push->channel}.name());
    }
  }
  std::vector<std::string> lines;
  for (const CoreActor& core : cores_) {
    const std::string name = core.program->tile.name();
    const CoreOp& op = core.ops[core.next];
    if (core.waits) {
      lines.push_back(fmt::format("{} waits for {}", name, LockText(op.lock, op.count)));
    } else if (core.parked) {
      lines.push_back(fmt::format("{} waits for a run-time parameter", name));
    }
  }
  Add(lines, text);
  lines.clear();
  for (std::size_t c = 0; c < channels_.size(); ++c) {
    const ChannelState& state = channels_[c];
    if (state.phase == Phase::kWaitsForLock) {
      const LockUse& use = overlay_.descriptors[state.descriptor].acquire;
      lines.push_back(
          fmt::format("{} waits for {}", ChannelAt(c).name(), LockText(use.lock, use.value)));
    } else if (state.phase == Phase::kActive && !routes_[state.route].moving) {
      std::string others;
      const Route& route = overlay_.routes[state.route];
      std::vector<int> ends = route.to;
      ends.push_back(route.from);
      for (const int end : ends) {
        if (channels_[static_cast<std::size_t>(end)].phase == Phase::kActive) continue;
        others += (others.empty() ? "" : ", ") + ChannelAt(static_cast<std::size_t>(end)).name();
      }
      lines.push_back(fmt::format("{} waits with {} words left for {}", ChannelAt(c).name(),
                                  state.words_left, others));
    }
  }
  Add(lines, text);
  return text;
}

}  // namespace xdna::device
