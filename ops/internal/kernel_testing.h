// For tests of kernels: all of Google Highway's targets that this machine has.
#ifndef OPS_INTERNAL_KERNEL_TESTING_H_
#define OPS_INTERNAL_KERNEL_TESTING_H_

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdint>
#include <string>
#include <vector>

namespace xdna::ops {

// Highway's targets that this machine has and that were compiled: for SetTarget.
inline std::vector<std::int64_t> MachineTargets() { return hwy::SupportedAndGeneratedTargets(); }

// From now on Highway's dispatch takes code of this target; 0: of the best one again. A source that
// leaves this target out runs its portable code.
inline void SetTarget(std::int64_t target) {
  hwy::SetSupportedTargetsForTest(target);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

// Runs `body` with each target.
template <typename Body>
void ForEachTarget(Body&& body) {
  for (const std::int64_t target : MachineTargets()) {
    SetTarget(target);
    body();
  }
  SetTarget(0);
}

// For tests that are run once with each target: INSTANTIATE_TEST_SUITE_P(Targets, Suite,
// testing::ValuesIn(MachineTargets()), TargetNameOf).
class OnTarget : public testing::TestWithParam<std::int64_t> {
 protected:
  void SetUp() override { SetTarget(GetParam()); }
  void TearDown() override { SetTarget(0); }
};
inline std::string TargetNameOf(const testing::TestParamInfo<std::int64_t>& info) {
  return hwy::TargetName(info.param);
}

}  // namespace xdna::ops

#endif  // OPS_INTERNAL_KERNEL_TESTING_H_
