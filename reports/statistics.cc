#include "reports/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "base/error.h"

namespace xdna::reports {
namespace {

struct Ranked {
  double u = 0;         // pairs (a, b) with a > b; a tie counts a half
  double tie_term = 0;  // sum of t^3 - t over groups of t equal samples
};

Ranked Rank(const std::vector<double>& a, const std::vector<double>& b) {
  std::vector<std::pair<double, bool>> all;  // value, of a
  all.reserve(a.size() + b.size());
  for (double x : a) all.emplace_back(x, true);
  for (double x : b) all.emplace_back(x, false);
  std::sort(all.begin(), all.end());
  Ranked ranked;
  double b_below = 0;
  for (std::size_t i = 0; i < all.size();) {
    std::size_t end = i;
    double of_a = 0;
    double of_b = 0;
    for (; end < all.size() && all[end].first == all[i].first; ++end) {
      (all[end].second ? of_a : of_b) += 1;
    }
    ranked.u += of_a * (b_below + of_b / 2);
    b_below += of_b;
    const double ties = of_a + of_b;
    ranked.tie_term += ties * ties * ties - ties;
    i = end;
  }
  return ranked;
}

// Of all orders of n + m samples, the part with U <= u: the number of partitions of 0..u into at
// most n parts of at most m, over (n + m choose n), as coefficients of the Gaussian binomial.
double ExactTail(std::size_t n, std::size_t m, std::size_t u) {
  std::vector<double> ways(n * m + 1, 0.0);
  ways[0] = 1;
  double all = 1;
  for (std::size_t i = 1; i <= n; ++i) {
    // times (1 - q^(m+i)) / (1 - q^i)
    for (std::size_t k = ways.size(); k-- > m + i;) ways[k] -= ways[k - m - i];
    for (std::size_t k = i; k < ways.size(); ++k) ways[k] += ways[k - i];
    all *= static_cast<double>(m + i) / static_cast<double>(i);
  }
  double tail = 0;
  for (std::size_t k = 0; k <= u; ++k) tail += ways[k];
  return tail / all;
}

double NormalP(double u, double n, double m, double tie_term) {
  const double all = n + m;
  const double variance = n * m / 12 * (all + 1 - tie_term / (all * (all - 1)));
  if (variance <= 0) return 1;  // all samples are equal
  const double z = std::max(0.0, std::abs(u - n * m / 2) - 0.5) / std::sqrt(variance);
  return std::erfc(z / std::sqrt(2.0));
}

}  // namespace

double MannWhitneyP(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.empty() || b.empty()) Throw(ErrorCode::kInternal, "nothing to compare");
  const Ranked ranked = Rank(a, b);
  const auto n = static_cast<double>(a.size());
  const auto m = static_cast<double>(b.size());
  if (ranked.tie_term > 0 || a.size() + b.size() > kMostExact) {
    return NormalP(ranked.u, n, m, ranked.tie_term);
  }
  const double lower = std::min(ranked.u, n * m - ranked.u);
  return std::min(1.0, 2 * ExactTail(a.size(), b.size(), static_cast<std::size_t>(lower)));
}

double LeastMannWhitneyP(std::size_t a, std::size_t b) {
  if (a + b <= kMostExact) return std::min(1.0, 2 * ExactTail(a, b, 0));
  return NormalP(0, static_cast<double>(a), static_cast<double>(b), 0);
}

}  // namespace xdna::reports
