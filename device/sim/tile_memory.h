// The memory of all core and memory tiles: the overlay's buffers with guard bands around them.
#ifndef DEVICE_SIM_TILE_MEMORY_H_
#define DEVICE_SIM_TILE_MEMORY_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "device/array/overlay.h"

namespace xdna::device {

class TileMemory {
 public:
  // Buffers are poisoned with 0xA5 and aligned to 64 bytes; 64 bytes or more lie between two.
  explicit TileMemory(const Overlay& overlay);

  std::byte* at(std::size_t buffer) const { return data_.get() + begin_[buffer]; }
  // Whether nothing wrote right before or behind the buffer.
  bool Intact(std::size_t buffer) const;

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  std::vector<std::size_t> begin_;
  std::vector<std::size_t> bytes_;
};

}  // namespace xdna::device

#endif  // DEVICE_SIM_TILE_MEMORY_H_
