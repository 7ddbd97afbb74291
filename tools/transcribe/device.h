// The encoder of a transcription on its device, verified if asked for.
#ifndef TOOLS_TRANSCRIBE_DEVICE_H_
#define TOOLS_TRANSCRIBE_DEVICE_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "base/tensor.h"
#include "decoder/transcribe.h"
#include "encoder/cpu_encoder.h"
#include "encoder/graph.h"
#include "encoder/npu_encoder.h"
#include "encoder/weights/model.h"
#include "golden/compare.h"
#include "ops/contract.h"
#include "tools/transcribe/options.h"

namespace xdna::transcribe {

// Of all windows since ForgetVerdict().
struct DeviceVerdict {
  golden::Verdict worst;
  std::int64_t windows = 0;
  double seconds = 0;  // that the reference took
};

class DeviceEncoder {
 public:
  // Throws kUnsupported where the device or the precision can't be had.
  DeviceEncoder(const encoder::Model& model, const Options& options, ThreadPool& pool);

  // This object outlives the function.
  decoder::EncodeWindow function();

  // With --verify, against f32 on the CPU; where that is the device, against plain f32 in Eigen.
  const DeviceVerdict& verdict() const { return verdict_; }
  void ForgetVerdict() { verdict_ = {}; }

 private:
  void OpenNpu(const encoder::Model& model, const encoder::EncoderShape& shape,
               const Options& options);
  decoder::EncodeTime Encode(const TensorView& mel, const TensorView& out);
  void Verify(const TensorView& mel, const TensorView& got);

  ops::Precision precision_;
  std::unique_ptr<encoder::CpuEncoder> cpu_, reference_;
  std::unique_ptr<encoder::NpuEncoder> npu_;  // in place of cpu_
  Tensor want_;
  DeviceVerdict verdict_;
};

}  // namespace xdna::transcribe

#endif  // TOOLS_TRANSCRIBE_DEVICE_H_
