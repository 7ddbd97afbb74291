// Sweeps of the whole encoder: which points, what is refused, what an earlier run has left.
#include "bench/encoder_points.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "bench/encoder_record.h"
#include "bench/encoder_sizes.h"
#include "bench/encoder_sweep.h"
#include "bench/encoder_taps.h"
#include "encoder/schedule.h"
#include "encoder/verify.h"

namespace xdna::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> Names(const std::vector<EncoderPoint>& points) {
  std::vector<std::string> names;
  for (const EncoderPoint& point : points) names.push_back(point.name);
  return names;
}

std::vector<EncoderPoint> Points(const EncoderSweep& sweep,
                                 const std::string& schedule = "phase6-resident") {
  return EncoderPoints("whisper-base", {encoder::FindSchedule(schedule)}, sweep);
}

std::string WhyNot(const EncoderSweep& sweep) {
  try {
    Points(sweep);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.message();
  }
  return "taken";
}

TEST(EncoderPoints, OptionsAndSweepSayTheSame) {
  const std::vector<std::string> names = Names(Points({.columns = "2,4", .batch = "1,4"}));
  const std::string begin = "encoder/whisper-base/npu/phase6-resident";
  EXPECT_THAT(names, ElementsAre(begin + "/batch=1/columns=2", begin + "/batch=4/columns=2",
                                 begin + "/batch=1/columns=4", begin + "/batch=4/columns=4"));
  EXPECT_EQ(Names(Points({.sweep = "columns=2,4 batch=1,4"})), names);
  EXPECT_THAT(Names(Points({})), ElementsAre(begin));
}

TEST(EncoderPoints, ChangeTheSchedule) {
  const EncoderPoint point =
      Points({.columns = "2", .tile = "32x64x32+64x40", .reuse = "context"}).front();
  EXPECT_EQ(point.schedule.columns, 2);
  EXPECT_EQ(point.schedule.norm_columns, 2);
  EXPECT_EQ(point.schedule.tile_m, 32);
  EXPECT_EQ(point.schedule.tile_n, 32);
  EXPECT_EQ(point.schedule.keys, 40);
  EXPECT_EQ(point.schedule.keep, device::Keep::kContext);
  EXPECT_FALSE(point.schedule.one_run);
  EXPECT_EQ(point.variant, "2col");
  EXPECT_EQ(point.refused, "");
  EXPECT_TRUE(Points({.tile = "tuned"}).front().tuned);
}

TEST(EncoderPoints, WhatAScheduleCannotDoHasItsReason) {
  EXPECT_THAT(Points({.reuse = "fresh"}).front().refused, HasSubstr("keep: "));
  EXPECT_THAT(Points({.tile = "10x64x64"}).front().refused, HasSubstr("tile: found 10x64x64"));
  EXPECT_THAT(Points({.batch = "2"}, "phase4-overlap").front().refused,
              HasSubstr("one window at a time"));
  EXPECT_EQ(Points({.batch = "1"}, "phase4-overlap").front().refused, "");
}

TEST(EncoderPoints, ErrorsNameTheOption) {
  EXPECT_THAT(WhyNot({.columns = "3"}), HasSubstr("known: 1 2 4"));
  EXPECT_THAT(WhyNot({.tile = "64"}), HasSubstr("want MxKxN"));
  EXPECT_THAT(WhyNot({.reuse = "bo"}), HasSubstr("--reuse"));
  EXPECT_THAT(WhyNot({.batch = "0"}), HasSubstr("--batch"));
  EXPECT_THAT(WhyNot({.sweep = "colour=1"}), HasSubstr("--sweep"));
  EXPECT_THAT(WhyNot({.sweep = "columns=2", .columns = "4"}), HasSubstr("say the same"));
  EXPECT_THAT(WhyNot({.match = "cpu"}), HasSubstr("matches none of 1 points"));
  EXPECT_THAT(WhyNot({.match = "("}), HasSubstr("not a regular expression"));
}

TEST(EncoderPoints, TheListSaysWhatWouldRun) {
  const std::vector<EncoderPoint> points = Points({.tile = "10x64x64,64x64x64"});
  const encoder::EncoderShape shape;
  const std::string list = PointList(shape, points, 2, false);
  EXPECT_THAT(list, HasSubstr("tile=10x64x64  unsupported: tile: found 10x64x64"));
  EXPECT_THAT(list, HasSubstr("2 points\n"));
  EXPECT_THAT(PointList(shape, points, 2, true), HasSubstr("nothing was run"));
}

encoder::Audio Silence() {
  encoder::Audio audio;
  audio.samples.assign(16000, 0.01F);
  audio.seconds = 1;
  audio.sha256 = std::string(64, '0');
  return audio;
}

TEST(EncoderSweep, EarlierRecordsAreOfTheSameRun) {
  const std::string path = testing::TempDir() + "/earlier.jsonl";
  std::filesystem::remove(path);
  const EncoderJob job = SizeJob("synthetic-whisper-tiny", Silence());
  NpuResult result;
  result.schedule = encoder::FindSchedule("phase6-resident");
  const Environment environment = CurrentEnvironment(1);
  const auto record = [&] { return NpuEncoderRecord(job, result, {}, environment); };
  const RunRecord like = record();
  EXPECT_FALSE(EarlierRecord(path, like));
  AppendRecord(path, like);  // has no verdict yet
  EXPECT_FALSE(EarlierRecord(path, like));
  result.verdict.status = golden::Status::kPassed;
  result.verdict.used = 0.5;
  result.time = {.total = 10, .compute = 10, .throughput = 9};
  AppendRecord(path, record());
  std::ofstream(path, std::ios::app) << "{\"cut sho\n";
  const auto found = EarlierRecord(path, like);
  ASSERT_TRUE(found);
  EXPECT_DOUBLE_EQ(found->times_s().at("total"), 0.01);
  EXPECT_DOUBLE_EQ(found->metrics().at("ms_per_window_in_flight"), 9);
  result.batch = 2;
  EXPECT_FALSE(EarlierRecord(path, record()));
  result.batch = 1;
  result.variant = "2col";
  EXPECT_FALSE(EarlierRecord(path, record()));
}

TEST(EncoderSizes, AShortProofOfTheSameWidths) {
  const EncoderJob job = SizeJob("synthetic-whisper-large-v3", Silence());
  EXPECT_EQ(job.shape.layers, 32);
  EXPECT_EQ(job.shape.positions, 1500);
  EXPECT_EQ(job.windows(), 1);
  const EncoderJob proof = SizeProof("synthetic-whisper-tiny", Silence());
  EXPECT_EQ(proof.shape.d, 384);
  EXPECT_EQ(proof.shape.layers, kProofLayers);
  EXPECT_EQ(proof.shape.positions, kProofPositions);
  const EncoderPoint point = Points({}).front();
  const NpuResult result = RunPoint(SizeJob("synthetic-whisper-tiny", Silence()), proof, point, {});
  EXPECT_TRUE(result.verdict.passed()) << golden::Describe(result.verdict);
  EXPECT_GT(result.time.total, 1);
  EXPECT_THROW(SizeJob("whisper-base", Silence()), Error);
}

TEST(EncoderTaps, ErrorGrowsFromResultToResult) {
  const EncoderJob proof = SizeProof("synthetic-whisper-tiny", Silence());
  const TensorMap reference = encoder::FindReferenceTaps(
      proof.chosen.model, proof.shape, proof.audio, 0, proof.Window(0), [](double) {});
  for (const char* schedule : {"phase0-naive", "phase4-overlap", "phase6-resident"}) {
    TapTable table(reference);
    RunWithTaps(proof, Points({}, schedule).front(), {},
                [&](const std::string& name, const Tensor& y) { table.Add(name, y); });
    ASSERT_FALSE(table.rows().empty());
    EXPECT_EQ(table.rows().back().found.name, "ln_post");
    for (const char* name : {"conv2", "embedded", "layer0.attn", "layer1.out"}) {
      EXPECT_THAT(table.Report(proof, schedule), HasSubstr(name)) << schedule;
    }
    for (const TapRow& row : table.rows()) {
      EXPECT_LT(row.rel_l2, 2.5e-2) << schedule << " " << row.found.name;
      EXPECT_NEAR(row.found.deviation, row.expected.deviation, 0.02 * row.expected.deviation);
    }
  }
}

}  // namespace
}  // namespace xdna::bench
