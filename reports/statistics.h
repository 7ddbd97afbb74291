// Whether two sets of samples differ.
#ifndef REPORTS_STATISTICS_H_
#define REPORTS_STATISTICS_H_

#include <cstddef>
#include <vector>

namespace xdna::reports {

// The two-sided p-value of the Mann-Whitney U test (Mann and Whitney, "On a test of whether one of
// two random variables is stochastically larger than the other", 1947): how often samples of one
// distribution would differ in rank at least so much. Exact by counting for at most kMostExact
// samples without ties; else by the normal approximation with the corrections for ties and for
// continuity. Samples of one run follow each other and share its luck, so that it says "differs"
// too readily: never decide by it alone. Throws kInternal where a set is empty.
double MannWhitneyP(const std::vector<double>& a, const std::vector<double>& b);
inline constexpr std::size_t kMostExact = 50;  // of both sets together

// The least p-value that sets of these sizes can have.
double LeastMannWhitneyP(std::size_t a, std::size_t b);

}  // namespace xdna::reports

#endif  // REPORTS_STATISTICS_H_
