#include "device/sim/xrt/bo_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <new>

#include "device/poison.h"

namespace xdna::device {
namespace {

constexpr std::byte kGuard{0xC3};

bool IsIntact(std::span<const std::byte> band) {
  return std::ranges::all_of(band, [](std::byte b) { return b == kGuard; });
}

}  // namespace

void FillPoison(std::span<std::byte> bytes) {
  static const auto page = [] {
    std::array<std::uint32_t, kPageBytes / sizeof kPoison> words;
    words.fill(kPoison);
    return words;
  }();
  while (!bytes.empty()) {
    const std::size_t part = std::min(bytes.size(), kPageBytes);
    std::memcpy(bytes.data(), page.data(), part);
    bytes = bytes.subspan(part);
  }
}

void GuardedMemory::Free::operator()(std::byte* data) const { std::free(data); }

GuardedMemory::GuardedMemory(std::size_t bytes) : bytes_(bytes) {
  const std::size_t pages = (bytes + kPageBytes - 1) / kPageBytes + 2;
  data_.reset(static_cast<std::byte*>(std::aligned_alloc(kPageBytes, pages * kPageBytes)));
  if (!data_) throw std::bad_alloc();
  std::memset(data_.get() + kPageBytes, 0, bytes);
  Repair();
}

std::string GuardedMemory::Damage() const {
  if (!IsIntact(Front())) {
    const auto first = std::ranges::find_if(Front(), [](std::byte b) { return b != kGuard; });
    return fmt::format("{} bytes before its begin", Front().end() - first);
  }
  if (!IsIntact(Back())) {
    const auto first = std::ranges::find_if(Back(), [](std::byte b) { return b != kGuard; });
    return fmt::format("byte {}, its size is {}", bytes_ + (first - Back().begin()), bytes_);
  }
  return {};
}

void GuardedMemory::Repair() {
  std::ranges::fill(Front(), kGuard);
  std::ranges::fill(Back(), kGuard);
}

}  // namespace xdna::device
