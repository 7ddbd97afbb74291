// One large piece of memory that tensors are cut from.
#ifndef DECODER_ARENA_H_
#define DECODER_ARENA_H_

#include <cstddef>

namespace xdna::decoder {

// Zeroed, in huge pages where the system gives them: a stream through 100 MB of small pages misses
// the TLB at each of them. Memory that is never touched is never taken.
class Arena {
 public:
  // What Take(bytes) adds to the arena's fill.
  static std::size_t Rounded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }

  // Throws kUnavailable where there is not that much memory.
  explicit Arena(std::size_t bytes);
  ~Arena();
  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&&) = delete;

  // `bytes`, aligned to 64. Throws kInternal beyond the size.
  void* Take(std::size_t bytes);

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t used_ = 0;
};

}  // namespace xdna::decoder

#endif  // DECODER_ARENA_H_
