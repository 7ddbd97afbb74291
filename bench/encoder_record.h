// The encoder's results as run records.
#ifndef BENCH_ENCODER_RECORD_H_
#define BENCH_ENCODER_RECORD_H_

#include "bench/encoder_measure.h"
#include "bench/encoder_npu.h"
#include "bench/environment.h"
#include "bench/machine_peak.h"
#include "bench/run_record.h"

namespace xdna::bench {

// One record of one schedule; without times where the verdict is not "passed".
RunRecord NpuEncoderRecord(const EncoderJob& job, const NpuResult& result,
                           const NpuRunOptions& options, const Environment& environment);

// One record of one precision: seconds a window in `times_s` ("total" and each
// stage) and samples, RTF of scope "encoder". Of a stage with exponentials its limit,
// "attention.core.limit_s", and "attention.core.percent_of_limit"; "exps" and "peak_exps" (a
// second) are what the exponentials' part of it is made of.
RunRecord EncoderRecord(const EncoderJob& job, const EncoderResult& result, const MachinePeak& peak,
                        const Environment& environment);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_RECORD_H_
