#include "decoder/text/test_vocabulary.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "decoder/text/unicode.h"

namespace xdna::decoder::test {

std::string Spell(const std::string& bytes) {
  std::u32string spelled;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ') {
      spelled += static_cast<char32_t>(0x100 + byte);
    } else if (byte >= 0x7F && byte <= 0xA0) {
      spelled += static_cast<char32_t>(0x100 + 0x21 + byte - 0x7F);
    } else {
      spelled += byte == 0xAD ? char32_t{0x143} : static_cast<char32_t>(byte);
    }
  }
  return ToUtf8(spelled);
}

std::vector<std::string> SpelledTokens(const TinyOptions& options) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(Spell({static_cast<char>(byte)}));
  for (const std::string& joined : options.joined) tokens.push_back(Spell(joined));
  for (int i = 0; static_cast<int>(tokens.size()) < options.text_tokens; ++i) {
    tokens.push_back(fmt::format("filler{}", i));
  }
  tokens.insert(tokens.end(), options.specials.begin(), options.specials.end());
  if (!options.timestamps) return tokens;
  for (int i = 0; i <= 1500; ++i) tokens.push_back(fmt::format("<|{:.2f}|>", i * 0.02));
  return tokens;
}

std::string TokenizerJson(const TinyOptions& options) {
  TinyOptions without = options;
  without.timestamps = false;
  const std::vector<std::string> tokens = SpelledTokens(without);
  const std::size_t text = tokens.size() - options.specials.size();
  nlohmann::json vocab;
  auto added = nlohmann::json::array();
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    // The real files have <|endoftext|> in both places.
    if (id <= text) vocab[tokens[id]] = id;
    if (id >= text) added.push_back({{"id", id}, {"content", tokens[id]}, {"special", true}});
  }
  return nlohmann::json{{"version", "1.0"},
                        {"added_tokens", added},
                        {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", {"x y"}}}}}
      .dump();
}

std::string VocabularyText(const TinyOptions& options) {
  std::string text;
  for (const std::string& token : SpelledTokens(options)) text += token + "\n";
  return text;
}

std::string VocabularyJson(const TinyOptions& options) {
  return nlohmann::json(SpelledTokens(options)).dump();
}

std::string WriteFile(const std::string& name, const std::string& content) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
  return path.string();
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void ExpectError(ErrorCode code, const std::string& message, const std::function<void()>& body) {
  try {
    body();
    ADD_FAILURE() << "no error; expected: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.message();
    EXPECT_THAT(error.message(), testing::HasSubstr(message));
    EXPECT_THAT(error.message(), testing::Not(testing::HasSubstr("\n")));
  }
}

}  // namespace xdna::decoder::test
