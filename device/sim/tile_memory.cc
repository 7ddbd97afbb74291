#include "device/sim/tile_memory.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

#include "device/array/overlay.h"

namespace xdna::device {
namespace {

constexpr std::size_t kGuard = 64;
constexpr std::byte kGuardByte{0xC3};
constexpr int kPoison = 0xA5;

std::size_t RoundUp(std::size_t bytes) { return (bytes + kGuard - 1) / kGuard * kGuard; }

}  // namespace

void TileMemory::Free::operator()(std::byte* data) const {
  ::operator delete (data, std::align_val_t{kGuard});
}

TileMemory::TileMemory(const Overlay& overlay) {
  std::size_t total = kGuard;
  for (const Buffer& buffer : overlay.buffers) {
    begin_.push_back(total);
    bytes_.push_back(buffer.bytes);
    total += RoundUp(buffer.bytes) + kGuard;
  }
  data_.reset(static_cast<std::byte*>(::operator new (total, std::align_val_t{kGuard})));
  std::fill_n(data_.get(), total, kGuardByte);
  for (std::size_t i = 0; i < begin_.size(); ++i) std::memset(at(i), kPoison, bytes_[i]);
}

bool TileMemory::Intact(std::size_t buffer) const {
  const std::byte* begin = at(buffer);
  const std::byte* end = begin + bytes_[buffer];
  const auto guard = [](std::byte b) { return b == kGuardByte; };
  return std::all_of(begin - kGuard, begin, guard) &&
         std::all_of(end, begin + RoundUp(bytes_[buffer]) + kGuard, guard);
}

}  // namespace xdna::device
