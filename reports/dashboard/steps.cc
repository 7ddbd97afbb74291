#include "reports/dashboard/steps.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

namespace xdna::dashboard {
namespace {

constexpr double kLeastT = 5;
constexpr double kLeastNoise = 0.005;
constexpr double kLeastChange = 0.03;
constexpr std::size_t kLevelRuns = 2;
// Of a normal distribution: its standard deviation over its median absolute deviation.
constexpr double kSigmaPerMad = 1.4826;

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

double Noise(const std::vector<double>& logs) {
  std::vector<double> differences;
  for (std::size_t i = 1; i < logs.size(); ++i) {
    differences.push_back(std::abs(logs[i] - logs[i - 1]));
  }
  if (differences.empty()) return kLeastNoise;
  // A difference has the noise of two values.
  return std::max(kLeastNoise, kSigmaPerMad * Median(differences) / std::sqrt(2.0));
}

// Each value becomes the median of itself and its neighbours: one odd run disappears, a step stays.
std::vector<double> WithoutOddRuns(const std::vector<double>& logs) {
  std::vector<double> calm = logs;
  for (std::size_t i = 1; i + 1 < logs.size(); ++i) {
    calm[i] = Median({logs[i - 1], logs[i], logs[i + 1]});
  }
  return calm;
}

// Where [first, last) splits best; `last` where it does not.
std::size_t BestSplit(const std::vector<double>& logs, std::size_t first, std::size_t last,
                      double noise) {
  std::size_t best = last;
  double largest = kLeastT;
  const double all = std::accumulate(&logs[first], &logs[first] + (last - first), 0.0);
  double left = 0;
  for (std::size_t at = first + 1; at < last; ++at) {
    left += logs[at - 1];
    const auto n = static_cast<double>(at - first);
    const auto m = static_cast<double>(last - at);
    if (at - first < kLevelRuns || last - at < kLevelRuns) continue;
    const double change = std::abs(left / n - (all - left) / m);
    const double t = change / (noise * std::sqrt(1 / n + 1 / m));
    if (change < std::log1p(kLeastChange) || t <= largest) continue;
    largest = t;
    best = at;
  }
  return best;
}

void Segment(const std::vector<double>& logs, std::size_t first, std::size_t last, double noise,
             std::vector<std::size_t>& splits) {
  if (last - first < 2 * kLevelRuns) return;
  const std::size_t at = BestSplit(logs, first, last, noise);
  if (at == last) return;
  Segment(logs, first, at, noise, splits);
  splits.push_back(at);
  Segment(logs, at, last, noise, splits);
}

// Levels are medians, so that a split which an odd run made may come to nothing.
std::vector<Step> StepsAt(const std::vector<double>& values,
                          const std::vector<std::size_t>& splits) {
  std::vector<Step> steps;
  for (std::size_t i = 0; i < splits.size(); ++i) {
    const std::size_t first = i == 0 ? 0 : splits[i - 1];
    const std::size_t last = i + 1 == splits.size() ? values.size() : splits[i + 1];
    const double* data = values.data();
    const Step step{splits[i], Median({data + first, data + splits[i]}),
                    Median({data + splits[i], data + last})};
    if (std::abs(std::log(step.after / step.before)) >= std::log1p(kLeastChange)) {
      steps.push_back(step);
    }
  }
  return steps;
}

}  // namespace

std::vector<Step> FindSteps(const std::vector<double>& values) {
  if (values.size() < 2 * kLevelRuns) return {};
  std::vector<double> logs(values.size());
  std::transform(values.begin(), values.end(), logs.begin(), [](double v) { return std::log(v); });
  std::vector<std::size_t> splits;
  Segment(WithoutOddRuns(logs), 0, logs.size(), Noise(logs), splits);
  return StepsAt(values, splits);
}

std::vector<Step> FindExactSteps(const std::vector<double>& values) {
  std::vector<Step> steps;
  for (std::size_t i = 1; i < values.size(); ++i) {
    if (values[i] != values[i - 1]) steps.push_back({i, values[i - 1], values[i]});
  }
  return steps;
}

}  // namespace xdna::dashboard
