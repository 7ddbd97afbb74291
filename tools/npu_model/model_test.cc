// The model against what was published, and what its answers must be whatever the constants.
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <string>
#include <vector>

#include "base/error.h"
#include "device/sim/timing.h"
#include "tools/npu_model/dispatch_model.h"
#include "tools/npu_model/gemm_model.h"
#include "tools/npu_model/prediction.h"
#include "tools/npu_model/published.h"

namespace xdna::model {
namespace {

using enum Figure::Kind;

TEST(Published, TheModelIsWithinItsBounds) {
  const std::vector<FigureResult> results = EvaluateFigures();
  const Accuracy work = AccuracyOf(results, {kGemm, kBandwidth});
  EXPECT_LE(work.median, kMedianPercent);
  EXPECT_LE(work.worst, kWorstPercent) << work.worst_name;
  const Accuracy dispatch = AccuracyOf(results, {kDispatch});
  EXPECT_LE(dispatch.median, kMedianPercent);
  EXPECT_LE(dispatch.worst, kWorstDispatchPercent) << dispatch.worst_name;
  // An excuse is only for a figure that can't be met.
  for (const FigureResult& r : results) {
    if (r.figure->why_not.empty()) continue;
    EXPECT_GT(std::abs(r.error_percent()), kWorstPercent) << r.figure->name;
  }
}

TEST(Published, MostRowsArePredictionsAndFewAreExcused) {
  int gemm = 0, predicted = 0, excused = 0;
  for (const Figure& f : Figures()) {
    EXPECT_TRUE(f.model || !f.why_not.empty()) << f.name;
    if (f.kind != kGemm || !f.model) continue;
    ++gemm;
    excused += f.why_not.empty() ? 0 : 1;
    predicted += f.role == Figure::Role::kPredicted && f.why_not.empty() ? 1 : 0;
  }
  EXPECT_GE(gemm, 30);
  EXPECT_GE(predicted, 20);
  EXPECT_LE(excused, 4);
}

double Sum(const Prediction& p) {
  double sum = 0;
  for (const auto& [name, us] : p.breakdown_us) sum += us;
  return sum;
}

GemmQuery Square(std::size_t size) {
  return {.preset = "8700g-1.8", .m = size, .k = size, .n = size, .codegen = "peano"};
}

TEST(Gemm, PartsAddUpToTheTime) {
  const Prediction p = PredictGemm(Square(1024));
  ASSERT_TRUE(p.fits) << p.reason;
  EXPECT_NEAR(Sum(p), p.time_us, 1e-6 * p.time_us);
  EXPECT_NEAR(*p.tops, 2 * std::pow(1024, 3) / p.time_us / 1e6, 1e-9);
  EXPECT_NEAR(*p.percent_of_peak, 100 * *p.tops / (32 * 128 * 1.8e9 / 1e12), 1e-6);
}

TEST(Gemm, BoundsAreWhatHelpsMost) {
  EXPECT_EQ(PredictGemm(Square(1024)).bound, "compute");
  EXPECT_EQ(PredictGemm(Square(64)).bound, "dispatch");
  GemmQuery starved = Square(2048);
  starved.preset = "phx-1.0";
  starved.codegen = "chess";
  starved.in = "int8";
  starved.out = "int32";
  starved.tile_m = starved.tile_n = 32;
  starved.tile_k = 128;
  EXPECT_EQ(PredictGemm(starved).bound, "ddr");
}

TEST(Gemm, AutoTakesTheFirstThatFits) {
  const auto first = [](const GemmQuery& q) { return PredictGemm(q).assumptions.at(0); };
  GemmQuery q = Square(256);
  q.find_bound = false;
  EXPECT_EQ(first(q), "C accumulates apart in f32 and is narrowed at the end");
  q.tile_m = q.tile_n = 96;
  q.tile_k = 56;
  EXPECT_EQ(first(q), "C accumulates in its output buffer, bf16: rounded in every step of k");
  q.accumulate = "wide";
  EXPECT_FALSE(PredictGemm(q).fits);
  q.accumulate = "auto";
  q.buffers = "double";
  EXPECT_FALSE(PredictGemm(q).fits);
}

// A part of the rows stands for all where they are many.
TEST(Gemm, ManySmallTiles) {
  GemmQuery q = Square(2048);
  q.tile_m = q.tile_k = q.tile_n = 16;
  q.find_bound = false;
  const Prediction part = PredictGemm(q);
  EXPECT_NE(part.assumptions.back().find("rows simulated"), std::string::npos);
  EXPECT_NEAR(Sum(part), part.time_us, 1e-6 * part.time_us);
  q.m = 1024;
  const Prediction half = PredictGemm(q);
  EXPECT_NEAR(part.cycles / half.cycles, 2, 0.02);
}

TEST(Gemm, PaddingCostsTime) {
  GemmQuery q = Square(256);
  q.find_bound = false;
  const double full = PredictGemm(q).time_us;
  q.m = q.n = 193;
  q.k = 250;
  const Prediction ragged = PredictGemm(q);
  EXPECT_EQ(ragged.time_us, full);
  EXPECT_NEAR(*ragged.tops, 2.0 * 193 * 193 * 250 / full / 1e6, 1e-9);
}

TEST(Gemm, SaysWhatIsWrong) {
  GemmQuery q = Square(0);
  EXPECT_THROW(PredictGemm(q), Error);
  q = Square(64);
  q.out = "int8";
  EXPECT_THROW(PredictGemm(q), Error);
  q = Square(64);
  q.n = std::size_t{100} * 256;
  EXPECT_NE(PredictGemm(q).reason.find("iterations of a shim"), std::string::npos);
}

TEST(Dispatch, RunlistsAndHostsAsTheConstantsSay) {
  const auto& preset = device::FindPreset("8700g-1.8").dispatch;
  const double one = PredictDispatch({}).time_us;
  const double many = PredictDispatch({.mode = "runlist", .count = 64}).time_us;
  EXPECT_LT(many, 64 * one / 2);
  EXPECT_GT(many, 64 * preset.firmware_runlist_us + preset.runlist_start_us);
  EXPECT_GT(PredictDispatch({.host = "iron-jit"}).time_us, one + 400);
  EXPECT_GT(PredictDispatch({.bytes = std::size_t{1} << 26}).time_us, 9000);
  EXPECT_EQ(PredictDispatch({.bytes = std::size_t{1} << 26}).bound, "dma");
  EXPECT_THROW(PredictDispatch({.mode = "chain"}), Error);
  EXPECT_THROW(PredictDispatch({.count = 0}), Error);
}

TEST(Idle, WakesAfterFiveSeconds) {
  EXPECT_EQ(PredictIdle({.gap_s = 5}).time_us, PredictDispatch({}).time_us);
  EXPECT_GT(PredictIdle({.gap_s = 5.1}).time_us, 100'000);
  EXPECT_THROW(PredictIdle({.gap_s = -1}), Error);
}

TEST(Stream, TasksOfAnyLength) {
  const Prediction large = PredictStream({.tasks = 8, .words = 16384});
  EXPECT_EQ(large.bound, "dma");
  EXPECT_NEAR(Sum(large), large.time_us, 1e-6 * large.time_us);
  EXPECT_EQ(PredictStream({.tasks = 8, .words = 7}).bound, "issue");
  EXPECT_THROW(PredictStream({.tasks = 0}), Error);
}

TEST(Copy, ChannelsShareHostMemory) {
  constexpr std::size_t kBytes = std::size_t{8} << 20;
  const double one = *PredictCopy({.channels = 1, .bytes = kBytes}).gigabytes_per_s;
  EXPECT_NEAR(*PredictCopy({.channels = 4, .bytes = kBytes}).gigabytes_per_s, 4 * one, 0.2 * one);
  EXPECT_LT(*PredictCopy({.channels = 8, .bytes = kBytes}).gigabytes_per_s, 5 * one);
  EXPECT_THROW(PredictCopy({.channels = 9, .bytes = kBytes}), Error);
}

}  // namespace
}  // namespace xdna::model
