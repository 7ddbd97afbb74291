#include "decoder/text/text_normalizer.h"

#include <algorithm>
#include <cstddef>

#include "decoder/text/english_spelling.h"
#include "decoder/text/unicode.h"

namespace xdna::decoder {
namespace {

bool IsDigit(char32_t c) { return c >= U'0' && c <= U'9'; }

bool IsWordAt(std::u32string_view text, std::size_t at) {
  return at < text.size() && IsWordCharacter(text[at]);
}

// A phrase and what is said instead. All end at the end of a word.
struct Rewrite {
  std::u32string_view phrase;
  std::u32string_view instead;
  bool whole;  // the phrase must begin a word
};

// In openai-whisper's order; what comes first may make what a later one is for.
constexpr Rewrite kRewrites[] = {
    {U"hmm", U"", true}, {U"mm", U"", true}, {U"mhm", U"", true},
    {U"mmm", U"", true}, {U"uh", U"", true}, {U"um", U"", true},
};
constexpr Rewrite kContractions[] = {
    {U"won't", U"will not", true},
    {U"can't", U"can not", true},
    {U"let's", U"let us", true},
    {U"ain't", U"aint", true},
    {U"y'all", U"you all", true},
    {U"wanna", U"want to", true},
    {U"gotta", U"got to", true},
    {U"gonna", U"going to", true},
    {U"i'ma", U"i am going to", true},
    {U"imma", U"i am going to", true},
    {U"woulda", U"would have", true},
    {U"coulda", U"could have", true},
    {U"shoulda", U"should have", true},
    {U"ma'am", U"madam", true},
    {U"mr", U"mister ", true},
    {U"mrs", U"missus ", true},
    {U"st", U"saint ", true},
    {U"dr", U"doctor ", true},
    {U"prof", U"professor ", true},
    {U"capt", U"captain ", true},
    {U"gov", U"governor ", true},
    {U"ald", U"alderman ", true},
    {U"gen", U"general ", true},
    {U"sen", U"senator ", true},
    {U"rep", U"representative ", true},
    {U"pres", U"president ", true},
    {U"rev", U"reverend ", true},
    {U"hon", U"honorable ", true},
    {U"asst", U"assistant ", true},
    {U"assoc", U"associate ", true},
    {U"lt", U"lieutenant ", true},
    {U"col", U"colonel ", true},
    {U"jr", U"junior ", true},
    {U"sr", U"senior ", true},
    {U"esq", U"esquire ", true},
    {U"'d been", U" had been", false},
    {U"'s been", U" has been", false},
    {U"'d gone", U" had gone", false},
    {U"'s gone", U" has gone", false},
    {U"'d done", U" had done", false},
    {U"'s got", U" has got", false},
    {U"n't", U" not", false},
    {U"'re", U" are", false},
    {U"'s", U" is", false},
    {U"'d", U" would", false},
    {U"'ll", U" will", false},
    {U"'t", U" not", false},
    {U"'ve", U" have", false},
    {U"'m", U" am", false},
};

std::u32string Apply(const Rewrite& rewrite, const std::u32string& text) {
  std::u32string out;
  std::size_t done = 0;
  for (std::size_t at = 0; (at = text.find(rewrite.phrase, at)) != std::u32string::npos;) {
    const std::size_t end = at + rewrite.phrase.size();
    if (IsWordAt(text, end) || (rewrite.whole && at > 0 && IsWordAt(text, at - 1))) {
      ++at;
      continue;
    }
    out.append(text, done, at - done).append(rewrite.instead);
    at = done = end;
  }
  return out.append(text, done);
}

// Without what stands between `open` and `close` (any character of each), and them; something must
// stand there if `not_empty`. Brackets do not nest.
std::u32string RemoveBetween(const std::u32string& text, std::u32string_view open,
                             std::u32string_view close, bool not_empty) {
  std::u32string out;
  std::size_t done = 0;
  for (std::size_t at = 0; (at = text.find_first_of(open, at)) != std::u32string::npos;) {
    const std::size_t end = text.find_first_of(close, at + 1);
    if (end == std::u32string::npos) break;
    if (not_empty && end == at + 1) {
      ++at;
      continue;
    }
    out.append(text, done, at - done);
    at = done = end + 1;
  }
  return out.append(text, done);
}

std::u32string WithoutBrackets(const std::u32string& text) {
  return RemoveBetween(RemoveBetween(text, U"<[", U">]", false), U"(", U")", true);
}

std::u32string CollapseSpaces(std::u32string_view text) {
  std::u32string out;
  for (const char32_t c : text) {
    if (!IsPythonSpace(c)) {
      out += c;
    } else if (out.empty() || out.back() != U' ') {
      out += U' ';
    }
  }
  return out;
}

// Joins a quote to the word before it: "she 's" is "she's".
std::u32string JoinQuotes(const std::u32string& text) {
  std::u32string out;
  for (const char32_t c : text) {
    if (c == U'\'') {
      while (!out.empty() && IsPythonSpace(out.back())) out.pop_back();
    }
    out += c;
  }
  return out;
}

// Commas between digits go; a full stop becomes a space unless a digit follows. The character after
// such a stop is not looked at again, as a regular expression would not.
std::u32string SettlePunctuation(const std::u32string& text) {
  std::u32string out;
  std::size_t fresh = 0;  // a comma needs a digit before it from here on
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool between = text[i] == U',' && i > fresh && IsDigit(text[i - 1]) &&
                         i + 1 < text.size() && IsDigit(text[i + 1]);
    if (between) {
      fresh = i + 2;
    } else {
      out += text[i];
    }
  }
  std::u32string result;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] != U'.' || (i + 1 < out.size() && IsDigit(out[i + 1]))) {
      result += out[i];
      continue;
    }
    result += U' ';
    if (++i < out.size()) result += out[i];
  }
  return result;
}

// Letters that have no decomposition.
std::u32string_view Undecorated(char32_t c) {
  switch (c) {
    case U'œ':
      return U"oe";
    case U'Œ':
      return U"OE";
    case U'ø':
      return U"o";
    case U'Ø':
      return U"O";
    case U'æ':
      return U"ae";
    case U'Æ':
      return U"AE";
    case U'ß':
      return U"ss";
    case U'ẞ':
      return U"SS";
    case U'đ':
    case U'ð':
      return U"d";
    case U'Đ':
    case U'Ð':
      return U"D";
    case U'þ':
    case U'Þ':
      return U"th";
    case U'ł':
      return U"l";
    case U'Ł':
      return U"L";
    default:
      return U"";
  }
}

std::u32string RemoveSymbolsAndDiacritics(const std::u32string& text, std::u32string_view keep) {
  std::u32string out;
  for (const char32_t c : Nfkd(text)) {
    if (keep.find(c) != std::u32string_view::npos) {
      out += c;
    } else if (const std::u32string_view letters = Undecorated(c); !letters.empty()) {
      out += letters;
    } else if (!IsNonspacingMark(c)) {
      out += IsMarkSymbolOrPunctuation(c) ? U' ' : c;
    }
  }
  return out;
}

std::string WithAmericanSpelling(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = std::min(text.find(' ', i), text.size());
    if (end > i) {
      if (!out.empty()) out += ' ';
      out += AmericanSpelling(text.substr(i, end - i));
    }
    i = end + 1;
  }
  return out;
}

// Currency signs and full stops that precede no digit, and percent signs that follow none, become
// spaces.
std::u32string RemoveLoneSigns(const std::u32string& text) {
  constexpr std::u32string_view kSigns = U".$¢€£";
  std::u32string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool sign = kSigns.find(text[i]) != std::u32string_view::npos;
    if (!sign || i + 1 == text.size() || IsDigit(text[i + 1])) {
      out += text[i];
      continue;
    }
    out += U' ';
    out += text[++i];
  }
  std::u32string result;
  for (std::size_t i = 0; i < out.size(); ++i) {
    result += out[i];
    if (!IsDigit(out[i]) && i + 1 < out.size() && out[i + 1] == U'%') {
      result += U' ';
      ++i;
    }
  }
  return result;
}

}  // namespace

std::string NormalizeEnglish(std::string_view text) {
  std::u32string s = WithoutBrackets(ToLower(ToUtf32(text)));
  for (const Rewrite& rewrite : kRewrites) s = Apply(rewrite, s);
  s = JoinQuotes(s);
  for (const Rewrite& rewrite : kContractions) s = Apply(rewrite, s);
  s = RemoveSymbolsAndDiacritics(SettlePunctuation(s), U".%$¢€£");
  const std::string words = WithAmericanSpelling(NormalizeEnglishNumbers(ToUtf8(s)));
  return ToUtf8(CollapseSpaces(RemoveLoneSigns(ToUtf32(words))));
}

std::string NormalizeBasic(std::string_view text) {
  std::u32string s = Nfkc(WithoutBrackets(ToLower(ToUtf32(text))));
  for (char32_t& c : s) {
    if (IsMarkSymbolOrPunctuation(c)) c = U' ';
  }
  return ToUtf8(CollapseSpaces(ToLower(s)));
}

}  // namespace xdna::decoder
