#include "encoder/weights/geometry.h"

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"

namespace xdna::encoder {
namespace {

// From the "dims" of OpenAI's checkpoints (github.com/openai/whisper, model-card.md) and the
// config.json of huggingface.co/distil-whisper. All have 1500 and 448 positions.
struct Published {
  std::string_view name;
  int d_model;
  int layers;
  int decoder_layers;
  int n_mels;
  int n_vocab;  // 51864 English only, 51865 multilingual, 51866 with Cantonese
};

constexpr Published kPublished[] = {
    {"whisper-tiny", 384, 4, 4, 80, 51865},
    {"whisper-tiny.en", 384, 4, 4, 80, 51864},
    {"whisper-base", 512, 6, 6, 80, 51865},
    {"whisper-base.en", 512, 6, 6, 80, 51864},
    {"whisper-small", 768, 12, 12, 80, 51865},
    {"whisper-small.en", 768, 12, 12, 80, 51864},
    {"whisper-medium", 1024, 24, 24, 80, 51865},
    {"whisper-medium.en", 1024, 24, 24, 80, 51864},
    {"whisper-large", 1280, 32, 32, 80, 51865},
    {"whisper-large-v3", 1280, 32, 32, 128, 51866},
    {"whisper-large-v3-turbo", 1280, 32, 4, 128, 51866},
    {"distil-small.en", 768, 12, 4, 80, 51864},
    {"distil-medium.en", 1024, 24, 2, 80, 51864},
    {"distil-large-v2", 1280, 32, 2, 80, 51865},
    {"distil-large-v3", 1280, 32, 2, 128, 51866},
};

Geometry FromPublished(const Published& model) {
  Geometry geometry;
  geometry.name = model.name;
  geometry.n_mels = model.n_mels;
  geometry.n_audio_ctx = 1500;
  geometry.d_model = model.d_model;
  geometry.n_heads = model.d_model / kHeadWidth;
  geometry.n_layers = model.layers;
  geometry.n_decoder_heads = model.d_model / kHeadWidth;
  geometry.n_decoder_layers = model.decoder_layers;
  geometry.n_text_ctx = 448;
  geometry.n_vocab = model.n_vocab;
  return geometry;
}

void AddPair(std::vector<TensorSpec>& specs, const std::string& prefix, Shape weight) {
  const std::int64_t outputs = weight[0];
  specs.push_back({prefix + ".weight", std::move(weight)});
  specs.push_back({prefix + ".bias", {outputs}});
}

void AddAttention(std::vector<TensorSpec>& specs, const std::string& prefix, std::int64_t d) {
  AddPair(specs, prefix + "_ln", {d});
  AddPair(specs, prefix + ".query", {d, d});
  specs.push_back({prefix + ".key.weight", {d, d}});  // a bias on keys would cancel in softmax
  AddPair(specs, prefix + ".value", {d, d});
  AddPair(specs, prefix + ".out", {d, d});
}

void AddBlock(std::vector<TensorSpec>& specs, const std::string& prefix, const Geometry& geometry,
              bool cross_attention) {
  const std::int64_t d = geometry.d_model;
  AddAttention(specs, prefix + ".attn", d);
  if (cross_attention) AddAttention(specs, prefix + ".cross_attn", d);
  AddPair(specs, prefix + ".mlp_ln", {d});
  AddPair(specs, prefix + ".mlp.0", {geometry.d_ffn(), d});
  AddPair(specs, prefix + ".mlp.2", {d, geometry.d_ffn()});
}

}  // namespace

std::string GeometryName(const Geometry& geometry) {
  for (const Published& model : kPublished) {
    Geometry known = FromPublished(model);
    known.name = geometry.name;
    if (known == geometry) return std::string(model.name);
  }
  return fmt::format("custom-d{}-l{}", geometry.d_model, geometry.n_layers);
}

std::vector<std::string> KnownGeometryNames() {
  std::vector<std::string> names;
  for (const Published& model : kPublished) names.emplace_back(model.name);
  return names;
}

Geometry KnownGeometry(std::string_view name) {
  for (const Published& model : kPublished) {
    if (model.name == name) return FromPublished(model);
  }
  Throw(ErrorCode::kInvalidArgument, "unknown model size '{}'; known: {}", name,
        fmt::join(KnownGeometryNames(), " "));
}

void CheckGeometry(const Geometry& geometry, ErrorCode code) {
  const auto check = [code](const char* what, std::int64_t value, std::int64_t most) {
    if (value < 1 || value > most) {
      Throw(code, "{} is {}; expected 1 to {}", what, value, most);
    }
  };
  check("n_mels", geometry.n_mels, 1280);
  check("n_audio_ctx", geometry.n_audio_ctx, 15000);
  check("d_model", geometry.d_model, 12800);
  check("n_layers", geometry.n_layers, 320);
  check("n_decoder_layers", geometry.n_decoder_layers, 320);
  check("n_text_ctx", geometry.n_text_ctx, 4480);
  check("n_vocab", geometry.n_vocab, 518660);
  if (geometry.d_model % kHeadWidth != 0) {
    Throw(code, "d_model is {}; expected a multiple of {}", geometry.d_model, kHeadWidth);
  }
  const std::int64_t heads = geometry.d_model / kHeadWidth;
  for (std::int64_t found : {geometry.n_heads, geometry.n_decoder_heads}) {
    if (found != heads) {
      Throw(code, "{} attention heads for d_model {}; expected {} of width {}", found,
            geometry.d_model, heads, kHeadWidth);
    }
  }
}

std::vector<TensorSpec> ExpectedTensors(const Geometry& geometry) {
  const std::int64_t d = geometry.d_model;
  std::vector<TensorSpec> specs;
  AddPair(specs, "encoder.conv1", {d, geometry.n_mels, 3});
  AddPair(specs, "encoder.conv2", {d, d, 3});
  specs.push_back({"encoder.positional_embedding", {geometry.n_audio_ctx, d}});
  for (std::int64_t layer = 0; layer < geometry.n_layers; ++layer) {
    AddBlock(specs, fmt::format("encoder.blocks.{}", layer), geometry, false);
  }
  AddPair(specs, "encoder.ln_post", {d});

  specs.push_back({"decoder.token_embedding.weight", {geometry.n_vocab, d}});
  specs.push_back({"decoder.positional_embedding", {geometry.n_text_ctx, d}});
  for (std::int64_t layer = 0; layer < geometry.n_decoder_layers; ++layer) {
    AddBlock(specs, fmt::format("decoder.blocks.{}", layer), geometry, true);
  }
  AddPair(specs, "decoder.ln", {d});
  return specs;
}

}  // namespace xdna::encoder
