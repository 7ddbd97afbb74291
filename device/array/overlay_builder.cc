#include "device/array/overlay_builder.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"

namespace xdna::device {

Statement Acquire(int port, int count) {
  return {.kind = Statement::Kind::kAcquire, .index = port, .count = count};
}
Statement Release(int port, int count) {
  return {.kind = Statement::Kind::kRelease, .index = port, .count = count};
}
Statement AcquireLock(int lock, int by) {
  return {.kind = Statement::Kind::kAcquireLock, .index = lock, .count = by};
}
Statement Call(std::string kernel, std::vector<Argument> arguments) {
  return {.kind = Statement::Kind::kCall,
          .kernel = std::move(kernel),
          .arguments = std::move(arguments)};
}
Statement Loop(Value times, std::vector<Statement> body) {
  return {.kind = Statement::Kind::kLoop, .times = times, .body = std::move(body)};
}
Value Constant(std::int32_t number) { return {Value::Kind::kConstant, number}; }
Value Rtp(int index) { return {Value::Kind::kRtp, index}; }
Value First(int levels_out) { return {Value::Kind::kFirst, levels_out}; }
Value Last(int levels_out) { return {Value::Kind::kLast, levels_out}; }
Argument Object(int port, int object, std::size_t offset) {
  return {.kind = Argument::Kind::kObject, .index = port, .object = object, .offset = offset};
}
Argument Memory(int buffer, std::size_t offset) {
  return {.kind = Argument::Kind::kBuffer, .index = buffer, .offset = offset};
}
Argument Number(std::int32_t number) { return Number(Constant(number)); }
Argument Number(Value value) { return {.kind = Argument::Kind::kNumber, .number = value}; }
Argument Null() { return {.kind = Argument::Kind::kNull}; }

OverlayBuilder::OverlayBuilder(std::string name) { overlay_.name = std::move(name); }

int OverlayBuilder::AddBuffer(Tile tile, std::string name, std::size_t bytes) {
  std::size_t& next = next_address_[tile];
  // A core's stack comes first; Run() can't make it larger than what was left for it.
  if (next == 0 && tile.engine() == Engine::kCore) next = kDefaultStackBytes;
  overlay_.buffers.push_back({std::move(name), tile, bytes, next});
  next += (bytes + kBufferAlign - 1) / kBufferAlign * kBufferAlign;
  return static_cast<int>(overlay_.buffers.size()) - 1;
}

int OverlayBuilder::Local(Tile core, std::string name, std::size_t bytes) {
  return AddBuffer(core, std::move(name), bytes);
}

int OverlayBuilder::AddLock(Tile tile, std::string name, int initial) {
  overlay_.locks.push_back({std::move(name), tile, next_lock_[tile]++, initial});
  return static_cast<int>(overlay_.locks.size()) - 1;
}

MemObjectId OverlayBuilder::MemObject(Tile mem, std::string name,
                                      std::vector<std::size_t> region_bytes, unsigned depth,
                                      unsigned uses) {
  if (uses == 0 || (uses > 1 && depth != 1)) {
    Throw(ErrorCode::kInvalidArgument,
          "overlay {}: object {} of depth {} is used {} times; want once, or depth 1",
          overlay_.name, name, depth, uses);
  }
  MemObjectInfo info;
  info.tile = mem;
  info.uses = static_cast<int>(uses);
  std::size_t bytes = 0;
  for (const std::size_t part : region_bytes) {
    const std::string region = fmt::format("{}[{}]", name, info.regions.size());
    info.regions.push_back({bytes, part,
                            AddLock(mem, region + ".free", static_cast<int>(depth * uses)),
                            AddLock(mem, region + ".full")});
    bytes += part;
  }
  for (unsigned i = 0; i < depth; ++i) {
    info.buffers.push_back(AddBuffer(mem, fmt::format("{}.{}", name, i), bytes));
  }
  mem_objects_.push_back(std::move(info));
  return static_cast<MemObjectId>(mem_objects_.size()) - 1;
}

int OverlayBuilder::AddChannel(Tile tile, bool sends) {
  const auto used =
      std::count_if(overlay_.channels.begin(), overlay_.channels.end(),
                    [&](const Channel& c) { return c.tile == tile && c.sends == sends; });
  overlay_.channels.push_back({tile, sends, static_cast<unsigned>(used), -1});
  return static_cast<int>(overlay_.channels.size()) - 1;
}

// Memory tiles have a pool of descriptors for even channels and one for odd ones.
unsigned OverlayBuilder::NextDescriptorId(Tile tile, unsigned channel) {
  const bool mem = tile.engine() == Engine::kMem;
  const unsigned pool = mem ? channel % 2 : 0;
  const unsigned first = pool * (TileLimitsOf(Engine::kMem).descriptors / 2);
  return first + next_descriptor_[{tile, pool}]++;
}

void OverlayBuilder::Chain(int channel, const std::vector<Descriptor>& ring) {
  const int first = static_cast<int>(overlay_.descriptors.size());
  for (std::size_t i = 0; i < ring.size(); ++i) {
    Descriptor d = ring[i];
    d.id = NextDescriptorId(d.tile, overlay_.channels[static_cast<std::size_t>(channel)].index);
    d.next = first + static_cast<int>((i + 1) % ring.size());
    overlay_.descriptors.push_back(std::move(d));
  }
  overlay_.channels[static_cast<std::size_t>(channel)].first = first;
}

Program& OverlayBuilder::ProgramOf(Tile core) {
  for (Program& program : overlay_.programs) {
    if (program.tile == core) return program;
  }
  overlay_.programs.push_back({.tile = core});
  return overlay_.programs.back();
}

int OverlayBuilder::CoreEnd(const FifoSpec& spec, const FifoEnd& end, bool sends, FifoInfo& info) {
  const int free = AddLock(end.tile, spec.name + ".free", static_cast<int>(end.depth));
  const int full = AddLock(end.tile, spec.name + ".full");
  Port port{spec.name, {}, sends ? free : full, sends ? full : free};
  const int channel = AddChannel(end.tile, sends);
  std::vector<Descriptor> ring;
  for (unsigned i = 0; i < end.depth; ++i) {
    const int buffer = AddBuffer(end.tile, fmt::format("{}.{}", spec.name, i), spec.object_bytes);
    port.buffers.push_back(buffer);
    Pattern pattern = end.pattern;
    pattern.engine = Engine::kCore;
    pattern.sends = sends;
    ring.push_back({.tile = end.tile,
                    .buffer = buffer,
                    .bytes = spec.object_bytes,
                    .pattern = std::move(pattern),
                    .acquire = {sends ? full : free, 1},
                    .release = {sends ? free : full, 1}});
  }
  Chain(channel, ring);
  Program& program = ProgramOf(end.tile);
  program.ports.push_back(std::move(port));
  const int index = static_cast<int>(program.ports.size()) - 1;
  if (sends) {
    info.producer_port = index;
  } else {
    info.consumer_ports.emplace_back(end.tile, index);
  }
  return channel;
}

int OverlayBuilder::MemEnd(const FifoSpec& spec, const FifoEnd& end, bool sends) {
  if (end.object < 0 || static_cast<std::size_t>(end.object) >= mem_objects_.size()) {
    Throw(ErrorCode::kInvalidArgument, "overlay {}: FIFO {}: its end on {} names no object",
          overlay_.name, spec.name, end.tile.name());
  }
  const MemObjectInfo& object = mem_objects_[static_cast<std::size_t>(end.object)];
  const int channel = AddChannel(end.tile, sends);
  std::vector<int> regions = end.regions;
  if (regions.empty()) {
    for (std::size_t r = 0; r < object.regions.size(); ++r) regions.push_back(static_cast<int>(r));
  }
  std::vector<Descriptor> ring;
  for (const int buffer : object.buffers) {
    for (unsigned t = 0; t < end.times; ++t) {
      for (std::size_t r = 0; r < regions.size(); ++r) {
        const MemRegion& region = object.regions.at(static_cast<std::size_t>(regions[r]));
        Pattern pattern = r < end.patterns.size() ? end.patterns[r] : Pattern{};
        pattern.engine = Engine::kMem;
        pattern.sends = sends;
        const std::size_t bytes =
            pattern.dims.empty() ? region.bytes : pattern.elements() * pattern.element_bytes;
        const int weight = sends ? 1 : object.uses;
        const LockUse wait{sends ? region.full : region.free, weight};
        const LockUse done{sends ? region.free : region.full, weight};
        ring.push_back({.tile = end.tile,
                        .buffer = buffer,
                        .offset = region.offset,
                        .bytes = bytes,
                        .pattern = std::move(pattern),
                        .acquire = t == 0 ? wait : LockUse{},
                        .release = t + 1 == end.times ? done : LockUse{}});
      }
    }
  }
  Chain(channel, ring);
  return channel;
}

int OverlayBuilder::End(const FifoSpec& spec, const FifoEnd& end, bool sends, FifoInfo& info) {
  switch (end.tile.engine()) {
    case Engine::kCore:
      return CoreEnd(spec, end, sends, info);
    case Engine::kMem:
      return MemEnd(spec, end, sends);
    case Engine::kShim:
      break;
  }
  info.shim_channel = AddChannel(end.tile, sends);
  return info.shim_channel;
}

FifoId OverlayBuilder::Fifo(FifoSpec spec) {
  FifoInfo info;
  Route route{.packet_id = spec.packet_id};
  route.from = End(spec, spec.from, true, info);
  for (const FifoEnd& to : spec.to) route.to.push_back(End(spec, to, false, info));
  overlay_.routes.push_back(std::move(route));
  fifos_.push_back(std::move(info));
  return static_cast<FifoId>(fifos_.size()) - 1;
}

int OverlayBuilder::In(FifoId fifo) const {
  return fifos_.at(static_cast<std::size_t>(fifo)).consumer_ports.at(0).second;
}

int OverlayBuilder::In(FifoId fifo, Tile core) const {
  for (const auto& [tile, port] : fifos_.at(static_cast<std::size_t>(fifo)).consumer_ports) {
    if (tile == core) return port;
  }
  Throw(ErrorCode::kInvalidArgument, "overlay {}: FIFO {} does not end at {}", overlay_.name, fifo,
        core.name());
}

int OverlayBuilder::Out(FifoId fifo) const {
  return fifos_.at(static_cast<std::size_t>(fifo)).producer_port;
}

const Channel& OverlayBuilder::ShimChannel(FifoId fifo) const {
  return overlay_.channels.at(
      static_cast<std::size_t>(fifos_.at(static_cast<std::size_t>(fifo)).shim_channel));
}

void OverlayBuilder::Run(Tile core, std::vector<Statement> body, unsigned rtps,
                         std::size_t program_bytes, std::size_t stack_bytes) {
  Program& program = ProgramOf(core);
  program.body = std::move(body);
  program.rtps = rtps;
  program.program_bytes = program_bytes;
  program.stack_bytes = stack_bytes;
}

Overlay OverlayBuilder::Finish() {
  if (const Fit fit = CheckOverlay(overlay_); !fit) {
    Throw(ErrorCode::kInvalidArgument, "{}", fit.reason);
  }
  return std::move(overlay_);
}

}  // namespace xdna::device
