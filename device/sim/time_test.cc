// Virtual time: overlap, sharing, latencies, queues, where the cycles of each lane go.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "device/array/instructions.h"
#include "device/array/overlay_builder.h"
#include "device/sim/sim_array.h"
#include "device/sim/sim_test_util.h"
#include "device/sim/trace.h"

namespace xdna::device {
namespace {

ArrayResult RunAdd(const AddDesign& design, std::size_t objects, const ArrayTiming& timing,
                   const ArrayOptions& options = {}) {
  const AddOverlay add = MakeAdd(design);
  const std::size_t words = design.words * objects;
  std::vector<std::int32_t> x = Counting(words);
  std::vector<std::int32_t> y(words);
  SimArray array(add.overlay, timing, options);
  const ArrayResult result = array.Run(AddStream(add, words * 4), std::vector{Bytes(x), Bytes(y)});
  EXPECT_TRUE(result.completed) << result.reason;
  return result;
}

TEST(SimTime, PingPongHidesTheShorterOfMovingAndComputing) {
  // 64 cycles in, 64 out at the same time, 10 or 1000 of work: the longest counts, 100 times.
  EXPECT_NEAR(RunAdd({.cycles = 10}, 100, PlainTiming()).cycles, 100 * 64, 2 * 64 + 10);
  EXPECT_NEAR(RunAdd({.cycles = 1000}, 100, PlainTiming()).cycles, 100 * 1000, 3 * 64);
}

TEST(SimTime, WithoutPingPongTheyAddUp) {
  // The next object comes in while the last goes out.
  EXPECT_NEAR(RunAdd({.depth = 1, .cycles = 1000}, 100, PlainTiming()).cycles, 100 * 1064, 2 * 64);
}

TEST(SimTime, CodegenPicksTheKernelsCycles) {
  const double chess = RunAdd({.cycles = 1000}, 10, PlainTiming()).cycles;
  const double peano = RunAdd({.cycles = 1000}, 10, PlainTiming(), {.codegen = "peano"}).cycles;
  EXPECT_EQ(peano - chess, 10 * 1000);
}

TEST(SimTime, EachLatencyCountsWhereItBelongs) {
  const AddDesign one = {.words = 100, .cycles = 50};
  // In, work, out.
  const double plain = RunAdd(one, 1, PlainTiming()).cycles;
  EXPECT_EQ(plain, 250);
  ArrayTiming t = PlainTiming();
  t.core_call = 3;  // five statements, of which the input's release runs beside nothing
  EXPECT_EQ(RunAdd(one, 1, t).cycles, plain + 4 * 3 + 3);
  t = PlainTiming();
  t.lock_latency = 5;  // to the core, and from it
  EXPECT_EQ(RunAdd(one, 1, t).cycles, plain + 2 * 5);
  t = PlainTiming();
  t.switch_hop = 4;  // shim, memory tile, core: three switches, both ways
  EXPECT_EQ(RunAdd(one, 1, t).cycles, plain + 2 * 3 * 4);
  t = PlainTiming();
  t.descriptor_start = 7;  // the input's begins before any data comes; the output's after its lock
  t.shim_task_start_read = 20;
  EXPECT_EQ(RunAdd(one, 1, t).cycles, plain + 20 + 7);
  t = PlainTiming();
  t.block_write = 11;
  t.task_push_idle_read = 13;
  t.task_push_idle_write = 17;
  const ArrayResult result = RunAdd(one, 1, t);
  EXPECT_EQ(result.cycles, plain + 11 + 13);
  EXPECT_EQ(result.instruction_cycles, 2 * 11 + 13 + 17);
}

TEST(SimTime, MovingDataSlowsTheCore) {
  ArrayTiming t = PlainTiming();
  t.bank_steal = 0.25;
  // Steady state: while 1000 cycles of work run, 64 words come in and 64 go out.
  const double without = RunAdd({.cycles = 1000}, 100, PlainTiming()).cycles;
  EXPECT_NEAR(RunAdd({.cycles = 1000}, 100, t).cycles - without, 100 * 0.25 * 128, 2 * 32);
}

TEST(SimTime, ShimsShareHostMemory) {
  // Four columns in and out at once, each channel able to move 4 bytes a cycle.
  OverlayBuilder b("copy");
  std::vector<Instruction> stream;
  std::vector<FifoId> ins, outs;
  constexpr std::size_t kBytes = 4096;
  for (int col = 0; col < kColumns; ++col) {
    const Tile shim{col, kShimRow};
    const MemObjectId object = b.MemObject({col, kMemRow}, "o", {256}, 2);
    const FifoEnd mem{.tile = {col, kMemRow}, .object = object};
    ins.push_back(b.Fifo({.name = "in", .from = {.tile = shim}, .to = {mem}}));
    outs.push_back(b.Fifo({.name = "out", .from = mem, .to = {{.tile = shim}}}));
  }
  for (std::size_t i = 0; i < ins.size(); ++i) {
    Push({b.ShimChannel(ins[i]), 0, kBytes, 0}, stream);
    Push({b.ShimChannel(outs[i]), 1, kBytes, 1}, stream);
  }
  for (std::size_t i = 0; i < ins.size(); ++i) stream.push_back(Await(b.ShimChannel(outs[i])));
  const Overlay overlay = b.Finish();
  const auto cycles = [&](double read, double write, double overhead) {
    ArrayTiming t = PlainTiming();
    t.ddr_read_bytes_per_cycle = read;
    t.ddr_write_bytes_per_cycle = write;
    t.ddr_run_overhead_bytes = overhead;
    SimArray array(overlay, t, {.functional = false});
    return array.Run(stream, {}).cycles;
  };
  const double one_object = 64;
  EXPECT_NEAR(cycles(16, 16, 0), 1024 + one_object, 1);
  EXPECT_NEAR(cycles(8, 16, 0), 2048 + one_object, 1);
  EXPECT_NEAR(cycles(16, 4, 0), 4096 + one_object, 1);
  // One run of 4096 bytes costs as much as two.
  EXPECT_NEAR(cycles(16, 16, 4096), 2048 + 2 * one_object, 1);
}

TEST(SimTime, AFullTaskQueueHoldsTheInstructionStream) {
  const AddOverlay add = MakeAdd({.words = 1000});
  const auto finished_pushing = [&](unsigned depth) {
    ArrayTiming t = PlainTiming();
    t.task_queue_depth = depth;
    t.write32 = 1;
    std::vector<Instruction> stream;
    Push({add.out, 1, 8 * 4000, 1}, stream);
    for (unsigned i = 0; i < 8; ++i) Push({add.in, 0, 4000, 2 + i}, stream);
    stream.push_back(Await(add.out));
    SimArray array(add.overlay, t, {.functional = false});
    // Ends before the output does: the failure tells when the stream was through.
    stream.pop_back();
    const ArrayResult result = array.Run(stream, {});
    EXPECT_FALSE(result.completed);
    return result.cycles;
  };
  EXPECT_EQ(finished_pushing(7), 0);     // one runs, seven wait
  EXPECT_EQ(finished_pushing(4), 3000);  // the eighth has to see three end
  EXPECT_EQ(finished_pushing(1), 6000);
}

TEST(SimTime, TasksInTheQueueHideTheirStart) {
  const AddOverlay add = MakeAdd({.words = 1000});
  ArrayTiming t = PlainTiming();
  t.shim_task_start_read = 300;
  std::vector<Instruction> stream;
  Push({add.out, 1, 8000, 1}, stream);
  Push({add.in, 0, 4000, 2}, stream);
  Push({add.in, 0, 4000, 3}, stream);
  stream.push_back(Await(add.out));
  SimArray array(add.overlay, t, {.functional = false});
  EXPECT_EQ(array.Run(stream, {}).cycles, 300 + 3 * 1000 + 10);
}

TEST(SimTime, LanesAddUpToTheRunAndToTheTrace) {
  ArrayTiming t = PlainTiming();
  t.shim_read_words_per_cycle = 1 / 1.05;
  t.core_call = 30;
  t.bank_steal = 0.0625;
  t.shim_task_start_read = 950;
  t.block_write = 203;
  t.ddr_read_bytes_per_cycle = 0.9;
  Trace trace;
  const ArrayResult result = RunAdd({.cycles = 77}, 20, t, {.trace = &trace});
  ASSERT_EQ(result.lanes.size(), 3u);
  std::vector<double> traced(result.lanes.size());
  for (const Trace::Interval& i : trace.intervals()) {
    EXPECT_LT(i.begin_us, i.end_us);
    traced[static_cast<std::size_t>(i.lane)] += i.end_us - i.begin_us;
  }
  for (std::size_t i = 0; i < result.lanes.size(); ++i) {
    const LaneTotals& lane = result.lanes[i];
    EXPECT_EQ(lane.busy + lane.wait_input + lane.wait_output + lane.idle, result.cycles)
        << lane.name;
    EXPECT_GT(lane.busy, 0) << lane.name;
    EXPECT_NEAR(traced[i], result.cycles / 1000, 1e-9) << lane.name;
  }
  const LaneTotals& core = result.lanes[2];
  EXPECT_EQ(core.name, "core(0,2)");
  EXPECT_EQ(core.busy, result.core_cycles_max);
  EXPECT_GT(core.wait_input, 0);
  EXPECT_GT(core.idle, 950);
}

TEST(SimTime, AMillionEventsTakeLessThanASecond) {
  const AddOverlay add = MakeAdd({.words = 16});
  constexpr std::size_t kObjects = 100000;  // five statements and two steps each
  const auto begin = std::chrono::steady_clock::now();
  SimArray array(add.overlay, PlainTiming(), {.functional = false});
  const ArrayResult result = array.Run(AddStream(add, kObjects * 64), {});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_TRUE(result.completed) << result.reason;
  EXPECT_EQ(result.kernel_calls, kObjects);
  EXPECT_LT(took.count(), 1.0);
  RecordProperty("events_per_second", std::to_string(7 * kObjects / took.count()));
}

}  // namespace
}  // namespace xdna::device
