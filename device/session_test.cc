#include "device/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "device/container/container.h"
#include "device/context_pool.h"
#include "device/measure.h"
#include "device/poison.h"
#include "device/reuse.h"
#include "device/sim/xrt/test_overlay.h"

namespace xdna::device {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kBytes = 4 * kTestBlockBytes;

template <typename Body>
std::string MessageOf(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "(nothing was thrown)";
}

class SessionTest : public ::testing::Test {
 protected:
  SessionTest() { ConfigureDevice(DeviceOptions{.threads = 1}); }
  ~SessionTest() override { EXPECT_TRUE(Violations().empty()); }

  static Session Copy(const std::string& name = "copy") {
    return Session::FromBytes(name, EncodeContainer(CopyOverlay(name)));
  }
};

TEST_F(SessionTest, RunsAndRunlists) {
  const Session session = Copy();
  EXPECT_THAT(session.device_name(), HasSubstr("NPU"));
  const DeviceBuffer instructions = session.MakeInstructions(CopyInstructions(kBytes));
  DeviceBuffer input = session.MakeData(0, kBytes);
  DeviceBuffer output = session.MakeData(1, kBytes);
  const std::vector<const DeviceBuffer*> data = {&input, &output};
  std::ranges::fill(input.As<std::int16_t>(), std::int16_t{7});
  input.ToDevice();
  auto run = session.MakeRun(instructions, data);
  run.Execute();
  output.FromDevice();
  EXPECT_TRUE(std::ranges::equal(input.As<std::byte>(), output.As<std::byte>()));

  std::ranges::fill(input.As<std::int16_t>(), std::int16_t{9});
  input.ToDevice();
  RunList list(session);
  list.Add(run);
  list.Add(session.MakeRun(instructions, data));
  EXPECT_EQ(list.size(), 2U);
  list.Execute();
  output.FromDevice();
  EXPECT_EQ(output.As<std::int16_t>()[5], 9);
}

TEST_F(SessionTest, XclbinFilesThatAreNone) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "session_test.xclbin";
  EXPECT_THAT(MessageOf([&] { Session::FromFile(path.string() + ".none"); }),
              HasSubstr("session_test.xclbin.none: No such file"));
  std::ofstream(path) << "no xclbin, but long enough to be a header" << std::string(500, ' ');
  EXPECT_THAT(MessageOf([&] { Session::FromFile(path.string()); }),
              HasSubstr("does not begin with 'xclbin2'"));
  WriteContainer(path.string(), CopyOverlay("copy"));
  EXPECT_EQ(Session::FromFile(path.string()).name(), path.string());
  std::filesystem::remove(path);
}

TEST_F(SessionTest, XclbinWithoutTheKernel) {
  XclbinFile file = ParseXclbin(EncodeContainer(CopyOverlay("copy")));
  for (XclbinSection& section : file.sections) {
    if (section.name == "metadata") {
      const std::string xml = EncodeMetadata({});
      section.data = {xml.begin(), xml.end()};
    }
  }
  EXPECT_THAT(MessageOf([&] { Session::FromBytes("empty", EncodeXclbin(file)); }),
              HasSubstr("empty: no kernel 'MLIR_AIE*' in the xclbin, which has none"));
}

TEST_F(SessionTest, SeventhContextSaysWhatToDo) {
  std::vector<Session> sessions;
  for (std::size_t i = 0; i < kMaxContexts; ++i) sessions.push_back(Copy());
  EXPECT_THAT(MessageOf([] { Copy("seventh"); }),
              HasSubstr("seventh: making a context: DRM_IOCTL_AMDXDNA_CREATE_HWCTX IOCTL failed"));
  EXPECT_THAT(MessageOf([] { Copy("seventh"); }), HasSubstr("use ContextPool"));
}

TEST_F(SessionTest, TimeOutAndFailureSayWhatToDo) {
  const Session session = Session::FromBytes("stuck", EncodeContainer(CopyOverlay("stuck", false)));
  const DeviceBuffer instructions = session.MakeInstructions(CopyInstructions(kBytes));
  const DeviceBuffer input = session.MakeData(0, kBytes);
  const DeviceBuffer output = session.MakeData(1, kBytes);
  const std::vector<const DeviceBuffer*> data = {&input, &output};
  auto run = session.MakeRun(instructions, data);
  run.Start();
  EXPECT_THAT(MessageOf([&] { run.Wait(std::chrono::milliseconds(20)); }),
              HasSubstr("no end of the run within 20 ms; its outputs are not valid"));
  EXPECT_THAT(MessageOf([&] { run.Start(); }), HasSubstr("bad command state, can't launch"));
  const std::string told = MessageOf([&] { run.Wait(std::chrono::minutes(2)); });
  EXPECT_THAT(told, HasSubstr("state TIMEOUT"));
  EXPECT_THAT(told, HasSubstr("deadlock"));

  RunList list(session);
  list.Add(run);
  EXPECT_THAT(MessageOf([&] { list.Execute(); }), HasSubstr("state ABORT"));
}

TEST_F(SessionTest, BuffersCheckSizesAndPoison) {
  const Session session = Copy();
  DeviceBuffer buffer = session.MakeData(2, 42);
  EXPECT_THAT(MessageOf([&] { buffer.As<float>(); }),
              HasSubstr("buffer bo2: 42 bytes are no multiple of 4"));
  EXPECT_THAT(MessageOf([&] { buffer.ToDevice(40, 4); }), HasSubstr("bo2: sync to the device"));
  EXPECT_THAT(MessageOf([&] { session.MakeData(0, 0); }), HasSubstr("making buffer bo0"));
  EXPECT_THAT(MessageOf([&] { session.MakeData(5, 64); }), HasSubstr("no argument 8"));

  DeviceBuffer words = session.MakeData(0, 64);
  EXPECT_EQ(MessageOf([&] { words.CheckWritten(); }), "(nothing was thrown)");
  words.Poison();
  EXPECT_THAT(MessageOf([&] { words.CheckWritten(); }), HasSubstr("16 of 16 words"));
  std::ranges::fill(words.As<std::uint32_t>().subspan(0, 14), 1U);
  EXPECT_THAT(MessageOf([&] { words.CheckWritten(); }),
              HasSubstr("2 of 16 words were not written by the run, the first at byte 56"));
  words.CheckWritten(0, 56);
  words.As<std::uint32_t>()[14] = 1;
  words.CheckWritten();
  EXPECT_THAT(MessageOf([&] { words.CheckWritten(4, 64); }), HasSubstr("are not in its 64"));
  EXPECT_THAT(MessageOf([&] { words.CheckWritten(2, 4); }), HasSubstr("are not in its 64"));
}

// --- ContextPool -------------------------------------------------------------------------------

TEST_F(SessionTest, PoolEvictsTheLeastRecentlyUsedAndSaysSo) {
  std::vector<std::string> log;
  ContextPool pool(2, [&log](const std::string& line) { log.push_back(line); });
  const auto get = [&pool](const std::string& name) {
    return pool.Get(name, [&] { return EncodeContainer(CopyOverlay(name)); });
  };
  Session* first = get("a").get();
  get("b");
  EXPECT_EQ(get("a").get(), first);
  get("c");
  EXPECT_EQ(pool.evictions(), 1U);
  ASSERT_EQ(log.size(), 1U);
  EXPECT_EQ(log[0], "the context of 'b' was evicted for 'c': no more than 2 are kept");
  EXPECT_EQ(get("a").get(), first);

  const auto held_a = get("a");
  const auto held_c = get("c");
  EXPECT_THAT(MessageOf([&] { get("d"); }), HasSubstr("all 2 are in use"));
  pool.Drop("c");
  EXPECT_EQ(pool.size(), 1U);
  EXPECT_THROW(ContextPool(7), Error);
  EXPECT_THROW(ContextPool(0), Error);
}

// --- Reuse -------------------------------------------------------------------------------------

TEST(ReuseTest, ParsesWhatItNames) {
  for (const char* text : {"fresh", "bo", "context", "runlist:1", "runlist:1024"}) {
    EXPECT_EQ(ParseReuse(text).name(), text);
  }
  EXPECT_EQ(ParseReuse("runlist:16").runs, 16);
  for (const char* text : {"", "bos", "runlist", "runlist:", "runlist:0", "runlist:1025",
                           "runlist:4x", "runlist:-1"}) {
    EXPECT_THAT(MessageOf([&] { ParseReuse(text); }),
                HasSubstr("not one of fresh, bo, context, runlist:N"))
        << text;
  }
}

}  // namespace
}  // namespace xdna::device
