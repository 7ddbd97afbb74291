#include "bench/encoder_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "bench/encoder_record.h"
#include "bench/encoder_scaling.h"
#include "encoder/graph.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/model.h"

namespace xdna::bench {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

EncoderJob Job(bool synthetic) {
  encoder::Model model = encoder::SyntheticModel(encoder::KnownGeometry("whisper-tiny"), 1);
  const encoder::EncoderShape shape = encoder::WhisperShape(model.geometry());
  EncoderJob job{{std::move(model), synthetic, "no network"}, shape, {}, {}, 0.002, 1, {0}, {}};
  job.audio.seconds = 15;
  job.audio.source = "half a window";
  job.audio.sha256 = std::string(64, '0');
  job.mel = Tensor(DType::kF32, {1, shape.n_mels, shape.frames});
  job.references.push_back({Tensor(DType::kF32, {1}), "golden/x.h5"});
  return job;
}

EncoderResult Result(golden::Status status) {
  EncoderResult result;
  result.variant.precision = ops::Precision::kBf16;
  result.tolerance = encoder::OutputTolerance(ops::Precision::kBf16);
  result.verdict.status = status;
  result.verdict.used = 0.5;
  result.verdict.reason = "said why";
  if (status != golden::Status::kPassed) return result;
  result.samples_s = {0.1, 0.1, 0.1};
  result.first_s = 0.2;
  result.stages = {{"attention.core", 0.08, 3e10, 0.04, 1e8, 0.01}, {"layer_norm", 0.001}};
  result.flops = 3e10;
  result.floor_s = 0.04;
  return result;
}

MachinePeak Peak() {
  MachinePeak peak;
  peak.f32 = peak.bf16 = peak.int8 = {1e12, "made up"};
  peak.bandwidth = 1e10;
  peak.threads = 2;
  return peak;
}

std::string ReportOf(const EncoderJob& job, const std::vector<EncoderResult>& results, bool color) {
  return EncoderReport(job, results, Peak(), Environment(), "bazel run //bench:encoder --", color);
}

TEST(EncoderReport, CountsRealAudioAndNamesWhatTakesTime) {
  const std::string report = ReportOf(Job(false), {Result(golden::Status::kPassed)}, false);
  EXPECT_THAT(report, HasSubstr("150x"));  // 15 s in 0.1 s, not 30
  EXPECT_THAT(report, HasSubstr("147x"));  // and 2 ms of mel
  EXPECT_THAT(report, HasSubstr("attention.core      80.00    80 %       375     50 %  *"));
  EXPECT_THAT(report, HasSubstr("attention.core: 30.0 GFLOP at peak 40.00 ms, 100 M of 2^x at 10.0 "
                                "G/s 10.00 ms: 62 % of that limit"));
  EXPECT_THAT(report, Not(HasSubstr("layer_norm: ")));
  EXPECT_THAT(report, HasSubstr("136.4 ms"));
  EXPECT_THAT(report, HasSubstr("36.4 ms within it"));
  EXPECT_THAT(report, Not(HasSubstr("\033")));
  EXPECT_THAT(report, Not(HasSubstr("SYNTHETIC")));
}

TEST(EncoderReport, AWrongResultHasNoTimeButAReasonAndACommand) {
  for (golden::Status status : {golden::Status::kFailed, golden::Status::kMistrusted}) {
    const std::string report = ReportOf(Job(false), {Result(status)}, false);
    EXPECT_THAT(report, HasSubstr(golden::StatusName(status)));
    EXPECT_THAT(report, HasSubstr("bazel run //bench:encoder -- --precision=bf16 --backend=fast"));
    EXPECT_THAT(report, Not(HasSubstr("150x")));
    EXPECT_THAT(report, Not(HasSubstr("attention.core")));
  }
}

TEST(EncoderReport, SyntheticWeightsAreMarkedInEveryLine) {
  std::istringstream lines(ReportOf(Job(true), {Result(golden::Status::kPassed)}, false));
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    EXPECT_TRUE(line.starts_with("SYNTHETIC WEIGHTS | ")) << line;
  }
  EXPECT_GT(count, 10);
}

TEST(EncoderReport, ColoursOnlyWhenAsked) {
  EXPECT_THAT(ReportOf(Job(false), {Result(golden::Status::kPassed)}, true), HasSubstr("\033[32m"));
  EXPECT_THAT(ReportOf(Job(false), {Result(golden::Status::kFailed)}, true), HasSubstr("\033[31m"));
}

TEST(EncoderScaling, ComparesWithTheFirstNumberOfThreads) {
  EncoderResult slow = Result(golden::Status::kPassed);
  slow.samples_s = {0.16, 0.16, 0.16};
  const Scaling scaling = {
      {1, 2, 4}, {slow, Result(golden::Status::kPassed), Result(golden::Status::kFailed)}};
  const std::string report = ScalingReport(Job(true), {scaling});
  EXPECT_THAT(report, HasSubstr("bf16            1 passed 50 %      160.0   160.0    0 %    94x   "
                                "1.00x      100 %"));
  EXPECT_THAT(report, HasSubstr("1.60x       80 %     40 %"));
  EXPECT_THAT(report, HasSubstr("bf16            4 failed"));
  std::istringstream lines(report);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.starts_with("SYNTHETIC WEIGHTS | ")) << line;
  }
}

TEST(EncoderRecord, CarriesTimesOnlyWithAVerdict) {
  Environment environment;
  environment.threads = 2;
  const EncoderJob job = Job(true);
  const RunRecord passed = EncoderRecord(job, Result(golden::Status::kPassed), Peak(), environment);
  EXPECT_EQ(passed.series().ToString(),
            "encoder/synthetic-whisper-tiny/bf16/cpu/threads=2/fast/-/-/1");
  EXPECT_DOUBLE_EQ(passed.metrics().at("rtf"), 150);
  EXPECT_DOUBLE_EQ(passed.times_s().at("attention.core"), 0.08);
  EXPECT_DOUBLE_EQ(passed.metrics().at("attention.core.limit_s"), 0.05);
  EXPECT_DOUBLE_EQ(passed.metrics().at("attention.core.percent_of_limit"), 62.5);
  EXPECT_DOUBLE_EQ(passed.metrics().at("peak_exps"), 1e10);
  EXPECT_TRUE(passed.valid());
  const RunRecord failed = EncoderRecord(job, Result(golden::Status::kFailed), Peak(), environment);
  EXPECT_TRUE(failed.times_s().empty());
  EXPECT_FALSE(failed.metrics().contains("rtf"));
}

TEST(EncoderRecord, ATimeBelowThePhysicalFloorIsInvalid) {
  EncoderResult result = Result(golden::Status::kPassed);
  result.floor_s = 0.2;
  EXPECT_FALSE(EncoderRecord(Job(false), result, Peak(), Environment()).valid());
}

}  // namespace
}  // namespace xdna::bench
