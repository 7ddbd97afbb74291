// The languages that Whisper knows, in the order of their tokens.
#ifndef DECODER_TEXT_LANGUAGES_H_
#define DECODER_TEXT_LANGUAGES_H_

#include <span>
#include <string>
#include <string_view>

namespace xdna::decoder {

struct Language {
  const char* code;  // as in the token: "<|en|>"
  const char* name;  // in English, lower case
};

// openai-whisper's LANGUAGES: 99 of the first models, and Cantonese, which came with large-v3.
std::span<const Language> Languages();

// The code of a language given by code or English name in any case, or by one of openai-whisper's
// other names ("Flemish" is "nl"). Throws kInvalidArgument for an unknown one.
std::string LanguageCode(std::string_view code_or_name);

// The English name of a code; the code itself if it is not in Languages().
std::string LanguageName(std::string_view code);

// Whether words of the language are not set apart by spaces (Chinese, Japanese, Thai, Lao, Burmese,
// Cantonese), as openai-whisper has it.
bool IsWrittenWithoutSpaces(std::string_view code);

}  // namespace xdna::decoder

#endif  // DECODER_TEXT_LANGUAGES_H_
