// A window of the encoder, compiled for the array: its steps' instruction streams, where everything
// lies in the buffers that they work on, and the configurations that they switch between.
#ifndef ENCODER_NPU_WINDOW_H_
#define ENCODER_NPU_WINDOW_H_

#include <cstddef>
#include <string>
#include <vector>

#include "device/array/instructions.h"
#include "device/array/overlay.h"
#include "encoder/graph.h"
#include "encoder/npu_encoder.h"
#include "encoder/weights/model.h"

namespace xdna::encoder {

// The buffers of a run, in argument order. What the host writes and reads has its own for each
// window in flight; everything else is in one that all windows share.
enum BufferIndex : unsigned { kShared, kMel, kOutput, kBuffers };

struct Address {
  Address(std::size_t at) : offset(at) {}  // NOLINT: in the shared buffer, as most are
  Address(BufferIndex of, std::size_t at) : buffer(of), offset(at) {}

  BufferIndex buffer = kShared;
  std::size_t offset = 0;
};

// Bytes that the shared buffer holds from the start: weights, positions.
struct WindowConstant {
  std::size_t offset = 0;
  std::vector<std::byte> bytes;
};

struct CompiledStep {
  NpuStep step;
  unsigned configuration = 0;  // of WindowOverlay(): 0, or one more than the alternative's index
  std::vector<device::Instruction> instructions;
  // What EncodeWithTaps() shows: the graph's node, where its result lies, and whether that is the
  // f32 stream.
  std::string tap = {};
  Address tap_at = 0;
  bool tap_stream = false;
};

struct CompiledWindow {
  std::size_t shared_bytes = 0;
  std::size_t mel_bytes = 0;     // time-major bf16, a row of zeros before the first
  std::size_t output_bytes = 0;  // [positions,d] bf16
  std::vector<WindowConstant> constants;
  std::vector<CompiledStep> steps;  // begin and end in configuration 0
};

// Both throw kUnsupported or kInvalidArgument, with the reason, where the array can't hold or
// express it.
device::Overlay WindowOverlay(const EncoderShape& shape, const NpuEncoderOptions& options);
CompiledWindow CompileWindow(const Model& model, const EncoderShape& shape,
                             const NpuEncoderOptions& options);

}  // namespace xdna::encoder

#endif  // ENCODER_NPU_WINDOW_H_
