#include "decoder/text/wer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "decoder/text/english_spelling.h"
#include "decoder/text/text_normalizer.h"
#include "decoder/text/unicode.h"

namespace xdna::decoder {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

// --- unicode -----------------------------------------------------------------------------------

TEST(Unicode, ReplacesWhatIsInvalidAsPythonDoes) {
  // bytes.decode("utf-8", errors="replace") of Python 3.11.
  EXPECT_EQ(ReplaceInvalid("a\xE2\x99z"), "a\uFFFDz");
  EXPECT_EQ(ReplaceInvalid("\xE0\x80\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(ReplaceInvalid("\xF0\x9F\x8E"), "\uFFFD");
  EXPECT_EQ(ReplaceInvalid("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(ReplaceInvalid("\xC0\xAF\xF5"), "\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(FindInvalid("\u00E4\xFF"), 2u);
  EXPECT_EQ(FindInvalid("\u00E4\uFFFD"), std::string::npos);
}

TEST(Unicode, TellsWhatIsIncompleteFromWhatIsWrong) {
  EXPECT_EQ(IncompleteTail(""), 0u);
  EXPECT_EQ(IncompleteTail("a\xE2"), 1u);
  EXPECT_EQ(IncompleteTail("a\xE2\x99"), 2u);
  EXPECT_EQ(IncompleteTail("\xF0\x9F\x8E"), 3u);
  EXPECT_EQ(IncompleteTail("\xE2\x99\xAA"), 0u);
  EXPECT_EQ(IncompleteTail("\xE0\x80"), 0u);  // no continuation can mend it
  EXPECT_EQ(IncompleteTail("\x80"), 0u);
  EXPECT_EQ(IncompleteTail("\xC0"), 0u);
}

TEST(Unicode, StripsAsPythonDoes) {
  EXPECT_EQ(Strip(" \u00A0\u3000a b\x1C\n"), "a b");
  EXPECT_EQ(Strip(" \t"), "");
  EXPECT_EQ(Strip(""), "");
}

// --- word errors -------------------------------------------------------------------------------

std::vector<Edit> Align(const std::string& reference, const std::string& hypothesis,
                        const EditCosts& costs = kLevenshtein) {
  return AlignWords(SplitWords(reference), SplitWords(hypothesis), costs);
}

std::string Kinds(const std::vector<Edit>& edits) {
  std::string kinds;
  for (const Edit& edit : edits) kinds += "=SDI"[static_cast<int>(edit.kind)];
  return kinds;
}

TEST(Wer, AlignsAndCounts) {
  EXPECT_EQ(Kinds(Align("a b c d", "a x c d e")), "=S==I");
  EXPECT_EQ(Kinds(Align("a b c", "a c")), "=D=");
  EXPECT_EQ(Kinds(Align("", "a b")), "II");
  EXPECT_EQ(Kinds(Align("a b", "")), "DD");
  EXPECT_EQ(Kinds(Align("", "")), "");
  const WordErrors errors = CountErrors(Align("a b c d e f", "x b d e f g"));
  EXPECT_EQ(errors.words, 6);
  EXPECT_EQ(errors.substitutions, 1);
  EXPECT_EQ(errors.deletions, 1);
  EXPECT_EQ(errors.insertions, 1);
  EXPECT_EQ(errors.rate(), 0.5);
}

TEST(Wer, RatesAddUpByWordsAndNeedSome) {
  WordErrors total = CountErrors(Align("a b c", "a b x"));
  total += CountErrors(Align("", "y"));
  EXPECT_EQ(total.rate(), 2.0 / 3);
  EXPECT_EQ(CountErrors(Align("", "y")).rate(), std::nullopt);
}

TEST(Wer, ScliteWouldRatherFindTheMatch) {
  // Fewest errors: two substitutions. sclite: a match between a deletion and an insertion (6 < 8).
  EXPECT_EQ(Kinds(Align("a b", "b c")), "SS");
  EXPECT_EQ(Kinds(Align("a b", "b c", kScliteCosts)), "D=I");
}

TEST(Wer, AlignmentsHoldBothTextsAndCostLeast) {
  std::mt19937_64 random(5);
  const auto text = [&] {
    std::vector<std::string> words(random() % 9);
    for (std::string& word : words) word = static_cast<char>('a' + random() % 3);
    return words;
  };
  // Straight from the definition.
  const auto distance = [](const auto& self, const std::vector<std::string>& a, std::size_t i,
                           const std::vector<std::string>& b, std::size_t j) -> std::int64_t {
    if (i == a.size()) return static_cast<std::int64_t>(b.size() - j);
    if (j == b.size()) return static_cast<std::int64_t>(a.size() - i);
    if (a[i] == b[j]) return self(self, a, i + 1, b, j + 1);
    return 1 + std::min({self(self, a, i + 1, b, j + 1), self(self, a, i + 1, b, j),
                         self(self, a, i, b, j + 1)});
  };
  for (int i = 0; i < 500; ++i) {
    const std::vector<std::string> reference = text();
    const std::vector<std::string> hypothesis = text();
    std::vector<std::string> from;
    std::vector<std::string> to;
    const std::vector<Edit> edits = AlignWords(reference, hypothesis);
    for (const Edit& edit : edits) {
      if (edit.kind != EditKind::kInsertion) from.push_back(edit.reference);
      if (edit.kind != EditKind::kDeletion) to.push_back(edit.hypothesis);
      ASSERT_EQ(edit.kind == EditKind::kMatch, edit.reference == edit.hypothesis);
    }
    ASSERT_EQ(from, reference);
    ASSERT_EQ(to, hypothesis);
    ASSERT_EQ(CountErrors(edits).errors(), distance(distance, reference, 0, hypothesis, 0));
  }
}

TEST(Wer, RefusesWhatWouldFillTheMemory) {
  const std::vector<std::string> a(40000, "a");
  const std::vector<std::string> b(40000, "b");
  EXPECT_THAT(AlignWords(a, a), SizeIs(40000));
  try {
    AlignWords(a, b);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_THAT(error.message(), HasSubstr("40000 words against 40000 are too many"));
  }
}

TEST(Wer, ShowsTheAlignment) {
  EXPECT_EQ(FormatAlignment(Align("so my fellow caf\u00E9", "so my yellow caf\u00E9 uh"), 80),
            "REF:  so my FELLOW caf\u00E9 **\n"
            "HYP:  so my YELLOW caf\u00E9 UH\n"
            "Eval:       S           I\n");
  EXPECT_EQ(FormatAlignment(Align("aaaaaaaaaa bb", "aaaaaaaaaa"), 17),
            "REF:  aaaaaaaaaa\nHYP:  aaaaaaaaaa\nEval:\n\n"
            "REF:  BB\nHYP:  **\nEval: D\n");
  EXPECT_EQ(FormatAlignment({}, 80), "");
}

// --- normalizers -------------------------------------------------------------------------------

struct Example {
  const char* text;
  const char* normal;
};

// The first group: openai-whisper's own tests of its normalizer. Expected texts of the others:
// openai-whisper 20250625.
TEST(NormalizeEnglish, Numbers) {
  const Example examples[] = {
      {"two", "2"},
      {"thirty one", "31"},
      {"five twenty four", "524"},
      {"nineteen ninety nine", "1999"},
      {"twenty nineteen", "2019"},
      {"two point five million", "2500000"},
      {"four point two billions", "4200000000s"},
      {"200 thousand", "200000"},
      {"200 thousand dollars", "$200000"},
      {"$20 million", "$20000000"},
      {"€52.4 million", "€52400000"},
      {"£77 thousands", "£77000s"},
      {"two double o eight", "2008"},
      {"three thousand twenty nine", "3029"},
      {"forty three thousand two hundred sixty", "43260"},
      {"forty three thousand two hundred and sixty", "43260"},
      {"nineteen fifties", "1950s"},
      {"thirty first", "31st"},
      {"thirty three thousand and three hundred and thirty third", "33333rd"},
      {"three billion", "3000000000"},
      {"millions", "1000000s"},
      {"july third twenty twenty", "july 3rd 2020"},
      {"august twenty sixth twenty twenty one", "august 26th 2021"},
      {"3 14", "3 14"},
      {"3.14", "3.14"},
      {"3 point 2", "3.2"},
      {"3 point 14", "3.14"},
      {"fourteen point 4", "14.4"},
      {"two point two five dollars", "$2.25"},
      {"two hundred million dollars", "$200000000"},
      {"$20.1 million", "$20100000"},
      {"ninety percent", "90%"},
      {"seventy six per cent", "76%"},
      {"double oh seven", "007"},
      {"double zero seven", "007"},
      {"nine one one", "911"},
      {"nine double one", "911"},
      {"one triple oh one", "10001"},
      {"two thousandth", "2000th"},
      {"thirty two thousandth", "32000th"},
      {"minus 500", "-500"},
      {"positive twenty thousand", "+20000"},
      {"two dollars and seventy cents", "$2.70"},
      {"3 cents", "¢3"},
      {"$0.36", "¢36"},
      {"three euros and sixty five cents", "€3.65"},
      {"three and a half million", "3500000"},
      {"forty eight and a half dollars", "$48.5"},
      {"b747", "b 747"},
      {"10 th", "10th"},
      {"10th", "10th"},
  };
  for (const Example& example : examples) {
    EXPECT_EQ(NormalizeEnglishNumbers(example.text), example.normal) << example.text;
    EXPECT_EQ(NormalizeEnglish(example.text), example.normal) << example.text;
  }
}

TEST(NormalizeEnglish, Words) {
  const Example examples[] = {
      {"Let's", "let us"},
      {"he's like", "he is like"},
      {"she's been like", "she has been like"},
      {"10km", "10 km"},
      {"10mm", "10 mm"},
      {"RC232", "rc 232"},
      {"Mr. Park visited Assoc. Prof. Kim Jr.",
       "mister park visited associate professor kim junior"},
      {"", ""},
      {"Hmm, the colour [noise] of (sighs) na\u00EFve \u0153uvre", "the color of naive oeuvre"},
      {"I won 't pay 3,000.50 or 5%, okay?", "i will not pay 3000.50 or 5% okay"},
      {"one, ones, and 1", "11s and one"},
      {"0.5 percent of $1 and 007", "0.5% of one and 7"},
  };
  for (const Example& example : examples) {
    EXPECT_EQ(Strip(NormalizeEnglish(example.text)), example.normal) << example.text;
  }
}

TEST(NormalizeEnglish, NumbersOfAnyLength) {
  EXPECT_EQ(NormalizeEnglish("99999999999999999999999999999999999999999 million"),
            "100000000000000000000000000000000998999000");
  EXPECT_EQ(NormalizeEnglish("nine hundred ninety nine decillion and one"),
            "999000000000000000000000000000000001");
  EXPECT_EQ(NormalizeEnglish("2.50 thousand 1.2.3"), "2500 one.2.3");
}

TEST(NormalizeEnglish, AmericanSpelling) {
  EXPECT_EQ(AmericanSpelling("mobilisation"), "mobilization");
  EXPECT_EQ(AmericanSpelling("accessorise"), "accessorize");
  EXPECT_EQ(AmericanSpelling("yoghurts"), "yogurts");
  EXPECT_EQ(AmericanSpelling("word"), "word");
  EXPECT_EQ(AmericanSpelling(""), "");
}

TEST(NormalizeBasic, KeepsLettersOfAnyLanguage) {
  const Example examples[] = {
      {"Hello, World! <b>[x](y) it's", "hello world it s"},
      {"\u00C4rger \uFB01x \u2460", "\u00E4rger fix 1"},
      {"こんにちは、世界。", "こんにちは 世界 "},
      {"()", " "},
      {"", ""},
  };
  for (const Example& example : examples) {
    EXPECT_EQ(NormalizeBasic(example.text), example.normal) << example.text;
  }
}

TEST(SplitWords, AtAnyWhiteSpace) {
  EXPECT_THAT(SplitWords(" a\u00A0b\n\tc\u3000"), ElementsAre("a", "b", "c"));
  EXPECT_THAT(SplitWords(" \n"), SizeIs(0));
}

TEST(Normalizers, TakeAnyBytes) {
  std::mt19937_64 random(6);
  for (int i = 0; i < 3000; ++i) {
    std::string bytes;
    for (std::uint64_t n = random() % 40; n > 0; --n) {
      bytes +=
          random() % 2 == 0 ? static_cast<char>(random()) : "<([ .$%1,'-)]>atwo "[random() % 19];
    }
    EXPECT_EQ(FindInvalid(NormalizeEnglish(bytes)), std::string::npos);
    EXPECT_EQ(FindInvalid(NormalizeBasic(bytes)), std::string::npos);
  }
}

}  // namespace
}  // namespace xdna::decoder
