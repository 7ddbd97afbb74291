// Designs of kernels that are one call on one object of each stream, which is all that they differ
// in: the streams, tables in tile memory, and the function with its sizes.
#ifndef KERNELS_COMMON_ROW_DESIGN_H_
#define KERNELS_COMMON_ROW_DESIGN_H_

#include <cstddef>
#include <string>
#include <vector>

#include "kernels/cost/cost.h"
#include "kernels/design/design.h"

namespace xdna::kernels {

// A call of `function` with kernels/cost's arguments.
struct KernelCall {
  const char* function;
  std::vector<std::size_t> arguments;
};

// A design of one call: core_cycles and program_bytes are kernels/cost's. Throws kInvalidArgument
// for sizes that the kernel does not take.
Design RowDesign(std::string name, const KernelCall& call, std::vector<Fifo> fifos,
                 std::vector<Local> locals, CodeGenerator generator);

// A FIFO of one object a call, ping-pong unless `depth` says otherwise.
Fifo Stream(std::string name, bool in, unsigned channel, std::size_t bytes, unsigned depth = 2);

}  // namespace xdna::kernels

#endif  // KERNELS_COMMON_ROW_DESIGN_H_
