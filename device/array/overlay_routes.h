// Ways of an overlay's routes through the stream switches, and whether their ports suffice.
//
// Between the switches of two tiles lie, each way: 6 streams up a column and 4 down, 4 to the east
// and 4 to the west (AM020 chapter 2, table 3); memory tiles' switches lead up and down only
// (mlir-aie AIETargetModel.cpp, getNumDestSwitchboxConnections). Ports to the DMA are as many as
// its channels. A stream between columns runs along one row, of shims or of cores. Each receiver in
// turn takes the row that adds the fewest streams to what the route has (equal ones: its own row
// first, then the sender's, then from the bottom up), as long as there are free ports; where the
// routes do not fit in their order, the longest are tried first. A circuit takes a port of its own;
// packets share one with all packets on the same way. The switches' arbiters are not counted.
#ifndef DEVICE_ARRAY_OVERLAY_ROUTES_H_
#define DEVICE_ARRAY_OVERLAY_ROUTES_H_

#include <cstddef>
#include <vector>

#include "device/array/overlay.h"
#include "device/array/pattern.h"

namespace xdna::device {

struct RoutePlan {
  Fit fit = {};  // or the switch that is out of ports
  // For each route, the switches on the way to its farthest receiver, both ends' included.
  std::vector<int> switches = {};
};

// The overlay's channels and routes must lead somewhere (CheckOverlay).
RoutePlan PlanRoutes(const Overlay& overlay);

// Register writes that configure an overlay without its program memory: its descriptors, and single
// words for locks, channels (reset and start) and stream switches (both sides of each on the way).
struct ConfigureWrites {
  std::size_t blocks = 0;
  std::size_t words = 0;
};
ConfigureWrites WritesOf(const Overlay& overlay);

}  // namespace xdna::device

#endif  // DEVICE_ARRAY_OVERLAY_ROUTES_H_
