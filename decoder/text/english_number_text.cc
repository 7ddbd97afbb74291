// What goes before and after JoinNumberWords in NormalizeEnglishNumbers.
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "decoder/text/english_numbers.h"
#include "decoder/text/text_normalizer.h"
#include "decoder/text/unicode.h"

namespace xdna::decoder {
namespace {

bool IsDigit(char32_t c) { return c >= U'0' && c <= U'9'; }
bool IsLetterAtoZ(char32_t c) { return c >= U'a' && c <= U'z'; }

bool IsWordAt(std::u32string_view text, std::size_t at) {
  return at < text.size() && IsWordCharacter(text[at]);
}

std::size_t SkipSpaces(std::u32string_view text, std::size_t at) {
  while (at < text.size() && IsPythonSpace(text[at])) ++at;
  return at;
}

std::vector<std::string> SplitWords(std::u32string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = SkipSpaces(text, 0); at < text.size(); at = SkipSpaces(text, at)) {
    std::size_t end = at;
    while (end < text.size() && !IsPythonSpace(text[end])) ++end;
    words.push_back(ToUtf8(text.substr(at, end - at)));
    at = end;
  }
  return words;
}

std::string Join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += ' ';
    text += part;
  }
  return text;
}

// The end of "and a half", as words of their own, at `at`; 0 if it is not there.
std::size_t AndAHalfEnd(std::u32string_view text, std::size_t at) {
  if (at > 0 && IsWordAt(text, at - 1)) return 0;
  bool first = true;
  for (const std::u32string_view word : {U"and", U"a", U"half"}) {
    const std::size_t begin = first ? at : SkipSpaces(text, at);
    if ((!first && begin == at) || !text.substr(begin).starts_with(word)) return 0;
    at = begin + word.size();
    first = false;
  }
  return IsWordAt(text, at) ? 0 : at;
}

// "three and a half" as "three point five".
std::u32string ReplaceHalves(std::u32string_view text) {
  std::vector<std::string> parts;
  std::size_t done = 0;
  for (std::size_t at = 0; (at = text.find(U"and", at)) != std::u32string_view::npos;) {
    const std::size_t end = AndAHalfEnd(text, at);
    if (end == 0) {
      ++at;
      continue;
    }
    const std::u32string_view before = text.substr(done, at - done);
    if (const std::vector<std::string> words = SplitWords(before); !words.empty()) {
      parts.push_back(ToUtf8(before));
      parts.emplace_back(CanHaveHalf(words.back()) ? "point five" : "and a half");
    }
    at = done = end;
  }
  const std::u32string_view rest = text.substr(done);
  if (SkipSpaces(rest, 0) < rest.size()) parts.push_back(ToUtf8(rest));
  return ToUtf32(Join(parts));
}

// "10km" as "10 km".
std::u32string SplitDigitsFromLetters(std::u32string_view text) {
  std::u32string out;
  for (const char32_t c : text) {
    const char32_t last = out.empty() ? U' ' : out.back();
    if ((IsLetterAtoZ(last) && IsDigit(c)) || (IsDigit(last) && IsLetterAtoZ(c))) out += U' ';
    out += c;
  }
  return out;
}

// "10 th" as "10th".
std::u32string JoinSuffixes(std::u32string_view text) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t next = SkipSpaces(text, i);
    const bool after_digit = next > i && !out.empty() && IsDigit(out.back());
    bool suffix = false;
    for (const std::u32string_view end : {U"st", U"nd", U"rd", U"th", U"s"}) {
      suffix = suffix || (text.substr(next).starts_with(end) && !IsWordAt(text, next + end.size()));
    }
    if (after_digit && suffix) i = next;
    out += text[i];
  }
  return out;
}

bool IsCurrency(char32_t c) { return c == U'€' || c == U'£' || c == U'$'; }

// One or two digits at `at` that end a word: their number, 0 for none.
std::size_t CentDigits(std::u32string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && IsDigit(text[end])) ++end;
  return end - at <= 2 && !IsWordAt(text, end) ? end - at : 0;
}

// "$2 and ¢7" as "$2.07".
std::u32string CombineCents(std::u32string_view text) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::size_t at = i + 1;
    while (at < text.size() && IsDigit(text[at])) ++at;
    const std::u32string_view amount = text.substr(i, at - i);
    std::u32string_view rest = text.substr(at);
    const bool spaced = IsCurrency(text[i]) && amount.size() > 1 && rest.starts_with(U' ');
    if (spaced) rest.remove_prefix(1);
    if (spaced && rest.starts_with(U"and ")) rest.remove_prefix(4);
    const std::size_t digits = spaced && rest.starts_with(U'¢') ? CentDigits(rest, 1) : 0;
    if (digits == 0) {
      out += text[i];
      continue;
    }
    out.append(amount).append(digits == 1 ? U".0" : U".").append(rest.substr(1, digits));
    i = text.size() - rest.size() + digits;
  }
  return out;
}

// "$0.36" as "¢36".
std::u32string ExtractCents(std::u32string_view text) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool nothing = IsCurrency(text[i]) && i + 3 < text.size() && text[i + 1] == U'0';
    const std::size_t digits = nothing ? CentDigits(text, i + 3) : 0;
    if (digits == 0) {
      out += text[i];
      continue;
    }
    const bool leading_zero = digits == 2 && text[i + 3] == U'0';
    out.append(U"¢").append(text.substr(i + 3 + leading_zero, digits - leading_zero));
    i += 2 + digits;
  }
  return out;
}

// "1" and "1s" as "one" and "ones".
std::u32string SpellOne(std::u32string_view text) {
  std::u32string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool plural = i + 1 < text.size() && text[i + 1] == U's';
    const bool alone =
        text[i] == U'1' && (i == 0 || !IsWordAt(text, i - 1)) && !IsWordAt(text, i + 1 + plural);
    if (alone) {
      out += U"one";
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::string NormalizeEnglishNumbers(std::string_view text) {
  const std::u32string prepared =
      JoinSuffixes(SplitDigitsFromLetters(ReplaceHalves(ToUtf32(text))));
  const std::string joined = Join(JoinNumberWords(SplitWords(prepared)));
  return ToUtf8(SpellOne(ExtractCents(CombineCents(ToUtf32(joined)))));
}

}  // namespace xdna::decoder
