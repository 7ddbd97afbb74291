// A schedule's numbers as the resident encoder takes them.
#ifndef ENCODER_NPU_OPTIONS_H_
#define ENCODER_NPU_OPTIONS_H_

#include "encoder/cpu_profile.h"
#include "encoder/graph.h"
#include "encoder/npu_encoder.h"
#include "encoder/schedule.h"

namespace xdna::encoder {

// For a schedule that is whole on the NPU. Where the width is no multiple of its tile, the largest
// that divides it.
NpuEncoderOptions NpuOptionsOf(const Schedule& schedule, const EncoderShape& shape,
                               const CpuProfile& cpu);

}  // namespace xdna::encoder

#endif  // ENCODER_NPU_OPTIONS_H_
