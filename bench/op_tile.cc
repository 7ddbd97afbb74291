#include "bench/op_tile.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "golden/compare.h"

namespace xdna::bench {
namespace {

// What a call does, in the unit that its design counts.
struct Work {
  double amount;
  const char* unit;
};

Work WorkOf(const ops::TileShape& tile) {
  const kernels::Design& design = tile.design;
  return design.macs > 0 ? Work{design.macs, "MAC"} : Work{tile.results, "value"};
}

std::string TileLine(const ops::TileShape& tile) {
  const kernels::Design& design = tile.design;
  const double work = WorkOf(tile).amount;
  const auto moved = static_cast<double>(design.bytes_in() + design.bytes_out());
  return fmt::format("{:<16} {:>6} {:>10.2f} {:>10.0f} {:>10.2f}\n", tile.name, design.data_bytes(),
                     work / moved, design.cycles(), work / design.cycles());
}

}  // namespace

std::string TileList(const ops::Contract& op, const std::vector<OpPoint>& points) {
  std::string text;
  for (const OpPoint& point : points) {
    text += fmt::format("{}\n", point.name);
    if (!op.Has(point.variant)) {
      text += fmt::format("  {} has no such variant\n\n", op.name);
      continue;
    }
    const std::vector<ops::TileShape> tiles = op.tiles(point.dims, point.variant);
    const char* unit = WorkOf(tiles.front()).unit;
    text += fmt::format("{:<16} {:>6} {:>10} {:>10} {:>10}   modelled; {} B of tile memory\n",
                        "tile", "bytes", fmt::format("{}/byte", unit), "cycles",
                        fmt::format("{}/cycle", unit), kernels::kTileDataBytes);
    std::string beyond;
    std::size_t legal = 0;
    for (const ops::TileShape& tile : tiles) {
      const kernels::Fit fit = tile.design.fits();
      if (fit) text += TileLine(tile), ++legal;
      if (!fit) beyond += fmt::format("{:<16} does not fit: {}\n", tile.name, fit.reason);
    }
    text += fmt::format("{}{} tile shapes fit\n\n", beyond, legal);
  }
  return text;
}

TileTable::TileTable(const ops::Contract& op, const std::vector<OpPoint>& points) : op_(op) {
  for (const OpPoint& point : points) {
    shape_width_ = std::max(shape_width_, point.shape.size());
    backend_width_ = std::max(backend_width_, ops::BackendName(point.variant).size());
  }
}

std::string TileTable::Header() const {
  return fmt::format("{:<{}} {:<9} {:<{}} {:<12} {:<16} {:>10} {:>12}\n", "shape", shape_width_,
                     "precision", "backend", backend_width_, "verdict", "best tile", "cycles",
                     "a cycle");
}

std::string TileTable::Row(const OpPoint& point, bool checked) const {
  std::string verdict = checked ? golden::StatusName(point.verdict.status) : "-";
  if (checked && point.verdict.passed()) {
    verdict += fmt::format(" {:.0f} %", point.verdict.headroom_percent());
  }
  std::string row = fmt::format("{:<{}} {:<9} {:<{}} {:<12}", point.shape, shape_width_,
                                ops::PrecisionName(point.variant.precision),
                                ops::BackendName(point.variant), backend_width_, verdict);
  if (checked && point.verdict.status == golden::Status::kUnsupported) {
    return row + fmt::format(" {}\n", point.verdict.reason);
  }
  if (checked && !point.verdict.passed()) {
    row += fmt::format("\n  {}\n", golden::Describe(point.verdict));
    return point.repro.empty() ? row : row + fmt::format("  repro: {}\n", point.repro);
  }
  if (!op_.Has(point.variant)) return row + "\n";
  const ops::TileShape tile = op_.tiles(point.dims, point.variant).front();
  const Work work = WorkOf(tile);
  return row + fmt::format(" {:<16} {:>10.0f} {:>12}\n", tile.name, tile.design.cycles(),
                           fmt::format("{:.2f} {}", work.amount / tile.design.cycles(), work.unit));
}

std::string TileTable::Footer() {
  return "\npassed N %: how much of the tolerance is left. best tile, cycles of a call and what it "
         "does in one:\nmodelled from the kernel's design; nothing was timed.\n";
}

}  // namespace xdna::bench
