// Fault plans, and that each fault of each kind is told by the session layer.
#include "device/sim/xrt/fault_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "base/error.h"
#include "device/container/container.h"
#include "device/measure.h"
#include "device/session.h"
#include "device/sim/xrt/test_overlay.h"

namespace xdna::device {
namespace {

using ::testing::HasSubstr;

std::string MessageOf(const std::string& plan) {
  try {
    const FaultPlan parsed(plan, 1);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "(nothing was thrown)";
}

TEST(FaultPlanTest, NamesWhatIsWrong) {
  EXPECT_THAT(MessageOf("fire:0.1"), HasSubstr("not one of timeout, partial"));
  EXPECT_THAT(MessageOf("none:0.1"), HasSubstr("not one of"));
  EXPECT_THAT(MessageOf("hang"), HasSubstr("name:probability"));
  EXPECT_THAT(MessageOf("hang:"), HasSubstr("no probability"));
  EXPECT_THAT(MessageOf("hang:0.1x"), HasSubstr("no probability"));
  EXPECT_THAT(MessageOf("hang:nan"), HasSubstr("no probability"));
  EXPECT_THAT(MessageOf("hang:-0.1"), HasSubstr("no probability"));
  EXPECT_THAT(MessageOf("hang:1.5"), HasSubstr("no probability"));
  EXPECT_THAT(MessageOf("hang:0.1,hang:0.1"), HasSubstr("given twice"));
  EXPECT_THAT(MessageOf("hang:0.6,stale:0.6"), HasSubstr("sum is 1.2"));
  EXPECT_THAT(MessageOf("hang:0.1,,stale:0.1"), HasSubstr("name:probability"));
}

TEST(FaultPlanTest, DrawsAsOftenAsAskedAndTheSameAgain) {
  const FaultPlan plan("timeout:0.01,partial:0.02,bitflip:0.1", 7);
  const FaultPlan again("bitflip:0.1,partial:0.02,timeout:0.01", 7);
  const FaultPlan other("timeout:0.01,partial:0.02,bitflip:0.1", 8);
  constexpr int kRuns = 20000;
  std::map<Fault, int> drawn;
  int different = 0;
  for (std::uint64_t run = 1; run <= kRuns; ++run) {
    ++drawn[plan.Draw(run)];
    EXPECT_EQ(plan.Draw(run), again.Draw(run));
    different += plan.Draw(run) != other.Draw(run);
  }
  EXPECT_NEAR(drawn[Fault::kTimeout], 0.01 * kRuns, 60);
  EXPECT_NEAR(drawn[Fault::kPartial], 0.02 * kRuns, 80);
  EXPECT_NEAR(drawn[Fault::kBitflip], 0.1 * kRuns, 180);
  EXPECT_EQ(drawn[Fault::kHang] + drawn[Fault::kStale] + drawn[Fault::kContextLost], 0);
  EXPECT_GT(different, 0);
  EXPECT_EQ(FaultPlan().Draw(1), Fault::kNone);
  EXPECT_EQ(FaultPlan("hang:1", 3).Draw(5), Fault::kHang);
}

// --- what a careful host notices ---------------------------------------------------------------

constexpr std::size_t kBytes = 4 * kTestBlockBytes;

// Runs once, with poisoned outputs and the result compared: the message of what was noticed.
std::string RunOnce(Session& session) {
  const DeviceBuffer instructions = session.MakeInstructions(CopyInstructions(kBytes));
  DeviceBuffer input = session.MakeData(0, kBytes);
  DeviceBuffer output = session.MakeData(1, kBytes);
  for (std::size_t i = 0; i < kBytes / 4; ++i) {
    input.As<float>()[i] = static_cast<float>(i) + 0.5F;
  }
  input.ToDevice();
  output.Poison();
  const std::vector<const DeviceBuffer*> data = {&input, &output};
  try {
    session.MakeRun(instructions, data).Execute();
    output.FromDevice();
    output.CheckWritten();
  } catch (const Error& error) {
    return error.what();
  }
  for (std::size_t i = 0; i < kBytes / 4; ++i) {
    if (input.As<float>()[i] != output.As<float>()[i]) return "wrong result";
  }
  return "";
}

TEST(FaultsTest, EachKindIsNoticedForWhatItIs) {
  const std::map<std::string, std::string> expected = {
      {"timeout", "no end of the run within 10000 ms"},
      {"hang", "no end of the run within 10000 ms"},
      {"context_lost", "state ABORT: run 1 ended with state abort: the context was lost"},
      {"partial", "were not written by the run"},
      {"stale", "1024 of 1024 words were not written by the run"},
      {"bitflip", "wrong result"},
  };
  for (const auto& [kind, message] : expected) {
    ConfigureDevice(DeviceOptions{.faults = kind + ":1", .fault_seed = 1, .threads = 1});
    Session session = Session::FromBytes("copy", EncodeContainer(CopyOverlay("copy")));
    EXPECT_THAT(RunOnce(session), HasSubstr(message)) << kind;
    const std::vector<InjectedFault> injected = InjectedFaults();
    ASSERT_EQ(injected.size(), 1U) << kind;
    EXPECT_EQ(injected[0].kind, kind);
    EXPECT_EQ(injected[0].run, 1U);
    EXPECT_EQ(injected[0].in_state, kind == "timeout" || kind == "hang" || kind == "context_lost");
    EXPECT_TRUE(Violations().empty()) << kind;
  }
}

// Of many runs with all kinds of faults, exactly those fail that got one.
TEST(FaultsTest, AllInjectedFaultsAreNoticedAndNothingElse) {
  ConfigureDevice(DeviceOptions{
      .faults = "timeout:0.05,partial:0.05,stale:0.05,bitflip:0.05,context_lost:0.05,hang:0.05",
      .fault_seed = 42,
      .threads = 1});
  const std::vector<char> xclbin = EncodeContainer(CopyOverlay("copy"));
  std::map<std::string, int> kinds;
  for (int i = 0; i < 300; ++i) {
    const std::size_t before = InjectedFaults().size();
    Session session = Session::FromBytes("copy", xclbin);
    const std::string noticed = RunOnce(session);
    const std::vector<InjectedFault> injected = InjectedFaults();
    EXPECT_EQ(!noticed.empty(), injected.size() > before) << noticed;
    if (injected.size() > before) ++kinds[injected.back().kind];
  }
  EXPECT_EQ(kinds.size(), 6U);
  EXPECT_TRUE(Violations().empty());
}

TEST(FaultsTest, LostContextStaysLostAndANewOneWorksAtOnce) {
  ConfigureDevice(DeviceOptions{.faults = "hang:1", .fault_seed = 1, .threads = 1});
  {
    Session session = Session::FromBytes("copy", EncodeContainer(CopyOverlay("copy")));
    for (int i = 0; i < 10; ++i) {
      EXPECT_THAT(RunOnce(session), HasSubstr("make the session anew")) << i;
    }
    EXPECT_EQ(InjectedFaults().size(), 1U);
    EXPECT_GT(NowUs(), 60e6) << "the driver's watchdog";
  }
  ConfigureDevice(DeviceOptions{.faults = "hang:0.5", .fault_seed = 3, .threads = 1});
  int failed = 0;
  for (int i = 0; i < 20; ++i) {
    Session session = Session::FromBytes("copy", EncodeContainer(CopyOverlay("copy")));
    failed += RunOnce(session).empty() ? 0 : 1;
  }
  EXPECT_EQ(failed, static_cast<int>(InjectedFaults().size()));
  EXPECT_GT(failed, 2);
  EXPECT_LT(failed, 18);
}

}  // namespace
}  // namespace xdna::device
