#include "device/sim/xrt/outputs.h"

#include <algorithm>
#include <map>
#include <utility>
#include <variant>

namespace xdna::device {
namespace {

using Write = std::function<void(std::size_t offset, std::size_t bytes)>;

// The elements of `dims` from byte `offset` on; the innermost dimension at once where it is dense.
void Walk(std::span<const Dim> dims, std::size_t element_bytes, std::size_t offset,
          const Write& write) {
  if (dims.empty()) {
    write(offset, element_bytes);
    return;
  }
  const Dim& dim = dims.front();
  if (dims.size() == 1 && dim.step == 1) {
    write(offset, dim.count * element_bytes);
    return;
  }
  for (std::size_t i = 0; i < dim.count; ++i) {
    Walk(dims.subspan(1), element_bytes, offset + i * dim.step * element_bytes, write);
  }
}

void WalkTask(const WriteDescriptor& descriptor, unsigned repeat, const Write& write) {
  const Pattern& pattern = descriptor.pattern;
  for (std::size_t i = 0; i < repeat; ++i) {
    const std::size_t step = i % std::max<std::size_t>(pattern.iteration.count, 1);
    const std::size_t at =
        descriptor.offset + step * pattern.iteration.step * pattern.element_bytes;
    if (pattern.dims.empty()) {
      write(at, descriptor.bytes);
    } else {
      Walk(pattern.dims, pattern.element_bytes, at, write);
    }
  }
}

}  // namespace

void ForEachOutput(std::span<const Instruction> instructions, const OutputPiece& piece) {
  std::map<std::pair<int, unsigned>, const WriteDescriptor*> descriptors;
  for (const Instruction& instruction : instructions) {
    if (const auto* descriptor = std::get_if<WriteDescriptor>(&instruction)) {
      descriptors[{descriptor->column, descriptor->id}] = descriptor;
    }
    const auto* task = std::get_if<PushTask>(&instruction);
    if (task == nullptr || task->sends) continue;
    const auto found = descriptors.find({task->column, task->descriptor});
    if (found == descriptors.end()) continue;
    const WriteDescriptor& descriptor = *found->second;
    WalkTask(descriptor, task->repeat, [&](std::size_t offset, std::size_t bytes) {
      piece(descriptor.argument, offset, bytes);
    });
  }
}

}  // namespace xdna::device
