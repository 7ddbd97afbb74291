// What tests of the simulated array share: constants of their own, two kernels, short streams.
#ifndef DEVICE_SIM_SIM_TEST_UTIL_H_
#define DEVICE_SIM_SIM_TEST_UTIL_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "device/array/instructions.h"
#include "device/array/overlay.h"
#include "device/array/overlay_builder.h"
#include "device/sim/kernel_table.h"
#include "device/sim/sim_array.h"
#include "device/sim/timing.h"

namespace xdna::device {

// One word a cycle everywhere, host memory without limit, and no latencies.
inline ArrayTiming PlainTiming() {
  ArrayTiming t;
  t.clock_hz = 1e9;
  t.shim_read_words_per_cycle = t.shim_write_words_per_cycle = t.stream_words_per_cycle = 1;
  t.ddr_read_bytes_per_cycle = t.ddr_write_bytes_per_cycle = 1000;
  t.task_queue_depth = 4;
  return t;
}

// "test_add": to[i] = from[i] + bias for `words` words, in `cycles` cycles.
// "test_overrun": as that, and one word more. "test_throws": throws.
inline void RegisterTestKernels() {
  static const bool once = [] {
    const auto body = [](int more) {
      return [more](CoreState&, std::span<void* const> p, std::span<const std::int32_t> n) {
        const auto* from = static_cast<const std::int32_t*>(p[0]);
        auto* to = static_cast<std::int32_t*>(p[1]);
        for (int i = 0; i < n[0] + more; ++i) to[i] = from[std::min(i, n[0] - 1)] + n[1];
      };
    };
    const auto cycles = [](std::string_view codegen, std::span<const std::int32_t> n,
                           std::uint32_t) { return codegen == "peano" ? 2.0 * n[2] : n[2]; };
    RegisterKernel({"test_add", 2, 3, body(0), cycles});
    RegisterKernel({"test_overrun", 2, 3, body(1), cycles});
    RegisterKernel({"test_throws", 2, 3,
                    [](CoreState&, std::span<void* const>, std::span<const std::int32_t>) {
                      throw std::runtime_error("no such mode");
                    },
                    cycles});
    return true;
  }();
  static_cast<void>(once);
}

inline DeviceMemory Bytes(std::vector<std::int32_t>& words) {
  return {std::as_writable_bytes(std::span(words))};
}

inline std::vector<std::int32_t> Counting(std::size_t words) {
  std::vector<std::int32_t> v(words);
  std::iota(v.begin(), v.end(), 1);
  return v;
}

// Moves `bytes` of an argument through a shim's channel, with descriptor `id`.
struct Move {
  const Channel& channel;
  unsigned argument;
  std::size_t bytes;
  unsigned id = 0;
  std::vector<Dim> dims = {};
};
inline void Push(const Move& move, std::vector<Instruction>& stream) {
  const int column = move.channel.tile.col;
  stream.emplace_back(WriteDescriptor{
      .column = column,
      .id = move.id,
      .argument = move.argument,
      .bytes = move.bytes,
      .pattern = {.engine = Engine::kShim, .sends = move.channel.sends, .dims = move.dims}});
  stream.emplace_back(PushTask{.column = column,
                               .sends = move.channel.sends,
                               .channel = move.channel.index,
                               .descriptor = move.id,
                               .token = true});
}
inline Instruction Await(const Channel& channel) {
  return WaitToken{channel.tile.col, channel.sends, channel.index};
}

// shim -> core -> shim through test_add, with objects of `words` words.
struct AddDesign {
  std::size_t words = 64;
  unsigned depth = 2;
  std::int32_t bias = 0;
  std::int32_t cycles = 10;
  Tile core = {0, kFirstCoreRow};
  const char* kernel = "test_add";
};
struct AddOverlay {
  Overlay overlay;
  Channel in, out;
};
inline AddOverlay MakeAdd(const AddDesign& d) {
  RegisterTestKernels();
  OverlayBuilder b("add");
  const Tile shim{d.core.col, kShimRow};
  const std::size_t bytes = d.words * 4;
  const FifoId in = b.Fifo({.name = "in",
                            .object_bytes = bytes,
                            .from = {.tile = shim},
                            .to = {{.tile = d.core, .depth = d.depth}}});
  const FifoId out = b.Fifo({.name = "out",
                             .object_bytes = bytes,
                             .from = {.tile = d.core, .depth = d.depth},
                             .to = {{.tile = shim}}});
  b.Run(d.core, {Acquire(b.In(in)), Acquire(b.Out(out)),
                 Call(d.kernel, {Object(b.In(in)), Object(b.Out(out)),
                                 Number(static_cast<std::int32_t>(d.words)), Number(d.bias),
                                 Number(d.cycles)}),
                 Release(b.In(in)), Release(b.Out(out))});
  const Channel in_channel = b.ShimChannel(in);
  const Channel out_channel = b.ShimChannel(out);
  return {b.Finish(), in_channel, out_channel};
}

// All of argument 0 in, all of argument 1 out.
inline std::vector<Instruction> AddStream(const AddOverlay& add, std::size_t bytes) {
  std::vector<Instruction> stream;
  Push({add.in, 0, bytes, 0}, stream);
  Push({add.out, 1, bytes, 1}, stream);
  stream.push_back(Await(add.out));
  stream.push_back(Await(add.in));
  return stream;
}

}  // namespace xdna::device

#endif  // DEVICE_SIM_SIM_TEST_UTIL_H_
