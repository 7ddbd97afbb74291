#include "encoder/reference_encoder.h"

#include <functional>
#include <string>
#include <utility>

#include "ops/registry.h"

namespace xdna::encoder {
namespace {

// Convolutions want channels first, and so does seed-3001's projection not: the
// graph passes a mel spectrogram channel-major and everything else time-major.
Tensor Transposed(const TensorView& t) {
  return Convert(TensorView(t.raw(), t.dtype(), {t.dim(1), t.dim(0)}, {1, t.dim(1)}), DType::kF64);
}

Tensor Operand(const Node& node, const std::string& input, const TensorView& mel,
               const TensorMap& results) {
  const bool channel_major = node.op == "conv1d";
  if (input == "mel") return channel_major ? Convert(mel, DType::kF64) : Transposed(mel);
  const Tensor& result = results.at(input);
  return channel_major ? Transposed(result) : result.Clone();
}

}  // namespace

TensorMap RunReference(const Model& model, const EncoderShape& shape, const TensorView& mel,
                       const std::function<void(double)>& progress) {
  const std::vector<Node> graph = EncoderGraph(shape);
  const double total = EncoderFlops(graph);
  double done = 0;
  TensorMap results;
  for (const Node& node : graph) {
    const ops::Contract& op = ops::FindOp(node.op);
    TensorMap operands;
    for (const auto& [operand, input] : node.inputs) {
      operands.emplace(operand, Operand(node, input, mel, results));
    }
    for (const auto& [operand, weight] : node.weights)
      operands.emplace(operand, LoadWeight(model, shape, weight));
    results.emplace(node.name, op.reference(node.dims, operands));
    done += op.flops(node.dims);
    if (progress) progress(done / total);
  }
  return results;
}

}  // namespace xdna::encoder
