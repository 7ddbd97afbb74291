#include "encoder/graph.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/random.h"
#include "ops/registry.h"

namespace xdna::encoder {
namespace {

constexpr std::uint64_t kProjectionSeed = 3001;

using Names = std::map<std::string, std::string, std::less<>>;

class Builder {
 public:
  explicit Builder(const EncoderShape& shape) : shape_(shape) {}

  std::vector<Node> Build() {
    const std::string stem = shape_.stem == Stem::kConvolutions ? Convolutions() : Projection();
    const char* positions = shape_.stem == Stem::kConvolutions ? "encoder.positional_embedding"
                                                               : "projection.positions";
    std::string stream = Add("embedded", "add", RowDims("n"), {{"a", stem}}, {{"b", positions}});
    for (layer_ = 0; layer_ < shape_.layers; ++layer_) stream = Layer(stream);
    layer_ = -1;
    Norm("ln_post", stream, "encoder.ln_post");
    return std::move(nodes_);
  }

 private:
  std::string Add(const std::string& name, const char* op, ops::Dims dims, Names inputs,
                  Names weights) {
    nodes_.push_back({name, op, layer_, std::move(dims), std::move(inputs), std::move(weights)});
    return name;
  }

  ops::Dims RowDims(const char* width) const {
    return {{"m", shape_.positions}, {width, shape_.d}};
  }

  std::string Norm(const std::string& name, const std::string& input, const std::string& weights) {
    return Add(name, "layer_norm", RowDims("d"), {{"x", input}},
               {{"gamma", weights + ".weight"}, {"beta", weights + ".bias"}});
  }

  std::string Convolution(int number, std::int64_t c, std::int64_t t, int stride,
                          const std::string& input) {
    const ops::Dims dims = {{"c", c},           {"t", t},    {"d", shape_.d},
                            {"stride", stride}, {"gelu", 1}, {"u", (t - 1) / stride + 1}};
    const std::string weights = fmt::format("encoder.conv{}", number);
    return Add(fmt::format("conv{}", number), "conv1d", dims, {{"x", input}},
               {{"weight", weights + ".weight"}, {"bias", weights + ".bias"}});
  }

  std::string Convolutions() {
    const std::string first = Convolution(1, shape_.n_mels, shape_.frames, 1, "mel");
    return Convolution(2, shape_.d, shape_.frames, 2, first);
  }

  std::string Projection() {
    return Add("projection", "linear",
               {{"m", shape_.frames}, {"k", shape_.n_mels}, {"n", shape_.d}}, {{"x", "mel"}},
               {{"weight", "projection.weight"}, {"bias", "projection.bias"}});
  }

  std::string Layer(const std::string& stream) {
    const std::string layer = fmt::format("layer{}.", layer_);
    const std::string block = fmt::format("encoder.blocks.{}.", layer_);
    const std::string attn_ln = Norm(layer + "attn_ln", stream, block + "attn_ln");
    const std::string attn =
        Add(layer + "attn", "attention",
            {{"m", shape_.positions}, {"d", shape_.d}, {"heads", shape_.heads}}, {{"x", attn_ln}},
            {{"wq", block + "attn.query.weight"},
             {"bq", block + "attn.query.bias"},
             {"wk", block + "attn.key.weight"},
             {"wv", block + "attn.value.weight"},
             {"bv", block + "attn.value.bias"},
             {"wo", block + "attn.out.weight"},
             {"bo", block + "attn.out.bias"}});
    const std::string middle =
        Add(layer + "mid", "add", RowDims("n"), {{"a", stream}, {"b", attn}}, {});
    const std::string mlp_ln = Norm(layer + "mlp_ln", middle, block + "mlp_ln");
    const std::string mlp =
        Add(layer + "mlp", "ffn", {{"m", shape_.positions}, {"d", shape_.d}, {"f", shape_.ffn()}},
            {{"x", mlp_ln}},
            {{"w1", block + "mlp.0.weight"},
             {"b1", block + "mlp.0.bias"},
             {"w2", block + "mlp.2.weight"},
             {"b2", block + "mlp.2.bias"}});
    return Add(layer + "out", "add", RowDims("n"), {{"a", middle}, {"b", mlp}}, {});
  }

  const EncoderShape& shape_;
  int layer_ = -1;
  std::vector<Node> nodes_;
};

}  // namespace

EncoderShape WhisperShape(const Geometry& geometry) {
  EncoderShape shape;
  shape.name = geometry.name;
  shape.n_mels = geometry.n_mels;
  shape.frames = 2 * geometry.n_audio_ctx;
  shape.positions = geometry.n_audio_ctx;
  shape.d = geometry.d_model;
  shape.heads = geometry.n_heads;
  shape.layers = geometry.n_layers;
  return shape;
}

EncoderShape Seed3001Shape(const Geometry& geometry) {
  EncoderShape shape = WhisperShape(geometry);
  shape.name = "seed-3001";
  shape.stem = Stem::kProjection;
  shape.frames = shape.positions = 3001;
  return shape;
}

std::vector<Node> EncoderGraph(const EncoderShape& shape) { return Builder(shape).Build(); }

double EncoderFlops(const std::vector<Node>& graph) {
  double flops = 0;
  for (const Node& node : graph) flops += ops::FindOp(node.op).flops(node.dims);
  return flops;
}

Tensor LoadWeight(const Model& model, const EncoderShape& shape, std::string_view name) {
  if (name == "projection.bias") return Tensor(DType::kF32, {shape.d});
  if (name == "projection.weight") return SeededProjection(shape.d, shape.n_mels);
  if (name == "projection.positions") return Sinusoids(shape.positions, shape.d);
  return model.Load(name);
}

Tensor SeededProjection(std::int64_t d, std::int64_t n_mels) {
  Tensor projection(DType::kF32, {d, n_mels});
  FillSeededNormal(kProjectionSeed, 0, 1 / std::sqrt(static_cast<double>(n_mels)), 0,
                   {projection.data<float>(), static_cast<std::size_t>(projection.size())});
  return projection;
}

}  // namespace xdna::encoder
