// Configure: one array, several configurations in one stream.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "device/array/instructions.h"
#include "device/array/overlay.h"
#include "device/array/overlay_routes.h"
#include "device/sim/sim_array.h"
#include "device/sim/sim_test_util.h"

namespace xdna::device {
namespace {

// Adds 1 on one core, or (the alternative) 100 on another.
AddOverlay TwoAdds(std::size_t program_bytes = 4096) {
  AddOverlay add = MakeAdd({.bias = 1});
  Overlay other = MakeAdd({.bias = 100}).overlay;
  add.overlay.programs[0].program_bytes = other.programs[0].program_bytes = program_bytes;
  add.overlay.alternatives = {other};
  return add;
}

std::vector<Instruction> FirstThenSecond(const AddOverlay& add, std::size_t bytes) {
  std::vector<Instruction> stream = AddStream(add, bytes);
  stream.emplace_back(Configure{1});
  for (const Instruction& one : AddStream(add, bytes)) stream.push_back(one);
  return stream;
}

double Total(const LaneTotals& lane) {
  return lane.busy + lane.wait_input + lane.wait_output + lane.idle;
}

TEST(Configure, SwitchesTheProgramAndKeepsHostMemory) {
  const AddOverlay add = TwoAdds();
  std::vector<std::int32_t> x = Counting(640), y(640);
  SimArray array(add.overlay, PlainTiming(), {});
  const std::vector memory = {Bytes(x), Bytes(y)};
  ASSERT_TRUE(array.Run(AddStream(add, 2560), memory).completed);
  EXPECT_EQ(y[7], x[7] + 1);
  const ArrayResult both = array.Run(FirstThenSecond(add, 2560), memory);
  ASSERT_TRUE(both.completed) << both.reason;
  EXPECT_EQ(y[7], x[7] + 100);
  EXPECT_EQ(both.kernel_calls, 20);
  // The configuration stays for the next run, and a stream can go back to the first.
  ASSERT_TRUE(array.Run(AddStream(add, 2560), memory).completed);
  EXPECT_EQ(y[639], x[639] + 100);
  std::vector<Instruction> back = {Configure{0}};
  for (const Instruction& one : AddStream(add, 2560)) back.push_back(one);
  ASSERT_TRUE(array.Run(back, memory).completed);
  EXPECT_EQ(y[639], x[639] + 1);
}

TEST(Configure, CostsItsWritesAndLanesAddUp) {
  const AddOverlay add = TwoAdds();
  ArrayTiming timing = PlainTiming();
  timing.block_write = 200;
  timing.write32 = 100;
  SimArray array(add.overlay, timing, {});
  std::vector<std::int32_t> x = Counting(640), y(640);
  const std::vector memory = {Bytes(x), Bytes(y)};
  const double one = array.Run(AddStream(add, 2560), memory).cycles;
  const ArrayResult both = array.Run(FirstThenSecond(add, 2560), memory);
  const ConfigureWrites writes = WritesOf(add.overlay.alternatives[0]);
  EXPECT_EQ(writes.blocks, 4U);  // two descriptors a FIFO
  EXPECT_GT(writes.words, 4U + 2 * 4U);
  const double cost =
      200 * static_cast<double>(writes.blocks) + 100 * static_cast<double>(writes.words);
  EXPECT_NEAR(both.cycles, 2 * one + cost, 1);
  ASSERT_FALSE(both.lanes.empty());
  for (const LaneTotals& lane : both.lanes) EXPECT_EQ(Total(lane), both.cycles) << lane.name;
}

TEST(Configure, RefusesWhatTheArrayDoesNotHold) {
  const AddOverlay add = TwoAdds();
  SimArray array(add.overlay, PlainTiming(), {});
  const std::vector<Instruction> stream = {Configure{2}};
  const ArrayResult result = array.Run(stream, {});
  EXPECT_FALSE(result.completed);
  EXPECT_NE(result.reason.find("has 1 alternatives, and the stream configures 2"),
            std::string::npos)
      << result.reason;
  EXPECT_NE(array.Run(AddStream(add, 256), {}).reason.find("needs a reset"), std::string::npos);
}

TEST(Configure, ProgramMemoryHoldsAllPrograms) {
  const Fit fit = CheckOverlay(TwoAdds(9000).overlay);
  EXPECT_FALSE(fit);
  EXPECT_NE(fit.reason.find("18000 B on core(0,2), 2 configurations together, > 16384 B"),
            std::string::npos)
      << fit.reason;
}

TEST(Configure, TasksBeforeItMustHaveEnded) {
  const AddOverlay add = TwoAdds();
  SimArray array(add.overlay, PlainTiming(), {});
  std::vector<std::int32_t> x = Counting(64), y(64);
  std::vector<Instruction> stream;
  Push({add.in, 0, 256, 0}, stream);
  Push({add.out, 1, 256, 1}, stream);
  stream.emplace_back(Configure{1});
  const ArrayResult result = array.Run(stream, std::vector{Bytes(x), Bytes(y)});
  EXPECT_FALSE(result.completed);
  EXPECT_NE(result.reason.find("still has 1 tasks"), std::string::npos) << result.reason;
}

TEST(Configure, EncodesAndDecodes) {
  const std::vector<Instruction> stream = {Configure{3}};
  const auto decoded = DecodeInstructions(EncodeInstructions(stream));
  ASSERT_EQ(decoded.size(), 1U);
  EXPECT_EQ(std::get<Configure>(decoded[0]).index, 3U);
  EXPECT_THROW(EncodeInstructions(std::vector<Instruction>{Configure{16}}), Error);
}

}  // namespace
}  // namespace xdna::device
