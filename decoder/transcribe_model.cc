#include "decoder/transcribe_model.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"

namespace xdna::decoder {
namespace {

using Json = nlohmann::json;

constexpr std::uintmax_t kMostBytes = 16 << 20;  // such files have a few kilobytes

// Null where there is no such file.
Json ReadJson(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return nullptr;
  if (std::filesystem::file_size(path, error) > kMostBytes) {
    Throw(ErrorCode::kCorrupt, "has more than 16 MB; expected a model's settings");
  }
  std::ifstream file(path);
  Json json = Json::parse(file, nullptr, false);
  if (!json.is_object()) Throw(ErrorCode::kCorrupt, "is not a JSON object");
  return json;
}

int Integer(const Json& json, const char* field, std::int64_t end) {
  if (json.is_number_integer()) {
    const auto value = json.get<std::int64_t>();
    if (value >= 0 && value < end) return static_cast<int>(value);
  }
  Throw(ErrorCode::kCorrupt, "{}: holds {}; expected integers from 0 to {}", field, json.dump(),
        end - 1);
}

std::vector<CrossHead> Heads(const Json& list, const encoder::Geometry& g) {
  constexpr const char* kField = "alignment_heads";
  std::vector<CrossHead> heads;
  if (!list.is_array() || list.empty()) {
    Throw(ErrorCode::kCorrupt, "{}: expected a list of [layer, head]", kField);
  }
  for (const Json& head : list) {
    if (!head.is_array() || head.size() != 2) {
      Throw(ErrorCode::kCorrupt, "{}: holds {}; expected [layer, head]", kField, head.dump());
    }
    heads.push_back({Integer(head[0], kField, g.n_decoder_layers),
                     Integer(head[1], kField, g.n_decoder_heads)});
  }
  return heads;
}

std::vector<int> Tokens(const Json& list, const char* field, std::int64_t vocabulary) {
  std::vector<int> tokens;
  if (!list.is_array()) Throw(ErrorCode::kCorrupt, "{}: expected a list of tokens", field);
  for (const Json& token : list) tokens.push_back(Integer(token, field, vocabulary));
  return tokens;
}

}  // namespace

ModelSettings ReadModelSettings(const std::string& model_path, const encoder::Geometry& g) {
  ModelSettings settings;
  for (const char* name : {"config.json", "generation_config.json"}) {
    const std::filesystem::path path = std::filesystem::path(model_path).replace_filename(name);
    WithContext(path.string(), [&] {
      const Json json = ReadJson(path);
      if (json.is_null()) return;
      if (json.contains("alignment_heads"))
        settings.alignment_heads = Heads(json["alignment_heads"], g);
      for (const char* field : {"suppress_ids", "suppress_tokens"}) {
        if (json.contains(field) && !json[field].is_null())
          settings.suppress = Tokens(json[field], field, g.n_vocab);
      }
    });
  }
  if (!settings.alignment_heads.empty()) return settings;
  for (auto layer = static_cast<int>(g.n_decoder_layers / 2); layer < g.n_decoder_layers; ++layer) {
    for (int head = 0; head < g.n_decoder_heads; ++head)
      settings.alignment_heads.push_back({layer, head});
  }
  return settings;
}

}  // namespace xdna::decoder
