#include "device/array/overlay.h"

#include <fmt/core.h>

#include <array>
#include <cstddef>
#include <string>

#include "device/array/pattern.h"

namespace xdna::device {

const TileLimits& TileLimitsOf(Engine engine) {
  static constexpr std::array<TileLimits, 3> kLimits = {{
      {"core", kTileDataBytes, kTileDescriptors, kTileLocks, kTileChannels},
      {"mem", kMemTileBytes, 48, 64, 6},
      {"shim", 0, 16, 16, 2},
  }};
  return kLimits[static_cast<std::size_t>(engine)];
}

Engine Tile::engine() const {
  if (row == kShimRow) return Engine::kShim;
  return row == kMemRow ? Engine::kMem : Engine::kCore;
}

std::string Tile::name() const {
  return fmt::format("{}({},{})", TileLimitsOf(engine()).name, col, row);
}

std::string Channel::name() const {
  return fmt::format("{} {} {}", tile.name(), sends ? "MM2S" : "S2MM", index);
}

}  // namespace xdna::device
