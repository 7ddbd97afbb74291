#include "bench/op_point.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "base/error.h"
#include "bench/cpu_timeline.h"
#include "bench/environment.h"
#include "ops/internal/profile.h"

namespace xdna::bench {
namespace {

constexpr double kLeastSample = 50e-6;  // seconds: a thousand readings of the clock
constexpr double kWarmUp = 20e-3;
constexpr std::size_t kLeastSamples = 10;
constexpr double kLongEnough = 5;        // seconds, with three samples
constexpr double kReferenceSpeed = 4e9;  // FLOP/s of float64 on one thread, to warn by
constexpr std::size_t kKeptBytes = std::size_t{1} << 30;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::size_t BytesOf(const Expected& expected) {
  std::size_t bytes = expected.want.bytes() + expected.scale.bytes();
  for (const auto& [name, tensor] : expected.in) bytes += tensor.bytes();
  return bytes;
}

golden::Verdict Mistrusted(std::string reason) {
  golden::Verdict verdict;
  verdict.status = golden::Status::kMistrusted;
  verdict.reason = std::move(reason);
  return verdict;
}

}  // namespace

OpRunner::OpRunner(const ops::Contract& op, const golden::Store& store, ThreadPool& pool,
                   std::uint64_t seed, bool progress)
    : op_(op), store_(store), context_{&pool}, seed_(seed), progress_(progress) {}

// The first check that does not pass decides.
const OpRunner::GoldenVerdict& OpRunner::CheckGoldens(const ops::Variant& variant) {
  const std::string name =
      fmt::format("{} on {}", ops::PrecisionName(variant.precision), ops::BackendName(variant));
  const auto [it, added] = goldens_.try_emplace(name);
  GoldenVerdict& result = it->second;
  if (!added) return result;
  result.verdict = Mistrusted("no golden case for " + name);
  for (const ops::Check& check : ops::ChecksOf(op_, store_)) {
    if (check.variant != variant) continue;
    golden::Verdict verdict = ops::RunCheck(op_, store_, check, context_);
    // A case that can't be run leaves it to the others.
    const bool unsupported = verdict.status == golden::Status::kUnsupported;
    if (unsupported && result.verdict.passed()) continue;
    result.verdict = std::move(verdict);
    if (unsupported || result.verdict.passed()) continue;
    result.repro = ops::ReproLine(op_, check);
    result.verdict.reason = fmt::format("golden {}: {}", check.case_name, result.verdict.reason);
    break;
  }
  return result;
}

std::shared_ptr<const Expected> OpRunner::ExpectedOf(const OpPoint& point) {
  for (const auto& [shape, expected] : references_) {
    if (shape == point.shape) return expected;
  }
  if (const double seconds = op_.flops(point.dims) / kReferenceSpeed; progress_ && seconds > 2) {
    fmt::print(stderr, "{}: float64 reference, about {:.0f} s\n", point.shape, seconds);
  }
  auto expected = std::make_shared<Expected>();
  expected->in = ops::RandomInputs(op_, point.dims, seed_);
  expected->want = op_.reference(point.dims, expected->in);
  expected->scale = op_.scale(point.dims, expected->in);
  references_.emplace_back(point.shape, expected);
  std::size_t bytes = 0;
  for (const auto& [shape, kept] : references_) bytes += BytesOf(*kept);
  while (bytes > kKeptBytes && references_.size() > 1) {
    bytes -= BytesOf(*references_.front().second);
    references_.pop_front();
  }
  return expected;
}

bool OpRunner::Verify(OpPoint& point) {
  instance_->Poison();
  instance_->Run();
  point.verdict =
      golden::Compare(instance_->Output(), expected_->want, point.tolerance, expected_->scale);
  return point.verdict.passed();
}

// Whether the point's result is right; its instance is kept.
bool OpRunner::Ready(OpPoint& point) {
  present_ = &point;
  instance_.reset();
  point.tolerance = op_.tolerance(point.dims, point.variant, "random");
  if (!op_.Has(point.variant)) {
    point.verdict = golden::Verdict::Unsupported(
        fmt::format("{} has no {} on {}", op_.name, ops::PrecisionName(point.variant.precision),
                    ops::BackendName(point.variant)));
    return false;
  }
  const GoldenVerdict& golden = CheckGoldens(point.variant);
  if (!golden.verdict.passed()) {
    point.verdict = golden.verdict;
    point.repro = golden.repro;
    return false;
  }
  expected_ = ExpectedOf(point);
  try {
    ops::CpuContext context = context_;
    context.array = array_;
    instance_ = op_.make(point.dims, expected_->in, point.variant, context);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported) throw;
    point.verdict = golden::Verdict::Unsupported(error.message());
    return false;
  }
  return Verify(point);
}

void OpRunner::Check(OpPoint& point, ops::ArrayDevice* array) {
  array_ = array;
  Ready(point);
  instance_.reset();
}

// Everything ahead of the timing; false where the point is not to be timed.
bool OpRunner::Prepare(OpPoint& point) {
  if (!Ready(point)) return false;
  WarmUp();
  while (point.samples.size() < kLeastSamples) {
    const double begin = Now();
    Sample(point);
    if (point.samples.size() >= 3 && (Now() - begin) * point.samples.size() > kLongEnough) break;
  }
  return true;
}

void OpRunner::WarmUp() {
  double shortest = std::numeric_limits<double>::infinity();
  const double start = Now();
  int runs = 0;
  while (runs < 2 || Now() - start < kWarmUp) {
    const double begin = Now();
    instance_->Run();
    shortest = std::min(shortest, Now() - begin);
    ++runs;
  }
  batch_ = std::clamp<std::int64_t>(std::llround(std::ceil(kLeastSample / shortest)), 1, 10000);
}

void OpRunner::Sample(OpPoint& point) {
  const double begin = Now();
  for (std::int64_t i = 0; i < batch_; ++i) instance_->Run();
  point.samples.push_back((Now() - begin) / static_cast<double>(batch_));
}

void OpRunner::Trace(const OpPoint& point, const std::string& path) {
  ops::Profile profile;
  const ops::CpuContext context = {context_.pool, &profile};
  const auto instance = op_.make(point.dims, ExpectedOf(point)->in, point.variant, context);
  instance->Run();  // its pages are there now
  WriteCpuTimeline(path, point.name, CurrentEnvironment(context_.pool->threads()), *context_.pool,
                   profile, [&] { instance->Run(); });
}

void OpRunner::Run(OpPoint& point, benchmark::State& state) {
  const bool ready = present_ == &point ? point.verdict.passed() : Prepare(point);
  if (ready) {
    while (state.KeepRunningBatch(batch_)) {
      Sample(point);
      state.SetIterationTime(point.samples.back() * static_cast<double>(batch_));
    }
    if (!Verify(point)) point.verdict.reason = "after timing: " + point.verdict.reason;
  }
  if (!point.verdict.passed()) {
    point.samples.clear();
    state.SkipWithError(golden::Describe(point.verdict).c_str());
  }
}

}  // namespace xdna::bench
