#include "kernels/common/row_design.h"

#include <algorithm>
#include <utility>

namespace xdna::kernels {
namespace {

double Total(const Issue& issue, double rows, double width) {
  return issue.per_vector * rows * width / 16 + issue.per_row * rows + issue.per_call;
}

}  // namespace

Design RowDesign(std::string name, std::size_t rows, std::size_t width, std::vector<Fifo> fifos,
                 std::vector<Local> locals, const RowCost& cost) {
  const auto m = static_cast<double>(rows), n = static_cast<double>(width);
  const Issue& ops = cost.vector_ops;
  Design design;
  design.name = std::move(name);
  design.fifos = std::move(fifos);
  design.locals = std::move(locals);
  design.core_cycles = std::max(Total(ops, m, n), Total(cost.loads, m, n) / 2);
  design.program_bytes =
      static_cast<std::size_t>(16 * (ops.per_vector + ops.per_row + ops.per_call + 64));
  return design;
}

Fifo Stream(std::string name, bool in, unsigned channel, std::size_t bytes, unsigned depth) {
  Fifo fifo;
  fifo.name = std::move(name);
  fifo.in = in;
  fifo.channel = channel;
  fifo.object_bytes = bytes;
  fifo.depth = depth;
  return fifo;
}

}  // namespace xdna::kernels
