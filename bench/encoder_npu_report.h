// What a person sees of schedules on the NPU.
#ifndef BENCH_ENCODER_NPU_REPORT_H_
#define BENCH_ENCODER_NPU_REPORT_H_

#include <string>
#include <vector>

#include "bench/encoder_npu.h"

namespace xdna::bench {

// Lines end in '\n'; with a synthetic model every line says so.

// What the times are modelled by, and of what speech. `of`: the shape's name.
std::string ModelLines(const EncoderJob& job, const NpuRunOptions& options, const std::string& of);

// One line a schedule: claim, found, verdict, what bounds it, where the time goes.
std::string LadderReport(const EncoderJob& job, const std::vector<NpuResult>& results,
                         const NpuRunOptions& options, double target);

// Op by op, by stage: time on the array, of cores, DMA and the command processor, rates.
std::string NpuProfileReport(const EncoderJob& job, const NpuResult& result);

// What a window may take for `target`, what it takes, by part, and what must shrink.
std::string NpuBudgetReport(const EncoderJob& job, const NpuResult& result, double target);

// phase0-naive beside the published split.
std::string StartReport(const EncoderJob& job, const NpuResult& result);

}  // namespace xdna::bench

#endif  // BENCH_ENCODER_NPU_REPORT_H_
