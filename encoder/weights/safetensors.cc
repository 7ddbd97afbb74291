// Hugging Face's safetensors (github.com/huggingface/safetensors, README "Format"): u64 length of a
// JSON header {"NAME": {"dtype": "F16", "shape": [..], "data_offsets": [begin, end]}, ...}, the
// header, the data. Offsets count from the first byte of data, which they cover without a gap.
// Tensor names are those of transformers' WhisperForConditionalGeneration or openai-whisper's.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
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

using nlohmann::json;

constexpr std::uint64_t kMaxHeader = 4 << 20;  // whisper-large's is a twentieth of that
constexpr int kMaxRank = 8;
constexpr int kMaxDepth = 16;  // of JSON; a header has 3, a config.json some more

struct Type {
  std::string_view name;
  const char* our_name;
  int bytes;
  std::optional<Encoding> encoding;
};
constexpr Type kTypes[] = {
    {"F32", "f32", 4, Encoding::kF32},       {"F16", "f16", 2, Encoding::kF16},
    {"BF16", "bf16", 2, Encoding::kBf16},    {"F64", "f64", 8, std::nullopt},
    {"I64", "i64", 8, std::nullopt},         {"I32", "i32", 4, std::nullopt},
    {"I16", "i16", 2, std::nullopt},         {"I8", "i8", 1, std::nullopt},
    {"U64", "u64", 8, std::nullopt},         {"U32", "u32", 4, std::nullopt},
    {"U16", "u16", 2, std::nullopt},         {"U8", "u8", 1, std::nullopt},
    {"BOOL", "bool", 1, std::nullopt},       {"F8_E4M3", "f8_e4m3", 1, std::nullopt},
    {"F8_E5M2", "f8_e5m2", 1, std::nullopt},
};

// What transformers calls it, what openai-whisper calls it.
using Renaming = std::pair<std::string_view, std::string_view>;
constexpr Renaming kRenamings[] = {
    {"encoder.embed_positions.weight", "encoder.positional_embedding"},
    {"encoder.layer_norm.", "encoder.ln_post."},
    {"decoder.embed_tokens.", "decoder.token_embedding."},
    {"decoder.embed_positions.weight", "decoder.positional_embedding"},
    {"decoder.layer_norm.", "decoder.ln."},
};
constexpr Renaming kLayerRenamings[] = {
    {"self_attn.q_proj.", "attn.query."},
    {"self_attn.k_proj.", "attn.key."},
    {"self_attn.v_proj.", "attn.value."},
    {"self_attn.out_proj.", "attn.out."},
    {"self_attn_layer_norm.", "attn_ln."},
    {"encoder_attn.q_proj.", "cross_attn.query."},
    {"encoder_attn.k_proj.", "cross_attn.key."},
    {"encoder_attn.v_proj.", "cross_attn.value."},
    {"encoder_attn.out_proj.", "cross_attn.out."},
    {"encoder_attn_layer_norm.", "cross_attn_ln."},
    {"fc1.", "mlp.0."},
    {"fc2.", "mlp.2."},
    {"final_layer_norm.", "mlp_ln."},
};

template <std::size_t N>
std::string Rename(std::string_view name, const Renaming (&renamings)[N]) {
  for (const auto& [from, to] : renamings) {
    if (name.starts_with(from)) return std::string(to) + std::string(name.substr(from.size()));
  }
  return std::string(name);
}

std::string CanonicalName(std::string_view name) {
  constexpr std::string_view kModel = "model.";
  if (name.starts_with(kModel)) name.remove_prefix(kModel.size());
  for (const std::string side : {"encoder", "decoder"}) {
    const std::string layers = side + ".layers.";
    const std::size_t dot = name.find('.', layers.size());
    if (!name.starts_with(layers) || dot == std::string_view::npos) continue;
    const std::string_view layer = name.substr(layers.size(), dot - layers.size());
    return fmt::format("{}.blocks.{}.{}", side, layer,
                       Rename(name.substr(dot + 1), kLayerRenamings));
  }
  return Rename(name, kRenamings);
}

// Parses without recursion, and refuses names that come twice and depth that only costs memory.
json ParseJson(std::string_view text) {
  UniqueNames names;
  const auto watch = [&names](int depth, json::parse_event_t event, json& value) {
    if (depth > kMaxDepth) Throw(ErrorCode::kCorrupt, "JSON nested deeper than {}", kMaxDepth);
    if (event == json::parse_event_t::key && depth == 1) names.Add(value.get_ref<std::string&>());
    return true;
  };
  try {
    json parsed = json::parse(text, watch);
    if (!parsed.is_object()) Throw(ErrorCode::kCorrupt, "not a JSON object");
    return parsed;
  } catch (const json::exception& error) {
    Throw(ErrorCode::kCorrupt, "not JSON: {}", Printable(error.what()));
  }
}

// `entry[key]` as an array of whole numbers from 0 to 2^62.
std::vector<std::int64_t> Numbers(const json& entry, const char* key, std::size_t most) {
  const auto found = entry.find(key);
  if (found == entry.end() || !found->is_array() || found->size() > most) {
    Throw(ErrorCode::kCorrupt, "'{}' is not an array of at most {} numbers", key, most);
  }
  std::vector<std::int64_t> numbers;
  for (const json& value : *found) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() >> 62 != 0) {
      Throw(ErrorCode::kCorrupt, "'{}' has {}; expected whole numbers below 2^62", key,
            Printable(value.dump()));
    }
    numbers.push_back(value.get<std::int64_t>());
  }
  return numbers;
}

const Type& TypeOf(const json& entry) {
  const auto found = entry.find("dtype");
  if (found == entry.end() || !found->is_string()) {
    Throw(ErrorCode::kCorrupt, "'dtype' is missing or not a string");
  }
  const auto& name = found->get_ref<const std::string&>();
  for (const Type& type : kTypes) {
    if (type.name == name) return type;
  }
  Throw(ErrorCode::kUnsupported, "unknown dtype '{}'", Printable(name));
}

StoredTensor ReadEntry(const json& entry, Bytes data) {
  if (!entry.is_object()) Throw(ErrorCode::kCorrupt, "not described by a JSON object");
  const Type& type = TypeOf(entry);
  const Shape shape = Numbers(entry, "shape", kMaxRank);
  const std::vector<std::int64_t> offsets = Numbers(entry, "data_offsets", 2);
  if (offsets.size() != 2 || offsets[0] > offsets[1] ||
      static_cast<std::uint64_t>(offsets[1]) > data.size()) {
    Throw(ErrorCode::kCorrupt, "data_offsets [{}]; expected [begin,end] within {} bytes of data",
          fmt::join(offsets, ","), data.size());
  }
  const std::uint64_t bytes = offsets[1] - offsets[0];
  const auto elements = CheckedElements(shape);
  if (!elements || *elements > bytes || *elements * type.bytes != bytes) {
    Throw(ErrorCode::kCorrupt, "{} bytes for {} of shape {}", bytes, type.our_name,
          ShapeString(shape));
  }
  StoredTensor tensor;
  tensor.info = {"", type.our_name, shape, bytes};
  tensor.encoding = type.encoding;
  tensor.data = data.subspan(offsets[0], bytes);
  return tensor;
}

// Sorted by place, each tensor begins where the one before it ended.
void CheckLayout(std::vector<std::pair<std::string, StoredTensor>>& tensors, Bytes data) {
  std::ranges::sort(tensors, [](const auto& a, const auto& b) {
    return std::pair(a.second.data.data(), a.second.data.size()) <
           std::pair(b.second.data.data(), b.second.data.size());
  });
  const std::byte* next = data.data();
  for (const auto& [name, tensor] : tensors) {
    if (tensor.data.data() != next) {
      Throw(ErrorCode::kCorrupt,
            "tensor '{}' begins at offset {} of the data; {} before it ends at {}", Printable(name),
            tensor.data.data() - data.data(),
            tensor.data.data() < next ? "overlapping, the one" : "after a gap, the one",
            next - data.data());
    }
    next += tensor.data.size();
  }
  if (next != data.data() + data.size()) {
    Throw(ErrorCode::kCorrupt, "the last tensor ends at offset {} of {} bytes of data",
          next - data.data(), data.size());
  }
}

}  // namespace

ParsedFile ParseSafetensors(Bytes file) {
  Cursor cursor(file);
  const auto length = cursor.Read<std::uint64_t>("length of the header");
  if (length > kMaxHeader) {
    Throw(ErrorCode::kCorrupt, "a header of {} bytes; expected at most {}", length, kMaxHeader);
  }
  const std::string_view text = AsText(cursor.Take(length, "header"));
  const json header = WithContext("header", [&] { return ParseJson(text); });
  const Bytes data = file.subspan(cursor.offset());

  std::vector<std::pair<std::string, StoredTensor>> tensors;
  for (const auto& item : header.items()) {
    if (item.key() == "__metadata__") continue;
    const std::string where = fmt::format("header: '{}'", Printable(item.key()));
    tensors.emplace_back(item.key(),
                         WithContext(where, [&] { return ReadEntry(item.value(), data); }));
  }
  CheckLayout(tensors, data);

  ParsedFile parsed;
  parsed.format = "safetensors";
  const StoredTensor* embedding = nullptr;
  const StoredTensor* projection = nullptr;
  for (auto& [name, tensor] : tensors) {
    tensor.info.name = CanonicalName(name);
    if (tensor.info.name == "decoder.token_embedding.weight") embedding = &tensor;
    if (tensor.info.name == "proj_out.weight") projection = &tensor;
    parsed.tensors.push_back(tensor);
  }
  if (embedding != nullptr && projection != nullptr) CheckTied(*embedding, *projection);
  return parsed;
}

std::vector<Claim> ParseConfig(std::string_view text) {
  const std::pair<const char*, std::int64_t Geometry::*> fields[] = {
      {"num_mel_bins", &Geometry::n_mels},
      {"max_source_positions", &Geometry::n_audio_ctx},
      {"d_model", &Geometry::d_model},
      {"encoder_attention_heads", &Geometry::n_heads},
      {"encoder_layers", &Geometry::n_layers},
      {"decoder_attention_heads", &Geometry::n_decoder_heads},
      {"decoder_layers", &Geometry::n_decoder_layers},
      {"max_target_positions", &Geometry::n_text_ctx},
      {"vocab_size", &Geometry::n_vocab},
  };
  std::vector<Claim> claims;
  const json config = ParseJson(text);
  for (const auto& [key, field] : fields) {
    const auto found = config.find(key);
    if (found == config.end()) continue;
    if (!found->is_number_integer()) {
      Throw(ErrorCode::kCorrupt, "'{}' is {}; expected a whole number", key,
            Printable(found->dump()));
    }
    claims.push_back({field, found->get<std::int64_t>(), key});
  }
  return claims;
}

}  // namespace xdna::encoder::internal
