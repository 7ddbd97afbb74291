#include "kernels/aie/slot_model/slot_model.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

#include "base/error.h"

namespace xdna::kernels {
namespace {

using enum CodeGenerator;
using aie::host::issue_counts;

constexpr CodeGenerator kAll[] = {kChess, kPeano, kAsm};

LoopWork OneIteration(const issue_counts& body) {
  LoopWork loop;
  loop.body = body;
  return loop;
}

double Bundles(CodeGenerator generator, const issue_counts& body) {
  return IntervalOf(generator, OneIteration(body)).bundles;
}

TEST(Interval, TheBusiestSlotRules) {
  EXPECT_EQ(Bundles(kChess, {.vmac = 16, .load = {8, 8}}), 16);
  EXPECT_EQ(Bundles(kChess, {.vmac = 4, .load = {4}, .valu = 5}), 9);
  EXPECT_EQ(Bundles(kChess, {.load = {3, 4}}), 4);
  EXPECT_EQ(Bundles(kChess, {.load = {1}, .store = {0, 5}}), 5);
  EXPECT_EQ(Bundles(kChess, {.shuffle = 7, .valu = 3}), 7);
  EXPECT_EQ(Bundles(kChess, {}), 1);
}

// Two conversions of 512 bits ride on each load or store; others take the move slot.
TEST(Interval, ConversionsOnTheWayAreFree) {
  EXPECT_EQ(Bundles(kChess, {.load = {2}, .store = {0, 2}, .convert = 8}), 2);
  EXPECT_EQ(Bundles(kChess, {.load = {2}, .store = {0, 2}, .convert = 13}), 5);
}

TEST(Interval, OneBankServesOneAccessACycle) {
  EXPECT_EQ(Bundles(kAsm, {.load = {4, 4}}), 4);
  EXPECT_EQ(Bundles(kAsm, {.load = {8}}), 8);
  EXPECT_EQ(Bundles(kAsm, {.load = {4}, .store = {3}}), 7);
  // Measured: two loads an iteration take a cycle more where both are of one bank.
  const Interval apart = IntervalOf(kPeano, OneIteration({.load = {1, 1}, .valu = 10}));
  const Interval together = IntervalOf(kPeano, OneIteration({.load = {2}, .valu = 10}));
  EXPECT_EQ(apart.stalls, 0);
  EXPECT_EQ(together.cycles(), apart.cycles() + 1);
  // Nobody knows the bank of an address outside the tile.
  EXPECT_EQ(Bundles(kAsm, {.load_unplaced = 8}), 4);
}

TEST(Interval, ADependentMacWaits) {
  LoopWork loop = OneIteration({.vmac = 2, .load = {1, 1}});
  EXPECT_EQ(IntervalOf(kChess, loop).bundles, 4);
  loop.chain = 2;
  EXPECT_EQ(IntervalOf(kChess, loop).bundles, 8);
  loop.mac = MacType::kInteger;
  EXPECT_EQ(IntervalOf(kChess, loop).bundles, 4);
}

// 24 registers hold the operands of two iterations of 12 loads. With more, llvm-aie does the loads
// and then the MACs.
TEST(Interval, PeanoPipelinesWhatFitsTheRegisters) {
  const Interval fits = IntervalOf(kPeano, OneIteration({.vmac = 12, .load = {6, 6}}));
  EXPECT_TRUE(fits.pipelined);
  EXPECT_EQ(fits.bundles, 13);
  const Interval spills = IntervalOf(kPeano, OneIteration({.vmac = 12, .load = {7, 6}}));
  EXPECT_FALSE(spills.pipelined);
  EXPECT_EQ(spills.bundles, 12 + 12 + 1);
  EXPECT_EQ(spills.stalls, 1);
  EXPECT_TRUE(IntervalOf(kChess, OneIteration({.vmac = 12, .load = {7, 6}})).pipelined);
}

TEST(Cycles, WhatIsAroundALoopAndItsWaits) {
  LoopWork loop;
  loop.body.vmac = 10 * 3 * 8;
  loop.around.load[2] = 3 * 6;
  loop.around.store[2] = 3 * 4;
  loop.iterations = 10;
  loop.entries = 3;
  EXPECT_EQ(Cycles(kChess, loop), 3 * (80 + 10 + 6));
  EXPECT_EQ(Cycles(kPeano, loop), 3 * (90 + 10 + 7 + 6 + 6));
  EXPECT_EQ(Cycles(kAsm, loop), 3 * 80 + 10);  // beside the next entry's MACs
  loop.mac = MacType::kInteger;
  EXPECT_EQ(Cycles(kChess, loop), 3 * (80 + 10 + 5));
  // Too much to hide: C's stores take longer than the MACs.
  loop.around.store[2] = 3 * 100;
  EXPECT_EQ(Cycles(kAsm, loop), 3 * 100 + 106);
}

TEST(Cycles, MoreWorkNeverTakesLess) {
  for (const CodeGenerator generator : kAll) {
    double before = 0;
    for (unsigned n = 1; n < 40; ++n) {
      LoopWork loop = OneIteration({.vmac = 8, .load = {n / 2, n - n / 2}, .store = {0, 0, n / 3}});
      loop.around.load[0] = n;
      const double cycles = Cycles(generator, loop);
      EXPECT_GE(cycles, before) << CodeGeneratorName(generator) << ' ' << n;
      before = cycles;
    }
  }
}

TEST(LoopFromRuns, SeparatesTheBody) {
  const issue_counts ten = {.vmac = 2 * 10 * 8, .load = {2 * 10 * 4, 3}, .store = {0, 0, 2 * 5}};
  const issue_counts four = {.vmac = 2 * 4 * 8, .load = {2 * 4 * 4, 3}, .store = {0, 0, 2 * 5}};
  const LoopWork loop = LoopFromRuns(ten, 10, four, 4, 2);
  EXPECT_EQ(loop.iterations, 10U);
  EXPECT_EQ(loop.entries, 2U);
  EXPECT_EQ(loop.body.vmac, 160U);
  EXPECT_EQ(loop.body.load[0], 80U);
  EXPECT_EQ(loop.around.vmac, 0U);
  EXPECT_EQ(loop.around.load[1], 3U);
  EXPECT_EQ(loop.around.store[2], 10U);
}

TEST(LoopFromRuns, RefusesWhatIsNotALoop) {
  const auto separate = [](std::uint64_t vmac, std::uint64_t n, std::uint64_t fewer_vmac,
                           std::uint64_t fewer, std::uint64_t entries) {
    return LoopFromRuns({.vmac = vmac}, n, {.vmac = fewer_vmac}, fewer, entries);
  };
  EXPECT_NO_THROW(separate(30, 3, 10, 1, 1));
  EXPECT_THROW(separate(30, 3, 31, 1, 1), Error);  // fewer iterations, more MACs
  EXPECT_THROW(separate(30, 3, 29, 1, 1), Error);  // half an operation an iteration
  EXPECT_THROW(separate(30, 3, 0, 2, 1), Error);   // grows faster than by the loop
  EXPECT_THROW(separate(30, 3, 30, 3, 1), Error);
  EXPECT_THROW(separate(30, 3, 10, 1, 0), Error);
}

LoopCounts Counted(const void* id, std::uint64_t vmac, std::uint64_t iterations,
                   std::uint64_t entries) {
  LoopCounts loop;
  loop.id = id;
  loop.body.vmac = vmac;
  loop.around.valu = entries;
  loop.iterations = iterations;
  loop.entries = entries;
  return loop;
}

TEST(WorkOf, LoopsAndWhatIsNone) {
  const int ids[3] = {};
  LoopCounts outer = Counted(&ids[1], 5, 7, 1);
  outer.nested = true;
  LoopCounts straight;
  straight.around.load_unplaced = 3;
  const LoopCounts counted[] = {Counted(&ids[0], 60, 30, 4), outer, straight};
  const CallWork work = WorkOf(counted, MacType::kInteger);
  ASSERT_EQ(work.loops.size(), 1U);
  EXPECT_EQ(work.loops[0].body.vmac, 60U);
  EXPECT_EQ(work.loops[0].around.valu, 4U);
  EXPECT_EQ(work.loops[0].iterations, 7.5);
  EXPECT_EQ(work.loops[0].entries, 4U);
  EXPECT_EQ(work.loops[0].mac, MacType::kInteger);
  // Not one of the loops: the one around others, and what ran without.
  EXPECT_EQ(work.straight.vmac, 5U);
  EXPECT_EQ(work.straight.valu, 1U);
  EXPECT_EQ(work.straight.load_unplaced, 3U);
}

TEST(Cycles, OfACallAreItsLoopsOneAfterAnother) {
  CallWork call;
  EXPECT_EQ(Cycles(kChess, call), CallCycles());
  call.straight.valu = 9;
  EXPECT_EQ(Cycles(kChess, call), CallCycles() + 9);
  LoopWork loop = OneIteration({.vmac = 8});
  call.loops = {loop, loop};
  EXPECT_EQ(Cycles(kPeano, call), CallCycles() + 9 + 2 * Cycles(kPeano, loop));
}

TEST(CountCall, NotesCountsAndLeavesTheCore) {
  aie::host::core() = {};
  aie::set_rounding(aie::rounding_mode::ceil);
  const int ids[aie::host::loop_log::most + 1] = {};
  const auto none = CountCall(nullptr, [] {
    EXPECT_EQ(aie::get_rounding(), aie::rounding_mode::floor);  // as after reset
    aie::host::core().counts.valu = 5;
    aie::set_rounding(aie::rounding_mode::conv_odd);
  });
  ASSERT_EQ(none.size(), 1U);
  EXPECT_EQ(none[0].id, nullptr);
  EXPECT_EQ(none[0].around.valu, 5U);
  EXPECT_EQ(aie::get_rounding(), aie::rounding_mode::ceil);
  EXPECT_EQ(aie::host::core().counts, issue_counts{});
  // What follows the last loop is around it.
  const auto one = CountCall(nullptr, [&] {
    aie::host::core().loops->last = aie::host::core().loops->place(&ids[0]);
    aie::host::core().counts.vmac = 2;
  });
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0].id, &ids[0]);
  EXPECT_EQ(one[0].around.vmac, 2U);
  EXPECT_THROW(CountCall(nullptr,
                         [&] {
                           for (const int& id : ids) aie::host::core().loops->place(&id);
                         }),
               Error);
  EXPECT_EQ(aie::host::core().loops, nullptr);
  aie::host::core() = {};
}

TEST(Interval, OneScalarOperationACycle) {
  EXPECT_EQ(Bundles(kChess, {.load = {2}, .scalar = 6}), 6);
  EXPECT_EQ(Bundles(kChess, {.valu = 9, .scalar = 6, .branch = 1}), 9);
}

TEST(Constants, HaveUnitSourceAndTrust) {
  std::set<std::string> names;
  for (const Constant& constant : Constants()) {
    EXPECT_TRUE(names.insert(constant.name).second) << constant.name;
    EXPECT_GT(constant.value, 0) << constant.name;
    EXPECT_STRNE(constant.unit, "") << constant.name;
    EXPECT_STRNE(constant.source, "") << constant.name;
    const std::string trust = constant.confidence;
    EXPECT_TRUE(trust == "high" || trust == "medium") << constant.name;
  }
  EXPECT_EQ(CallCycles(), 13);
}

}  // namespace
}  // namespace xdna::kernels
