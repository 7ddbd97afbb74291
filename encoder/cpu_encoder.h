// The encoder on this machine's cores.
#ifndef ENCODER_CPU_ENCODER_H_
#define ENCODER_CPU_ENCODER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "encoder/graph.h"
#include "encoder/weights/model.h"
#include "ops/contract.h"

namespace xdna::encoder {

// Called with the name and the result (f32 or bf16) of each node as it is made.
using TapFn = std::function<void(const std::string& name, const TensorView& result)>;

class CpuEncoder {
 public:
  struct Options {
    ops::Variant variant;
    // Keep every node's result apart, so that Run can show it. Without, the product
    // that ends a block adds into the residual stream itself.
    bool taps = false;
  };

  // Loads and packs the weights. Throws kUnsupported where this machine can't run
  // the precision.
  //
  // With int8, three things stay in bf16: the stem (4 % of the work), scores and
  // their product with V, and the projections of layer 0's attention. The last are
  // 4 % of the linears' work and half of their error: over 15 clips of speech with
  // Whisper base, the relative L2 error of the output is at most 3.5e-2 so, and
  // 7.0e-2 with them in int8 (2026-11-23).
  CpuEncoder(const Model& model, const EncoderShape& shape, const Options& options,
             const ops::CpuContext& context);

  // One window: `mel` [n_mels,frames] f32 to `out` [positions,d] f32. The profile of
  // the context, if any, gets the spans: "conv1", "conv2" or "projection", "embed",
  // "layer_norm", "attention.*", "ffn.*".
  void Run(const TensorView& mel, const TensorView& out, const TapFn& tap = {});

  // What each stage of the profile computes, and in which precision.
  struct Work {
    std::string stage;
    ops::Precision precision;
    double flops;  // of one window, over all layers; multiply-adds count 2
  };
  const std::vector<Work>& work() const { return work_; }

 private:
  struct Step {
    std::string name;
    int layer;
    std::function<TensorView()> run;  // returns the node's result
  };

  std::function<TensorView()> Compile(const Node& node);
  std::function<TensorView()> CompileConvolution(const Node& node);
  std::function<TensorView()> CompileProjection(const Node& node);
  std::function<TensorView()> CompileAdd(const Node& node);
  std::function<TensorView()> CompileNorm(const Node& node);
  std::function<TensorView()> CompileAttention(const Node& node);
  std::function<TensorView()> CompileFfn(const Node& node);
  // The variant that a block of `layer` runs in; -1 for the stem.
  ops::Variant VariantFor(int layer, std::string_view op) const;
  void AddWork(const std::string& stage, ops::Precision precision, double flops);
  std::shared_ptr<Tensor> Weight(const Node& node, const char* operand) const;

  const Model* model_;  // while compiling
  EncoderShape shape_;
  Options options_;
  ops::CpuContext context_;
  DType activation_;
  std::vector<Step> steps_;
  std::vector<Work> work_;
  // Activations. The residual stream is one buffer from the stem to the end.
  Tensor padded_mel_;     // [frames+2,n_mels], time-major, first and last row zero
  Tensor padded_conv1_;   // [frames+2,d], likewise
  Tensor stem_;           // [positions,d]
  Tensor stream_;         // [positions,d] f32
  Tensor normed_;         // [positions,d]
  Tensor block_;          // [positions,d] f32, with taps
  TensorView mel_, out_;  // of the present Run
};

}  // namespace xdna::encoder

#endif  // ENCODER_CPU_ENCODER_H_
