// Runs and runlists on the simulated NPU: states, faults of the host, virtual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "device/measure.h"
#include "device/sim/xrt/test_host.h"

namespace xdna::device {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using XrtRunTest = XrtTest;

// --- runs --------------------------------------------------------------------------------------

TEST_F(XrtRunTest, InstructionsMustBeSynced) {
  Host host;
  xrt::bo unsynced(host.device, host.words.size() * 4, xrt::bo::flags::cacheable,
                   host.kernel.group_id(1));
  unsynced.write(host.words.data());
  xrt::run run = host.MakeRun();
  run.set_arg(1, unsynced);
  run.start();
  EXPECT_THAT(MessageOf([&] { run.wait2(); }), HasSubstr("never synced"));
}

TEST_F(XrtRunTest, WrongNumbersEndTheRunWithAnError) {
  Host host;
  xrt::run run = host.MakeRun();
  run.set_arg(0, 2U);
  run.start();
  EXPECT_EQ(run.wait(), ERT_CMD_STATE_ERROR);
  EXPECT_THAT(MessageOf([&] { run.wait2(); }), HasSubstr("opcode"));
  run.set_arg(0, 3U);
  run.set_arg(2, static_cast<std::uint32_t>(host.words.size() + 1));
  run.start();
  EXPECT_EQ(run.wait(), ERT_CMD_STATE_ERROR);
  run.set_arg(2, 0U);
  run.start();
  EXPECT_EQ(run.wait(), ERT_CMD_STATE_ERROR);
  run.set_arg(2, static_cast<std::uint32_t>(host.words.size()));
  run.start();
  EXPECT_EQ(run.wait(), ERT_CMD_STATE_COMPLETED);
}

TEST_F(XrtRunTest, MissingBufferEndsTheRunWithAnError) {
  Host host;
  xrt::run run(host.kernel);
  EXPECT_THROW(run.start(), std::system_error);
  run.set_arg(0, kOpcode3);
  run.set_arg(1, host.instructions);
  run.set_arg(2, static_cast<std::uint32_t>(host.words.size()));
  run.set_arg(3, host.input);
  run.start();
  EXPECT_THAT(MessageOf([&] { run.wait2(); }), HasSubstr("argument 4 (bo1)"));
}

TEST_F(XrtRunTest, SmallBufferIsNotOverrun) {
  Host host;
  const xrt::bo small(host.device, kBytes - 4, xrt::bo::flags::host_only, host.kernel.group_id(4));
  xrt::run run = host.MakeRun();
  run.set_arg(4, small);
  run.start();
  EXPECT_EQ(run.wait(), ERT_CMD_STATE_ERROR);
  run.set_arg(4, host.output);
  run.start();
  EXPECT_EQ(run.wait(), ERT_CMD_STATE_COMPLETED) << "the array was not reset";
  host.output.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  EXPECT_TRUE(host.Copied());
}

TEST_F(XrtRunTest, StartedTwiceThrows) {
  Host host;
  xrt::run run = host.MakeRun();
  run.start();
  EXPECT_THAT(MessageOf([&] { run.start(); }), HasSubstr("bad command state, can't launch"));
  EXPECT_EQ(run.wait(), ERT_CMD_STATE_COMPLETED);
  run.start();
  EXPECT_EQ(run.wait(), ERT_CMD_STATE_COMPLETED);
}

TEST_F(XrtRunTest, FreedBufferIsReported) {
  Host host;
  xrt::run run = host.MakeRun();
  run.set_arg(4, xrt::bo(host.device, kBytes, xrt::bo::flags::host_only, host.kernel.group_id(4)));
  EXPECT_THROW(run.start(), std::system_error);
  EXPECT_EQ(TakeViolations(), Rules{"use-after-free"});

  std::optional<xrt::bo> output(
      xrt::bo(host.device, kBytes, xrt::bo::flags::host_only, host.kernel.group_id(4)));
  run.set_arg(4, *output);
  run.start();
  output.reset();
  EXPECT_EQ(TakeViolations(), Rules{"freed-in-flight"});
  EXPECT_EQ(run.wait(), ERT_CMD_STATE_COMPLETED);
}

TEST_F(XrtRunTest, ReadingBeforeWaitIsReported) {
  Host host;
  xrt::run run = host.MakeRun();
  run.start();
  host.output.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  EXPECT_EQ(TakeViolations(), Rules{"read-before-wait"});
  EXPECT_FALSE(host.Copied());
  host.input.sync(XCL_BO_SYNC_BO_TO_DEVICE);
  run.set_arg(3, host.input);
  EXPECT_EQ(TakeViolations(), (Rules{"write-in-flight", "write-in-flight"}));
  EXPECT_EQ(run.wait(), ERT_CMD_STATE_COMPLETED);
}

TEST_F(XrtRunTest, IgnoredStatesAreReported) {
  Host host;
  {
    xrt::run run = host.MakeRun();
    run.start();
  }
  EXPECT_EQ(TakeViolations(), Rules{"result-ignored"});

  xrt::run run = host.MakeRun();
  run.set_arg(0, 2U);
  run.start();
  EXPECT_EQ(run.wait(), ERT_CMD_STATE_ERROR);
  host.output.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  EXPECT_EQ(TakeViolations(), Rules{"result-of-failure"});
}

TEST_F(XrtRunTest, CallbacksHearTheEnd) {
  Host host;
  xrt::run run = host.MakeRun();
  int calls = 0;
  EXPECT_THROW(run.add_callback(ERT_CMD_STATE_ERROR, nullptr, nullptr), std::runtime_error);
  run.add_callback(
      ERT_CMD_STATE_COMPLETED,
      [](const void*, ert_cmd_state, void* data) { ++*static_cast<int*>(data); }, &calls);
  run.start();
  EXPECT_EQ(calls, 0);
  run.wait();
  run.wait();
  EXPECT_EQ(calls, 1);
}

TEST_F(XrtRunTest, PollingEnds) {
  Host host;
  xrt::run run = host.MakeRun();
  run.start();
  int polls = 0;
  while (run.state() == ERT_CMD_STATE_RUNNING) ++polls;
  EXPECT_GT(polls, 1);
  EXPECT_EQ(run.state(), ERT_CMD_STATE_COMPLETED);
}

// --- deadlock ----------------------------------------------------------------------------------

TEST_F(XrtRunTest, DeadlockIsReportedByName) {
  Host host(CopyOverlay("stuck", /*release=*/false));
  xrt::run run = host.MakeRun();
  run.start();
  const double begin_us = NowUs();
  EXPECT_EQ(run.wait(milliseconds(250)), ERT_CMD_STATE_TIMEOUT);
  EXPECT_DOUBLE_EQ(NowUs() - begin_us, 250e3);
  EXPECT_EQ(run.state(), ERT_CMD_STATE_RUNNING);
  EXPECT_EQ(run.wait2(milliseconds(1)), std::cv_status::timeout);

  EXPECT_EQ(run.wait(), ERT_CMD_STATE_TIMEOUT);
  EXPECT_THAT(MessageOf([&] { run.wait2(); }), HasSubstr("full"));
  EXPECT_GT(NowUs() - begin_us, 59e6);
  // The context is gone.
  run.start();
  EXPECT_EQ(run.wait(), ERT_CMD_STATE_ABORT);
}

// --- runlists ----------------------------------------------------------------------------------

TEST_F(XrtRunTest, RunlistRunsInOrderAndFaster) {
  Host host;
  std::vector<xrt::run> runs;
  for (int i = 0; i < 8; ++i) runs.push_back(host.MakeRun());
  const RunTimer one_by_one;
  for (xrt::run& run : runs) {
    run.start();
    EXPECT_EQ(run.wait(), ERT_CMD_STATE_COMPLETED);
  }
  const double single_us = one_by_one.ElapsedUs();

  xrt::runlist list(host.context);
  for (const xrt::run& run : runs) list.add(run);
  EXPECT_EQ(list.state(), ERT_CMD_STATE_COMPLETED) << "of the runs before";
  const RunTimer at_once;
  list.execute();
  EXPECT_THROW(list.execute(), std::runtime_error);
  EXPECT_THROW(list.reset(), std::runtime_error);
  list.wait();
  EXPECT_LT(at_once.ElapsedUs(), single_us * 0.7);
  EXPECT_EQ(list.state(), ERT_CMD_STATE_COMPLETED);
  host.output.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
  EXPECT_TRUE(host.Copied());
  list.reset();
  list.execute();
  list.wait();
}

TEST_F(XrtRunTest, RunlistNamesTheRunThatFailed) {
  Host host;
  xrt::runlist list(host.context);
  std::vector<xrt::run> runs;
  for (int i = 0; i < 3; ++i) runs.push_back(host.MakeRun());
  runs[1].set_arg(0, 2U);
  for (const xrt::run& run : runs) list.add(run);
  list.execute();
  try {
    list.wait();
    FAIL() << "the failure was not told";
  } catch (const xrt::runlist::command_error& error) {
    EXPECT_EQ(error.get_command_state(), ERT_CMD_STATE_ERROR);
    EXPECT_EQ(error.get_run().get_handle(), runs[1].get_handle());
    EXPECT_THAT(error.what(), HasSubstr("opcode"));
  }
  EXPECT_EQ(runs[0].state(), ERT_CMD_STATE_COMPLETED);
  EXPECT_EQ(runs[2].state(), ERT_CMD_STATE_ABORT);
}

TEST_F(XrtRunTest, RunlistTakesRunsOfItsContextOnly) {
  Host host;
  Host other(CopyOverlay("other"));
  xrt::runlist list(host.context);
  EXPECT_THROW(list.add(other.MakeRun()), std::runtime_error);
  EXPECT_THROW(list.add(xrt::run()), std::runtime_error);
  xrt::runlist none;
  EXPECT_THROW(none.add(host.MakeRun()), std::runtime_error);
}

// --- time --------------------------------------------------------------------------------------

TEST_F(XrtRunTest, TheSplitAddsUpToTheClock) {
  Host host;
  Host other(CopyOverlay("other"));
  for (int i = 0; i < 3; ++i) {
    xrt::run run = host.MakeRun();
    xrt::run second = other.MakeRun();
    run.start();
    second.start();
    run.wait();
    second.wait();
    Idle(i * 6e6);
  }
  const TimeSplit spent = Spent().value();
  EXPECT_NEAR(spent.total(), NowUs(), 1e-6 * NowUs());
  for (const double part : {spent.submit, spent.buffers, spent.sync, spent.context_create,
                            spent.firmware, spent.context_switch, spent.wake, spent.array}) {
    EXPECT_GT(part, 0);
  }
  EXPECT_EQ(spent.failed, 0);
  EXPECT_EQ(Provenance(), "modelled");
}

// Lane sums are the totals: the host's lane fills its clock, the firmware's is what was waited for.
TEST_F(XrtRunTest, TheTraceIsTrue) {
  const auto path = (std::filesystem::path(::testing::TempDir()) / "xrt_run_test.json").string();
  EXPECT_THAT(MessageOf([&] { WriteTrace(path); }), HasSubstr("no trace was kept"));
  EXPECT_FALSE(LastArrayResult());
  ConfigureDevice(DeviceOptions{.threads = 1, .keep_trace = true});
  Host host;
  for (int i = 0; i < 2; ++i) {
    xrt::run run = host.MakeRun();
    run.start();
    run.wait();
    Idle(1000);
  }
  WriteTrace(path);
  std::ifstream file(path);
  std::map<std::string, double> groups, parts;
  std::map<int, std::string> names;
  const nlohmann::json timeline = nlohmann::json::parse(file);
  EXPECT_EQ(timeline["otherData"]["provenance"], "modelled");
  for (const auto& event : timeline["traceEvents"]) {
    const int group = event["pid"];
    if (event["name"] == "process_name") names[group] = event["args"]["name"];
    if (event["ph"] != "X") continue;
    groups[names[group]] += event["dur"].get<double>();
    parts[event["cat"]] += event["dur"].get<double>();
  }
  std::filesystem::remove(path);
  EXPECT_NEAR(groups["host, modelled"], NowUs(), 1e-6 * NowUs());
  EXPECT_NEAR(groups["firmware, modelled"], parts["wait"], 1e-6 * parts["wait"]);
  EXPECT_NEAR(parts["array"], Spent()->array, 2e-3) << "two intervals, in whole nanoseconds";
  EXPECT_GT(groups["shim, modelled"], 0);
  ASSERT_TRUE(LastArrayResult());
  EXPECT_EQ(LastArrayResult()->bytes_written, kBytes);
}

TEST_F(XrtRunTest, SameRunsTakeTheSameTimeWhateverTheThreads) {
  std::vector<double> times;
  for (const int threads : {1, 2, 2}) {
    ConfigureDevice(DeviceOptions{.threads = threads});
    Host host;
    xrt::run run = host.MakeRun();
    run.start();
    run.wait();
    times.push_back(NowUs());
  }
  EXPECT_EQ(times[0], times[1]);
  EXPECT_EQ(times[0], times[2]);
}

TEST_F(XrtRunTest, OptionsAreChecked) {
  EXPECT_THROW(ConfigureDevice(DeviceOptions{.preset = "phx-2.0"}), Error);
  EXPECT_THROW(ConfigureDevice(DeviceOptions{.host = "java"}), Error);
  EXPECT_THROW(ConfigureDevice(DeviceOptions{.codegen = "gcc"}), Error);
  EXPECT_THROW(ConfigureDevice(DeviceOptions{.faults = "fire:0.1"}), Error);
  EXPECT_THROW(ConfigureDevice(DeviceOptions{.threads = -1}), Error);
  const xrt::device device(0U);
  EXPECT_THAT(MessageOf([] { ConfigureDevice(DeviceOptions()); }), HasSubstr("is open"));
}

TEST_F(XrtRunTest, WithoutDataOnlyTimePasses) {
  double with_data = 0;
  for (const bool functional : {true, false}) {
    ConfigureDevice(DeviceOptions{.functional = functional, .threads = 1});
    Host host;
    xrt::run run = host.MakeRun();
    // The instruction stream is data too, but the device needs it.
    run.start();
    EXPECT_EQ(run.wait(), ERT_CMD_STATE_COMPLETED);
    if (functional) with_data = NowUs();
    EXPECT_EQ(NowUs(), with_data);
    host.output.sync(XCL_BO_SYNC_BO_FROM_DEVICE);
    EXPECT_EQ(host.Copied(), functional);
  }
}

}  // namespace
}  // namespace xdna::device
