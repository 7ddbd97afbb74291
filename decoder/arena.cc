#include "decoder/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/error.h"

namespace xdna::decoder {

Arena::Arena(std::size_t bytes) : bytes_(std::max<std::size_t>(bytes, 64)) {
  void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    Throw(ErrorCode::kUnavailable, "no {} MiB of memory for the decoder", bytes_ >> 20);
  }
  madvise(memory, bytes_, MADV_HUGEPAGE);  // a wish: small pages work, too
  data_ = static_cast<std::byte*>(memory);
}

Arena::Arena(Arena&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_), used_(other.used_) {}

Arena::~Arena() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

void* Arena::Take(std::size_t bytes) {
  const std::size_t begin = used_;
  used_ += Rounded(bytes);
  if (used_ > bytes_) Throw(ErrorCode::kInternal, "{} bytes of an arena of {}", used_, bytes_);
  return data_ + begin;
}

}  // namespace xdna::decoder
