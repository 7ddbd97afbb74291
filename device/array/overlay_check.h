// Parts of CheckOverlay().
#ifndef DEVICE_ARRAY_OVERLAY_CHECK_H_
#define DEVICE_ARRAY_OVERLAY_CHECK_H_

#include <fmt/core.h>

#include <cstddef>
#include <utility>

#include "device/array/overlay.h"
#include "device/array/pattern.h"

namespace xdna::device::internal {

template <typename... Args>
Fit No(fmt::format_string<Args...> format, Args&&... args) {
  return {false, fmt::format(format, std::forward<Args>(args)...)};
}

template <typename List>
bool Leads(int index, const List& list) {
  return index >= 0 && static_cast<std::size_t>(index) < list.size();
}

inline bool OnArray(Tile tile) {
  return tile.col >= 0 && tile.col < kColumns && tile.row >= 0 &&
         tile.row < kFirstCoreRow + kCoreRows;
}

// Bytes from the first to past the last that an execution of the pattern touches, `times`
// executions included. No dims: `bytes`.
std::size_t ExtentOf(const Pattern& pattern, std::size_t bytes, std::size_t times);

// Whether the pattern and `bytes` agree and fit one descriptor.
Fit CheckTransfer(const Pattern& pattern, std::size_t bytes, std::size_t offset);

// The programs; the rest of the overlay is right already.
Fit CheckPrograms(const Overlay& overlay);

}  // namespace xdna::device::internal

#endif  // DEVICE_ARRAY_OVERLAY_CHECK_H_
