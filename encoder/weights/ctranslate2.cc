// CTranslate2's model.bin, as python/ctranslate2/specs/model_spec.py writes it and
// src/models/model.cc reads it: u32 version, string spec, u32 revision, u32 count; for each
// variable string name, u8 rank, u32 dims[rank], u8 type, u32 bytes, data; u32 aliases, pairs of
// strings (alias, variable). A string is u16 length, with its NUL, and bytes.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"
#include "encoder/weights/encoding.h"
#include "encoder/weights/reader.h"

namespace xdna::encoder::internal {
namespace {

constexpr std::uint32_t kOldestVersion = 5;
constexpr std::uint32_t kNewestVersion = 6;

// In the order of include/ctranslate2/types.h.
struct Type {
  const char* name;
  int bytes;
  std::optional<Encoding> encoding;
};
constexpr Type kTypes[] = {
    {"f32", 4, Encoding::kF32}, {"i8", 1, Encoding::kI8},   {"i16", 2, std::nullopt},
    {"i32", 4, std::nullopt},   {"f16", 2, Encoding::kF16}, {"bf16", 2, Encoding::kBf16},
};

struct Variable {
  const Type* type = nullptr;
  Shape shape;
  Bytes data;
};

struct Variables {
  std::map<std::string, Variable, std::less<>> by_name;
  UniqueNames names;

  const Variable* Find(std::string_view name) const {
    const auto found = by_name.find(name);
    return found == by_name.end() ? nullptr : &found->second;
  }
  void Add(const std::string& name, Variable variable) {
    names.Add(name);
    by_name.emplace(name, std::move(variable));
  }
};

// Canonical names of a module; attention's projections are stacked along the first dimension.
struct Rule {
  std::string_view module;
  std::array<const char*, 3> parts;
};
constexpr Rule kRules[] = {
    {"encoder/conv1", {"encoder.conv1"}},
    {"encoder/conv2", {"encoder.conv2"}},
    {"encoder/position_encodings", {"encoder.positional_embedding"}},
    {"encoder/layer_norm", {"encoder.ln_post"}},
    {"decoder/embeddings", {"decoder.token_embedding"}},
    {"decoder/position_encodings", {"decoder.positional_embedding"}},
    {"decoder/layer_norm", {"decoder.ln"}},
};
constexpr Rule kLayerRules[] = {
    {"self_attention/layer_norm", {"attn_ln"}},
    {"self_attention/linear_0", {"attn.query", "attn.key", "attn.value"}},
    {"self_attention/linear_1", {"attn.out"}},
    {"attention/layer_norm", {"cross_attn_ln"}},
    {"attention/linear_0", {"cross_attn.query"}},
    {"attention/linear_1", {"cross_attn.key", "cross_attn.value"}},
    {"attention/linear_2", {"cross_attn.out"}},
    {"ffn/layer_norm", {"mlp_ln"}},
    {"ffn/linear_0", {"mlp.0"}},
    {"ffn/linear_1", {"mlp.2"}},
};
constexpr std::pair<std::string_view, const char*> kLeaves[] = {
    {"weight", ".weight"}, {"gamma", ".weight"}, {"bias", ".bias"},
    {"beta", ".bias"},     {"encodings", ""},
};

std::string ReadString(Cursor& cursor, std::string_view what) {
  const auto length = cursor.Read<std::uint16_t>(what);
  std::string_view text = AsText(cursor.Take(length, what));
  if (text.empty() || text.find('\0') != text.size() - 1) {
    Throw(ErrorCode::kCorrupt, "{} before offset {} is '{}'; expected text that ends with one NUL",
          what, cursor.offset(), Printable(text));
  }
  text.remove_suffix(1);
  return std::string(text);
}

Variable ReadVariable(Cursor& cursor) {
  Variable variable;
  const auto rank = cursor.Read<std::uint8_t>("rank");
  for (int i = 0; i < rank; ++i) variable.shape.push_back(cursor.Read<std::uint32_t>("shape"));
  const auto type = cursor.Read<std::uint8_t>("type");
  if (type >= std::size(kTypes)) {
    Throw(ErrorCode::kCorrupt, "type {}; expected 0 to {}", type, std::size(kTypes) - 1);
  }
  variable.type = &kTypes[type];
  const auto bytes = cursor.Read<std::uint32_t>("size");
  const auto elements = CheckedElements(variable.shape);
  // Sizes are 32 bits in the file, so a product beyond that is wrong as well.
  if (!elements || *elements > UINT32_MAX || *elements * variable.type->bytes != bytes) {
    Throw(ErrorCode::kCorrupt, "{} bytes for {} of shape {}", bytes, variable.type->name,
          ShapeString(variable.shape));
  }
  variable.data = cursor.Take(bytes, "data");
  return variable;
}

Variables ReadVariables(Cursor& cursor) {
  Variables variables;
  const auto count = cursor.Read<std::uint32_t>("number of variables");
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string name = ReadString(cursor, fmt::format("name of variable {} of {}", i, count));
    variables.Add(name, WithContext(Printable(name), [&] { return ReadVariable(cursor); }));
  }
  return variables;
}

// The converter writes one of several equal variables; the others, and their scales, are aliases.
void ReadAliases(Cursor& cursor, Variables& variables) {
  const auto count = cursor.Read<std::uint32_t>("number of aliases");
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string alias = ReadString(cursor, "alias");
    const std::string name = ReadString(cursor, "variable of an alias");
    const Variable* variable = variables.Find(name);
    if (variable == nullptr) {
      Throw(ErrorCode::kCorrupt, "alias '{}' of '{}', which is not there", Printable(alias),
            Printable(name));
    }
    variables.Add(alias, *variable);
    const Variable* scale = variables.Find(name + "_scale");
    if (scale != nullptr) variables.Add(alias + "_scale", *scale);
  }
}

template <std::size_t N>
std::vector<std::string> Match(std::string_view module, const Rule (&rules)[N],
                               const std::string& prefix) {
  std::vector<std::string> names;
  for (const Rule& rule : rules) {
    if (rule.module != module) continue;
    for (const char* part : rule.parts) {
      if (part != nullptr) names.push_back(prefix + part);
    }
  }
  return names;
}

// Canonical names of `module`, without ".weight" and the like; empty if it has none.
std::vector<std::string> PartsOf(std::string_view module) {
  for (const char* side : {"encoder", "decoder"}) {
    const std::string layers = fmt::format("{}/layer_", side);
    if (!module.starts_with(layers)) continue;
    const std::string_view rest = module.substr(layers.size());
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    int layer = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + slash, layer);
    if (error != std::errc() || end != rest.data() + slash || slash == rest.size()) continue;
    return Match(rest.substr(slash + 1), kLayerRules, fmt::format("{}.blocks.{}.", side, layer));
  }
  return Match(module, kRules, "");
}

StoredTensor Store(std::string name, const Variable& variable) {
  StoredTensor tensor;
  tensor.info = {std::move(name), variable.type->name, variable.shape, variable.data.size()};
  tensor.encoding = variable.type->encoding;
  tensor.data = variable.data;
  return tensor;
}

// Int8 weights need a scale for each row.
void AttachScale(StoredTensor& tensor, const std::string& name, const Variables& variables) {
  const Variable* scale = variables.Find(name + "_scale");
  if (scale == nullptr) Throw(ErrorCode::kCorrupt, "int8 without a variable {}_scale", name);
  const Shape wanted = {tensor.info.shape.empty() ? 0 : tensor.info.shape[0]};
  if (scale->type->encoding != Encoding::kF32 || scale->shape != wanted) {
    Throw(ErrorCode::kUnsupported, "its scale is {} {}; expected f32 {}, one a row",
          scale->type->name, ShapeString(scale->shape), ShapeString(wanted));
  }
  tensor.scale = scale->data;
}

// Part `index` of `count` along the first dimension.
StoredTensor Slice(const StoredTensor& whole, std::size_t index, std::size_t count) {
  StoredTensor part = whole;
  part.info.shape[0] /= static_cast<std::int64_t>(count);
  part.info.bytes /= count;
  part.data = whole.data.subspan(index * part.info.bytes, part.info.bytes);
  if (!whole.scale.empty()) {
    const std::size_t bytes = whole.scale.size() / count;
    part.scale = whole.scale.subspan(index * bytes, bytes);
  }
  return part;
}

void CheckZero(const StoredTensor& bias) {
  std::vector<float> values(bias.info.shape[0]);
  Decode(*bias.encoding, bias.data.data(), values.size(), bias.scale, 1, values.data());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0) {
      Throw(ErrorCode::kCorrupt, "element {} of the part for keys is {}; expected 0", i, values[i]);
    }
  }
}

void AddVariable(const std::string& name, const Variable& variable, const Variables& variables,
                 std::vector<StoredTensor>& tensors) {
  const std::size_t slash = std::min(name.rfind('/'), name.size() - 1);
  const auto leaf = std::ranges::find(kLeaves, std::string_view{name}.substr(slash + 1),
                                      &std::pair<std::string_view, const char*>::first);
  std::vector<std::string> parts;
  if (leaf != std::end(kLeaves)) parts = PartsOf(std::string_view{name}.substr(0, slash));
  StoredTensor whole = Store(name, variable);
  if (parts.empty()) {
    tensors.push_back(std::move(whole));
    return;
  }
  if (whole.encoding == Encoding::kI8) AttachScale(whole, name, variables);
  const auto count = static_cast<std::int64_t>(parts.size());
  if (count > 1 && (whole.info.shape.empty() || whole.info.shape[0] % count != 0)) {
    Throw(ErrorCode::kCorrupt, "shape {}; expected {} parts stacked", ShapeString(whole.info.shape),
          count);
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    StoredTensor part = count > 1 ? Slice(whole, i, parts.size()) : whole;
    part.info.name = parts[i] + leaf->second;
    const bool key_bias = part.info.name.ends_with(".key.bias");
    if (key_bias && part.encoding && part.info.shape.size() == 1) {
      CheckZero(part);
    } else {
      tensors.push_back(std::move(part));
    }
  }
}

void AddHeads(const Variables& variables, const char* name, std::int64_t Geometry::*field,
              std::vector<Claim>& claims) {
  const Variable* variable = variables.Find(name);
  if (variable == nullptr) return;  // older revisions state the encoder's only
  if (variable->data.size() != sizeof(std::int16_t)) {
    Throw(ErrorCode::kCorrupt, "{} has {} bytes; expected one 16-bit integer", name,
          variable->data.size());
  }
  claims.push_back({field, Cursor(variable->data).Read<std::int16_t>(name), name});
}

bool IsScale(const std::string& name, const Variables& variables) {
  constexpr std::string_view kSuffix = "_scale";
  return name.ends_with(kSuffix) &&
         variables.Find(name.substr(0, name.size() - kSuffix.size())) != nullptr;
}

}  // namespace

ParsedFile ParseCTranslate2(Bytes file) {
  Cursor cursor(file);
  const auto version = cursor.Read<std::uint32_t>("version");
  if (version < kOldestVersion || version > kNewestVersion) {
    Throw(ErrorCode::kUnsupported,
          "CTranslate2 binary version {}; expected {} or {}: convert again with a present "
          "ct2-transformers-converter",
          version, kOldestVersion, kNewestVersion);
  }
  if (const std::string spec = ReadString(cursor, "model type"); spec != "WhisperSpec") {
    Throw(ErrorCode::kUnsupported, "a CTranslate2 model of type '{}'; expected 'WhisperSpec'",
          Printable(spec));
  }
  cursor.Read<std::uint32_t>("revision");
  Variables variables = ReadVariables(cursor);
  ReadAliases(cursor, variables);
  if (cursor.left() != 0) {
    Throw(ErrorCode::kCorrupt, "{} bytes after the end at offset {}", cursor.left(),
          cursor.offset());
  }

  ParsedFile parsed;
  parsed.format = fmt::format("ctranslate2 v{}", version);
  for (const auto& entry : variables.by_name) {
    if (IsScale(entry.first, variables)) continue;
    WithContext(Printable(entry.first),
                [&] { AddVariable(entry.first, entry.second, variables, parsed.tensors); });
  }
  const Variable* embedding = variables.Find("decoder/embeddings/weight");
  const Variable* projection = variables.Find("decoder/projection/weight");
  if (embedding != nullptr && projection != nullptr) {
    CheckTied(Store("decoder/embeddings/weight", *embedding),
              Store("decoder/projection/weight", *projection));
  }
  AddHeads(variables, "encoder/num_heads", &Geometry::n_heads, parsed.claims);
  AddHeads(variables, "decoder/num_heads", &Geometry::n_decoder_heads, parsed.claims);
  return parsed;
}

}  // namespace xdna::encoder::internal
