// Steps in a history of times: changes that last, told apart from noise.
#ifndef REPORTS_DASHBOARD_STEPS_H_
#define REPORTS_DASHBOARD_STEPS_H_

#include <cstddef>
#include <vector>

namespace xdna::dashboard {

struct Step {
  std::size_t at = 0;  // the first run on the new level
  double before = 0;   // the levels: medians, in the unit of the values
  double after = 0;

  bool operator==(const Step&) const = default;
};

// The steps of values that are positive, in order of time. Binary segmentation of their logarithms
// (Scott and Knott, "A cluster analysis method for grouping means in the analysis of variance",
// 1974): the split with the largest t statistic counts where it exceeds 5 and the levels differ by
// 3 % or more; then both sides are searched. The noise is estimated from the differences of
// neighbours, which one step hardly moves, and taken as 0.5 % at least. Two runs make a level: a
// single odd run is no step, and is smoothed away before.
std::vector<Step> FindSteps(const std::vector<double>& values);

// The same where values have no noise: each change is a step.
std::vector<Step> FindExactSteps(const std::vector<double>& values);

}  // namespace xdna::dashboard

#endif  // REPORTS_DASHBOARD_STEPS_H_
