// The encoder by a schedule that leaves part of the work to the CPU: NPU runs go through XRT; the
// CPU's parts are computed in f32 and take the time that the CPU profile declares.
#ifndef ENCODER_MIXED_ENCODER_H_
#define ENCODER_MIXED_ENCODER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/tensor.h"
#include "device/measure.h"
#include "encoder/cpu_profile.h"
#include "encoder/graph.h"
#include "encoder/schedule.h"
#include "encoder/weights/model.h"

namespace xdna::encoder {

// Where a window's modelled time went; milliseconds.
struct MixedTimes {
  double total = 0;
  double cpu = 0;                                                     // by the CPU profile
  double norm = 0, attention = 0, ffn = 0, final_norm = 0, stem = 0;  // by part of the encoder
  double first_layer = 0;
  double dispatch_kernel = 0;  // of one dispatch of the first normalisation, submit to end
  std::int64_t runs = 0;
  double array = 0;        // the array running
  double core = 0;         // the busiest core in those runs
  double shim = 0;         // the busiest shim channel
  double instruction = 0;  // the command processor
};

// Results of nodes by the graph's names, [positions,d] f32.
using MixedTapFn = std::function<void(const std::string& name, const Tensor& result)>;

class MixedEncoder {
 public:
  // `data`: false for a device that gives times only; CPU parts are not computed then.
  MixedEncoder(const Model& model, const EncoderShape& shape, const Schedule& schedule,
               const CpuProfile& cpu, bool data);
  ~MixedEncoder();
  MixedEncoder(const MixedEncoder&) = delete;
  MixedEncoder& operator=(const MixedEncoder&) = delete;

  // `mel` [n_mels,frames] f32; returns [positions,d] f32. Throws kUnavailable where a run fails.
  Tensor Encode(const TensorView& mel);
  // The same, with results inside: they are fetched, so that its times mean nothing.
  Tensor EncodeWithTaps(const TensorView& mel, const MixedTapFn& tap);
  const MixedTimes& last() const;
  const device::TimeSplit& last_split() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace xdna::encoder

#endif  // ENCODER_MIXED_ENCODER_H_
