// The test of every op: all cases of its golden file in all its variants, and the
// proof that its tolerances catch what broken kernels do. Which op: XDNA_OP. With XDNA_ISA in the
// environment, only the CPU's variants, by no better instructions than that.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/thread_pool.h"
#include "golden/compare.h"
#include "golden/faults.h"
#include "golden/store.h"
#include "ops/registry.h"
#include "ops/verify.h"

namespace xdna::ops {
namespace {

// Before anything runs.
class LimitedCpu : public testing::Environment {
 public:
  void SetUp() override {
    const char* name = std::getenv("XDNA_ISA");
    if (name == nullptr) return;
    const Isa isa = IsaFromName(name);
    if (isa > MachineIsa()) {
      GTEST_SKIP() << "this machine has " << IsaName(MachineIsa()) << " at most, not " << name;
    }
    LimitCpu(isa);
  }
};
[[maybe_unused]] const testing::Environment* const kLimitedCpu =
    testing::AddGlobalTestEnvironment(new LimitedCpu);

bool Wanted(const Variant& variant) {
  return variant.device() == Device::kCpu || std::getenv("XDNA_ISA") == nullptr;
}

const Contract& Op() { return FindOp(XDNA_OP); }
golden::Store OpenStore() { return golden::Store::Open(GoldenPath(Op()), "op"); }

ThreadPool& Pool() {
  static ThreadPool pool(AvailableCpus());
  return pool;
}

// Real weights may be missing on a user's machine without network, never in CI.
void ExpectRealCases(const golden::Store& store) {
  for (const std::string& name : store.CaseNames()) {
    if (store.Load(name).data == "real") return;
  }
  if (std::getenv("XDNA_CI") != nullptr)
    FAIL() << "no case with real weights; was the model fetched?";
  GTEST_SKIP()
      << "no case with real weights: the model could not be had when the goldens were made";
}

TEST(Golden, HasRealCases) { ExpectRealCases(OpenStore()); }

TEST(Golden, EveryCaseInEveryVariant) {
  const golden::Store store = OpenStore();
  const CpuContext context{&Pool()};
  int passed = 0;
  for (const Check& check : ChecksOf(Op(), store)) {
    if (Op().IsWrong(check.variant) || !Wanted(check.variant)) continue;
    const golden::Verdict verdict = RunCheck(Op(), store, check, context);
    if (verdict.status == golden::Status::kUnsupported) {
      fmt::print("{} {}: unsupported: {}\n", XDNA_OP, CheckName(check), verdict.reason);
      continue;
    }
    fmt::print("{} {}: {}, headroom {:.0f} %\n", XDNA_OP, CheckName(check),
               golden::StatusName(verdict.status), verdict.headroom_percent());
    EXPECT_TRUE(verdict.passed()) << XDNA_OP << " " << CheckName(check) << ": "
                                  << golden::Describe(verdict)
                                  << "\n  repro: " << ReproLine(Op(), check);
    passed += verdict.passed() ? 1 : 0;
  }
  EXPECT_GT(passed, 0) << "nothing was checked";
}

// Kernels that narrow by floor, leave out steps and the like: if no case told them from the right
// ones, these could be as wrong.
TEST(Golden, WrongKernelsFail) {
  const golden::Store store = OpenStore();
  const CpuContext context{&Pool()};
  std::map<std::string, int> kills;
  for (const Check& check : ChecksOf(Op(), store)) {
    if (!Op().IsWrong(check.variant)) continue;
    const std::string name = CheckName(check).substr(check.case_name.size() + 1);
    if (kills[name] > 0) continue;  // one case is enough
    const golden::Verdict verdict = RunCheck(Op(), store, check, context);
    const bool failed = verdict.status == golden::Status::kFailed;
    kills[name] += failed ? 1 : 0;
    if (failed) fmt::print("{} {}: {}\n", XDNA_OP, CheckName(check), golden::Describe(verdict));
  }
  for (const auto& [name, count] : kills) EXPECT_GT(count, 0) << XDNA_OP << " " << name;
}

// Each fault, put into the true result, must fail in at least one case of each precision and
// backend: else a kernel with that fault would pass this op's tests.
TEST(Golden, TolerancesCatchSeededFaults) {
  const golden::Store store = OpenStore();
  std::map<std::string, std::map<std::string, int>> kills;
  for (const Check& check : ChecksOf(Op(), store)) {
    if (check.variant.backend == Backend::kEigen || Op().IsWrong(check.variant)) continue;
    const golden::Case golden = store.Load(check.case_name);
    const std::string output(Op().output.name);
    const auto scale = golden.scale.find(output);
    const golden::Tolerance tolerance = Op().tolerance(golden.dims, check.variant, golden.data);
    for (golden::Fault fault : golden::kAllFaults) {
      const Tensor broken = golden::Inject(golden.out.at(output), fault, 1);
      const golden::Verdict verdict =
          golden::Compare(broken, golden.out.at(output), tolerance,
                          scale == golden.scale.end() ? TensorView() : scale->second.view());
      kills[CheckName(check).substr(check.case_name.size() + 1)][golden::FaultName(fault)] +=
          verdict.passed() ? 0 : 1;
    }
  }
  for (const auto& [variant, faults] : kills) {
    for (const auto& [fault, count] : faults) {
      fmt::print("{} {}: {} caught in {} cases\n", XDNA_OP, variant, fault, count);
      EXPECT_GT(count, 0) << XDNA_OP << " in " << variant << " lets '" << fault << "' pass";
    }
  }
}

// The C++ reference and magnitudes, which judge shapes that have no golden, against
// numpy's.
TEST(Golden, ReferenceAgreesWithTheGenerator) {
  const golden::Store store = OpenStore();
  const std::string output(Op().output.name);
  golden::Tolerance tolerance;
  tolerance.absolute = 1e-11;
  tolerance.relative = 1.01 * 0x1p-24;
  tolerance.provenance = "goldens are float64 rounded once to f32";
  for (const std::string& name : store.CaseNames()) {
    const golden::Case golden = store.Load(name);
    const golden::Verdict result =
        golden::Compare(Op().reference(golden.dims, golden.in), golden.out.at(output), tolerance);
    EXPECT_TRUE(result.passed()) << name << ": " << golden::Describe(result);
    // Magnitudes may well be zero or constant.
    const golden::Verdict scale = golden::Compare(Op().scale(golden.dims, golden.in),
                                                  golden.scale.at(output), tolerance, {}, 1.0);
    EXPECT_NE(scale.status, golden::Status::kFailed)
        << name << " scale: " << golden::Describe(scale);
  }
}

}  // namespace
}  // namespace xdna::ops
