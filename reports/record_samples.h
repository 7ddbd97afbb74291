// Records for tests.
#ifndef REPORTS_RECORD_SAMPLES_H_
#define REPORTS_RECORD_SAMPLES_H_

#include <initializer_list>
#include <string>
#include <vector>

#include "bench/run_record.h"
#include "reports/records.h"

namespace xdna::reports {

inline constexpr char kSomeSeries[] = "linear/m=8/bf16/cpu/threads=1/fast/-/-/-";

// 20 samples about `seconds`, which follow from `seed`; medians differ by less than 1 %.
std::vector<double> SamplesAround(double seconds, unsigned seed);

// Passed and measured, with all fields set.
bench::RunRecord MeasuredRecord(const std::string& series = kSomeSeries, double seconds = 0.01,
                                unsigned seed = 1);
// Passed, with a time model; its one time is exact.
bench::RunRecord ModelledRecord(double seconds = 0.01);
// Without a time.
bench::RunRecord RecordWithStatus(golden::Status status, const std::string& series = kSomeSeries);

RecordSet SetOf(std::initializer_list<bench::RunRecord> records);

}  // namespace xdna::reports

#endif  // REPORTS_RECORD_SAMPLES_H_
