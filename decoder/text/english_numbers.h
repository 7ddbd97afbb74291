// Numbers in words as numbers in digits: the state machine of openai-whisper's
// EnglishNumberNormalizer.
#ifndef DECODER_TEXT_ENGLISH_NUMBERS_H_
#define DECODER_TEXT_ENGLISH_NUMBERS_H_

#include <string>
#include <vector>

namespace xdna::decoder {

// The words of a text with each run of number words joined to one: {"two", "hundred", "dollars"}
// is {"$200"}. Numbers may have any length.
std::vector<std::string> JoinNumberWords(const std::vector<std::string>& words);

// Whether a "point five" may follow the word: "three", "forty", "oh", "million".
bool CanHaveHalf(const std::string& word);

}  // namespace xdna::decoder

#endif  // DECODER_TEXT_ENGLISH_NUMBERS_H_
