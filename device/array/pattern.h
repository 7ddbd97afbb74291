// What an XDNA1 array's tiles and DMA engines can hold and express: memory sizes, counts of
// descriptors, locks and channels, and the address pattern of one buffer descriptor, checked.
//
// Sizes are those of AIE2 (XDNA1): AMD's AM020 chapters 2, 4 and 5, and mlir-aie's
// AIETargetModel.h, which agree.
#ifndef DEVICE_ARRAY_PATTERN_H_
#define DEVICE_ARRAY_PATTERN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace xdna::device {

// One core tile.
inline constexpr std::size_t kTileDataBytes = 65536;
inline constexpr std::size_t kTileProgramBytes = 16384;
inline constexpr std::size_t kDefaultStackBytes = 1024;  // mlir-aie's and Peano's default
inline constexpr std::size_t kBufferAlign = 32;          // a 256-bit load
inline constexpr unsigned kTileChannels = 2;             // to memory (S2MM), and as many from it
inline constexpr unsigned kTileDescriptors = 16;
inline constexpr unsigned kTileLocks = 16;
inline constexpr unsigned kLockMax = 63;  // a lock is a 6-bit semaphore

// The memory tile of a column, which reshapes what the core tiles get.
inline constexpr std::size_t kMemTileBytes = 524288;

// Whose DMA runs a descriptor, and what it can express. `dims` are those of one descriptor without
// the iteration; a wrap register of n bits holds up to 2^n - 1, a step register steps of up to 2^n
// words, and the length is in words of 32 bits.
enum class Engine { kCore, kMem, kShim };
struct DmaLimits {
  const char* name;
  unsigned dims;
  unsigned wrap_bits;
  unsigned step_bits;
  std::uint64_t max_words;
  bool pads;  // only memory tiles insert zeros, when they send
};
const DmaLimits& LimitsOf(Engine engine);

inline constexpr unsigned kIterationMax = 64;  // the iteration wrap has 6 bits, stored less one
inline constexpr unsigned kPadMax[] = {63, 31, 15};  // zeros in dims 0 (words), 1 and 2 (steps)

// The answer of a check: fits, or the first reason why not, with its arithmetic.
struct Fit {
  bool ok = true;
  std::string reason = {};
  explicit operator bool() const { return ok; }
};

// One dimension of an address pattern, in elements.
struct Dim {
  std::size_t count = 1;
  std::size_t step = 1;
  unsigned zeros_before = 0;  // steps of this dimension that send zeros and read nothing
  unsigned zeros_after = 0;
};

// The address pattern of one buffer descriptor, outermost dimension first, as in mlir-aie's
// <size, stride> lists: element (i0, .., in) is at i0 * step0 + .. + in * stepn. No dims: the whole
// object in order.
struct Pattern {
  Engine engine = Engine::kCore;
  bool sends = false;  // MM2S: from this memory into the stream
  unsigned element_bytes = 4;
  std::vector<Dim> dims = {};
  Dim iteration = {};  // the descriptor again and again, each time `step` elements further

  // Elements that a run of the descriptor moves, inserted zeros included.
  std::size_t elements() const;
  // Whether one descriptor can do it: 32-bit granularity, dimensions, wraps, steps, length, zeros.
  Fit fits() const;
};

}  // namespace xdna::device

#endif  // DEVICE_ARRAY_PATTERN_H_
