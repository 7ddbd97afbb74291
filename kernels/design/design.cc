#include "kernels/design/design.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <vector>

namespace xdna::kernels {
namespace {

constexpr std::size_t kWordBytes = 4;

template <typename... Args>
Fit No(fmt::format_string<Args...> format, Args&&... args) {
  return {false, fmt::format(format, std::forward<Args>(args)...)};
}

std::size_t RoundUp(std::size_t bytes) {
  return (bytes + kBufferAlign - 1) / kBufferAlign * kBufferAlign;
}

unsigned Count(const std::vector<Fifo>& fifos, unsigned (*of)(const Fifo&)) {
  unsigned total = 0;
  for (const Fifo& fifo : fifos) total += of(fifo);
  return total;
}

Fit CheckFifo(const Fifo& fifo) {
  if (fifo.channel >= kTileChannels) {
    return No("channel {} of {} {} channels", fifo.channel, kTileChannels,
              fifo.in ? "incoming" : "outgoing");
  }
  if (fifo.depth == 0 || fifo.depth > kLockMax) {
    return No("depth {} is not in 1..{} (a 6-bit lock)", fifo.depth, kLockMax);
  }
  if (fifo.object_bytes == 0 || fifo.object_bytes % kWordBytes != 0) {
    return No("objects of {} bytes are no whole 32-bit words", fifo.object_bytes);
  }
  const std::uint64_t words = fifo.object_bytes / kWordBytes;
  if (words > LimitsOf(Engine::kCore).max_words) {
    return No("length {} words > {}", words, LimitsOf(Engine::kCore).max_words);
  }
  for (const Pattern& pattern : fifo.patterns) {
    if (Fit fit = pattern.fits(); !fit) return fit;
  }
  return {};
}

}  // namespace

std::size_t Design::data_bytes() const {
  std::size_t total = 0;
  for (const Fifo& fifo : fifos) total += fifo.depth * RoundUp(fifo.object_bytes);
  for (const Local& local : locals) total += RoundUp(local.bytes);
  return total;
}

std::string Design::data_sum() const {
  std::string sum;
  const auto add = [&sum](unsigned depth, const std::string& what, std::size_t bytes) {
    if (!sum.empty()) sum += " + ";
    if (depth != 1) sum += fmt::format("{}*", depth);
    sum += fmt::format("{} {}", what, RoundUp(bytes));
  };
  for (const Fifo& fifo : fifos) add(fifo.depth, fifo.name, fifo.object_bytes);
  for (const Local& local : locals) add(1, local.name, local.bytes);
  return fmt::format("{} = {} B", sum.empty() ? "0" : sum, data_bytes());
}

std::size_t Design::bytes_in() const {
  std::size_t total = 0;
  for (const Fifo& fifo : fifos) total += fifo.in ? fifo.objects * fifo.object_bytes : 0;
  return total;
}

std::size_t Design::bytes_out() const {
  std::size_t total = 0;
  for (const Fifo& fifo : fifos) total += fifo.in ? 0 : fifo.objects * fifo.object_bytes;
  return total;
}

double Design::intensity() const {
  const std::size_t moved = bytes_in() + bytes_out();
  return moved == 0 ? 0 : macs / static_cast<double>(moved);
}

double Design::cycles() const {
  double words[2][kTileChannels] = {};
  bool overlaps = true;
  for (const Fifo& fifo : fifos) {
    if (fifo.channel < kTileChannels) {
      words[fifo.in ? 0 : 1][fifo.channel] +=
          static_cast<double>(fifo.objects * fifo.object_bytes) / kWordBytes;
    }
    overlaps = overlaps && (fifo.depth > 1 || fifo.objects == 0);
  }
  double busiest = 0;
  for (const auto& direction : words) {
    for (const double channel : direction) busiest = std::max(busiest, channel);
  }
  return overlaps ? std::max(core_cycles, busiest) : core_cycles + busiest;
}

Fit Design::fits() const {
  const std::size_t room = stack_bytes < kTileDataBytes ? kTileDataBytes - stack_bytes : 0;
  if (data_bytes() > room) {
    return No("{}: {} > {} B of tile data memory ({} less {} of stack)", name, data_sum(), room,
              kTileDataBytes, stack_bytes);
  }
  if (program_bytes > kTileProgramBytes) {
    return No("{}: program of about {} B > {} B of program memory", name, program_bytes,
              kTileProgramBytes);
  }
  const unsigned descriptors = Count(fifos, [](const Fifo& f) { return f.depth; });
  if (descriptors > kTileDescriptors) {
    return No("{}: {} buffer descriptors > {}", name, descriptors, kTileDescriptors);
  }
  const unsigned locks = Count(fifos, [](const Fifo&) { return 2U; });
  if (locks > kTileLocks) return No("{}: {} locks > {}", name, locks, kTileLocks);
  for (const Fifo& fifo : fifos) {
    if (Fit fit = CheckFifo(fifo); !fit) {
      return No("{}: FIFO {}: {}", name, fifo.name, fit.reason);
    }
  }
  return {};
}

}  // namespace xdna::kernels
