#include "bench/cpu_timeline.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

namespace xdna::bench {
namespace {

using Clock = std::chrono::steady_clock;

const auto kWork = [](std::int64_t, int) {
  const auto end = Clock::now() + std::chrono::microseconds(200);
  while (Clock::now() < end) {
  }
};

// Two layers of a loop of 8 pieces and one of 3, and work outside of any stage.
void TwoLayers(ThreadPool& pool, ops::Profile& profile) {
  for (int layer = 0; layer < 2; ++layer) {
    profile.set_layer(layer);
    {
      const ops::ScopedSpan span(&profile, "attention");
      pool.ParallelFor(8, kWork);
    }
    const ops::ScopedSpan span(&profile, "ffn");
    pool.ParallelFor(3, kWork);
  }
  pool.ParallelFor(2, kWork);
}

struct Sums {
  std::map<std::string, double> of_lane;  // "thread 0" -> ms
  std::map<std::string, double> stages;   // of lane "stages"
  std::map<std::string, double> work;     // of all threads, by stage
  std::map<std::string, int> events;      // by category
};

Sums SumsOf(const nlohmann::json& file) {
  Sums sums;
  std::map<int, std::string> lanes;
  for (const auto& event : file["traceEvents"]) {
    const int lane = event["tid"];
    if (event["name"] == "thread_name") lanes[lane] = event["args"]["name"];
    if (event["ph"] != "X") continue;
    const double ms = event["dur"].get<double>() / 1e3;
    ++sums.events[event["cat"]];
    sums.of_lane[lanes[lane]] += ms;
    if (event["cat"] == "stage") sums.stages[event["name"]] += ms;
    if (event["cat"] == "work") sums.work[event["name"]] += ms;
  }
  return sums;
}

TEST(CpuTimeline, LanesAddUpToTheStagesAndTheRun) {
  ThreadPool pool(2);
  ops::Profile profile;
  const std::string path = testing::TempDir() + "/cpu_timeline.json";
  Environment environment;
  environment.machine_class = "amd-family26";
  const double seconds = WriteCpuTimeline(path, "encoder/x/bf16", environment, pool, profile,
                                          [&] { TwoLayers(pool, profile); });
  std::ifstream stream(path);
  const nlohmann::json file = nlohmann::json::parse(stream);
  const nlohmann::json& facts = file["otherData"];
  EXPECT_EQ(facts["provenance"], "measured");
  EXPECT_EQ(facts["machine_class"], "amd-family26");
  const Sums sums = SumsOf(file);

  // What the profile, which the stage table is made of, has summed on its own.
  std::map<std::string, double> table;
  for (const ops::Span& span : profile.spans())
    table[std::string(span.stage)] += 1e3 * span.seconds;
  ASSERT_EQ(table.size(), 2U);
  ASSERT_EQ(sums.stages.size(), 2U);
  constexpr double kRounding = 1e-5;  // ms: nanoseconds at both ends of a few spans
  for (const auto& [stage, ms] : table) {
    EXPECT_NEAR(sums.stages.at(stage), ms, kRounding);
    EXPECT_NEAR(std::stod(facts["ms of " + stage].get<std::string>()), ms, kRounding);
    EXPECT_GT(sums.work.at(stage), 0.9 * 2 * (stage == "ffn" ? 3 : 8) * 0.2);
    EXPECT_LE(sums.work.at(stage), pool.threads() * ms + kRounding);
  }
  EXPECT_NEAR(sums.of_lane.at("run"), 1e3 * seconds, kRounding);
  EXPECT_NEAR(std::stod(facts["ms"].get<std::string>()), 1e3 * seconds, kRounding);
  EXPECT_LE(sums.of_lane.at("stages"), 1e3 * seconds);
  EXPECT_GT(sums.work.at("between stages"), 0.9 * 2 * 0.2);
  EXPECT_EQ(sums.events.at("work"), 2 * (8 + 3) + 2);
  EXPECT_EQ(sums.events.at("stage"), 4);
  double threads = 0;
  for (const auto& [lane, ms] : sums.of_lane) threads += lane.starts_with("thread") ? ms : 0;
  EXPECT_NEAR(threads,
              sums.work.at("attention") + sums.work.at("ffn") + sums.work.at("between stages"),
              kRounding);
}

TEST(CpuTimeline, WhatHasNoStagesIsOne) {
  ThreadPool pool(1);
  ops::Profile profile;
  Timeline timeline("measured");
  RecordRun(
      "layer_norm", pool, profile, [&] { pool.ParallelFor(3, kWork); }, timeline);
  ASSERT_EQ(timeline.intervals().size(), 5U);
  const Timeline::Interval& stage = timeline.intervals().back();
  EXPECT_EQ(stage.detail, "layer_norm");
  ASSERT_EQ(stage.numbers.size(), 1U);
  EXPECT_GT(stage.numbers[0].second, 0.5);
  EXPECT_LE(stage.numbers[0].second, 1);
}

TEST(CpuTimeline, ARunThatThrowsLeavesThePoolAsItWas) {
  ThreadPool pool(1);
  ops::Profile profile;
  Timeline timeline("measured");
  EXPECT_THROW(RecordRun(
                   "x", pool, profile, [] { throw std::runtime_error("x"); }, timeline),
               std::runtime_error);
  pool.ParallelFor(1, kWork);
  EXPECT_TRUE(timeline.intervals().empty());
}

TEST(CpuTimeline, FilesOfManyRunsHaveTheirNames) {
  EXPECT_EQ(TimelinePath("", "bf16", true), "");
  EXPECT_EQ(TimelinePath("out/t.json", "bf16", false), "out/t.json");
  EXPECT_EQ(TimelinePath("out/t.json", "bf16", true), "out/t.bf16.json");
  EXPECT_EQ(TimelinePath("t", "linear/m=4/f32", true), "t.linear_m=4_f32");
}

}  // namespace
}  // namespace xdna::bench
