// The fault suite: a matrix product on the whole array, run by a host that verifies as this
// project's benchmarks do, with faults of each kind injected. Each has to be reported, and nothing
// else; the table of it is printed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bf16.h"
#include "base/error.h"
#include "base/random.h"
#include "base/tensor.h"
#include "device/array/instructions.h"
#include "device/container/container.h"
#include "device/measure.h"
#include "device/session.h"
#include "golden/compare.h"
#include "kernels/array/gemm.h"
#include "kernels/npu/kernels.h"

namespace xdna::device {
namespace {

constexpr std::size_t kSize = 64;
constexpr std::size_t kElements = kSize * kSize;
constexpr const char* kKinds[] = {"timeout", "partial", "stale", "bitflip", "context_lost", "hang"};

struct Problem {
  std::vector<char> xclbin;
  std::vector<std::uint32_t> instructions;
  std::vector<Bf16> a, b;
  Tensor expected;  // f64
  golden::Tolerance tolerance;
};

std::vector<Bf16> Random(std::uint64_t seed) {
  std::vector<Bf16> values(kElements);
  for (std::size_t i = 0; i < kElements; ++i) {
    values[i] = Bf16::FromFloat(static_cast<float>(SeededNormal(seed, i)));
  }
  return values;
}

Problem MakeProblem() {
  kernels::RegisterNpuKernels();
  const kernels::GemmConfig config{.m = 16, .k = 16, .n = 16, .out_bytes = 4};
  const kernels::GemmProblem size{.m = kSize, .k = kSize, .n = kSize};
  Problem problem;
  problem.xclbin = EncodeContainer(kernels::GemmOverlay(config));
  problem.instructions = EncodeInstructions(kernels::GemmInstructions(config, size));
  problem.a = Random(1);
  problem.b = Random(2);
  constexpr auto kSide = static_cast<std::int64_t>(kSize);
  problem.expected = Tensor(DType::kF64, {kSide, kSide});
  for (std::size_t i = 0; i < kElements; ++i) {
    double sum = 0;
    for (std::size_t k = 0; k < kSize; ++k) {
      sum += static_cast<double>(problem.a[i / kSize * kSize + k].ToFloat()) *
             problem.b[k * kSize + i % kSize].ToFloat();
    }
    problem.expected.data<double>()[i] = sum;
  }
  problem.tolerance.absolute = 1e-3;
  problem.tolerance.provenance = "64 products of numbers below 5, summed in f32: 64 * 2^-24 * 25";
  return problem;
}

// A session with its buffers and runs, which are submitted at once.
class Host {
 public:
  Host(const Problem& problem, std::size_t runs)
      : problem_(problem), session_(Session::FromBytes("gemm", problem.xclbin)) {
    constexpr std::size_t kOperandBytes = kElements * sizeof(Bf16);
    instructions_.emplace(session_.MakeInstructions(problem.instructions));
    for (const auto* operand : {&problem.a, &problem.b}) {
      operands_.push_back(session_.MakeData(static_cast<int>(operands_.size()), kOperandBytes));
      std::ranges::copy(*operand, operands_.back().As<Bf16>().begin());
      operands_.back().ToDevice();
    }
    for (std::size_t i = 0; i < runs; ++i) {
      results_.push_back(session_.MakeData(2, kElements * sizeof(float)));
    }
    if (runs > 1) list_.emplace(session_);
    for (DeviceBuffer& result : results_) {
      const std::vector<const DeviceBuffer*> data = {&operands_[0], &operands_[1], &result};
      runs_.push_back(session_.MakeRun(*instructions_, data));
      if (list_) list_->Add(runs_.back());
    }
  }

  // What was noticed: one message where a run did not complete, else one for each wrong result.
  std::vector<std::string> Execute() {
    for (DeviceBuffer& result : results_) result.Poison();
    if (const std::string failure =
            MessageOf([this] { list_ ? list_->Execute() : runs_.front().Execute(); });
        !failure.empty()) {
      return {failure};
    }
    std::vector<std::string> noticed;
    for (DeviceBuffer& result : results_) {
      std::string message = MessageOf([&] {
        result.FromDevice();
        result.CheckWritten();
      });
      if (message.empty()) message = Compare(result);
      if (!message.empty()) noticed.push_back(message);
    }
    return noticed;
  }

 private:
  template <typename Body>
  static std::string MessageOf(Body&& body) {
    try {
      body();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kUnavailable) << error.what();
      return error.what();
    }
    return "";
  }

  std::string Compare(DeviceBuffer& result) const {
    const TensorView got(result.As<float>().data(), problem_.expected.shape());
    const golden::Verdict verdict = golden::Compare(got, problem_.expected, problem_.tolerance);
    return verdict.passed() ? "" : golden::Describe(verdict);
  }

  const Problem& problem_;
  Session session_;
  std::optional<DeviceBuffer> instructions_;
  std::vector<DeviceBuffer> operands_, results_;
  std::vector<Run> runs_;
  std::optional<RunList> list_;
};

struct Tally {
  int injected = 0;
  int reported = 0;
  std::string example;
};

// `submissions` of `runs` each. A host that was told of a failure begins anew, as it is told to.
std::map<std::string, Tally> Suite(const Problem& problem, const std::string& plan, int submissions,
                                   std::size_t runs) {
  ConfigureDevice({.faults = plan, .fault_seed = 11, .threads = 1});
  std::map<std::string, Tally> tallies;
  std::optional<Host> host;
  for (int i = 0; i < submissions; ++i) {
    if (!host) host.emplace(problem, runs);
    const std::size_t before = InjectedFaults().size();
    const std::vector<std::string> noticed = host->Execute();
    std::vector<InjectedFault> injected = InjectedFaults();
    injected.erase(injected.begin(), injected.begin() + static_cast<std::ptrdiff_t>(before));
    // A run that did not complete ends the submission, with all that came before it in a runlist.
    const bool ended = std::ranges::any_of(injected, &InjectedFault::in_state);
    EXPECT_EQ(noticed.size(), ended ? 1 : injected.size()) << "submission " << i << " of " << plan;
    for (std::size_t fault = 0; fault < injected.size(); ++fault) {
      Tally& tally = tallies[injected[fault].kind];
      ++tally.injected;
      const std::size_t message = ended ? 0 : fault;
      if (message >= noticed.size()) continue;
      ++tally.reported;
      if (!ended || injected[fault].in_state) tally.example = noticed[message];
    }
    if (!noticed.empty()) host.reset();
  }
  EXPECT_TRUE(Violations().empty());
  return tallies;
}

void Print(const char* title, const std::map<std::string, Tally>& tallies) {
  fmt::print("{}\n{:<13} | {:>8} | {:>8} | reported as\n", title, "fault", "injected", "reported");
  for (const auto& [kind, tally] : tallies) {
    fmt::print("{:<13} | {:>8} | {:>8} | {:.100}\n", kind, tally.injected, tally.reported,
               tally.example);
  }
}

void ExpectAll(const std::map<std::string, Tally>& tallies, int least) {
  for (const auto& [kind, tally] : tallies) {
    EXPECT_EQ(tally.reported, tally.injected) << kind;
    EXPECT_GE(tally.injected, least) << kind;
  }
}

TEST(FaultSuiteTest, EachKindAlone) {
  const Problem problem = MakeProblem();
  std::map<std::string, Tally> all;
  for (const char* kind : kKinds) all.merge(Suite(problem, fmt::format("{}:0.5", kind), 30, 1));
  Print("each kind alone, half of 30 runs", all);
  EXPECT_EQ(all.size(), std::size(kKinds));
  ExpectAll(all, 8);
}

TEST(FaultSuiteTest, AllKindsAtOnce) {
  const Problem problem = MakeProblem();
  std::string plan;
  for (const char* kind : kKinds) plan += fmt::format("{}{}:0.06", plan.empty() ? "" : ",", kind);
  const auto all = Suite(problem, plan, 150, 1);
  Print("all kinds at once, 150 runs", all);
  EXPECT_EQ(all.size(), std::size(kKinds));
  ExpectAll(all, 2);
}

TEST(FaultSuiteTest, InRunlists) {
  const Problem problem = MakeProblem();
  std::string plan;
  for (const char* kind : kKinds) plan += fmt::format("{}{}:0.03", plan.empty() ? "" : ",", kind);
  const auto all = Suite(problem, plan, 50, 4);
  Print("all kinds, 50 runlists of 4", all);
  EXPECT_EQ(all.size(), std::size(kKinds));
  ExpectAll(all, 1);
}

TEST(FaultSuiteTest, NothingIsReportedWithoutFaults) {
  EXPECT_TRUE(Suite(MakeProblem(), "", 5, 2).empty());
}

}  // namespace
}  // namespace xdna::device
