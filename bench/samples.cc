#include "bench/samples.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "base/error.h"

namespace xdna::bench {
namespace {

double Quantile(const std::vector<double>& sorted, double part) {
  const double at = part * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], at - static_cast<double>(below));
}

}  // namespace

SampleSummary Summarize(std::vector<double> samples) {
  if (samples.empty()) Throw(ErrorCode::kInternal, "nothing was timed");
  std::sort(samples.begin(), samples.end());
  SampleSummary summary;
  summary.median = Quantile(samples, 0.5);
  summary.least = samples.front();
  summary.spread = (Quantile(samples, 0.75) - Quantile(samples, 0.25)) / summary.median;
  return summary;
}

}  // namespace xdna::bench
