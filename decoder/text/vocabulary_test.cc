#include "decoder/text/vocabulary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>

#include "base/error.h"
#include "decoder/text/test_vocabulary.h"
#include "decoder/text/tokenizer.h"

namespace xdna::decoder {
namespace {

using test::ExpectError;
using test::TinyOptions;
using testing::HasSubstr;
using testing::Not;

TEST(Vocabulary, IsTheSameFromEveryFormat) {
  const Vocabulary json = ParseVocabulary(test::TokenizerJson(), "tokenizer.json");
  const Vocabulary list = ParseVocabulary(test::VocabularyJson(), "vocabulary.json");
  const Vocabulary text = ParseVocabulary(test::VocabularyText(), "vocabulary.txt");
  EXPECT_EQ(json.tokens, list.tokens);
  EXPECT_EQ(json.tokens, text.tokens);
  EXPECT_EQ(json.tokens.size(), test::SpelledTokens().size());
  EXPECT_EQ(json.tokens[32], " ");
  EXPECT_EQ(json.tokens[0xAD], "\xAD");
  EXPECT_EQ(json.tokens[261], "\x99\xAA");
  EXPECT_EQ(json.tokens.back(), "<|30.00|>");
}

TEST(Vocabulary, IsFoundByFolderOrByAFileOfIt) {
  std::filesystem::remove_all(testing::TempDir() + "/found");
  const std::string path = test::WriteFile("found/vocabulary.txt", test::VocabularyText());
  const std::string model = test::WriteFile("found/model.bin", "");
  const std::string folder = std::filesystem::path(path).parent_path();
  for (const std::string& given : {path, model, folder}) {
    EXPECT_EQ(ReadVocabulary(given).path, path);
  }
  test::WriteFile("found/tokenizer.json", test::TokenizerJson());
  EXPECT_EQ(ReadVocabulary(folder).path, folder + "/tokenizer.json");

  const std::string bare = test::WriteFile("bare/model.bin", "");
  ExpectError(ErrorCode::kNotFound, "the folder has no tokenizer.json, vocabulary.json or voc",
              [&] { ReadVocabulary(bare); });
  ExpectError(ErrorCode::kNotFound, "nowhere: no such file or folder",
              [] { ReadVocabulary("nowhere"); });
  ExpectError(ErrorCode::kNotFound, "nowhere.json: can't open: No such file",
              [] { ReadVocabulary("nowhere.json"); });
}

TEST(Vocabulary, ErrorsNameTheFieldAndWhatIsWrong) {
  const struct {
    const char* content;
    const char* message;
  } cases[] = {
      {"", "not JSON: something is wrong at byte 1"},
      {"{\"model\": ", "not JSON: something is wrong at byte"},
      {"\"\xFF\"", "not JSON: something is wrong at byte 2"},
      {"7", "holds number; expected tokenizer.json's object or a list of tokens"},
      {"{}", "model is missing"},
      {R"({"model": []})", "model is array; expected object"},
      {R"({"model": {}})", "model.vocab is missing"},
      {R"({"model": {"vocab": {"a": -1}}})", "model.vocab: 'a' has number as id"},
      {R"({"model": {"vocab": {"a": "b"}}})", "model.vocab: 'a' has string as id"},
      {R"({"model": {"vocab": {"a": 99999999999}}})", "id 99999999999 is too large"},
      {R"({"model": {"vocab": {"a": 0}}})", "added_tokens is missing"},
      {R"({"model": {"vocab": {"a b": 0}}})", "token 0: 'a b' is not spelled in GPT-2's byte"},
      {R"({"model": {"vocab": {"a": 0, "b": 0}}})", "model.vocab: id 0 is given to two tokens"},
      {R"({"model": {"vocab": {}}, "added_tokens": [1]})", "added_tokens has number; expected obj"},
      {R"({"model": {"vocab": {}}, "added_tokens": [{"id": 1}]})",
       "added_tokens: content is missing"},
      {R"({"model": {"vocab": {}}, "added_tokens": [{"id": 1.5}]})",
       "added_tokens: id is number; expected a whole number"},
      {R"({"model": {"vocab": {"a": 1}}, "added_tokens": []})", "token 0 is missing, of 2"},
      {R"(["a", "a"])", "token 1: 'a' has another id, too"},
      {R"(["a", 1])", "token 1 is number; expected a string"},
  };
  for (const auto& bad : cases) {
    ExpectError(ErrorCode::kCorrupt, bad.message,
                [&] { ParseVocabulary(bad.content, "x/tokenizer.json"); });
    ExpectError(ErrorCode::kCorrupt,
                "x/tokenizer.json: ", [&] { ParseVocabulary(bad.content, "x/tokenizer.json"); });
  }
  ExpectError(ErrorCode::kCorrupt, "x.txt: token 1: 'b c' is not spelled",
              [] { ParseVocabulary("a\nb c\n", "x.txt"); });
}

TEST(Vocabulary, SpoiledFilesGiveErrorsOfOneLine) {
  TinyOptions few;
  few.joined = {" t"};
  for (const std::string& good : {test::TokenizerJson(few), test::VocabularyText(few)}) {
    const std::string path = good.front() == '{' ? "tokenizer.json" : "vocabulary.txt";
    std::mt19937_64 random(7);
    int read = 0;
    constexpr int kFiles = 600;
    for (int i = 0; i < kFiles; ++i) {
      std::string spoiled = good;
      for (std::uint64_t n = 1 + random() % 3; n > 0; --n) {
        const std::size_t place = random() % spoiled.size();
        const std::size_t length = 1 + random() % 8;
        if (random() % 3 == 0) spoiled[place] = static_cast<char>(random());
        if (random() % 3 == 0) spoiled.erase(place, length);
        if (random() % 3 == 0) spoiled.insert(place, spoiled, random() % spoiled.size(), length);
      }
      try {
        const Tokenizer tokenizer(ParseVocabulary(spoiled, path));
        EXPECT_EQ(tokenizer.Decode(tokenizer.Encode(" the way")), " the way");
        ++read;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::kCorrupt) << error.message();
        EXPECT_THAT(error.message(), HasSubstr(path + ": "));
        EXPECT_THAT(error.message(), Not(HasSubstr("\n")));
      }
    }
    EXPECT_LT(read, kFiles) << "no change did any harm: the test tests nothing";
  }
}

}  // namespace
}  // namespace xdna::decoder
