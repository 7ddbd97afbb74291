#include "device/sim/xrt/test_overlay.h"

namespace xdna::device {
namespace {

constexpr Tile kShim{0, kShimRow};
constexpr Tile kMem{0, kMemRow};

Pattern InOrder(Engine engine, bool sends) {
  return {.engine = engine, .sends = sends, .element_bytes = 4, .dims = {}, .iteration = {}};
}

}  // namespace

Overlay CopyOverlay(const std::string& name, bool release) {
  Overlay overlay;
  overlay.name = name;
  overlay.buffers = {{.name = "block", .tile = kMem, .bytes = kTestBlockBytes, .address = 0}};
  overlay.locks = {{.name = "empty", .tile = kMem, .id = 0, .initial = 1},
                   {.name = "full", .tile = kMem, .id = 1, .initial = 0}};
  overlay.descriptors = {{.tile = kMem,
                          .id = 0,
                          .buffer = 0,
                          .offset = 0,
                          .bytes = kTestBlockBytes,
                          .pattern = InOrder(Engine::kMem, false),
                          .acquire = {.lock = 0, .value = 1},
                          .release = {.lock = release ? 1 : -1, .value = 1},
                          .next = 0},
                         {.tile = kMem,
                          .id = 1,
                          .buffer = 0,
                          .offset = 0,
                          .bytes = kTestBlockBytes,
                          .pattern = InOrder(Engine::kMem, true),
                          .acquire = {.lock = 1, .value = 1},
                          .release = {.lock = 0, .value = 1},
                          .next = 1}};
  overlay.channels = {{.tile = kShim, .sends = true, .index = 0, .first = -1},
                      {.tile = kMem, .sends = false, .index = 0, .first = 0},
                      {.tile = kMem, .sends = true, .index = 0, .first = 1},
                      {.tile = kShim, .sends = false, .index = 0, .first = -1}};
  overlay.routes = {{.from = 0, .to = {1}, .packet_id = -1},
                    {.from = 2, .to = {3}, .packet_id = -1}};
  return overlay;
}

std::vector<std::uint32_t> CopyInstructions(std::size_t bytes) {
  const auto descriptor = [bytes](unsigned argument, bool sends) {
    return WriteDescriptor{.column = 0,
                           .id = argument,
                           .argument = argument,
                           .offset = 0,
                           .bytes = bytes,
                           .pattern = InOrder(Engine::kShim, sends)};
  };
  const std::vector<Instruction> instructions = {
      descriptor(0, true),
      PushTask{.column = 0, .sends = true, .channel = 0, .descriptor = 0, .repeat = 1},
      descriptor(1, false),
      PushTask{
          .column = 0, .sends = false, .channel = 0, .descriptor = 1, .repeat = 1, .token = true},
      WaitToken{.column = 0, .sends = false, .channel = 0},
  };
  return EncodeInstructions(instructions);
}

}  // namespace xdna::device
