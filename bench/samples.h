// What is said of repeated times.
#ifndef BENCH_SAMPLES_H_
#define BENCH_SAMPLES_H_

#include <vector>

namespace xdna::bench {

struct SampleSummary {
  double median = 0;
  double least = 0;
  // Between the first and the third quartile, as a fraction of the median.
  double spread = 0;
};

// Quartiles by linear interpolation between order statistics (Hyndman and Fan,
// "Sample quantiles in statistical packages", 1996, definition 7). Throws kInternal for
// no samples.
SampleSummary Summarize(std::vector<double> samples);

}  // namespace xdna::bench

#endif  // BENCH_SAMPLES_H_
