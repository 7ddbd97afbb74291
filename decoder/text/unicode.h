// UTF-8, character classes and normal forms (ICU), as the tokenizer and the text normalizers need
// them.
#ifndef DECODER_TEXT_UNICODE_H_
#define DECODER_TEXT_UNICODE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace xdna::decoder {

inline constexpr char32_t kReplacement = 0xFFFD;

// Decodes the character that starts at bytes[*position] and moves past it. What is not UTF-8 gives
// kReplacement once for each "maximal subpart" (Unicode 15, section 3.9, table 3-8), which is what
// Python's errors="replace" does. Needs *position < bytes.size(). `valid`, if given, says whether
// it was UTF-8 (text may hold a U+FFFD of its own).
char32_t NextCodePoint(std::string_view bytes, std::size_t* position, bool* valid = nullptr);

std::u32string ToUtf32(std::string_view utf8);  // what is invalid as U+FFFD
std::string ToUtf8(std::u32string_view text);   // surrogates as U+FFFD

// `bytes` with what is not UTF-8 replaced by U+FFFD.
std::string ReplaceInvalid(std::string_view bytes);

// The byte at which the first piece of `bytes` that isn't UTF-8 starts; npos if all is.
std::size_t FindInvalid(std::string_view bytes);

// How many bytes at the end (0 to 3) are the start of a character that more bytes could complete.
std::size_t IncompleteTail(std::string_view bytes);

// Unicode's general categories L and N, and the property White_Space.
bool IsLetter(char32_t c);
bool IsNumber(char32_t c);
bool IsWhiteSpace(char32_t c);
// As Python's str.isspace() and `\s`: White_Space and the separators U+001C to U+001F.
bool IsPythonSpace(char32_t c);
// As Python's `\w`: letters, whatever has a numeric value, and '_'.
bool IsWordCharacter(char32_t c);
bool IsNonspacingMark(char32_t c);           // category Mn
bool IsMarkSymbolOrPunctuation(char32_t c);  // categories M, S and P

std::u32string ToLower(std::u32string_view text);  // full mapping, no language's own rules
std::u32string Nfkc(std::u32string_view text);     // compatibility composition
std::u32string Nfkd(std::u32string_view text);     // compatibility decomposition

// `utf8` without Python's white space at both ends.
std::string_view Strip(std::string_view utf8);

}  // namespace xdna::decoder

#endif  // DECODER_TEXT_UNICODE_H_
