// The whole encoder on the NPU's array: activations and weights stay in device memory, scores never
// leave a core, and a window is one submission.
//
// One context holds one overlay of up to four configurations, which the instruction stream switches
// between: the matrix product (convolutions and linear layers, GELU by a run-time parameter), the
// same with memory tiles for deep ones (npu_window.cc), the fused attention, and the fused
// residual and normalisation. gamma and beta of a normalisation are
// folded into the weights that follow it, and the last one's are a product with a diagonal.
#ifndef ENCODER_NPU_ENCODER_H_
#define ENCODER_NPU_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "device/measure.h"
#include "device/session.h"
#include "encoder/cpu_profile.h"
#include "encoder/graph.h"
#include "encoder/weights/model.h"
#include "kernels/array/attention.h"
#include "kernels/array/gemm.h"

namespace xdna::encoder {

// How the runs of a window reach the driver.
enum class Submission : std::uint8_t {
  kRun,      // one by one, each waited for
  kRunlist,  // a run an op, all in one runlist
  kWindow,   // one run, whose instruction stream holds all ops
};

struct NpuEncoderOptions {
  kernels::GemmConfig gemm = {};                 // m, k, n, k_mem, double_buffer_c, columns
  kernels::AttentionArrayConfig attention = {};  // queries, keys, columns
  std::size_t norm_rows = 4;                     // of a core's call
  bool keep_operands = true;  // memory tiles keep one of a product's, where they have the room
  bool table_gelu = true;     // in place of the erf polynomial, which is slow
  Submission submission = Submission::kRunlist;
  // Windows that EncodeAll() keeps submitted. Submission::kRun waits for each run: no more than 1.
  std::size_t in_flight = 1;
  bool weights = true;  // false: none are read, for a device that gives times only
  CpuProfile cpu = {};  // of the host's part: spectrogram in, output out
};

// One op of a window.
struct NpuStep {
  std::string name;   // the graph's, or "layer0.qkv", "layer0.fc1"
  std::string stage;  // "conv", "qkv", "attention", "out", "norm", "fc1", "fc2"
  int layer = -1;
  double flops = 0;
  double bytes = 0;  // each operand moved once
};

// What one op took on the array; microseconds.
struct NpuStepTime {
  NpuStep step;
  double array_us = 0;
  double instruction_us = 0;  // of the command processor itself, configuring included
  double core_us = 0;         // of the busiest core, calling kernels
  double shim_us = 0;         // of the busiest shim channel, moving data
  double bytes_read = 0;
  double bytes_written = 0;
};

// Results of a node by the graph's name, [positions,d] f32.
using NpuTapFn = std::function<void(const std::string& name, const Tensor& result)>;

// Not thread-safe. Runs on the device that device::ConfigureDevice() made last; a device that is
// not functional gives times only.
class NpuEncoder {
 public:
  // Throws kUnsupported, with the reason, where the array can't hold or express it.
  NpuEncoder(const Model& model, const EncoderShape& shape, const NpuEncoderOptions& options);
  ~NpuEncoder();
  NpuEncoder(const NpuEncoder&) = delete;
  NpuEncoder& operator=(const NpuEncoder&) = delete;

  // One window: `mel` [n_mels,frames] f32; returns [positions,d] f32. Throws kUnavailable where a
  // run fails or leaves results unwritten.
  Tensor Encode(const TensorView& mel);
  // One window after the other: the host prepares the next while the NPU works.
  std::vector<Tensor> EncodeAll(const std::vector<TensorView>& mels);

  // Of the last Encode() or EncodeAll(): modelled where the device is simulated.
  double last_ms() const { return last_ms_; }
  const device::TimeSplit& last_split() const { return last_split_; }

  // The same, op by op, each submitted on its own: results inside, and where the time goes.
  Tensor EncodeWithTaps(const TensorView& mel, const NpuTapFn& tap);
  std::vector<NpuStepTime> Profile();

  // Runs of one window, bytes of device memory, and what the array holds.
  std::size_t runs() const;
  std::size_t memory_bytes() const;
  std::string Describe() const;

 private:
  struct State;
  struct Window;

  void MakeRuns();
  void Upload(const TensorView& mel, Window& window);
  Tensor Download(device::DeviceBuffer& buffer, std::size_t offset, bool stream) const;
  void Begin(const TensorView& mel, Window& window);
  Tensor Finish(Window& window);

  EncoderShape shape_;
  NpuEncoderOptions options_;
  std::unique_ptr<State> state_;
  double last_ms_ = 0;
  device::TimeSplit last_split_;
};

// The best designs known for this shape: tiles that divide it.
NpuEncoderOptions DefaultNpuOptions(const EncoderShape& shape);

}  // namespace xdna::encoder

#endif  // ENCODER_NPU_ENCODER_H_
