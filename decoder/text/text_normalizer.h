// Whisper's text normalizers, which make transcripts comparable before words are counted.
#ifndef DECODER_TEXT_TEXT_NORMALIZER_H_
#define DECODER_TEXT_TEXT_NORMALIZER_H_

#include <string>
#include <string_view>

namespace xdna::decoder {

// openai-whisper's EnglishTextNormalizer: lower case, no fillers, brackets or diacritics;
// contractions and titles written out, numbers as digits ("twenty-one dollars" is "$21"), American
// spelling. Digits are those of ASCII. The result may begin or end with a space.
std::string NormalizeEnglish(std::string_view text);

// openai-whisper's BasicTextNormalizer with its defaults, for any language: lower case, nothing in
// brackets, symbols and punctuation as spaces. Diacritics that combine with no letter into one
// character are symbols, too. The result may begin or end with a space.
std::string NormalizeBasic(std::string_view text);

// The number part of NormalizeEnglish, for lower-case text without punctuation.
std::string NormalizeEnglishNumbers(std::string_view text);

}  // namespace xdna::decoder

#endif  // DECODER_TEXT_TEXT_NORMALIZER_H_
