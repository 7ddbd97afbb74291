#include "device/array/overlay_routes.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace xdna::device {
namespace {

constexpr int kRows = kFirstCoreRow + kCoreRows;

enum Direction { kUp, kDown, kEast, kWest };
constexpr std::array<int, 4> kCapacity = {6, 4, 4, 4};
constexpr std::array<const char*, 4> kDirectionNames = {"north", "south", "east", "west"};

// The streams that leave a tile's switch in one direction, as an index.
constexpr std::size_t kLinks = kColumns * kRows * 4;
std::size_t LinkOf(Tile from, Direction direction) {
  return (static_cast<std::size_t>(from.col) * kRows + static_cast<std::size_t>(from.row)) * 4 +
         direction;
}

using Links = std::bitset<kLinks>;

struct Way {
  Links links;
  int switches = 1;
};

void Step(Tile& at, Direction direction, Way& way) {
  way.links.set(LinkOf(at, direction));
  ++way.switches;
  at.row += direction == kUp ? 1 : direction == kDown ? -1 : 0;
  at.col += direction == kEast ? 1 : direction == kWest ? -1 : 0;
}

// Up or down to `row`, along it, then up or down to the end.
Way WayAlong(int row, Tile from, Tile to) {
  Way way;
  Tile at = from;
  while (at.row != row) Step(at, at.row < row ? kUp : kDown, way);
  while (at.col != to.col) Step(at, at.col < to.col ? kEast : kWest, way);
  while (at.row != to.row) Step(at, at.row < to.row ? kUp : kDown, way);
  return way;
}

// Rows along which a stream can change column, the preferred ones first.
std::vector<int> RowsFor(Tile from, Tile to) {
  if (from.col == to.col) return {to.row};
  std::vector<int> rows;
  const auto add = [&](int row) {
    if (row != kMemRow && std::find(rows.begin(), rows.end(), row) == rows.end()) {
      rows.push_back(row);
    }
  };
  add(to.row);
  add(from.row);
  for (int row = 0; row < kRows; ++row) add(row);
  return rows;
}

class Planner {
 public:
  explicit Planner(const Overlay& overlay) : overlay_(overlay) {}

  // Routes in the given order; stops at the first that finds no ports.
  RoutePlan Plan(const std::vector<std::size_t>& order) {
    circuits_.fill(0);
    packets_.reset();
    RoutePlan plan{.switches = std::vector<int>(overlay_.routes.size())};
    for (const std::size_t index : order) {
      plan.fit = Add(index, plan.switches[index]);
      if (!plan.fit) break;
    }
    return plan;
  }

 private:
  const Channel& ChannelAt(int index) const {
    return overlay_.channels[static_cast<std::size_t>(index)];
  }

  Fit Add(std::size_t index, int& switches) {
    const Route& route = overlay_.routes[index];
    const bool packet = route.packet_id >= 0;
    Links taken;
    for (const int receiver : route.to) {
      Way best;
      if (!Find(ChannelAt(route.from).tile, ChannelAt(receiver).tile, taken, packet, best)) {
        return OutOfPorts(route, receiver, taken, packet);
      }
      taken |= best.links;
      switches = std::max(switches, best.switches);
    }
    for (std::size_t link = 0; link < kLinks; ++link) {
      if (!taken[link]) continue;
      if (packet) {
        packets_.set(link);
      } else {
        ++circuits_[link];
      }
    }
    return {};
  }

  // The free way that adds the fewest links to `taken`.
  bool Find(Tile from, Tile to, const Links& taken, bool packet, Way& best) const {
    std::size_t fewest = std::numeric_limits<std::size_t>::max();
    for (const int row : RowsFor(from, to)) {
      const Way way = WayAlong(row, from, to);
      const Links added = way.links & ~taken;
      if (added.count() < fewest && FirstFull(added, packet) == kLinks) {
        fewest = added.count();
        best = way;
      }
    }
    return fewest != std::numeric_limits<std::size_t>::max();
  }

  // The first of `links` without a port for one more; kLinks where there is none.
  std::size_t FirstFull(const Links& links, bool packet) const {
    for (std::size_t link = 0; link < kLinks; ++link) {
      if (links[link] && !(packet && packets_[link]) && Used(link) >= kCapacity[link % 4]) {
        return link;
      }
    }
    return kLinks;
  }

  int Used(std::size_t link) const { return circuits_[link] + (packets_[link] ? 1 : 0); }

  Fit OutOfPorts(const Route& route, int receiver, const Links& taken, bool packet) const {
    const Tile from = ChannelAt(route.from).tile;
    const Tile to = ChannelAt(receiver).tile;
    const Way way = WayAlong(RowsFor(from, to).front(), from, to);
    const std::size_t link = FirstFull(way.links & ~taken, packet);
    const int place = static_cast<int>(link / 4);
    const Tile tile{place / kRows, place % kRows};
    return {false,
            fmt::format("the route from {} to {}: the switch of {} is out of ports to the "
                        "{}: {} of {} are taken, and no other way is free",
                        ChannelAt(route.from).name(), ChannelAt(receiver).name(), tile.name(),
                        kDirectionNames[link % 4], Used(link), kCapacity[link % 4])};
  }

  const Overlay& overlay_;
  std::array<int, kLinks> circuits_ = {};
  Links packets_;
};

// Switches that a route could not do without; its length, for the order.
int Reach(const Overlay& overlay, const Route& route) {
  const Tile from = overlay.channels[static_cast<std::size_t>(route.from)].tile;
  int reach = 0;
  for (const int receiver : route.to) {
    const Tile to = overlay.channels[static_cast<std::size_t>(receiver)].tile;
    reach += std::abs(from.col - to.col) + std::abs(from.row - to.row);
  }
  return reach;
}

}  // namespace

RoutePlan PlanRoutes(const Overlay& overlay) {
  std::vector<std::size_t> order(overlay.routes.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  Planner planner(overlay);
  RoutePlan plan = planner.Plan(order);
  if (plan.fit) return plan;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return Reach(overlay, overlay.routes[a]) > Reach(overlay, overlay.routes[b]);
  });
  RoutePlan again = planner.Plan(order);
  return again.fit ? again : plan;
}

ConfigureWrites WritesOf(const Overlay& overlay) {
  ConfigureWrites writes;
  writes.blocks = overlay.descriptors.size();
  writes.words = overlay.locks.size() + 2 * overlay.channels.size();
  const RoutePlan plan = PlanRoutes(overlay);
  for (std::size_t i = 0; i < overlay.routes.size(); ++i) {
    const std::size_t branches = overlay.routes[i].to.size() - 1;
    writes.words += 2 * (static_cast<std::size_t>(plan.switches[i]) + branches);
  }
  return writes;
}

}  // namespace xdna::device
