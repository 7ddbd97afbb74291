// Designs of kernels that go through rows of vectors of 16 lanes, which is all that they differ in:
// the streams per call, tables in tile memory, and what the core issues.
#ifndef KERNELS_COMMON_ROW_DESIGN_H_
#define KERNELS_COMMON_ROW_DESIGN_H_

#include <cstddef>
#include <string>
#include <vector>

#include "kernels/design/design.h"

namespace xdna::kernels {

// Slots that a kernel issues: a * vectors + b * rows + c, a vector being 16 lanes.
struct Issue {
  double per_vector = 0, per_row = 0, per_call = 0;
};

struct RowCost {
  Issue vector_ops;  // MAC, ALU, shuffle and conversion: one a cycle
  Issue loads;       // of 256 bits, and table reads: two a cycle
};

// A design of one call over [rows, width]: core_cycles is the busier of the two slots,
// program_bytes a bundle of 16 B for every operation of the loop bodies and 64 around them.
Design RowDesign(std::string name, std::size_t rows, std::size_t width, std::vector<Fifo> fifos,
                 std::vector<Local> locals, const RowCost& cost);

// A FIFO of one object a call, ping-pong unless `depth` says otherwise.
Fifo Stream(std::string name, bool in, unsigned channel, std::size_t bytes, unsigned depth = 2);

}  // namespace xdna::kernels

#endif  // KERNELS_COMMON_ROW_DESIGN_H_
