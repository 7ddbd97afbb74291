#include "device/sim/trace.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"

namespace xdna::device {
namespace {

TEST(Trace, WritesChromesFormat) {
  Trace trace;
  const int host = trace.Lane("host", "submit");
  const int core = trace.Lane("core", "core(0,2)");
  EXPECT_EQ(trace.Lane("host", "submit"), host);
  trace.Add({host, "submit", "", 0, 1.5});
  trace.SetOrigin(10);
  trace.Add({core, "compute", "matmul_bf16", 2, 4});
  const std::string path = testing::TempDir() + "/trace.json";
  trace.Write(path);
  std::ifstream file(path);
  const nlohmann::json events = nlohmann::json::parse(file);
  ASSERT_EQ(events.size(), 8u);
  EXPECT_EQ(events[0]["args"]["name"], "host");
  EXPECT_EQ(events[4]["args"]["name"], "core(0,2)");
  EXPECT_NE(events[6]["pid"], events[7]["pid"]);
  EXPECT_EQ(events[6]["name"], "submit");
  EXPECT_EQ(events[7]["name"], "matmul_bf16");
  EXPECT_EQ(events[7]["cat"], "compute");
  EXPECT_EQ(events[7]["ts"], 12);
  EXPECT_EQ(events[7]["dur"], 2);
  EXPECT_THROW(trace.Write("/nonexistent/trace.json"), Error);
}

}  // namespace
}  // namespace xdna::device
