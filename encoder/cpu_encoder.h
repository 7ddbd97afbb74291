// The encoder on this machine's cores.
#ifndef ENCODER_CPU_ENCODER_H_
#define ENCODER_CPU_ENCODER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "encoder/graph.h"
#include "encoder/precision_plan.h"
#include "encoder/weights/model.h"
#include "ops/contract.h"
#include "ops/internal/workspace.h"

namespace xdna::encoder {

// Called with the name and the result (f32 or bf16) of each node as it is made.
using TapFn = std::function<void(const std::string& name, const TensorView& result)>;

class CpuEncoder {
 public:
  struct Options {
    ops::Variant variant;  // of its precision MakePrecisionPlan makes one for each part
    // Keep every node's result apart, so that Run can show it. Without, the product
    // that ends a block adds into the residual stream itself, and results of LayerNorm
    // that int8 takes are smoothed (SmoothingFactors).
    bool taps = false;
  };

  // Loads and packs the weights. Throws kUnsupported where this machine can't run
  // the precision.
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
    double exps;   // likewise: exponentials of softmax, one for each score
  };
  const std::vector<Work>& work() const { return work_; }

 private:
  // Computes a node; the result is this encoder's or its caller's.
  using Action = std::function<const TensorView&()>;
  struct Step {
    std::string name;
    int layer;
    Action run;
  };

  Action Compile(const Node& node);
  Action CompileConvolution(const Node& node);
  Action CompileProjection(const Node& node);
  Action CompileAdd(const Node& node);
  Action CompileNorm(const Node& node);
  Action CompileAttention(const Node& node);
  Action CompileFfn(const Node& node);
  // The precision that a node's op runs in, and the variant with it.
  ops::Precision PrecisionFor(const Node& node) const;
  ops::Variant VariantFor(const Node& node) const;
  // Where `norm` feeds an int8 product: divides it by SmoothingFactors and keeps them for
  // Smoothed.
  void Smooth(const Node& norm, const Tensor& gamma, const Tensor& beta);
  // A weight [n,d] that meets the result of `norm`, multiplied by what that was divided by.
  std::shared_ptr<Tensor> Smoothed(const Node& node, const char* operand) const;
  void AddWork(const std::string& stage, ops::Precision precision, double flops, double exps = 0);
  std::shared_ptr<Tensor> Weight(const Node& node, const char* operand) const;

  const Model* model_;  // while compiling
  EncoderShape shape_;
  Options options_;
  PrecisionPlan plan_;
  ops::Workspace workspace_;
  std::map<std::string, std::vector<float>> smoothing_;  // by name of the LayerNorm
  std::vector<Node> graph_;                              // while compiling
  ops::CpuContext context_;
  DType activation_;
  std::vector<Step> steps_;
  std::vector<Work> work_;
  // Activations. The residual stream is one buffer from the stem to the end.
  Tensor padded_mel_;    // [frames+2,n_mels], time-major, first and last row zero
  Tensor padded_conv1_;  // [frames+2,d], likewise
  Tensor stem_;          // [positions,d]
  Tensor stream_;        // [positions,d] f32
  Tensor normed_;        // [positions,d]
  Tensor block_;         // [positions,d] f32, with taps
  TensorView padded_mel_rows_, padded_conv1_rows_;  // without the rows of zeros
  TensorView mel_, out_;                            // of the present Run
};

}  // namespace xdna::encoder

#endif  // ENCODER_CPU_ENCODER_H_
