#include "kernels/common/row_design.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace xdna::kernels {

Design RowDesign(std::string name, const KernelCall& call, std::vector<Fifo> fifos,
                 std::vector<Local> locals, CodeGenerator generator) {
  const std::vector<std::int64_t> arguments(call.arguments.begin(), call.arguments.end());
  Design design;
  design.name = std::move(name);
  design.fifos = std::move(fifos);
  design.locals = std::move(locals);
  design.core_cycles = CoreCycles(call.function, arguments, generator);
  design.program_bytes = ProgramBytes(call.function, arguments);
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
