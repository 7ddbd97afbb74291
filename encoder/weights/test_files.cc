#include "encoder/weights/test_files.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bf16.h"
#include "base/error.h"
#include "base/tensor.h"
#include "encoder/weights/encoding.h"
#include "encoder/weights/geometry.h"
#include "encoder/weights/model.h"

namespace xdna::encoder::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string Half(float value) { return Raw(internal::FloatToHalf(value)); }

// One block of 32: d * (q - centre) with `bits` bits a number, or d * q + m.
std::string EncodeBlock(const float* values, int bits, bool minimum) {
  const auto [low, high] = std::minmax_element(values, values + 32);
  const float amax = std::max(std::abs(*low), std::abs(*high));
  const int levels = 1 << bits;
  const int half = levels / 2;
  const float step = minimum ? (*high - *low) / static_cast<float>(levels - 1)
                             : amax / static_cast<float>(half - 1);
  const float d = HalfToFloat(internal::FloatToHalf(step));
  const float m = HalfToFloat(internal::FloatToHalf(*low));
  std::string block = Half(d);
  if (minimum) block += Half(m);
  int q[32];
  std::uint32_t fifth = 0;
  for (int i = 0; i < 32; ++i) {
    const float shifted = minimum ? values[i] - m : values[i];
    const int level = d == 0 ? 0 : static_cast<int>(std::lround(shifted / d));
    q[i] = std::clamp(minimum ? level : level + levels / 2, 0, levels - 1);
    if (q[i] & 16) fifth |= 1u << i;
  }
  if (bits == 8) {
    for (int value : q) block += static_cast<char>(value - 128);
    return block;
  }
  if (bits == 5) block += Raw(fifth);
  for (int i = 0; i < 16; ++i) block += static_cast<char>((q[i] & 15) | (q[i + 16] & 15) << 4);
  return block;
}

std::string EncodeRows(const float* values, std::size_t count, std::size_t row,
                       std::string& scales) {
  std::string data;
  for (std::size_t begin = 0; begin < count; begin += row) {
    float amax = 0;
    for (std::size_t i = begin; i < begin + row; ++i) amax = std::max(amax, std::abs(values[i]));
    const float scale = amax == 0 ? 1 : 127 / amax;
    scales += Raw(scale);
    for (std::size_t i = begin; i < begin + row; ++i) {
      data += static_cast<char>(std::lrint(values[i] * scale));
    }
  }
  return data;
}

FileTensor FromModel(const Model& model, const TensorInfo& info, const std::string& dtype,
                     std::string* scales = nullptr) {
  const Tensor tensor = model.Load(info.name);
  const auto count = static_cast<std::size_t>(tensor.size());
  return {info.name, dtype, info.shape,
          Encode(tensor.data<float>(), count, dtype, count / info.shape[0], scales)};
}

std::string Replaced(std::string text,
                     const std::vector<std::pair<const char*, const char*>>& rules) {
  for (const auto& [from, to] : rules) text = std::regex_replace(text, std::regex(from), to);
  return text;
}

// Where openai-whisper's name goes in a CTranslate2 file; several parts of one name are stacked.
std::string CTranslate2Name(const std::string& name) {
  return Replaced(name,
                  {{"(encoder|decoder)\\.positional_embedding", "$1/position_encodings/encodings"},
                   {"encoder\\.ln_post", "encoder/layer_norm"},
                   {"decoder\\.ln\\.", "decoder/layer_norm."},
                   {"decoder\\.token_embedding", "decoder/embeddings"},
                   {"(encoder|decoder)\\.blocks\\.(\\d+)\\.", "$1/layer_$2/"},
                   {"encoder\\.conv", "encoder/conv"},
                   {"cross_attn_ln", "attention/layer_norm"},
                   {"/attn_ln", "/self_attention/layer_norm"},
                   {"mlp_ln", "ffn/layer_norm"},
                   {"cross_attn\\.query", "attention/linear_0"},
                   {"cross_attn\\.(key|value)", "attention/linear_1"},
                   {"cross_attn\\.out", "attention/linear_2"},
                   {"/attn\\.(query|key|value)", "/self_attention/linear_0"},
                   {"/attn\\.out", "/self_attention/linear_1"},
                   {"mlp\\.0", "ffn/linear_0"},
                   {"mlp\\.2", "ffn/linear_1"},
                   {"layer_norm\\.weight", "layer_norm/gamma"},
                   {"layer_norm\\.bias", "layer_norm/beta"},
                   {"\\.(weight|bias)$", "/$1"}});
}

std::string HuggingFaceName(const std::string& name) {
  return Replaced(name, {{"encoder\\.positional_embedding", "encoder.embed_positions.weight"},
                         {"decoder\\.positional_embedding", "decoder.embed_positions.weight"},
                         {"token_embedding", "embed_tokens"},
                         {"encoder\\.ln_post", "encoder.layer_norm"},
                         {"decoder\\.ln\\.", "decoder.layer_norm."},
                         {"\\.blocks\\.", ".layers."},
                         {"\\.cross_attn_ln", ".encoder_attn_layer_norm"},
                         {"\\.attn_ln", ".self_attn_layer_norm"},
                         {"\\.mlp_ln", ".final_layer_norm"},
                         {"\\.cross_attn\\.", ".encoder_attn."},
                         {"\\.attn\\.", ".self_attn."},
                         {"attn\\.query", "attn.q_proj"},
                         {"attn\\.key", "attn.k_proj"},
                         {"attn\\.value", "attn.v_proj"},
                         {"attn\\.out", "attn.out_proj"},
                         {"mlp\\.0", "fc1"},
                         {"mlp\\.2", "fc2"}});
}

}  // namespace

Geometry TinyGeometry() {
  Geometry geometry;
  geometry.n_mels = 4;
  geometry.n_audio_ctx = 6;
  geometry.d_model = 64;
  geometry.n_heads = 1;
  geometry.n_layers = 1;
  geometry.n_decoder_heads = 1;
  geometry.n_decoder_layers = 1;
  geometry.n_text_ctx = 3;
  geometry.n_vocab = 10;
  geometry.name = GeometryName(geometry);
  return geometry;
}

FileTensor& Find(FileTensors& tensors, std::string_view name) {
  const auto found = std::ranges::find(tensors, name, &FileTensor::name);
  if (found == tensors.end()) throw std::runtime_error("no tensor " + std::string(name));
  return *found;
}

void Remove(FileTensors& tensors, std::string_view name) {
  tensors.erase(tensors.begin() + (&Find(tensors, name) - tensors.data()));
}

std::string Encode(const float* values, std::size_t count, const std::string& dtype,
                   std::size_t row, std::string* scales) {
  if (dtype == "i8") return EncodeRows(values, count, row, *scales);
  std::string data;
  if (dtype[0] == 'q') {
    for (std::size_t i = 0; i < count; i += 32) {
      data += EncodeBlock(values + i, dtype[1] - '0', dtype[3] == '1');
    }
    return data;
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (dtype == "f32") data += Raw(values[i]);
    if (dtype == "f16") data += Half(values[i]);
    if (dtype == "bf16") data += Raw(Bf16::FromFloat(values[i]).bits);
  }
  return data;
}

FileTensors CTranslate2Tensors(const Model& model, const std::string& dtype) {
  FileTensors tensors = {{"decoder/num_heads", "i16", {}, Raw<std::int16_t>(1)},
                         {"decoder/pre_norm", "i8", {}, Raw<std::int8_t>(1)},
                         {"decoder/alignment_heads", "i16", {1, 2}, std::string(4, '\0')},
                         {"encoder/num_heads", "i16", {}, Raw<std::int16_t>(1)}};
  std::map<std::string, FileTensor> scales;
  for (const TensorInfo& info : model.tensors()) {
    const bool quantised = info.shape.size() == 2 && info.name.ends_with(".weight");
    std::string scale;
    FileTensor tensor = FromModel(model, info, dtype == "i8" && !quantised ? "f32" : dtype, &scale);
    tensor.name = CTranslate2Name(info.name);
    const bool stacked = info.name.find("attn.key") != std::string::npos ||
                         info.name.find("attn.value") != std::string::npos;
    // The key of a stacked bias has no tensor of its own: zeros, before the value's.
    if (info.name.ends_with("attn.value.bias")) {
      tensor.data.insert(0, tensor.data.size(), '\0');
      tensor.shape[0] *= 2;
    }
    const auto before = std::ranges::find(tensors, tensor.name, &FileTensor::name);
    if (stacked && before != tensors.end()) {
      before->data += tensor.data;
      before->shape[0] += tensor.shape[0];
    } else {
      tensors.push_back(std::move(tensor));
    }
    if (!scale.empty()) {
      FileTensor& whole = scales[CTranslate2Name(info.name) + "_scale"];
      whole.data += scale;
    }
  }
  for (auto& [name, scale] : scales) {
    tensors.push_back(
        {name, "f32", {static_cast<std::int64_t>(scale.data.size() / 4)}, scale.data});
  }
  return tensors;
}

std::string CTranslate2File(const FileTensors& tensors, const CTranslate2Options& options) {
  const std::map<std::string, int> types = {{"f32", 0}, {"i8", 1},  {"i16", 2},
                                            {"i32", 3}, {"f16", 4}, {"bf16", 5}};
  const auto text = [](const std::string& value) {
    return Raw(static_cast<std::uint16_t>(value.size() + 1)) + value + '\0';
  };
  std::string file = Raw(options.version) + text(options.spec) + Raw<std::uint32_t>(3) +
                     Raw(static_cast<std::uint32_t>(tensors.size()));
  for (const FileTensor& tensor : tensors) {
    file += text(tensor.name) + static_cast<char>(tensor.shape.size());
    for (const std::int64_t dim : tensor.shape) file += Raw(static_cast<std::uint32_t>(dim));
    file += static_cast<char>(types.at(tensor.dtype));
    file += Raw(static_cast<std::uint32_t>(tensor.data.size())) + tensor.data;
  }
  file += Raw(static_cast<std::uint32_t>(options.aliases.size()));
  for (const auto& [alias, name] : options.aliases) file += text(alias) + text(name);
  return file;
}

FileTensors SafetensorsTensors(const Model& model, const std::string& dtype,
                               const std::string& prefix) {
  FileTensors tensors;
  for (const TensorInfo& info : model.tensors()) {
    tensors.push_back(FromModel(model, info, dtype));
    tensors.back().name = prefix + HuggingFaceName(info.name);
  }
  return tensors;
}

std::string SafetensorsHeader(const FileTensors& tensors) {
  nlohmann::json header = {{"__metadata__", {{"format", "pt"}}}};
  std::size_t offset = 0;
  for (const FileTensor& tensor : tensors) {
    std::string dtype = tensor.dtype;
    for (char& c : dtype) c = static_cast<char>(std::toupper(c));
    header[tensor.name] = {{"dtype", dtype},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + tensor.data.size()}}};
    offset += tensor.data.size();
  }
  return header.dump();
}

std::string SafetensorsFile(const std::string& header, const FileTensors& tensors) {
  std::string file = Raw<std::uint64_t>(header.size()) + header;
  for (const FileTensor& tensor : tensors) file += tensor.data;
  return file;
}

std::string SafetensorsFile(const FileTensors& tensors) {
  return SafetensorsFile(SafetensorsHeader(tensors), tensors);
}

FileTensors GgmlTensors(const Model& model, const std::string& dtype) {
  FileTensors tensors;
  for (const TensorInfo& info : model.tensors()) {
    const bool matrix = info.shape.size() == 2 && info.name.ends_with(".weight");
    const bool conv = info.shape.size() == 3;
    tensors.push_back(FromModel(model, info, matrix || (conv && dtype == "f16") ? dtype : "f32"));
    if (info.name.find("conv") != std::string::npos && !conv) {
      tensors.back().shape.push_back(1);
    }
  }
  return tensors;
}

std::string GgmlFile(const Geometry& geometry, const FileTensors& tensors,
                     std::int32_t quantisation_version) {
  const std::map<std::string, std::int32_t> types = {{"f32", 0},  {"f16", 1},  {"q4_0", 2},
                                                     {"q4_1", 3}, {"q5_0", 6}, {"q5_1", 7},
                                                     {"q8_0", 8}, {"i16", 25}};
  std::string file = "lmgg";
  for (const std::int64_t value :
       {geometry.n_vocab, geometry.n_audio_ctx, geometry.d_model, geometry.n_heads,
        geometry.n_layers, geometry.n_text_ctx, geometry.d_model, geometry.n_decoder_heads,
        geometry.n_decoder_layers, geometry.n_mels}) {
    file += Raw(static_cast<std::int32_t>(value));
  }
  file += Raw<std::int32_t>(quantisation_version * 1000 + 1);
  file += Raw(static_cast<std::int32_t>(geometry.n_mels)) + Raw<std::int32_t>(3);
  file += std::string(geometry.n_mels * 3 * sizeof(float), '\0');
  file += Raw<std::int32_t>(2) + Raw<std::int32_t>(1) + "a" + Raw<std::int32_t>(3) + "bcd";
  for (const FileTensor& tensor : tensors) {
    file += Raw(static_cast<std::int32_t>(tensor.shape.size()));
    file += Raw(static_cast<std::int32_t>(tensor.name.size())) + Raw(types.at(tensor.dtype));
    for (auto dim = tensor.shape.rbegin(); dim != tensor.shape.rend(); ++dim) {
      file += Raw(static_cast<std::int32_t>(*dim));
    }
    file += tensor.name + tensor.data;
  }
  return file;
}

std::string WriteFile(const std::string& name, const std::string& content) {
  const std::string path = ::testing::TempDir() + name;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

const Model& Tiny() {
  static const Model model = SyntheticModel(TinyGeometry(), 5);
  return model;
}

void SetFloat(std::string& data, std::size_t index, float value) {
  data.replace(index * sizeof value, sizeof value, Raw(value));
}

void LoadAll(const std::string& path) {
  const Model model = Model::Open(path);
  for (const TensorInfo& info : model.tensors()) model.Load(info.name);
}

// Reading everything in `path` ends in an Error of one line that has `message` and the path.
void ExpectError(const std::string& path, ErrorCode code, const std::string& message) {
  try {
    LoadAll(path);
    ADD_FAILURE() << "passed; expected: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.message();
    EXPECT_THAT(error.message(), HasSubstr(message));
    EXPECT_THAT(error.message(), HasSubstr(path));
    EXPECT_THAT(error.message(), Not(HasSubstr("\n")));
  }
}

void ExpectBadFile(const std::string& content, ErrorCode code, const std::string& message) {
  ExpectError(WriteFile("bad_model", content), code, message);
}

}  // namespace xdna::encoder::test
