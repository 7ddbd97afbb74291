#include "device/array/overlay_check.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "device/array/overlay.h"
#include "device/array/overlay_routes.h"
#include "device/array/pattern.h"

namespace xdna::device {
namespace internal {

std::size_t ExtentOf(const Pattern& pattern, std::size_t bytes, std::size_t times) {
  std::size_t last = 0;  // the last element, from the first
  for (const Dim& dim : pattern.dims) last += (dim.count - 1) * dim.step;
  const std::size_t once = pattern.dims.empty() ? bytes : (last + 1) * pattern.element_bytes;
  const std::size_t rounds = std::min(times, std::max<std::size_t>(pattern.iteration.count, 1));
  return once + (rounds - 1) * pattern.iteration.step * pattern.element_bytes;
}

namespace {

// Keeps the products of the checks below from wrapping around.
Fit CheckSizes(const Pattern& pattern) {
  constexpr std::size_t kMaxElementBytes = std::size_t{1} << 20;
  constexpr std::size_t kMaxElements = std::size_t{1} << 34;
  constexpr std::size_t kMaxStep = std::size_t{1} << 36;
  if (pattern.element_bytes > kMaxElementBytes) {
    return No("elements of {} bytes", pattern.element_bytes);
  }
  std::size_t elements = 1;
  for (const Dim& dim : pattern.dims) {
    const std::size_t most = kMaxElements / elements;
    if (dim.count > most || dim.count + dim.zeros_before + dim.zeros_after > most) {
      return No("more than 2^34 elements");
    }
    elements *= std::max<std::size_t>(dim.count + dim.zeros_before + dim.zeros_after, 1);
    if (dim.step > kMaxStep) return No("step {}", dim.step);
  }
  if (pattern.iteration.step > kMaxStep) return No("iteration step {}", pattern.iteration.step);
  return {};
}

}  // namespace

Fit CheckTransfer(const Pattern& pattern, std::size_t bytes, std::size_t offset) {
  if (Fit fit = CheckSizes(pattern); !fit) return fit;
  if (Fit fit = pattern.fits(); !fit) return fit;
  if (bytes == 0 || bytes % 4 != 0 || offset % 4 != 0) {
    return No("{} bytes from byte {} are no whole 32-bit words", bytes, offset);
  }
  const std::uint64_t most = LimitsOf(pattern.engine).max_words;
  if (bytes / 4 > most) return No("length {} words > {}", bytes / 4, most);
  if (!pattern.dims.empty() && pattern.elements() * pattern.element_bytes != bytes) {
    return No("{} elements of {} bytes in the pattern = {} bytes, not {}", pattern.elements(),
              pattern.element_bytes, pattern.elements() * pattern.element_bytes, bytes);
  }
  return {};
}

namespace {

Fit CheckPlace(Tile tile, const std::string& what) {
  if (OnArray(tile)) return {};
  return No("{}: no tile at column {}, row {}; there are {} columns and rows 0 to {}", what,
            tile.col, tile.row, kColumns, kFirstCoreRow + kCoreRows - 1);
}

Fit CheckBuffer(const Buffer& buffer) {
  const std::string what = fmt::format("buffer {}", buffer.name);
  if (Fit fit = CheckPlace(buffer.tile, what); !fit) return fit;
  if (buffer.tile.engine() == Engine::kShim) return No("{}: a shim has no memory", what);
  if (buffer.bytes == 0) return No("{} of {} has 0 bytes", what, buffer.tile.name());
  if (buffer.address % kBufferAlign != 0) {
    return No("{} of {}: address {} is no multiple of {}", what, buffer.tile.name(), buffer.address,
              kBufferAlign);
  }
  return {};
}

// What lies in a tile's memory, in order of address.
struct Piece {
  std::size_t begin, end;
  std::string name;
};

Fit CheckPieces(Tile tile, std::vector<Piece> pieces, std::size_t rtp_bytes) {
  const std::size_t limit = TileLimitsOf(tile.engine()).memory_bytes;
  std::string sum;
  std::size_t total = rtp_bytes;
  for (const Piece& piece : pieces) {
    total += piece.end - piece.begin;
    sum += fmt::format("{}{} {}", sum.empty() ? "" : " + ", piece.name, piece.end - piece.begin);
  }
  if (rtp_bytes > 0) sum += fmt::format(" + parameters {}", rtp_bytes);
  if (total > limit) return No("memory of {}: {} = {} B > {} B", tile.name(), sum, total, limit);
  std::stable_sort(pieces.begin(), pieces.end(),
                   [](const Piece& a, const Piece& b) { return a.begin < b.begin; });
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].end > limit) {
      return No("memory of {}: {} ends at {} > {} B", tile.name(), pieces[i].name, pieces[i].end,
                limit);
    }
    if (i > 0 && pieces[i].begin < pieces[i - 1].end) {
      return No("memory of {}: {} at {} overlaps {}, which ends at {}", tile.name(), pieces[i].name,
                pieces[i].begin, pieces[i - 1].name, pieces[i - 1].end);
    }
  }
  return {};
}

Fit CheckMemory(const Overlay& overlay) {
  std::map<Tile, std::vector<Piece>> pieces;
  std::map<Tile, std::size_t> rtp_bytes;
  for (const Program& program : overlay.programs) {
    if (!OnArray(program.tile) || program.tile.engine() != Engine::kCore) {
      return No("a program on {}, which is no core", program.tile.name());
    }
    if (pieces.count(program.tile) != 0) return No("{} has two programs", program.tile.name());
    pieces[program.tile].push_back({0, program.stack_bytes, "stack"});
    rtp_bytes[program.tile] += std::size_t{program.rtps} * 4;
  }
  for (const Buffer& buffer : overlay.buffers) {
    if (Fit fit = CheckBuffer(buffer); !fit) return fit;
    pieces[buffer.tile].push_back({buffer.address, buffer.address + buffer.bytes, buffer.name});
  }
  for (auto& [tile, list] : pieces) {
    if (Fit fit = CheckPieces(tile, std::move(list), rtp_bytes[tile]); !fit) return fit;
  }
  return {};
}

Fit CheckLocks(const Overlay& overlay) {
  std::set<std::pair<Tile, unsigned>> taken;
  for (const Lock& lock : overlay.locks) {
    const std::string what = fmt::format("lock {}", lock.name);
    if (Fit fit = CheckPlace(lock.tile, what); !fit) return fit;
    const TileLimits& limits = TileLimitsOf(lock.tile.engine());
    if (lock.id >= limits.locks) {
      return No("{}: id {} of {}, which has {} locks", what, lock.id, lock.tile.name(),
                limits.locks);
    }
    if (!taken.insert({lock.tile, lock.id}).second) {
      return No("{}: id {} of {} is taken", what, lock.id, lock.tile.name());
    }
    if (lock.initial < 0 || lock.initial > static_cast<int>(kLockMax)) {
      return No("{} of {}: initial value {}, not 0 to {}", what, lock.tile.name(), lock.initial,
                kLockMax);
    }
  }
  return {};
}

// A memory tile's channels 0 to 3 reach the memory and locks of the memory tiles beside it (AM020
// chapter 5); which channel runs a descriptor is checked with the channels.
bool DmaReaches(Tile from, Tile to) {
  if (from == to) return true;
  return from.row == kMemRow && to.row == kMemRow && std::abs(from.col - to.col) == 1;
}

Fit CheckLockUse(const Overlay& overlay, Tile tile, const LockUse& use) {
  if (use.lock == -1) return {};
  if (!Leads(use.lock, overlay.locks)) return No("there is no lock {}", use.lock);
  const Lock& lock = overlay.locks[static_cast<std::size_t>(use.lock)];
  if (!DmaReaches(tile, lock.tile)) {
    return No("its lock {} lies on {}", lock.name, lock.tile.name());
  }
  if (use.value < 1 || use.value > static_cast<int>(kLockMax)) {
    return No("lock {} by {}, not 1 to {}", lock.name, use.value, kLockMax);
  }
  return {};
}

Fit CheckDescriptorBuffer(const Overlay& overlay, const Descriptor& d) {
  if (!Leads(d.buffer, overlay.buffers)) return No("there is no buffer {}", d.buffer);
  const Buffer& buffer = overlay.buffers[static_cast<std::size_t>(d.buffer)];
  if (!DmaReaches(d.tile, buffer.tile)) {
    return No("its buffer {} lies on {}", buffer.name, buffer.tile.name());
  }
  const std::size_t extent = ExtentOf(d.pattern, d.bytes, kIterationMax);
  if (d.offset > buffer.bytes || extent > buffer.bytes - d.offset) {
    return No("offset {} + {} bytes = {} > {} of buffer {}", d.offset, extent, d.offset + extent,
              buffer.bytes, buffer.name);
  }
  return {};
}

Fit CheckDescriptor(const Overlay& overlay, const Descriptor& d) {
  const Engine engine = d.tile.engine();
  if (engine == Engine::kShim) {
    return No("a shim's descriptors come with the instruction stream");
  }
  const TileLimits& limits = TileLimitsOf(engine);
  if (d.id >= limits.descriptors) return No("there are {}", limits.descriptors);
  if (d.pattern.engine != engine) {
    return No("its pattern is for a {}", LimitsOf(d.pattern.engine).name);
  }
  if (Fit fit = CheckTransfer(d.pattern, d.bytes, d.offset); !fit) return fit;
  if (Fit fit = CheckDescriptorBuffer(overlay, d); !fit) return fit;
  if (Fit fit = CheckLockUse(overlay, d.tile, d.acquire); !fit) return fit;
  if (Fit fit = CheckLockUse(overlay, d.tile, d.release); !fit) return fit;
  if (d.next == -1) return {};
  if (!Leads(d.next, overlay.descriptors)) return No("there is no next one {}", d.next);
  const Descriptor& next = overlay.descriptors[static_cast<std::size_t>(d.next)];
  if (next.tile != d.tile) return No("the next one is on {}", next.tile.name());
  return {};
}

Fit CheckDescriptors(const Overlay& overlay) {
  std::set<std::pair<Tile, unsigned>> taken;
  for (const Descriptor& d : overlay.descriptors) {
    if (Fit fit = CheckPlace(d.tile, "a descriptor"); !fit) return fit;
    Fit fit = CheckDescriptor(overlay, d);
    if (fit && !taken.insert({d.tile, d.id}).second) fit = No("the id is taken");
    if (!fit) return No("descriptor {} of {}: {}", d.id, d.tile.name(), fit.reason);
  }
  return {};
}

// One descriptor of a channel's chain.
Fit CheckInChain(const Overlay& overlay, const Channel& channel, const Descriptor& d) {
  if (d.pattern.sends != channel.sends) {
    return No("descriptor {}'s pattern {}", d.id, d.pattern.sends ? "sends" : "receives");
  }
  if (channel.tile.engine() != Engine::kMem) return {};
  const unsigned half = TileLimitsOf(Engine::kMem).descriptors / 2;
  if (d.id / half != channel.index % 2) {
    return No("descriptor {}: {} channels have {} to {}", d.id,
              channel.index % 2 == 0 ? "even" : "odd", channel.index % 2 * half,
              channel.index % 2 * half + half - 1);
  }
  bool away = overlay.buffers[static_cast<std::size_t>(d.buffer)].tile != d.tile;
  for (const LockUse& use : {d.acquire, d.release}) {
    away |= use.lock >= 0 && overlay.locks[static_cast<std::size_t>(use.lock)].tile != d.tile;
  }
  if (away && channel.index > 3) {
    return No("descriptor {} is for a neighbour, which channels 0 to 3 reach", d.id);
  }
  return {};
}

Fit CheckChain(const Overlay& overlay, const Channel& channel) {
  if (channel.tile.engine() == Engine::kShim) {
    if (channel.first != -1) return No("a shim starts with no descriptor");
    return {};
  }
  if (!Leads(channel.first, overlay.descriptors))
    return No("there is no descriptor {}", channel.first);
  std::set<int> seen;
  for (int at = channel.first; at != -1 && seen.insert(at).second;) {
    const Descriptor& d = overlay.descriptors[static_cast<std::size_t>(at)];
    if (d.tile != channel.tile) return No("descriptor {} is on {}", d.id, d.tile.name());
    if (Fit fit = CheckInChain(overlay, channel, d); !fit) return fit;
    at = d.next;
  }
  return {};
}

Fit CheckChannels(const Overlay& overlay) {
  std::set<std::tuple<Tile, bool, unsigned>> taken;
  for (const Channel& channel : overlay.channels) {
    if (Fit fit = CheckPlace(channel.tile, "a channel"); !fit) return fit;
    const unsigned limit = TileLimitsOf(channel.tile.engine()).channels;
    if (channel.index >= limit) return No("{}: there are {} channels", channel.name(), limit);
    if (!taken.insert({channel.tile, channel.sends, channel.index}).second) {
      return No("{} is there twice", channel.name());
    }
    if (Fit fit = CheckChain(overlay, channel); !fit) {
      return No("{}: {}", channel.name(), fit.reason);
    }
  }
  return {};
}

Fit CheckRoute(const Overlay& overlay, const Route& route, std::vector<bool>& routed) {
  if (route.packet_id < -1 || route.packet_id > static_cast<int>(kMaxPacketId)) {
    return No("a route with packet id {}, not 0 to {}", route.packet_id, kMaxPacketId);
  }
  if (route.to.empty()) return No("a route without receivers");
  std::vector<int> ends = {route.from};
  ends.insert(ends.end(), route.to.begin(), route.to.end());
  for (std::size_t i = 0; i < ends.size(); ++i) {
    if (!Leads(ends[i], overlay.channels))
      return No("a route at channel {}: there is none", ends[i]);
    const auto end = static_cast<std::size_t>(ends[i]);
    const Channel& channel = overlay.channels[end];
    if (channel.sends != (i == 0)) {
      return No("a route {} {}", i == 0 ? "starts at" : "ends at", channel.name());
    }
    if (routed[end]) return No("two routes at {}", channel.name());
    routed[end] = true;
  }
  return {};
}

Fit CheckRoutes(const Overlay& overlay) {
  std::vector<bool> routed(overlay.channels.size());
  for (const Route& route : overlay.routes) {
    if (Fit fit = CheckRoute(overlay, route, routed); !fit) return fit;
  }
  for (std::size_t i = 0; i < routed.size(); ++i) {
    if (!routed[i]) return No("{} has no route", overlay.channels[i].name());
  }
  return PlanRoutes(overlay).fit;
}

// The program memory of a core holds its programs of all configurations.
Fit CheckAlternatives(const Overlay& overlay) {
  std::map<Tile, std::size_t> program_bytes;
  const auto add = [&program_bytes](const Overlay& one) {
    for (const Program& program : one.programs) {
      program_bytes[program.tile] += program.program_bytes;
    }
  };
  add(overlay);
  for (const Overlay& alternative : overlay.alternatives) {
    if (!alternative.alternatives.empty()) {
      return No("alternative {} has alternatives of its own", alternative.name);
    }
    if (Fit fit = CheckOverlay(alternative); !fit) return fit;
    add(alternative);
  }
  for (const auto& [tile, bytes] : program_bytes) {
    if (bytes <= kTileProgramBytes) continue;
    return No("programs of {} B on {}, {} configurations together, > {} B", bytes, tile.name(),
              overlay.alternatives.size() + 1, kTileProgramBytes);
  }
  return {};
}

}  // namespace
}  // namespace internal

Fit CheckOverlay(const Overlay& overlay) {
  for (const auto check : {internal::CheckMemory, internal::CheckLocks, internal::CheckDescriptors,
                           internal::CheckChannels, internal::CheckRoutes, internal::CheckPrograms,
                           internal::CheckAlternatives}) {
    if (Fit fit = check(overlay); !fit) {
      return internal::No("overlay {}: {}", overlay.name, fit.reason);
    }
  }
  return {};
}

}  // namespace xdna::device
