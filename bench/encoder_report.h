// What a person sees of //bench:encoder.
#ifndef BENCH_ENCODER_REPORT_H_
#define BENCH_ENCODER_REPORT_H_

#include <string>
#include <vector>

#include "bench/encoder_measure.h"
#include "bench/environment.h"
#include "bench/machine_peak.h"

namespace xdna::bench {

// The goal: a window of 30 s in 30 s / 220.
inline constexpr double kTargetRtf = 220;
inline constexpr double kWindowSeconds = 30;
inline constexpr double kBudgetSeconds = kWindowSeconds / kTargetRtf;
// Begins each line about seeded weights.
inline constexpr const char* kSyntheticMark = "SYNTHETIC WEIGHTS | ";

// Lines end in '\n'. With a synthetic model every line says so. `command` is what runs
// this again, without a precision. `color`: ANSI colours for verdicts.
std::string EncoderReport(const EncoderJob& job, const std::vector<EncoderResult>& results,
                          const MachinePeak& peak, const Environment& environment,
                          const std::string& command, bool color);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_REPORT_H_
