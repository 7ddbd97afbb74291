#include "decoder/text/vocabulary.h"

#include <fmt/format.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "decoder/text/unicode.h"

namespace xdna::decoder {
namespace {

using nlohmann::json;

constexpr std::uintmax_t kMaxFileBytes = 64 << 20;  // the largest known has 4 MB
constexpr std::size_t kMaxTokens = 1 << 20;         // Whisper has 51866 at most
constexpr int kTimestamps = 1501;                   // 0.00 to 30.00 s in steps of 0.02 s

// How files spell bytes: each as one printable character (GPT-2's bytes_to_unicode, encoder.py of
// its release). Printable Latin-1 stands for itself, the rest is numbered from U+0100.
class ByteAlphabet {
 public:
  ByteAlphabet() {
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte != 0xAD);
      byte_[printable ? static_cast<char32_t>(byte) : next++] = static_cast<char>(byte);
    }
  }

  // The bytes that `text` spells; nothing if it has a character that stands for none.
  std::optional<std::string> Decode(std::string_view text) const {
    std::string bytes;
    for (std::size_t i = 0; i < text.size();) {
      const char32_t c = NextCodePoint(text, &i);
      if (c >= byte_.size() || !byte_[c]) return std::nullopt;
      bytes += *byte_[c];
    }
    return bytes;
  }

 private:
  std::array<std::optional<char>, 0x144> byte_;
};

std::string BytesOf(std::string_view spelled, std::size_t id) {
  static const ByteAlphabet alphabet;
  std::optional<std::string> bytes = alphabet.Decode(spelled);
  if (!bytes) {
    Throw(ErrorCode::kCorrupt, "token {}: '{}' is not spelled in GPT-2's byte characters", id,
          ReplaceInvalid(spelled.substr(0, 40)));
  }
  return *std::move(bytes);
}

// Tokens on their way into the table: ids come in any order and perhaps twice.
class Builder {
 public:
  void Add(std::size_t id, std::string bytes, std::string_view field) {
    if (id >= kMaxTokens) {
      Throw(ErrorCode::kCorrupt, "{}: id {} is too large; expected less than {}", field, id,
            kMaxTokens);
    }
    if (id >= tokens_.size()) tokens_.resize(id + 1);
    if (tokens_[id] && *tokens_[id] != bytes) {
      Throw(ErrorCode::kCorrupt, "{}: id {} is given to two tokens", field, id);
    }
    tokens_[id] = std::move(bytes);
  }

  std::vector<std::string> Take() {
    std::vector<std::string> tokens;
    std::unordered_set<std::string_view> seen;
    tokens.reserve(tokens_.size());
    for (std::optional<std::string>& token : tokens_) {
      const std::size_t id = tokens.size();
      if (!token) Throw(ErrorCode::kCorrupt, "token {} is missing, of {}", id, tokens_.size());
      tokens.push_back(*std::move(token));
      if (!seen.insert(tokens.back()).second) {
        Throw(ErrorCode::kCorrupt, "token {}: '{}' has another id, too", id,
              ReplaceInvalid(tokens.back().substr(0, 40)));
      }
    }
    return tokens;
  }

 private:
  std::vector<std::optional<std::string>> tokens_;
};

const json& Member(const json& object, const char* key, json::value_t type, const char* field) {
  const auto found = object.find(key);
  if (found == object.end()) Throw(ErrorCode::kCorrupt, "{} is missing", field);
  const bool number = type == json::value_t::number_unsigned;
  if (number ? !found->is_number_unsigned() : found->type() != type) {
    Throw(ErrorCode::kCorrupt, "{} is {}; expected {}", field, found->type_name(),
          number ? "a whole number" : json(type).type_name());
  }
  return *found;
}

void ReadTokenizerJson(const json& root, Builder& builder) {
  const json& model = Member(root, "model", json::value_t::object, "model");
  const json& vocab = Member(model, "vocab", json::value_t::object, "model.vocab");
  for (const auto& [spelled, id] : vocab.items()) {
    if (!id.is_number_unsigned()) {
      Throw(ErrorCode::kCorrupt, "model.vocab: '{}' has {} as id; expected a whole number",
            spelled.substr(0, 40), id.type_name());
    }
    const auto number = id.get<std::size_t>();
    builder.Add(number, BytesOf(spelled, number), "model.vocab");
  }
  const json& added = Member(root, "added_tokens", json::value_t::array, "added_tokens");
  for (const json& token : added) {
    if (!token.is_object()) {
      Throw(ErrorCode::kCorrupt, "added_tokens has {}; expected objects", token.type_name());
    }
    const json& id = Member(token, "id", json::value_t::number_unsigned, "added_tokens: id");
    const json& content = Member(token, "content", json::value_t::string, "added_tokens: content");
    builder.Add(id.get<std::size_t>(), content.get<std::string>(), "added_tokens");
  }
}

void ReadList(const json& root, Builder& builder) {
  for (const json& token : root) {
    const std::size_t id = &token - &root.front();
    if (!token.is_string()) {
      Throw(ErrorCode::kCorrupt, "token {} is {}; expected a string", id, token.type_name());
    }
    builder.Add(id, BytesOf(token.get_ref<const std::string&>(), id), "the list");
  }
}

void ReadJson(std::string_view content, Builder& builder) {
  json root;
  try {
    root = json::parse(content);
  } catch (const json::parse_error& error) {
    Throw(ErrorCode::kCorrupt, "not JSON: something is wrong at byte {}", error.byte);
  }
  if (root.is_array()) {
    ReadList(root, builder);
  } else if (root.is_object()) {
    ReadTokenizerJson(root, builder);
  } else {
    Throw(ErrorCode::kCorrupt, "holds {}; expected tokenizer.json's object or a list of tokens",
          root.type_name());
  }
}

void ReadLines(std::string_view content, Builder& builder) {
  for (std::size_t id = 0; !content.empty(); ++id) {
    const std::size_t end = content.find('\n');
    std::string_view line = content.substr(0, end);
    content = end == std::string_view::npos ? std::string_view() : content.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    builder.Add(id, BytesOf(line, id), fmt::format("line {}", id + 1));
  }
}

void AppendTimestamps(std::vector<std::string>& tokens) {
  if (tokens.empty() || tokens.back() != "<|notimestamps|>") return;
  for (int i = 0; i < kTimestamps; ++i) tokens.push_back(fmt::format("<|{:.2f}|>", i * 0.02));
}

// The vocabulary's own file where `path` is a folder or a file beside it.
std::string FindFile(const std::string& path) {
  const std::filesystem::path given(path);
  std::error_code error;
  const bool folder = std::filesystem::is_directory(given, error);
  if (!folder && (given.extension() == ".json" || given.extension() == ".txt")) return path;
  if (!folder && !std::filesystem::exists(given, error)) {
    Throw(ErrorCode::kNotFound, "{}: no such file or folder", path);
  }
  const std::filesystem::path home = folder ? given : given.parent_path();
  for (const char* name : {"tokenizer.json", "vocabulary.json", "vocabulary.txt"}) {
    if (std::filesystem::exists(home / name, error)) return (home / name).string();
  }
  Throw(ErrorCode::kNotFound,
        "{}: the folder has no tokenizer.json, vocabulary.json or vocabulary.txt",
        home.empty() ? "." : home.string());
}

std::string ReadWhole(const std::string& path) {
  std::error_code error;
  const std::uintmax_t bytes = std::filesystem::file_size(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) {
    Throw(ErrorCode::kNotFound, "can't open: {}",
          error ? error.message() : std::string("permission denied"));
  }
  if (bytes > kMaxFileBytes) {
    Throw(ErrorCode::kCorrupt, "{} bytes; a vocabulary has at most {}", bytes, kMaxFileBytes);
  }
  std::string content(std::istreambuf_iterator<char>(file), {});
  if (file.bad()) Throw(ErrorCode::kUnavailable, "can't read");
  return content;
}

}  // namespace

Vocabulary ReadVocabulary(const std::string& path) {
  const std::string found = FindFile(path);
  const std::string content = WithContext(found, [&] { return ReadWhole(found); });
  return ParseVocabulary(content, found);
}

Vocabulary ParseVocabulary(std::string_view content, const std::string& path) {
  return WithContext(path, [&] {
    Builder builder;
    if (path.ends_with(".txt")) {
      ReadLines(content, builder);
    } else {
      ReadJson(content, builder);
    }
    Vocabulary vocabulary{path, builder.Take()};
    AppendTimestamps(vocabulary.tokens);
    return vocabulary;
  });
}

}  // namespace xdna::decoder
