// whisper.cpp's ggml files, as models/convert-pt-to-ggml.py and examples/quantize write them: i32
// magic, 11 i32 of hyperparameters, mel filters (i32 rows, i32 columns, f32 data), vocabulary (i32
// count; i32 length and bytes each), then tensors to the end of the file: i32 rank, i32 length of
// the name, i32 type, i32 dims (innermost first), name, data. Names are openai-whisper's.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
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

constexpr std::int32_t kMaxRank = 4;           // GGML_MAX_DIMS
constexpr std::int32_t kMaxName = 256;         // the longest in a Whisper model has 41 bytes
constexpr std::int32_t kVersionFactor = 1000;  // GGML_QNT_VERSION_FACTOR

struct Type {
  std::int32_t id;  // enum ggml_type
  Encoding encoding;
  // The version of ggml's quantised formats since which the block looks as it does now: q5 blocks
  // have kept their shape since 1; in 2 (llama.cpp pull request 1508) the others got f16 scales.
  std::int32_t since;
};
constexpr Type kTypes[] = {
    {0, Encoding::kF32, 0},  {1, Encoding::kF16, 0},  {2, Encoding::kQ4_0, 2},
    {3, Encoding::kQ4_1, 2}, {6, Encoding::kQ5_0, 1}, {7, Encoding::kQ5_1, 1},
    {8, Encoding::kQ8_0, 2},
};

std::int32_t ReadCount(Cursor& cursor, std::string_view what, std::int32_t most) {
  const auto value = cursor.Read<std::int32_t>(what);
  if (value < 0 || value > most) {
    Throw(ErrorCode::kCorrupt, "{} is {}; expected 0 to {}", what, value, most);
  }
  return value;
}

std::vector<Claim> ReadHyperparameters(Cursor& cursor) {
  const std::pair<const char*, std::int64_t Geometry::*> fields[] = {
      {"n_vocab", &Geometry::n_vocab},
      {"n_audio_ctx", &Geometry::n_audio_ctx},
      {"n_audio_state", &Geometry::d_model},
      {"n_audio_head", &Geometry::n_heads},
      {"n_audio_layer", &Geometry::n_layers},
      {"n_text_ctx", &Geometry::n_text_ctx},
      {"n_text_state", &Geometry::d_model},
      {"n_text_head", &Geometry::n_decoder_heads},
      {"n_text_layer", &Geometry::n_decoder_layers},
      {"n_mels", &Geometry::n_mels},
  };
  std::vector<Claim> claims;
  Geometry geometry;
  for (const auto& [name, field] : fields) {
    const auto value = cursor.Read<std::int32_t>(name);
    claims.push_back({field, value, fmt::format("hyperparameter {}", name)});
    geometry.*field = value;
  }
  WithContext("hyperparameters", [&] { CheckGeometry(geometry, ErrorCode::kCorrupt); });
  return claims;
}

void SkipFiltersAndVocabulary(Cursor& cursor, std::vector<Claim>& claims) {
  const std::int32_t rows = ReadCount(cursor, "rows of mel filters", 1 << 16);
  claims.push_back({&Geometry::n_mels, rows, "number of mel filters"});
  const std::int32_t columns = ReadCount(cursor, "columns of mel filters", 1 << 16);
  cursor.Take(sizeof(float) * static_cast<std::uint64_t>(rows) * columns, "mel filters");
  const std::int32_t tokens = ReadCount(cursor, "number of tokens", 1 << 24);
  for (std::int32_t i = 0; i < tokens; ++i) {
    cursor.Take(ReadCount(cursor, "length of a token", 1 << 16), "token");
  }
}

Encoding EncodingOf(std::int32_t id, std::int32_t version) {
  const auto type = std::ranges::find(kTypes, id, &Type::id);
  if (type == std::end(kTypes)) {
    Throw(ErrorCode::kUnsupported,
          "ggml type {}; known: f32 (0) f16 (1) q4_0 (2) q4_1 (3) q5_0 (6) q5_1 (7) q8_0 (8)", id);
  }
  if (version < type->since) {
    Throw(ErrorCode::kUnsupported,
          "{} of quantisation version {}; expected {} or later: quantise again with a present "
          "whisper.cpp",
          Info(type->encoding).name, version, type->since);
  }
  return type->encoding;
}

StoredTensor ReadTensor(Cursor& cursor, std::int32_t version) {
  const std::int32_t rank = ReadCount(cursor, "rank of a tensor", kMaxRank);
  const std::int32_t length = ReadCount(cursor, "length of a tensor's name", kMaxName);
  const auto type = cursor.Read<std::int32_t>("type of a tensor");
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.push_back(cursor.Read<std::int32_t>("shape of a tensor"));
  std::ranges::reverse(shape);
  const std::string name(AsText(cursor.Take(length, "name of a tensor")));
  return WithContext(fmt::format("tensor '{}'", Printable(name)), [&] {
    StoredTensor tensor;
    tensor.encoding = EncodingOf(type, version);
    const auto bytes = StoredBytes(*tensor.encoding, shape);
    if (!bytes) {
      Throw(ErrorCode::kCorrupt, "shape {} is not one of {} tensors", ShapeString(shape),
            Info(*tensor.encoding).name);
    }
    tensor.data = cursor.Take(*bytes, "data");
    // The converter makes biases of convolutions [d,1], as its broadcasting wants them.
    if (name.ends_with(".bias") && shape.size() == 2 && shape[1] == 1) shape.pop_back();
    tensor.info = {name, std::string(Info(*tensor.encoding).name), shape, *bytes};
    return tensor;
  });
}

}  // namespace

ParsedFile ParseGgml(Bytes file) {
  Cursor cursor(file);
  cursor.Read<std::int32_t>("magic");
  ParsedFile parsed;
  parsed.format = "ggml";
  parsed.claims = ReadHyperparameters(cursor);
  const std::int32_t version = cursor.Read<std::int32_t>("ftype") / kVersionFactor;
  SkipFiltersAndVocabulary(cursor, parsed.claims);
  UniqueNames names;
  while (cursor.left() != 0) {
    parsed.tensors.push_back(ReadTensor(cursor, version));
    names.Add(parsed.tensors.back().info.name);
  }
  return parsed;
}

}  // namespace xdna::encoder::internal
