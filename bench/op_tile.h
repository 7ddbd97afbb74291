// An op on one core tile of the NPU: tile shapes, and verdicts with modelled cycles in place of
// times.
#ifndef BENCH_OP_TILE_H_
#define BENCH_OP_TILE_H_

#include <string>
#include <vector>

#include "bench/op_point.h"
#include "ops/contract.h"

namespace xdna::bench {

// Lines of text: for each point every tile shape that fits, the best first, and why the nearest
// others do not.
std::string TileList(const ops::Contract& op, const std::vector<OpPoint>& points);

// A table with a row for each point.
class TileTable {
 public:
  TileTable(const ops::Contract& op, const std::vector<OpPoint>& points);

  std::string Header() const;
  // The point's verdict, or "-" where it has not been checked.
  std::string Row(const OpPoint& point, bool checked) const;
  static std::string Footer();

 private:
  const ops::Contract& op_;
  std::size_t shape_width_ = 5;
  std::size_t backend_width_ = 7;
};

}  // namespace xdna::bench

#endif  // BENCH_OP_TILE_H_
