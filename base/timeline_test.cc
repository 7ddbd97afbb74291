#include "base/timeline.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"

namespace xdna {
namespace {

nlohmann::json Written(const Timeline& timeline) {
  const std::string path = testing::TempDir() + "/timeline.json";
  timeline.Write(path);
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

TEST(Timeline, WritesChromesFormat) {
  Timeline timeline("modelled");
  timeline.SetFact("preset", "phx-1.0 \"x\"");
  const int host = timeline.Lane("host", "submit");
  const int core = timeline.Lane("core", "core(0,2)");
  EXPECT_EQ(timeline.Lane("host", "submit"), host);
  timeline.Add({host, "submit", "", 0, 1.5});
  timeline.SetOrigin(10);
  timeline.Add({core, "compute", "matmul_bf16", 2, 4, {{"layer", 3}}});

  const nlohmann::json file = Written(timeline);
  EXPECT_EQ(file["otherData"]["provenance"], "modelled");
  EXPECT_EQ(file["otherData"]["preset"], "phx-1.0 \"x\"");
  const nlohmann::json& events = file["traceEvents"];
  ASSERT_EQ(events.size(), 10u);
  EXPECT_EQ(events[0]["args"]["name"], "host, modelled");
  EXPECT_EQ(events[6]["name"], "thread_name");
  EXPECT_EQ(events[6]["args"]["name"], "core(0,2)");
  EXPECT_EQ(events[8], nlohmann::json::parse(R"({"ph": "X", "name": "submit", "cat": "submit",
            "pid": 1, "tid": 1, "ts": 0.0, "dur": 1.5})"));
  EXPECT_EQ(events[9], nlohmann::json::parse(R"({"ph": "X", "name": "matmul_bf16",
            "cat": "compute", "pid": 2, "tid": 2, "ts": 12.0, "dur": 2.0, "args": {"layer": 3.0}})"));
  EXPECT_THROW(timeline.Write("/nonexistent/timeline.json"), Error);
}

// Neighbours meet and inner intervals stay inside, in whole nanoseconds.
TEST(Timeline, RoundsEndsNotLengths) {
  Timeline timeline("measured");
  const int lane = timeline.Lane("cpu", "thread 0");
  timeline.Add({lane, "a", "", 0.0004, 0.0016});
  timeline.Add({lane, "b", "", 0.0016, 0.0024});
  timeline.Add({lane, "c", "", 0.0024, 1234.5678});
  const nlohmann::json events = Written(timeline)["traceEvents"];
  EXPECT_EQ(events[4]["ts"], 0.0);
  EXPECT_EQ(events[4]["dur"], 0.002);
  EXPECT_EQ(events[5]["ts"], 0.002);
  EXPECT_EQ(events[5]["dur"], 0.0);
  EXPECT_EQ(events[6]["ts"], 0.002);
  EXPECT_EQ(events[6]["dur"], 1234.566);
}

}  // namespace
}  // namespace xdna
