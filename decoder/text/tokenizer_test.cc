#include "decoder/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "decoder/text/languages.h"
#include "decoder/text/test_vocabulary.h"
#include "decoder/text/unicode.h"
#include "decoder/text/vocabulary.h"

namespace xdna::decoder {
namespace {

using test::ExpectError;
using test::TinyOptions;
using testing::ElementsAre;
using testing::SizeIs;

Tokenizer Tiny(const TinyOptions& options = {}) {
  return Tokenizer(ParseVocabulary(test::TokenizerJson(options), "tiny/tokenizer.json"));
}

// Bytes that are mostly UTF-8 of every length, with white space, letters and rubbish mixed in.
std::string RandomBytes(std::mt19937_64& random, bool valid) {
  std::u32string text;
  std::string bytes;
  const char32_t limits[] = {0x7F, 0x7FF, 0xFFFF, 0x10FFFF};
  for (std::uint64_t n = random() % 40; n > 0; --n) {
    if (random() % 3 == 0) {
      text = U" \n't\u00A0";
      text = text.substr(random() % text.size(), 1);
    } else {
      text = {static_cast<char32_t>(random() % limits[random() % 4])};
    }
    bytes += ToUtf8(text);  // surrogates become U+FFFD
    if (!valid && random() % 4 == 0) bytes += static_cast<char>(random());
  }
  return bytes;
}

TEST(BytePairs, PiecesAreThoseOfGpt2) {
  const auto pieces = [](std::string_view text) { return SplitForBytePairs(text); };
  EXPECT_THAT(pieces(""), SizeIs(0));
  EXPECT_THAT(pieces("I'll we'd  o'clock 'S"),
              ElementsAre("I", "'ll", " we", "'d", " ", " o", "'", "clock", " '", "S"));
  EXPECT_THAT(pieces("a1 23b!? --x"), ElementsAre("a", "1", " 23", "b", "!?", " --", "x"));
  EXPECT_THAT(pieces(" \n\ta\n\n"), ElementsAre(" \n", "\t", "a", "\n\n"));
  EXPECT_THAT(pieces("x  "), ElementsAre("x", "  "));
  EXPECT_THAT(pieces("\u00E4\u4E2D\u0663\u00BD \u266A\u00A0y"),
              ElementsAre("\u00E4\u4E2D", "\u0663\u00BD", " \u266A", "\u00A0", "y"));
  EXPECT_THAT(pieces("a\xFF\x80 b"), ElementsAre("a", "\xFF\x80", " b"));
}

TEST(BytePairs, TheLowestIdIsJoinedFirst) {
  const Tokenizer tokenizer = Tiny();
  EXPECT_THAT(tokenizer.Encode(" the"), ElementsAre(258));
  EXPECT_THAT(tokenizer.Encode("he'll"), ElementsAre(257, 264));
  EXPECT_THAT(tokenizer.Encode(" thin"), ElementsAre(256, 'h', 259));
  EXPECT_THAT(tokenizer.Encode("<|en|>"), ElementsAre('<', '|', 'e', 'n', '|', '>'));
}

TEST(BytePairs, ALongPieceTakesNoTimeToSpeakOf) {
  const Tokenizer tokenizer = Tiny();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(tokenizer.Encode(std::string(400000, 'l')), SizeIs(200000));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST(BytePairs, EveryByteNeedsAToken) {
  TinyOptions options;
  std::vector<std::string> tokens = test::SpelledTokens();
  tokens[65] = "replaced";
  std::string text;
  for (const std::string& token : tokens) text += token + "\n";
  ExpectError(ErrorCode::kCorrupt, "x.txt: no token is the single byte 0x41",
              [&] { Tokenizer(ParseVocabulary(text, "x.txt")); });
}

TEST(Tokenizer, RoundTripsAnyText) {
  const Tokenizer tokenizer = Tiny();
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const std::string text = RandomBytes(random, /*valid=*/true);
    ASSERT_EQ(tokenizer.Decode(tokenizer.Encode(text)), text);
  }
}

TEST(Tokenizer, StreamsWholeCharactersThatAddUpToTheText) {
  const Tokenizer tokenizer = Tiny();
  std::mt19937_64 random(2);
  for (int i = 0; i < 2000; ++i) {
    std::vector<int> ids(random() % 30);
    for (int& id : ids) id = static_cast<int>(random() % tokenizer.size());
    if (i % 2 == 0) ids = tokenizer.Encode(RandomBytes(random, /*valid=*/false));
    StreamDecoder stream(tokenizer);
    std::string all;
    for (const int id : ids) {
      const std::string text = stream.Feed(id);
      ASSERT_EQ(FindInvalid(text), std::string::npos);
      all += text;
    }
    ASSERT_EQ(all + stream.Finish(), tokenizer.Decode(ids));
  }
}

TEST(Tokenizer, ACutCharacterIsReplacedAtTheEndOnly) {
  const Tokenizer tokenizer = Tiny();
  StreamDecoder stream(tokenizer);
  EXPECT_EQ(stream.Feed(260), " ");  // space and the first of three bytes
  EXPECT_EQ(stream.Feed(261), "\u266A");
  EXPECT_EQ(stream.Feed(0xF0), "");
  EXPECT_EQ(stream.Feed(0x9F), "");
  EXPECT_EQ(stream.Feed(tokenizer.special().timestamp_begin), "");
  EXPECT_EQ(stream.Finish(), "\uFFFD");
  EXPECT_EQ(stream.Finish(), "");
}

TEST(Tokenizer, KnowsItsSpecialTokens) {
  const Tokenizer tokenizer = Tiny();
  const SpecialTokens& special = tokenizer.special();
  EXPECT_EQ(special.eot, 266);
  EXPECT_EQ(special.sot, 267);
  EXPECT_EQ(special.translate, 271);
  EXPECT_EQ(special.timestamp_begin, 277);
  EXPECT_EQ(tokenizer.size(), 277 + 1501);
  EXPECT_TRUE(tokenizer.multilingual());
  EXPECT_THAT(tokenizer.languages(), SizeIs(3));
  EXPECT_EQ(tokenizer.LanguageId("de"), 269);
  EXPECT_THAT(tokenizer.SotSequence("de", Task::kTranslate), ElementsAre(267, 269, 271));
  EXPECT_THAT(tokenizer.SotSequence("ja", Task::kTranscribe), ElementsAre(267, 270, 272));
  EXPECT_EQ(tokenizer.Decode(std::vector<int>{267, 268, 277, 'a', 300}),
            "<|startoftranscript|><|en|>a");
  EXPECT_EQ(tokenizer.DecodeWithTimestamps(std::vector<int>{277, 'a', 331}), "<|0.00|>a<|1.08|>");
  ExpectError(ErrorCode::kInvalidArgument, "does not have the language 'fr'; it has 3",
              [&] { tokenizer.LanguageId("fr"); });
  ExpectError(ErrorCode::kInvalidArgument, "there is no token 1778",
              [&] { tokenizer.Bytes(1778); });
  ExpectError(ErrorCode::kInvalidArgument, "there is no token -1", [&] { tokenizer.Bytes(-1); });
}

TEST(Tokenizer, EnglishOnlyIsPromptedWithSotAlone) {
  TinyOptions options;
  options.text_tokens = 50256;
  const Tokenizer tokenizer = Tiny(options);
  EXPECT_FALSE(tokenizer.multilingual());
  EXPECT_EQ(tokenizer.special().eot, 50256);
  EXPECT_THAT(tokenizer.SotSequence("en", Task::kTranscribe), ElementsAre(50257));
}

TEST(Tokenizer, OlderNameOfNoSpeech) {
  TinyOptions options;
  std::replace(options.specials.begin(), options.specials.end(), std::string("<|nospeech|>"),
               std::string("<|nocaptions|>"));
  EXPECT_EQ(Tiny(options).special().no_speech, 275);
}

TEST(Tokenizer, ErrorsOfSpecialTokens) {
  const auto expect = [](const char* message, const std::function<void(TinyOptions&)>& spoil) {
    TinyOptions options;
    spoil(options);
    ExpectError(ErrorCode::kCorrupt, message, [&] {
      Tokenizer(ParseVocabulary(test::VocabularyText(options), "tiny/vocabulary.txt"));
    });
  };
  expect("tiny/vocabulary.txt: there is no token <|endoftext|>",
         [](TinyOptions& options) { options.specials[0] = "end"; });
  expect("tiny/vocabulary.txt: there is no token <|nospeech|>",
         [](TinyOptions& options) { options.specials[9] = "quiet"; });
  expect("token 268 is 'en'; expected a language", [](TinyOptions& o) { o.specials[2] = "en"; });
  expect("token 268 is '<|EN|>'; expected a language",
         [](TinyOptions& options) { options.specials[2] = "<|EN|>"; });
  expect("no languages; expected them between", [](TinyOptions& options) {
    options.specials.erase(options.specials.begin() + 2, options.specials.begin() + 5);
  });
  expect("there is no token <|0.00|>", [](TinyOptions& options) {
    options.timestamps = false;
    options.specials.emplace_back("more");
  });
  expect("token 279 is not the time stamp <|0.02|>", [](TinyOptions& options) {
    options.timestamps = false;
    options.specials.insert(options.specials.end(), {"more", "<|0.00|>", "<|0.04|>"});
  });
}

std::vector<std::string> Texts(const std::vector<TokenizedWord>& words) {
  std::vector<std::string> texts;
  for (const TokenizedWord& word : words) texts.push_back(word.text);
  return texts;
}

TEST(Tokenizer, SplitsAtSpacesAndPunctuation) {
  const Tokenizer tokenizer = Tiny();
  std::vector<int> ids = tokenizer.Encode(" the inn, w");
  ids.push_back(tokenizer.special().eot);
  const std::vector<TokenizedWord> words = tokenizer.SplitToWords(ids, "en");
  EXPECT_THAT(Texts(words), ElementsAre(" the", " inn", ",", " w", "<|endoftext|>"));
  EXPECT_THAT(words[1].tokens, ElementsAre(' ', 259, 'n'));
}

TEST(Tokenizer, SplitsAtCharactersWhereThereAreNoSpaces) {
  const Tokenizer tokenizer = Tiny();
  const std::vector<int> ids = tokenizer.Encode("\u3042 \u266Aab");
  EXPECT_THAT(Texts(tokenizer.SplitToWords(ids, "ja")), ElementsAre("\u3042", " \u266A", "a", "b"));
  EXPECT_THAT(Texts(tokenizer.SplitToWords(ids, "en")), ElementsAre("\u3042", " \u266Aab"));
}

TEST(Tokenizer, SplittingKeepsEveryToken) {
  const Tokenizer tokenizer = Tiny();
  std::mt19937_64 random(3);
  for (int i = 0; i < 1000; ++i) {
    std::vector<int> ids(random() % 30);
    for (int& id : ids) id = static_cast<int>(random() % 300);
    for (const char* code : {"en", "ja"}) {
      std::vector<int> kept;
      for (const TokenizedWord& word : tokenizer.SplitToWords(ids, code)) {
        ASSERT_FALSE(word.tokens.empty());
        kept.insert(kept.end(), word.tokens.begin(), word.tokens.end());
      }
      ASSERT_EQ(kept, ids);
    }
  }
}

TEST(Languages, HaveCodesAndNames) {
  EXPECT_THAT(Languages(), SizeIs(100));
  EXPECT_EQ(LanguageCode("de"), "de");
  EXPECT_EQ(LanguageCode("German"), "de");
  EXPECT_EQ(LanguageCode("Flemish"), "nl");
  EXPECT_EQ(LanguageName("ht"), "haitian creole");
  EXPECT_EQ(LanguageName("tlh"), "tlh");
  EXPECT_TRUE(IsWrittenWithoutSpaces("th"));
  EXPECT_FALSE(IsWrittenWithoutSpaces("ko"));
  ExpectError(ErrorCode::kInvalidArgument, "unknown language 'klingon'; expected a code or",
              [] { LanguageCode("klingon"); });
}

// --- the real vocabulary -----------------------------------------------------------------------

class RealTokenizer : public testing::Test {
 protected:
  void SetUp() override {
    path_ = RunfilePath("../whisper_base/tokenizer.json");
    if (!path_.empty()) return;
    ASSERT_EQ(std::getenv("XDNA_CI"), nullptr) << "@whisper_base//:model has no tokenizer.json";
    GTEST_SKIP() << "no Whisper model here; @whisper_base//:model's ABSENT.txt says why";
  }
  std::string path_;
};

TEST_F(RealTokenizer, BothFilesGiveTheSame) {
  std::string text_path = path_;
  text_path.replace(text_path.find("tokenizer.json"), std::string::npos, "vocabulary.txt");
  const Vocabulary json = ReadVocabulary(path_);
  EXPECT_EQ(json.tokens, ReadVocabulary(text_path).tokens);
  EXPECT_THAT(json.tokens, SizeIs(51865));
}

TEST_F(RealTokenizer, HasWhispersSpecialTokens) {
  const Tokenizer tokenizer = Tokenizer::Open(path_);
  EXPECT_TRUE(tokenizer.multilingual());
  EXPECT_EQ(tokenizer.special().eot, 50257);
  EXPECT_EQ(tokenizer.special().no_speech, 50362);
  EXPECT_EQ(tokenizer.special().timestamp_begin, 50364);
  ASSERT_THAT(tokenizer.languages(), SizeIs(99));
  for (std::size_t i = 0; i < 99; ++i) {
    EXPECT_EQ(tokenizer.languages()[i].code, Languages()[i].code);
  }
}

// Expected ids of this and the next two tests: tiktoken 0.12 with openai-whisper 20250625.
TEST_F(RealTokenizer, EncodesAsOpenaiWhisper) {
  const Tokenizer tokenizer = Tokenizer::Open(path_);
  const struct {
    const char* text;
    std::vector<int> ids;
  } cases[] = {
      {" Hello, world!  It's 1999...\n\n  don't WON'T I'll",
       {2425, 11,  1002, 0,   220, 467,  311, 19952, 485, 198,
        198,  220, 500,  380, 343, 1928, 6,   51,    286, 603}},
      {"\t\ttab and newline\n", {197, 197, 83, 455, 293, 777, 1889, 198}},
      {" the t to of", {264, 256, 281, 295}},
      {"naïve café résumé", {629, 15487, 303, 25118, 14415, 449, 526}},
      {" こんにちは世界、元気ですか？",
       {14384, 3225, 35752, 24486, 1231, 14812, 25870, 30913, 171, 120, 253}},
      {"Привет, мир! Ёлка", {43971, 31259, 11, 20536, 0, 333, 223, 693, 2833}},
      {"مرحبا بالعالم ١٢٣",
       {29973, 5016, 3555, 995, 20666, 3615, 45340, 1447, 94, 149, 95, 149, 96}},
      {"½ ² Ⅷ 三", {126, 121, 1815, 110, 672, 227, 100, 220, 10960}},
      {"नमस्ते दुनिया",
       {35082, 48521, 45938, 27099, 36158, 21981, 8485, 99, 8703, 223, 35082, 33279, 48268, 17937}},
      {"a\u00A0b\u3000c\u2003 d", {64, 126, 254, 65, 756, 222, 66, 913, 225, 274}},
  };
  for (const auto& example : cases) {
    EXPECT_EQ(tokenizer.Encode(example.text), example.ids) << example.text;
    EXPECT_EQ(tokenizer.Decode(example.ids), example.text);
  }
}

TEST_F(RealTokenizer, NonSpeechTokensAreOpenaiWhispers) {
  const std::vector<int> expected = {
      1,     2,     7,     8,     9,     10,    14,    25,    26,    27,    28,    29,
      31,    58,    59,    60,    61,    62,    63,    90,    91,    92,    93,    359,
      503,   522,   542,   873,   893,   902,   918,   922,   931,   1350,  1853,  1982,
      2460,  2627,  3246,  3253,  3268,  3536,  3846,  3961,  4183,  4667,  6585,  6647,
      7273,  9061,  9383,  10428, 10929, 11938, 12033, 12331, 12562, 13793, 14157, 14635,
      15265, 15618, 16553, 16604, 18362, 18956, 20075, 21675, 22520, 26130, 26161, 26435,
      28279, 29464, 31650, 32302, 32470, 36865, 42863, 47425, 49870, 50254};
  EXPECT_EQ(Tokenizer::Open(path_).NonSpeechTokens(), expected);
}

TEST_F(RealTokenizer, WordsAreOpenaiWhispers) {
  const Tokenizer tokenizer = Tokenizer::Open(path_);
  const auto words = [&](const char* text, const char* code) {
    return Texts(tokenizer.SplitToWords(tokenizer.Encode(text), code));
  };
  EXPECT_THAT(words(" Hello, world! It's (very) well-known... and “so” on", "en"),
              ElementsAre(" Hello", ",", " world", "!", " It's", " (very", ")", " well",
                          "-known...", " and", " “so”", " on"));
  EXPECT_THAT(words(" こんにちは世界、元気ですか？", "ja"),
              ElementsAre(" こ", "ん", "にちは", "世界", "、", "元", "気", "ですか", "？"));
}

TEST_F(RealTokenizer, RoundTripsAnyText) {
  const Tokenizer tokenizer = Tokenizer::Open(path_);
  std::mt19937_64 random(4);
  for (int i = 0; i < 5000; ++i) {
    const std::string text = RandomBytes(random, /*valid=*/true);
    ASSERT_EQ(tokenizer.Decode(tokenizer.Encode(text)), text);
  }
}

}  // namespace
}  // namespace xdna::decoder
