// An overlay: what is configured on the array before anything runs, as an xclbin's PDI does it on
// hardware. Buffers, locks, descriptors, channels, routes, and the program of each core.
//
// It is plain data. overlay_builder.h makes it from object FIFOs; CheckOverlay() says whether
// hardware could hold it; container.h puts it into an xclbin file; device/sim runs it.
//
// The array is npu1's: 4 columns, row 0 shims, row 1 memory tiles, rows 2 to 5 cores (mlir-aie
// AIETargetModel.h, BaseNPU1TargetModel).
#ifndef DEVICE_ARRAY_OVERLAY_H_
#define DEVICE_ARRAY_OVERLAY_H_

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "device/array/pattern.h"

namespace xdna::device {

inline constexpr int kColumns = 4;
inline constexpr int kShimRow = 0;
inline constexpr int kMemRow = 1;
inline constexpr int kFirstCoreRow = 2;
inline constexpr int kCoreRows = 4;

// Per tile, by engine: AM020 chapters 2 and 5, AIETargetModel.cpp getNumBDs, getNumLocks.
struct TileLimits {
  const char* name;
  std::size_t memory_bytes;
  unsigned descriptors;
  unsigned locks;
  unsigned channels;  // each way
};
const TileLimits& TileLimitsOf(Engine engine);  // shim: no memory; 16, 16, 2
inline constexpr unsigned kMaxPacketId = 31;

struct Tile {
  int col = 0;
  int row = 0;
  // clang-tidy 14 takes the defaulted operator's 0 for a null pointer.
  auto operator<=>(const Tile&) const = default;  // NOLINT(modernize-use-nullptr)
  Engine engine() const;                          // by row
  std::string name() const;                       // "core(1,3)", "mem(0,1)", "shim(2,0)"
};

// All references between the following are indices into the overlay's own lists.

struct Buffer {
  std::string name = {};
  Tile tile = {};  // a core or a memory tile
  std::size_t bytes = 0;
  std::size_t address = 0;  // in the tile, a multiple of kBufferAlign
};

struct Lock {
  std::string name = {};
  Tile tile = {};
  unsigned id = 0;
  int initial = 0;
};

// Waiting until a lock is at least `value`, then subtracting that; or adding it. No lock: -1.
struct LockUse {
  int lock = -1;
  int value = 1;
};

// A static descriptor of a core or memory tile: moves `pattern` of a buffer, from byte `offset` on,
// once per activation, between acquire and release.
struct Descriptor {
  Tile tile = {};
  unsigned id = 0;
  int buffer = 0;
  std::size_t offset = 0;  // bytes
  std::size_t bytes = 0;   // moved, inserted zeros included
  Pattern pattern = {};    // no dims: `bytes` in order
  LockUse acquire = {};
  LockUse release = {};
  int next = -1;  // descriptor; -1: the channel stops
};

// One DMA channel of a tile: MM2S sends, S2MM receives.
struct Channel {
  Tile tile = {};
  bool sends = false;
  unsigned index = 0;
  int first = -1;            // descriptor that it starts with at load; -1 on shims, which get tasks
  std::string name() const;  // "core(1,3) MM2S 0"
};

// A way through the stream switches from one channel to one or more (broadcast). A channel is the
// end of one route.
struct Route {
  int from = 0;              // channel that sends
  std::vector<int> to = {};  // channels that receive
  int packet_id = -1;        // 0 to kMaxPacketId; -1: circuit-switched
};

// A number in a core's program.
struct Value {
  enum class Kind : std::uint8_t {
    kConstant,  // `number`
    kRtp,    // run-time parameter `number` of the core: a word that the instruction stream writes
    kFirst,  // 1 in the first iteration of the enclosing loop `number` levels out, else 0
    kLast,   // 1 in the last one
    kIndex,  // the iteration, from 0
  };
  Kind kind = Kind::kConstant;
  std::int32_t number = 0;
};

// An argument of a kernel call: memory or a number. Memory is in the order of the C declaration's
// pointers, and numbers in that of its integers.
struct Argument {
  enum class Kind : std::uint8_t {
    kNumber,
    kBuffer,  // `index`: a buffer of the tile
    kObject,  // `index`: a port of the core; the oldest acquired object, or the `object`th after it
    kNull,    // a null pointer, where the kernel allows one
  };
  Kind kind = Kind::kNumber;
  Value number = {};
  int index = 0;
  int object = 0;
  std::size_t offset = 0;  // bytes into the memory
};

struct Statement {
  enum class Kind : std::uint8_t {
    kAcquire,      // `count` objects of port `index`
    kRelease,      // the oldest `count` objects of port `index`
    kAcquireLock,  // lock `index`, by `count`
    kReleaseLock,
    kCall,  // `kernel` with `arguments`
    kLoop,  // `body`, `times` times
  };
  Kind kind = Kind::kCall;
  int index = 0;
  int count = 1;
  std::string kernel = {};
  std::vector<Argument> arguments = {};
  Value times = {};
  std::vector<Statement> body = {};
};

// A core's end of an object FIFO: its buffers in turn. Acquiring takes `acquire`, releasing adds to
// `release`, one per object.
struct Port {
  std::string name = {};
  std::vector<int> buffers = {};
  int acquire = 0;  // lock
  int release = 0;  // lock
};

// What a core runs, over and over.
struct Program {
  Tile tile = {};
  std::vector<Port> ports = {};
  std::vector<Statement> body = {};
  unsigned rtps = 0;  // words of run-time parameters
  std::size_t stack_bytes = kDefaultStackBytes;
  std::size_t program_bytes = 0;  // estimate of the code's size
};

struct Overlay {
  std::string name = {};
  std::vector<Buffer> buffers = {};
  std::vector<Lock> locks = {};
  std::vector<Descriptor> descriptors = {};
  std::vector<Channel> channels = {};
  std::vector<Route> routes = {};
  std::vector<Program> programs = {};
  // Other configurations of the array, which the instruction Configure switches to by rewriting all
  // of the above but the program memories: those hold the programs of all of them.
  std::vector<Overlay> alternatives = {};
};

// The first thing that hardware could not hold or run, named: memory (data, stack, program), counts
// and ids of descriptors (memory tiles: even channels 0 to 23, odd ones 24 to 47), locks, channels,
// patterns, buffers that overlap or that descriptors leave, indices that lead nowhere, switch ports
// (overlay_routes.h), an object of a port that is not acquired. A core's stack lies at the start of
// its memory; its run-time parameters take 4 bytes each. Cores reach the buffers and locks of their
// own tile and of the cores to the west, north and south.
Fit CheckOverlay(const Overlay& overlay);

}  // namespace xdna::device

#endif  // DEVICE_ARRAY_OVERLAY_H_
