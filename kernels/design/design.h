// What a kernel asks of the one core tile that runs it, stated before anything is built: buffers,
// object FIFOs, DMA descriptors, locks, stack and program memory, and whether all of it fits.
//
// Sizes are those of AIE2 (XDNA1): AMD's AM020 chapters 2, 4 and 5, and mlir-aie's
// AIETargetModel.h, which agree.
#ifndef KERNELS_DESIGN_DESIGN_H_
#define KERNELS_DESIGN_DESIGN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace xdna::kernels {

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

// A stream of objects between this tile and the rest: `depth` buffers (2 = ping-pong), as many
// descriptors, two locks (free and full), one DMA channel, which FIFOs may share if their
// descriptors are chained in a fixed order.
struct Fifo {
  std::string name = {};
  bool in = true;  // into the tile
  unsigned channel = 0;
  std::size_t object_bytes = 0;
  unsigned depth = 2;
  std::size_t objects = 1;             // per call of the design
  std::vector<Pattern> patterns = {};  // descriptors along the way that aren't plain copies
};

// Tile memory that no DMA touches.
struct Local {
  std::string name = {};
  std::size_t bytes = 0;
};

// A kernel's needs for one call, which is what the kernel's own comment says it is (a tile of C, a
// group of rows, ...).
struct Design {
  std::string name = {};
  std::vector<Fifo> fifos = {};
  std::vector<Local> locals = {};
  std::size_t stack_bytes = kDefaultStackBytes;
  std::size_t program_bytes = 0;  // an estimate: what the kernel's unrolled loops need
  double macs = 0;                // multiply-accumulates of a call
  double core_cycles = 0;         // what the core takes for a call, without waiting

  // Buffers of all FIFOs and locals, each rounded up to kBufferAlign, without the stack.
  std::size_t data_bytes() const;
  // "2*A 14336 + C 24576 = 53248 B"; a FIFO shows depth times bytes of one object.
  std::string data_sum() const;
  std::size_t bytes_in() const;
  std::size_t bytes_out() const;
  // Multiply-accumulates per byte that crosses the tile's edge; 0 where nothing does.
  double intensity() const;
  // The longer of the core's work and the busiest DMA channel at 4 bytes a cycle: both overlap when
  // depths are 2. Without ping-pong they add up.
  double cycles() const;
  // The first limit that is broken: data memory, program memory, channels, descriptors, locks, then
  // each pattern.
  Fit fits() const;
};

}  // namespace xdna::kernels

#endif  // KERNELS_DESIGN_DESIGN_H_
