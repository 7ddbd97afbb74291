#include "ops/internal/workspace.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace xdna::ops {
namespace {

constexpr std::size_t kHugePage = 2 << 20;
// Between threads' parts: no line, and no page that is fetched ahead, is shared.
constexpr std::size_t kThreadAlignment = 4096;

std::size_t RoundUp(std::size_t bytes, std::size_t unit) {
  return (bytes + unit - 1) / unit * unit;
}

}  // namespace

void Workspace::Free::operator()(std::byte* memory) const { std::free(memory); }

void Workspace::Region::Grow(std::size_t wanted) {
  if (wanted <= bytes) return;
  memory.reset();
  bytes = RoundUp(wanted, kHugePage);
  memory.reset(static_cast<std::byte*>(std::aligned_alloc(kHugePage, bytes)));
  if (memory == nullptr) throw std::bad_alloc();
  // Advice: where it is not taken, pages are small.
  madvise(memory.get(), bytes, MADV_HUGEPAGE);
}

void Workspace::Reserve(std::size_t shared, std::size_t per_thread) {
  shared_.Grow(shared);
  each_bytes_ = std::max(each_bytes_, RoundUp(per_thread, kThreadAlignment));
  each_.Grow(each_bytes_ * threads_);
}

}  // namespace xdna::ops
