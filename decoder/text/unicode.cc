#include "decoder/text/unicode.h"

#include <unicode/locid.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cstdint>

#include "base/error.h"

namespace xdna::decoder {
namespace {

icu::UnicodeString ToIcu(std::u32string_view text) {
  return icu::UnicodeString::fromUTF32(reinterpret_cast<const UChar32*>(text.data()),
                                       static_cast<std::int32_t>(text.size()));
}

std::u32string FromIcu(const icu::UnicodeString& text) {
  std::u32string result(static_cast<std::size_t>(text.countChar32()), U'\0');
  UErrorCode status = U_ZERO_ERROR;
  text.toUTF32(reinterpret_cast<UChar32*>(result.data()), static_cast<std::int32_t>(result.size()),
               status);
  return result;
}

std::u32string Normalize(const icu::Normalizer2* form, UErrorCode status,
                         std::u32string_view text) {
  icu::UnicodeString result;
  if (U_SUCCESS(status)) form->normalize(ToIcu(text), result, status);
  if (U_FAILURE(status)) Throw(ErrorCode::kInternal, "ICU: {}", u_errorName(status));
  return FromIcu(result);
}

bool InCategories(char32_t c, std::uint32_t mask) {
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & mask) != 0;
}

void Append(char32_t c, std::string& out) {
  std::uint8_t bytes[U8_MAX_LENGTH];
  std::size_t length = 0;
  if (c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) c = kReplacement;
  U8_APPEND_UNSAFE(bytes, length, c);
  out.append(reinterpret_cast<const char*>(bytes), length);
}

}  // namespace

char32_t NextCodePoint(std::string_view bytes, std::size_t* position, bool* valid) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  UChar32 c = 0;
  std::size_t next = *position;
  U8_NEXT(data, next, bytes.size(), c);
  *position = next;
  if (valid != nullptr) *valid = c >= 0;
  return c >= 0 ? static_cast<char32_t>(c) : kReplacement;
}

std::u32string ToUtf32(std::string_view utf8) {
  std::u32string text;
  text.reserve(utf8.size());
  for (std::size_t i = 0; i < utf8.size();) text += NextCodePoint(utf8, &i);
  return text;
}

std::string ToUtf8(std::u32string_view text) {
  std::string utf8;
  utf8.reserve(text.size());
  for (const char32_t c : text) Append(c, utf8);
  return utf8;
}

std::string ReplaceInvalid(std::string_view bytes) {
  std::string utf8;
  utf8.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size();) Append(NextCodePoint(bytes, &i), utf8);
  return utf8;
}

std::size_t FindInvalid(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const std::size_t start = i;
    bool valid = true;
    NextCodePoint(bytes, &i, &valid);
    if (!valid) return start;
  }
  return std::string_view::npos;
}

std::size_t IncompleteTail(std::string_view bytes) {
  for (std::size_t length = 1; length <= std::min<std::size_t>(3, bytes.size()); ++length) {
    const std::size_t start = bytes.size() - length;
    if (!U8_IS_LEAD(static_cast<std::uint8_t>(bytes[start]))) continue;
    std::size_t next = start;
    bool valid = true;
    NextCodePoint(bytes, &next, &valid);
    // A lead byte whose maximal subpart reaches the end lacks nothing but bytes.
    return !valid && next == bytes.size() ? length : 0;
  }
  return 0;
}

bool IsLetter(char32_t c) { return InCategories(c, U_GC_L_MASK); }
bool IsNumber(char32_t c) { return InCategories(c, U_GC_N_MASK); }
bool IsWhiteSpace(char32_t c) { return u_isUWhiteSpace(static_cast<UChar32>(c)) != 0; }
bool IsPythonSpace(char32_t c) { return IsWhiteSpace(c) || (c >= 0x1C && c <= 0x1F); }
bool IsWordCharacter(char32_t c) {
  return c == U'_' || InCategories(c, U_GC_L_MASK | U_GC_N_MASK) ||
         u_getIntPropertyValue(static_cast<UChar32>(c), UCHAR_NUMERIC_TYPE) != U_NT_NONE;
}
bool IsNonspacingMark(char32_t c) { return InCategories(c, U_GC_MN_MASK); }
bool IsMarkSymbolOrPunctuation(char32_t c) {
  return InCategories(c, U_GC_M_MASK | U_GC_S_MASK | U_GC_P_MASK);
}

std::u32string ToLower(std::u32string_view text) {
  return FromIcu(ToIcu(text).toLower(icu::Locale::getRoot()));
}

std::u32string Nfkc(std::u32string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* form = icu::Normalizer2::getNFKCInstance(status);
  return Normalize(form, status, text);
}

std::u32string Nfkd(std::u32string_view text) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* form = icu::Normalizer2::getNFKDInstance(status);
  return Normalize(form, status, text);
}

std::string_view Strip(std::string_view utf8) {
  std::size_t begin = utf8.size();
  std::size_t end = 0;
  for (std::size_t i = 0; i < utf8.size();) {
    const std::size_t start = i;
    if (IsPythonSpace(NextCodePoint(utf8, &i))) continue;
    begin = std::min(begin, start);
    end = i;
  }
  return begin < end ? utf8.substr(begin, end - begin) : std::string_view();
}

}  // namespace xdna::decoder
