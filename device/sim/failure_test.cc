// What goes wrong ends as a run with a reason, at once, and never as a hang or a wrong result.
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "device/array/instructions.h"
#include "device/array/overlay_builder.h"
#include "device/sim/sim_array.h"
#include "device/sim/sim_test_util.h"

namespace xdna::device {
namespace {

using Words = std::vector<std::int32_t>;

std::string Reason(const Overlay& overlay, const std::vector<Instruction>& stream,
                   std::size_t words = 1024) {
  Words x(words);
  Words y(words);
  SimArray array(overlay, PlainTiming(), {});
  const auto begin = std::chrono::steady_clock::now();
  const ArrayResult result = array.Run(stream, std::vector{Bytes(x), Bytes(y)});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_LT(took.count(), 1.0);
  EXPECT_EQ(result.completed, result.reason.empty());
  if (!result.completed) {
    EXPECT_NE(array.Run(stream, {}).reason.find("needs a reset"), std::string::npos);
  }
  return result.reason;
}

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(SimFailure, AMissingReleaseIsADeadlockThatNamesItsLock) {
  AddOverlay add = MakeAdd({});
  add.overlay.programs[0].body.erase(add.overlay.programs[0].body.begin() + 3);  // of the input
  const std::string reason = Reason(add.overlay, AddStream(add, 4096));
  EXPECT_HAS(reason, "deadlock: instruction 4 waits for a token of shim(0,0) S2MM 0");
  EXPECT_HAS(reason,
             "core(0,2) waits for lock in.full (value 0, wants 1; released by core(0,2) "
             "S2MM 0)");
  EXPECT_HAS(reason,
             "core(0,2) S2MM 0 waits for lock in.free (value 0, wants 1; nobody releases "
             "it)");
  EXPECT_HAS(reason, "shim(0,0) MM2S 0 waits with 896 words left for core(0,2) S2MM 0");
}

TEST(SimFailure, TooLittleInputIsADeadlock) {
  const AddOverlay add = MakeAdd({});
  std::vector<Instruction> stream;
  Push({add.in, 0, 256, 0}, stream);
  Push({add.out, 1, 512, 1}, stream);
  stream.push_back(Await(add.out));
  EXPECT_HAS(Reason(add.overlay, stream), "shim(0,0) S2MM 0 waits with 64 words left for");
}

TEST(SimFailure, BuffersAreNotLeft) {
  const AddOverlay add = MakeAdd({});
  EXPECT_HAS(Reason(add.overlay, AddStream(add, 4096), 512),
             "instruction 1: descriptor 0 of shim(0,0) reads bytes 0 to 4096 of argument 0, which "
             "has 2048");
  std::vector<Instruction> stream;
  Push({add.out, 2, 512, 1}, stream);
  EXPECT_HAS(Reason(add.overlay, stream), "is for argument 2, and there are 2");
}

TEST(SimFailure, GuardBandsNameTheKernel) {
  const AddOverlay add = MakeAdd({.kernel = "test_overrun"});
  EXPECT_HAS(Reason(add.overlay, AddStream(add, 256)),
             "core(0,2): kernel test_overrun wrote past buffer out.0");
}

TEST(SimFailure, KernelsMayThrow) {
  const AddOverlay add = MakeAdd({.kernel = "test_throws"});
  EXPECT_HAS(Reason(add.overlay, AddStream(add, 256)), "kernel test_throws: no such mode");
}

TEST(SimFailure, DescriptorsInUseStay) {
  const AddOverlay add = MakeAdd({});
  std::vector<Instruction> stream;
  Push({add.in, 0, 4096, 0}, stream);
  Push({add.in, 0, 4096, 0}, stream);
  EXPECT_HAS(Reason(add.overlay, stream),
             "descriptor 0 of shim(0,0) is written while 1 tasks with it are not done");
}

TEST(SimFailure, TheStreamWaitsForItsTasks) {
  const AddOverlay add = MakeAdd({});
  std::vector<Instruction> stream = AddStream(add, 4096);
  stream.resize(4);
  EXPECT_HAS(Reason(add.overlay, stream), "ends while shim(0,0) MM2S 0 still has 1 tasks");
}

TEST(SimFailure, InstructionsThatLeadNowhere) {
  const AddOverlay add = MakeAdd({});
  const auto reason = [&](const Instruction& i) { return Reason(add.overlay, {i}); };
  EXPECT_HAS(reason(PushTask{.column = 1}), "the overlay has no shim(1,0) S2MM 0");
  EXPECT_HAS(reason(WaitToken{.channel = 1}), "the overlay has no shim(0,0) S2MM 1");
  EXPECT_HAS(reason(PushTask{}), "was never written");
  EXPECT_HAS(reason(WriteRtp{{0, 2}, 0, 1}), "core(0,2) has no run-time parameter 0");
  EXPECT_HAS(reason(SetLock{{0, 3}, 0, 1}), "no lock 0 on core(0,3)");
  EXPECT_HAS(reason(PushTask{.repeat = 0}), "repeat 0");
  EXPECT_HAS(
      Reason(add.overlay, {WriteDescriptor{.bytes = 64, .pattern = {.engine = Engine::kShim}},
                           PushTask{.sends = true}}),
      "is for the other direction");
}

TEST(SimFailure, LocksHoldSixBits) {
  AddOverlay add = MakeAdd({});
  const int extra = static_cast<int>(add.overlay.locks.size());
  add.overlay.locks.push_back({"extra", {0, 2}, 9, 63});
  auto& body = add.overlay.programs[0].body;
  body.push_back({.kind = Statement::Kind::kReleaseLock, .index = extra});
  EXPECT_HAS(Reason(add.overlay, AddStream(add, 256)),
             "core(0,2) releases lock extra of core(0,2) to 64 > 63");
}

TEST(SimFailure, EndlessProgramsEnd) {
  RegisterTestKernels();
  const Tile core{0, 2};
  const auto overlay = [&](std::vector<Statement> body) {
    OverlayBuilder b("endless");
    const int memory = b.Local(core, "memory", 32);
    for (Statement& s : body) {
      for (Argument& a : s.arguments) a.index = memory;
    }
    const FifoId in = b.Fifo({.name = "in",
                              .object_bytes = 32,
                              .from = {.tile = {0, kShimRow}},
                              .to = {{.tile = core}}});
    b.Run(core, std::move(body));
    const Channel channel = b.ShimChannel(in);
    return AddOverlay{b.Finish(), channel, {}};
  };
  const Statement call = Call("test_add", {Memory(0), Memory(0), Number(1), Number(1), Number(1)});
  EXPECT_HAS(Reason(overlay({call}).overlay, {WaitToken{.sends = true}}),
             "core(0,2) runs its program over and over without acquiring anything");
  EXPECT_HAS(Reason(overlay({Loop(Constant(2000000000), {Loop(Constant(9), {})})}).overlay,
                    {WaitToken{.sends = true}}),
             "statements without acquiring anything");
}

TEST(SimFailure, OverlaysAndKernelsAreCheckedFirst) {
  AddOverlay add = MakeAdd({});
  add.overlay.programs[0].program_bytes = 20000;
  EXPECT_THROW(SimArray(add.overlay, PlainTiming(), {}), Error);
  add = MakeAdd({});
  add.overlay.programs[0].body[2].kernel = "test_ad";
  try {
    SimArray array(add.overlay, PlainTiming(), {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNotFound);
    EXPECT_EQ(error.message(), "no kernel test_ad; the nearest is test_add");
  }
  add = MakeAdd({});
  add.overlay.programs[0].body[2].arguments.pop_back();
  EXPECT_THROW(SimArray(add.overlay, PlainTiming(), {}), Error);
  add = MakeAdd({});
  ArrayTiming timing = PlainTiming();
  timing.stream_words_per_cycle = 0;
  EXPECT_THROW(SimArray(add.overlay, timing, {}), Error);
  EXPECT_THROW(RegisterKernel(FindKernel("test_add")), Error);
}

}  // namespace
}  // namespace xdna::device
