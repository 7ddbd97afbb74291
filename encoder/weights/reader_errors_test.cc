// Spoiled and hostile checkpoints of the three formats of others: each must end in an error that
// names the file and says what was found.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/model.h"
#include "encoder/weights/test_files.h"

namespace xdna::encoder {
namespace {

using test::ExpectBadFile;
using test::FileTensors;
using test::Find;
using test::LoadAll;
using test::Raw;
using test::SetFloat;
using test::Tiny;

constexpr ErrorCode kCorrupt = ErrorCode::kCorrupt;
constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;

struct Spoiled {
  std::function<void(FileTensors&)> spoil;
  ErrorCode code;
  const char* message;
};

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(CTranslate2Errors, Tensors) {
  const Spoiled cases[] = {
      {[](auto& t) { Remove(t, "encoder/layer_0/ffn/linear_0/bias"); }, kCorrupt,
       "tensor encoder.blocks.0.mlp.0.bias is missing; expected shape [256]"},
      {[](auto& t) { Remove(t, "encoder/conv1/weight"); }, kCorrupt,
       "tensor encoder.conv1.weight is missing"},
      {[](auto& t) {
         Find(t, "encoder/conv2/weight").shape = {64, 3, 64};
       },
       kCorrupt, "tensor encoder.conv2.weight has shape [64,3,64]; expected [64,64,3]"},
      {[](auto& t) {
         Find(t, "encoder/conv1/weight").shape = {64, 12};
       },
       kCorrupt, "tensor encoder.conv1.weight has shape [64,12]; expected 3 dimensions"},
      {[](auto& t) { t.push_back(Find(t, "encoder/conv2/weight")); }, kCorrupt,
       "tensor 'encoder/conv2/weight' is there twice"},
      {[](auto& t) {
         Find(t, "encoder/conv2/weight").shape = {64, 64};
       },
       kCorrupt, "encoder/conv2/weight: 49152 bytes for f32 of shape [64,64]"},
      {[](auto& t) {
         Find(t, "encoder/conv2/weight").shape = {1 << 30, 1 << 30, 1 << 30};
       },
       kCorrupt, "49152 bytes for f32 of shape [1073741824,1073741824,1073741824]"},
      {[](auto& t) {
         Find(t, "encoder/conv2/weight").shape = {65536, 65536, 3};
       },
       kCorrupt, "49152 bytes for f32 of shape [65536,65536,3]"},
      {[](auto& t) { SetFloat(Find(t, "encoder/conv2/weight").data, 193, kNan); }, kCorrupt,
       "tensor encoder.conv2.weight: element [1,0,1] is nan; weights must be finite"},
      {[](auto& t) { SetFloat(Find(t, "decoder/layer_norm/beta").data, 63, -kInfinity); }, kCorrupt,
       "tensor decoder.ln.bias: element [63] is -inf"},
      {[](auto& t) {
         SetFloat(Find(t, "encoder/layer_0/self_attention/linear_0/bias").data, 64 + 5, 0.5F);
       },
       kCorrupt,
       "encoder/layer_0/self_attention/linear_0/bias: element 5 of the part for keys is 0.5; "
       "expected 0"},
      {[](auto& t) {
         auto& bias = Find(t, "decoder/layer_0/attention/linear_1/bias");
         bias.shape = {127};
         bias.data.resize(127 * 4);
       },
       kCorrupt, "decoder/layer_0/attention/linear_1/bias: shape [127]; expected 2 parts stacked"},
      {[](auto& t) {
         auto& weight = Find(t, "encoder/conv1/weight");
         weight.dtype = "i16";
         weight.data.resize(weight.data.size() / 2);
       },
       kUnsupported, "tensor encoder.conv1.weight is stored as i16; convert the model again"},
      {[](auto& t) {
         t.push_back({"encoder/layer_0/self_attention/relative_keys", "f32", {1}, Raw(1.0F)});
       },
       kUnsupported, "unknown tensor 'encoder/layer_0/self_attention/relative_keys' [1]"},
      {[](auto& t) {
         t.push_back({"decoder/projection/weight", "f32", {10, 64}, std::string(10 * 64 * 4, 1)});
       },
       kUnsupported, "decoder/projection/weight is not the token embedding"},
      {[](auto& t) { Find(t, "encoder/num_heads").data = Raw<std::int16_t>(8); }, kCorrupt,
       "encoder/num_heads is 8, the tensors say 1"},
      {[](auto& t) {
         Find(t, "decoder/num_heads") = {"decoder/num_heads", "i8", {}, Raw<std::int8_t>(1)};
       },
       kCorrupt, "decoder/num_heads has 1 bytes; expected one 16-bit integer"},

  };
  for (const Spoiled& spoiled : cases) {
    FileTensors tensors = test::CTranslate2Tensors(Tiny(), "f32");
    spoiled.spoil(tensors);
    ExpectBadFile(test::CTranslate2File(tensors, {.aliases = {}}), spoiled.code, spoiled.message);
  }
}

TEST(CTranslate2Errors, Int8Scales) {
  const std::string scale = "encoder/layer_0/ffn/linear_1/weight_scale";
  const Spoiled cases[] = {
      {[&](auto& t) { Remove(t, scale); }, kCorrupt,
       "encoder/layer_0/ffn/linear_1/weight: int8 without a variable"},
      {[&](auto& t) {
         Find(t, scale).shape = {63};
         Find(t, scale).data.resize(63 * 4);
       },
       kUnsupported, "its scale is f32 [63]; expected f32 [64], one a row"},
      {[&](auto& t) { SetFloat(Find(t, scale).data, 1, 0); }, kCorrupt,
       "tensor encoder.blocks.0.mlp.2.weight: element [1,"},
      {[&](auto& t) { SetFloat(Find(t, scale).data, 1, kNan); }, kCorrupt, "element [1,0] is"},
  };
  for (const Spoiled& spoiled : cases) {
    FileTensors tensors = test::CTranslate2Tensors(Tiny(), "i8");
    spoiled.spoil(tensors);
    ExpectBadFile(test::CTranslate2File(tensors), spoiled.code, spoiled.message);
  }
}

TEST(CTranslate2Errors, Envelope) {
  const FileTensors tensors = test::CTranslate2Tensors(Tiny(), "f16");
  ExpectBadFile(test::CTranslate2File(tensors, {.version = 4}), kUnsupported,
                "CTranslate2 binary version 4; expected 5 or 6");
  ExpectBadFile(test::CTranslate2File(tensors, {.version = 7}), kUnsupported, "version 7");
  ExpectBadFile(test::CTranslate2File(tensors, {.spec = "TransformerSpec"}), kUnsupported,
                "a CTranslate2 model of type 'TransformerSpec'; expected 'WhisperSpec'");
  ExpectBadFile(test::CTranslate2File(tensors, {.aliases = {{"a", "b"}}}), kCorrupt,
                "alias 'a' of 'b', which is not there");
  ExpectBadFile(
      test::CTranslate2File(tensors, {.aliases = {{"encoder/conv1/bias", "encoder/conv2/bias"}}}),
      kCorrupt, "tensor 'encoder/conv1/bias' is there twice");
  ExpectBadFile(test::CTranslate2File(tensors) + "x", kCorrupt, "1 bytes after the end");
  std::string type = test::CTranslate2File(tensors);
  type[type.find("encoder/conv1/bias") + 19 + 1 + 4] = 9;
  ExpectBadFile(type, kCorrupt, "encoder/conv1/bias: type 9; expected 0 to 5");
  std::string name = test::CTranslate2File(tensors);
  name[name.find("encoder/conv1/bias") + 3] = '\0';
  ExpectBadFile(name, kCorrupt, "is 'enc\\x00der/conv1/bias\\x00'; expected text that ends with");
}

TEST(SafetensorsErrors, Tensors) {
  const Spoiled cases[] = {
      {[](auto& t) { Remove(t, "model.encoder.layers.0.self_attn.k_proj.weight"); }, kCorrupt,
       "tensor encoder.blocks.0.attn.key.weight is missing; expected shape [64,64]"},
      {[](auto& t) {
         Find(t, "model.encoder.conv1.weight").shape = {64, 3, 4};
       },
       kCorrupt, "tensor encoder.conv1.weight has shape [64,3,4]; expected [64,3,3]"},
      {[](auto& t) {
         Find(t, "model.encoder.conv1.weight").shape = {64, 4, 2};
       },
       kCorrupt, "3072 bytes for f32 of shape [64,4,2]"},
      {[](auto& t) {
         Find(t, "model.encoder.conv1.weight").shape = {1LL << 61, 1LL << 61};
       },
       kCorrupt, "3072 bytes for f32 of shape [2305843009213693952,2305843009213693952]"},
      {[](auto& t) { Find(t, "model.encoder.conv1.weight").shape = {-1}; }, kCorrupt,
       "header: 'model.encoder.conv1.weight': 'shape' has -1; expected whole numbers"},
      {[](auto& t) { Find(t, "model.encoder.conv1.weight").shape = Shape(9, 1); }, kCorrupt,
       "'shape' is not an array of at most 8 numbers"},
      {[](auto& t) { SetFloat(Find(t, "model.decoder.embed_tokens.weight").data, 64, kNan); },
       kCorrupt, "tensor decoder.token_embedding.weight: element [1,0] is nan"},
      {[](auto& t) {
         t.push_back(Find(t, "model.encoder.conv1.bias"));
         t.back().name = "encoder.conv1.bias";
       },
       kCorrupt, "tensor 'encoder.conv1.bias' is there twice"},
      {[](auto& t) { Find(t, "model.encoder.conv1.bias").dtype = "i32"; }, kUnsupported,
       "tensor encoder.conv1.bias is stored as i32"},
      {[](auto& t) { Find(t, "model.encoder.conv1.bias").dtype = "f4"; }, kUnsupported,
       "unknown dtype 'F4'"},
      {[](auto& t) {
         t.push_back({"proj_out.weight", "f32", {10, 64}, std::string(10 * 64 * 4, 1)});
       },
       kUnsupported, "proj_out.weight is not the token embedding"},
      {[](auto& t) {
         t.push_back({"model.encoder.layers.0.self_attn.k_proj.bias", "f32", {1}, Raw(1.0F)});
       },
       kUnsupported, "unknown tensor 'encoder.blocks.0.attn.key.bias' [1] in the encoder"},
      {[](auto& t) {
         t.push_back({"model.encoder.layers.99999.fc1.bias", "f32", {1}, Raw(1.0F)});
       },
       kCorrupt, "n_layers is 100000; expected 1 to 320"},
  };
  for (const Spoiled& spoiled : cases) {
    FileTensors tensors = test::SafetensorsTensors(Tiny(), "f32");
    spoiled.spoil(tensors);
    ExpectBadFile(test::SafetensorsFile(tensors), spoiled.code, spoiled.message);
  }
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t place = text.find(from);
  if (place == std::string::npos) ADD_FAILURE() << "no " << from;
  return text.replace(place, from.size(), to);
}

TEST(SafetensorsErrors, Header) {
  const FileTensors tensors = test::SafetensorsTensors(Tiny(), "f32");
  const std::string header = test::SafetensorsHeader(tensors);
  const auto with = [&](const std::string& changed) {
    return test::SafetensorsFile(changed, tensors);
  };
  // conv1.weight takes [0,3072], conv1.bias [3072,3328].
  const auto moved = [&](const char* to) { return with(Replaced(header, "[3072,3328]", to)); };
  ExpectBadFile(moved("[3068,3324]"), kCorrupt,
                "tensor 'model.encoder.conv1.bias' begins at offset 3068 of the data; overlapping");
  ExpectBadFile(moved("[3076,3332]"), kCorrupt, "begins at offset 3076 of the data; after a gap");
  ExpectBadFile(moved("[3072,999999999]"), kCorrupt,
                "data_offsets [3072,999999999]; expected [begin,end] within");
  ExpectBadFile(moved("[18446744073709551615,3328]"), kCorrupt, "expected whole numbers below");
  ExpectBadFile(moved("[3328,3072]"), kCorrupt, "data_offsets [3328,3072]");
  ExpectBadFile(moved("[3072]"), kCorrupt, "data_offsets [3072]");
  ExpectBadFile(moved("[3072.0,3328.0]"), kCorrupt, "'data_offsets' has 3072.0");
  ExpectBadFile(moved("\"all\""), kCorrupt, "'data_offsets' is not an array of at most 2");
  ExpectBadFile(with(Replaced(header, "\"dtype\":\"F32\"", "\"dtype\":32")), kCorrupt,
                "'dtype' is missing or not a string");
  ExpectBadFile(with(Replaced(header, "\"model.encoder.conv1.bias\":{", "\"a\":1,\"b\":{")),
                kCorrupt, "header: 'a': not described by a JSON object");
  ExpectBadFile(
      with(Replaced(header, "\"model.encoder.conv2.bias\"", "\"model.encoder.conv1.bias\"")),
      kCorrupt, "header: tensor 'model.encoder.conv1.bias' is there twice");
  ExpectBadFile(with("{" + std::string(100000, '[')), kCorrupt, "header: not JSON");
  ExpectBadFile(with("{\"a\":" + std::string(100000, '[')), kCorrupt, "JSON nested deeper than 16");
  ExpectBadFile(with(header.substr(0, header.size() - 1)), kCorrupt, "header: not JSON");
  ExpectBadFile(with("{}"), kCorrupt, "the last tensor ends at offset 0 of");
  ExpectBadFile(with(header) + "x", kCorrupt, "the last tensor ends at offset");

  std::string length = with(header);
  length.replace(0, 8, Raw<std::uint64_t>(length.size()));
  ExpectBadFile(length, kCorrupt, "truncated: header takes");
  length.replace(0, 8, Raw<std::uint64_t>(0xF000000000000000));
  ExpectBadFile(length, kCorrupt, "a header of 17293822569102704640 bytes; expected at most");
}

TEST(GgmlErrors, Tensors) {
  const Spoiled cases[] = {
      {[](auto& t) { Remove(t, "encoder.ln_post.bias"); }, kCorrupt,
       "tensor encoder.ln_post.bias is missing; expected shape [64]"},
      {[](auto& t) {
         Find(t, "encoder.conv1.bias").shape = {1, 64};
       },
       kCorrupt, "tensor encoder.conv1.bias has shape [1,64]; expected [64]"},
      {[](auto& t) {
         Find(t, "encoder.conv1.weight").shape = {64, 2, 6};
       },
       kCorrupt, "hyperparameter n_mels is 4, the tensors say 2"},
      {[](auto& t) { t.push_back(t[3]); }, kCorrupt, "tensor 'encoder.conv2.bias' is there twice"},
      {[](auto& t) {
         Find(t, "encoder.conv1.bias").shape = {1 << 30, 1 << 30, 1 << 30, 1 << 30};
       },
       kCorrupt, "is not one of f32 tensors"},
      {[](auto& t) { Find(t, "encoder.conv1.bias").shape = {-64}; }, kCorrupt,
       "tensor 'encoder.conv1.bias': shape [-64] is not one of f32 tensors"},
      {[](auto& t) { Find(t, "encoder.conv1.bias").shape = {1 << 20}; }, kCorrupt,
       "tensor 'encoder.conv1.bias': truncated: data takes 4194304 bytes at offset"},
      {[](auto& t) { Find(t, "encoder.conv1.bias").shape = Shape(5, 1); }, kCorrupt,
       "rank of a tensor is 5; expected 0 to 4"},
      {[](auto& t) { Find(t, "encoder.conv1.bias").dtype = "i16"; }, kUnsupported,
       "tensor 'encoder.conv1.bias': ggml type 25; known: f32 (0)"},
      {[](auto& t) { SetFloat(Find(t, "encoder.conv1.bias").data, 2, kInfinity); }, kCorrupt,
       "tensor encoder.conv1.bias: element [2] is inf"},
      {[](auto& t) {
         auto& weight = Find(t, "encoder.blocks.0.mlp.0.weight");
         weight = {weight.name, "q8_0", {512, 16}, std::string(512 * 17, '\0')};
       },
       kCorrupt, "shape [512,16] is not one of q8_0 tensors"},
  };
  for (const Spoiled& spoiled : cases) {
    FileTensors tensors = test::GgmlTensors(Tiny(), "f32");
    spoiled.spoil(tensors);
    ExpectBadFile(test::GgmlFile(test::TinyGeometry(), tensors), spoiled.code, spoiled.message);
  }
}

// Blocks changed their shape twice; nothing but the version in the header tells.
TEST(GgmlErrors, OldQuantisation) {
  const auto file = [](const char* dtype, int version) {
    return test::GgmlFile(test::TinyGeometry(), test::GgmlTensors(Tiny(), dtype), version);
  };
  ExpectBadFile(file("q4_0", 1), kUnsupported, "q4_0 of quantisation version 1; expected 2");
  ExpectBadFile(file("q8_0", 1), kUnsupported, "q8_0 of quantisation version 1; expected 2");
  ExpectBadFile(file("q5_1", 0), kUnsupported, "q5_1 of quantisation version 0; expected 1");
  EXPECT_NO_THROW(LoadAll(test::WriteFile("ggml", file("q5_1", 1))));
  EXPECT_NO_THROW(LoadAll(test::WriteFile("ggml", file("f16", 0))));
}

TEST(GgmlErrors, Hyperparameters) {
  const FileTensors tensors = test::GgmlTensors(Tiny(), "f16");
  struct Case {
    std::int64_t Geometry::*field;
    std::int64_t value;
    const char* message;
  };
  for (const Case& c : {Case{&Geometry::n_layers, 2, "hyperparameter n_audio_layer is 2"},
                        Case{&Geometry::n_layers, -1, "hyperparameters: n_layers is -1"},
                        Case{&Geometry::n_vocab, 1 << 30, "n_vocab is 1073741824"},
                        Case{&Geometry::n_heads, 2, "2 attention heads for d_model 64"},
                        Case{&Geometry::n_text_ctx, 4, "n_text_ctx is 4, the tensors say 3"}}) {
    Geometry geometry = test::TinyGeometry();
    geometry.*c.field = c.value;
    ExpectBadFile(test::GgmlFile(geometry, tensors), kCorrupt, c.message);
  }
  std::string tokens = test::GgmlFile(test::TinyGeometry(), tensors);
  tokens.replace(48 + 8 + 48, 4, Raw<std::int32_t>(-1));
  ExpectBadFile(tokens, kCorrupt, "number of tokens is -1; expected 0 to");
  tokens.replace(48 + 8 + 48, 4, Raw<std::int32_t>(1 << 20));
  ExpectBadFile(tokens, kCorrupt, "expected 0 to 65536");
}

}  // namespace
}  // namespace xdna::encoder
