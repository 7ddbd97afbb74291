// The order of things: golden checks, verification, timing, verification again; and that
// an op which is wrong in any of them has no time, no record with a time, and a reason.
#include "bench/op_point.h"

#include <benchmark/benchmark.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <utility>

#include "base/error.h"
#include "bench/op_report.h"
#include "bench/op_shape.h"
#include "ops/registry.h"

namespace xdna::bench {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

enum class Mode { kRight, kUnsupported, kWrongGolden, kWrongShape, kWrongLater, kDoesNothing };
Mode mode = Mode::kRight;
constexpr std::int64_t kRows = 24;  // of the benchmark's own shape; no golden has it
constexpr int kRunsBeforeBreaking = 5;

// `add` with a fault.
class Faulty : public ops::Instance {
 public:
  Faulty(std::unique_ptr<ops::Instance> right, std::int64_t rows)
      : right_(std::move(right)), rows_(rows) {}

  void Run() override {
    ++runs_;
    if (mode != Mode::kDoesNothing || rows_ != kRows) right_->Run();
  }
  void Poison() override { right_->Poison(); }
  Tensor Output() const override {
    Tensor output = right_->Output();
    const bool wrong = (mode == Mode::kWrongGolden && rows_ != kRows) ||
                       (mode == Mode::kWrongShape && rows_ == kRows) ||
                       (mode == Mode::kWrongLater && runs_ > kRunsBeforeBreaking);
    if (wrong) output.data<float>()[3] += 1;
    return output;
  }

 private:
  std::unique_ptr<ops::Instance> right_;
  const std::int64_t rows_;
  int runs_ = 0;
};

std::unique_ptr<ops::Instance> MakeFaulty(const ops::Dims& dims, const TensorMap& in,
                                          ops::Variant variant, const ops::CpuContext& context) {
  if (mode == Mode::kUnsupported) Throw(ErrorCode::kUnsupported, "no such unit here");
  return std::make_unique<Faulty>(ops::FindOp("add").make(dims, in, variant, context),
                                  dims.at("m"));
}

class Silent : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    error = runs.front().error_occurred ? runs.front().error_message : "";
  }
  std::string error;
};

class OpPointTest : public ::testing::Test {
 protected:
  OpPointTest()
      : op_(ops::FindOp("add")), store_(golden::Store::Open(ops::GoldenPath(op_), "op")), pool_(1) {
    op_.make = MakeFaulty;
  }

  OpPoint Run(Mode wanted, ops::Variant variant = {}) {
    mode = wanted;
    OpPoint point;
    point.dims = {{"m", kRows}, {"n", 32}};
    point.shape = ShapeName(op_, point.dims);
    point.variant = variant;
    point.name = "add";
    OpRunner runner(op_, store_, pool_, 1, false);
    benchmark::ClearRegisteredBenchmarks();
    benchmark::RegisterBenchmark("add", [&](benchmark::State& state) { runner.Run(point, state); })
        ->UseManualTime()
        ->MinTime(1e-3);
    Silent reporter;
    benchmark::RunSpecifiedBenchmarks(&reporter);
    error_ = reporter.error;
    return point;
  }

  // What is printed and recorded of a point.
  std::pair<std::string, RunRecord> Report(const OpPoint& point) const {
    OpSession session;
    session.environment = CurrentEnvironment(1);
    session.golden_sha256 = std::string(64, 'a');
    const OpLimits limits = LimitsOf(op_, point, MeasurePeak(1));
    RunRecord record = RecordOf(op_, point, limits, session);
    EXPECT_EQ(ParseRecord(record.ToJsonLine()), record);
    return {OpTable({point}, false).Row(point, limits, record), std::move(record)};
  }

  void ExpectNoTime(const OpPoint& point) const {
    EXPECT_TRUE(point.samples.empty());
    EXPECT_FALSE(error_.empty()) << "Google Benchmark was given a time";
    const auto [row, record] = Report(point);
    EXPECT_TRUE(record.times_s().empty());
    EXPECT_THAT(row, HasSubstr(golden::StatusName(point.verdict.status)));
    EXPECT_THAT(row, Not(HasSubstr("GFLOP")));
  }

  ops::Contract op_;
  golden::Store store_;
  ThreadPool pool_;
  std::string error_;
};

TEST_F(OpPointTest, ARightOpHasATime) {
  const OpPoint point = Run(Mode::kRight);
  EXPECT_TRUE(point.verdict.passed()) << point.verdict.reason;
  EXPECT_EQ(error_, "");
  EXPECT_GE(point.samples.size(), 10U);
  const auto [row, record] = Report(point);
  EXPECT_TRUE(record.valid()) << record.invalid_reason();
  EXPECT_EQ(record.series().ToString(), "add/m=24,n=32/f32/cpu/threads=1/fast/-/-/-");
  EXPECT_GT(record.metrics().at("percent_of_bandwidth"), 0);
  EXPECT_THAT(row, AllOf(HasSubstr("m=24,n=32"), HasSubstr("passed"), HasSubstr("memory")));
}

TEST_F(OpPointTest, UnsupportedIsARowWithItsReason) {
  const OpPoint point = Run(Mode::kUnsupported);
  EXPECT_EQ(point.verdict.status, golden::Status::kUnsupported);
  EXPECT_THAT(Report(point).first, HasSubstr("no such unit here"));
  ExpectNoTime(point);
}

TEST_F(OpPointTest, AVariantThatTheOpDoesNotHave) {
  const OpPoint point = Run(Mode::kRight, {ops::Precision::kBf16, ops::Backend::kEigen});
  EXPECT_EQ(point.verdict.status, golden::Status::kUnsupported);
  EXPECT_EQ(point.verdict.reason, "add has no bf16 on eigen");
  ExpectNoTime(point);
}

TEST_F(OpPointTest, AFailedGoldenCheckHasAReproLine) {
  const OpPoint point = Run(Mode::kWrongGolden);
  EXPECT_EQ(point.verdict.status, golden::Status::kFailed);
  EXPECT_THAT(point.repro, HasSubstr("bazel run //bench:add -- --repro="));
  EXPECT_THAT(Report(point).first, AllOf(HasSubstr("failed at [0,3]"), HasSubstr(point.repro)));
  ExpectNoTime(point);
}

TEST_F(OpPointTest, WrongAtItsOwnShape) {
  const OpPoint point = Run(Mode::kWrongShape);
  EXPECT_EQ(point.verdict.status, golden::Status::kFailed);
  ASSERT_TRUE(point.verdict.first_bad.has_value());
  EXPECT_EQ(*point.verdict.first_bad, (Shape{0, 3}));
  ExpectNoTime(point);
}

TEST_F(OpPointTest, WorkThatIsNotDoneShows) {
  const OpPoint point = Run(Mode::kDoesNothing);
  EXPECT_EQ(point.verdict.status, golden::Status::kFailed);
  EXPECT_TRUE(std::isnan(point.verdict.got));
  ExpectNoTime(point);
}

TEST_F(OpPointTest, WrongAfterTiming) {
  const OpPoint point = Run(Mode::kWrongLater);
  EXPECT_EQ(point.verdict.status, golden::Status::kFailed);
  EXPECT_THAT(point.verdict.reason, HasSubstr("after timing"));
  ExpectNoTime(point);
}

TEST_F(OpPointTest, FasterThanTheMachineIsInvalid) {
  OpPoint point = Run(Mode::kRight);
  point.samples = {1e-15};
  const auto [row, record] = Report(point);
  EXPECT_FALSE(record.valid());
  EXPECT_THAT(row, HasSubstr("invalid: "));
}

}  // namespace
}  // namespace xdna::bench
