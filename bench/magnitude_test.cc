#include "bench/magnitude.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "golden/compare.h"
#include "golden/store.h"
#include "ops/registry.h"
#include "ops/verify.h"

namespace xdna::bench {
namespace {

class MagnitudesOf : public ::testing::TestWithParam<std::string> {};

TEST_P(MagnitudesOf, AgreeWithTheGoldens) {
  const ops::Contract& op = ops::FindOp(GetParam());
  const auto store = golden::Store::Open(ops::GoldenPath(op), "op");
  golden::Tolerance tolerance;
  tolerance.relative = 1e-6;  // goldens hold f32
  tolerance.absolute = 1e-37;
  int cases = 0;
  for (const std::string& name : store.CaseNames()) {
    if (name.starts_with("real")) continue;  // large, and nothing new
    const golden::Case golden = store.Load(name);
    const golden::Verdict verdict =
        golden::Compare(Magnitudes(op, golden.dims, golden.in),
                        golden.scale.at(std::string(op.output.name)), tolerance, {}, 1.0);
    EXPECT_NE(verdict.status, golden::Status::kFailed) << name << ": " << golden::Describe(verdict);
    ++cases;
  }
  EXPECT_GT(cases, 0);
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const ops::Contract& op : ops::Registry()) names.emplace_back(op.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(EveryOp, MagnitudesOf, ::testing::ValuesIn(Names()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace xdna::bench
