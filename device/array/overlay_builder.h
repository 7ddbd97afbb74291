// Makes an overlay from object FIFOs, as mlir-aie's lowering does: buffers at addresses, a pair of
// locks for each stream of objects, chained descriptors, channels and routes.
//
//   OverlayBuilder b("scale");
//   const Tile core{0, 2}, shim{0, kShimRow};
//   const FifoId in = b.Fifo({.name = "x", .object_bytes = 1024, .from = {shim}, .to = {{core}}});
//   const FifoId out = b.Fifo({.name = "y", .object_bytes = 1024, .from = {core}, .to = {{shim}}});
//   b.Run(core, {Acquire(b.In(in)), Acquire(b.Out(out)),
//                Call("scale_bf16", {Object(b.In(in)), Object(b.Out(out)), Number(512)}),
//                Release(b.In(in)), Release(b.Out(out))});
//   Overlay overlay = b.Finish();
#ifndef DEVICE_ARRAY_OVERLAY_BUILDER_H_
#define DEVICE_ARRAY_OVERLAY_BUILDER_H_

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "device/array/overlay.h"
#include "device/array/pattern.h"

namespace xdna::device {

// Statements and arguments of a core's program, for short.
Statement Acquire(int port, int count = 1);
Statement Release(int port, int count = 1);
Statement AcquireLock(int lock, int by = 1);
Statement Call(std::string kernel, std::vector<Argument> arguments);
Statement Loop(Value times, std::vector<Statement> body);
Value Constant(std::int32_t number);
Value Rtp(int index);
Value First(int levels_out = 0);
Value Last(int levels_out = 0);
Argument Object(int port, int object = 0, std::size_t offset = 0);
Argument Memory(int buffer, std::size_t offset = 0);
Argument Number(std::int32_t number);
Argument Number(Value value);
Argument Null();

using FifoId = int;
using MemObjectId = int;

// One end of a FIFO: on a core (buffers of its own), a shim (host memory, by the instruction
// stream), or a memory tile (regions of an object there, which the other direction's FIFO shares).
struct FifoEnd {
  Tile tile = {};
  unsigned depth = 2;    // of a core's end: 2 = ping-pong
  Pattern pattern = {};  // of a core's object; no dims: in order
  // On a memory tile: the object, its regions in the order they are moved, how each is moved (none:
  // in order), and how many times all of it is sent before it is free again.
  MemObjectId object = -1;
  std::vector<int> regions = {};
  std::vector<Pattern> patterns = {};
  unsigned times = 1;
};

struct FifoSpec {
  std::string name = {};
  std::size_t object_bytes = 0;  // of the ends on cores
  FifoEnd from = {};
  std::vector<FifoEnd> to = {};  // more than one: broadcast
  int packet_id = -1;
};

class OverlayBuilder {
 public:
  explicit OverlayBuilder(std::string name);

  // Memory of a core that no DMA touches.
  int Local(Tile core, std::string name, std::size_t bytes);
  // Extra lock of a tile, for the instruction stream to set.
  int AddLock(Tile tile, std::string name, int initial = 0);
  // `depth` buffers on a memory tile, each of regions that fill and drain on their own, back to
  // back. One FIFO writes a region and one reads it, `uses` times before it is free again: more
  // than once takes a depth of 1, since descriptors are chained in a fixed order.
  MemObjectId MemObject(Tile mem, std::string name, std::vector<std::size_t> region_bytes,
                        unsigned depth = 2, unsigned uses = 1);
  FifoId Fifo(FifoSpec spec);

  // The port of a FIFO's end at the core that reads (the only one, or the one on `core`) or writes
  // it.
  int In(FifoId fifo) const;
  int In(FifoId fifo, Tile core) const;
  int Out(FifoId fifo) const;
  // The channel of a FIFO's end on a shim.
  const Channel& ShimChannel(FifoId fifo) const;

  // The core's program, its run-time parameters, and its size in program memory.
  void Run(Tile core, std::vector<Statement> body, unsigned rtps = 0, std::size_t program_bytes = 0,
           std::size_t stack_bytes = kDefaultStackBytes);

  // Throws kInvalidArgument with CheckOverlay's reason.
  Overlay Finish();

 private:
  struct MemRegion {
    std::size_t offset, bytes;
    int free, full;  // locks
  };
  struct MemObjectInfo {
    Tile tile;
    std::vector<int> buffers;
    std::vector<MemRegion> regions;
    int uses = 1;
  };
  struct FifoInfo {
    int producer_port = -1;
    std::vector<std::pair<Tile, int>> consumer_ports;
    int shim_channel = -1;
  };

  int AddBuffer(Tile tile, std::string name, std::size_t bytes);
  int AddChannel(Tile tile, bool sends);
  unsigned NextDescriptorId(Tile tile, unsigned channel);
  Program& ProgramOf(Tile core);
  // Descriptors of one end, chained to a ring, and the channel that runs them.
  int CoreEnd(const FifoSpec& spec, const FifoEnd& end, bool sends, FifoInfo& info);
  int MemEnd(const FifoSpec& spec, const FifoEnd& end, bool sends);
  int End(const FifoSpec& spec, const FifoEnd& end, bool sends, FifoInfo& info);
  void Chain(int channel, const std::vector<Descriptor>& ring);

  Overlay overlay_;
  std::vector<MemObjectInfo> mem_objects_;
  std::vector<FifoInfo> fifos_;
  std::map<Tile, std::size_t> next_address_;
  std::map<Tile, unsigned> next_lock_;
  std::map<std::pair<Tile, unsigned>, unsigned> next_descriptor_;  // by pool of the tile
};

}  // namespace xdna::device

#endif  // DEVICE_ARRAY_OVERLAY_BUILDER_H_
