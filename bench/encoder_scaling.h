// //bench:encoder --threads=1,2: how the encoder's time on the CPU falls with its threads.
#ifndef BENCH_ENCODER_SCALING_H_
#define BENCH_ENCODER_SCALING_H_

#include <string>
#include <vector>

#include "bench/encoder_measure.h"
#include "bench/environment.h"
#include "ops/contract.h"

namespace xdna::bench {

// One precision with several numbers of threads.
struct Scaling {
  std::vector<int> threads;            // at least one, in the order asked for
  std::vector<EncoderResult> results;  // with each of them
};

// All in turns; every floor is that of so many threads.
Scaling MeasureScaling(const EncoderJob& job, const ops::Variant& variant,
                       const std::vector<int>& threads);

// Lines end in '\n'. faster: over the first number of threads; efficiency: that by thread.
std::string ScalingReport(const EncoderJob& job, const std::vector<Scaling>& scalings);

// Prints the report and appends a record of each to `json`, unless that is empty. False where a
// verdict is "failed" or "mistrusted".
bool RunScaling(const EncoderJob& job, const std::vector<ops::Variant>& variants,
                const std::vector<int>& threads, const std::string& json,
                const Environment& environment);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_SCALING_H_
