// The CPU beside the NPU, declared: schedules that leave work to it must not change with the
// machine that the harness runs on.
#ifndef ENCODER_CPU_PROFILE_H_
#define ENCODER_CPU_PROFILE_H_

#include <span>
#include <string>
#include <string_view>

namespace xdna::encoder {

struct CpuProfile {
  std::string name;
  std::string what;           // which CPU and which code
  double gemm_flops = 0;      // a second, matrix products
  double row_values = 0;      // a second: LayerNorm, softmax, GELU, each value once
  double copy_bytes = 0;      // a second, read and written: adding, converting, reordering
  double convert_values = 0;  // a second, f32 from or to bf16
  std::string source;
  std::string confidence;  // "measured", "low", "fitted"
};

// Throws kInvalidArgument, listing what there is.
const CpuProfile& FindCpuProfile(std::string_view name);
std::span<const CpuProfile> CpuProfiles();

}  // namespace xdna::encoder

#endif  // ENCODER_CPU_PROFILE_H_
