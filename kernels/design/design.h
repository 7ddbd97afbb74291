// What a kernel asks of the one core tile that runs it, stated before anything is built: buffers,
// object FIFOs, DMA descriptors, locks, stack and program memory, and whether all of it fits.
#ifndef KERNELS_DESIGN_DESIGN_H_
#define KERNELS_DESIGN_DESIGN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "device/array/pattern.h"

namespace xdna::kernels {

using device::Dim;
using device::DmaLimits;
using device::Engine;
using device::Fit;
using device::kBufferAlign;
using device::kDefaultStackBytes;
using device::kIterationMax;
using device::kLockMax;
using device::kMemTileBytes;
using device::kPadMax;
using device::kTileChannels;
using device::kTileDataBytes;
using device::kTileDescriptors;
using device::kTileLocks;
using device::kTileProgramBytes;
using device::LimitsOf;
using device::Pattern;

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
