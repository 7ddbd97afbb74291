// What the designs of this folder share: the array's tiles by column and row, and a shim's
// descriptor with the task that runs it.
#ifndef KERNELS_ARRAY_TILES_H_
#define KERNELS_ARRAY_TILES_H_

#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "device/array/instructions.h"
#include "device/array/overlay.h"

namespace xdna::kernels {

inline constexpr std::size_t kRows = device::kCoreRows;

// Core row 0 is the array's first row of cores.
inline device::Tile Core(std::size_t col, std::size_t row) {
  return {static_cast<int>(col), device::kFirstCoreRow + static_cast<int>(row)};
}
inline device::Tile Mem(std::size_t col) { return {static_cast<int>(col), device::kMemRow}; }
inline device::Tile Shim(std::size_t col) { return {static_cast<int>(col), device::kShimRow}; }

inline std::size_t UpTo(std::size_t value, std::size_t step) {
  return (value + step - 1) / step * step;
}

// A shim's channel, the elements that its descriptor walks, and how often it runs.
struct ShimTask {
  std::size_t col = 0;
  bool sends = false;
  unsigned channel = 0;
  device::Pattern pattern = {};
  std::size_t repeat = 1;
};

// Writes `descriptor`, of which column and pattern are the task's, and pushes the task. One that
// receives gives a token. Throws kUnsupported where the shim's registers can't express it, in the
// name of `design`.
inline void Push(std::vector<device::Instruction>& out, std::string_view design, ShimTask task,
                 device::WriteDescriptor descriptor) {
  task.pattern.engine = device::Engine::kShim;
  task.pattern.sends = task.sends;
  descriptor.column = static_cast<int>(task.col);
  descriptor.pattern = std::move(task.pattern);
  if (const device::Fit fit = descriptor.pattern.fits(); !fit) {
    Throw(ErrorCode::kUnsupported, "{}: {}", design, fit.reason);
  }
  out.emplace_back(descriptor);
  out.emplace_back(device::PushTask{descriptor.column, task.sends, task.channel, descriptor.id,
                                    static_cast<unsigned>(task.repeat), !task.sends});
}

// Whether what `build` makes, an OverlayBuilder, fits the array.
template <typename F>
device::Fit FitOf(F&& build) {
  try {
    build().Finish();
  } catch (const Error& e) {
    return {false, e.what()};
  }
  return {};
}

}  // namespace xdna::kernels

#endif  // KERNELS_ARRAY_TILES_H_
