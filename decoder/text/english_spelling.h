#ifndef DECODER_TEXT_ENGLISH_SPELLING_H_
#define DECODER_TEXT_ENGLISH_SPELLING_H_

#include <string_view>

namespace xdna::decoder {

// The American spelling of a British word in lower case; `word` itself if it isn't one.
std::string_view AmericanSpelling(std::string_view word);

}  // namespace xdna::decoder

#endif  // DECODER_TEXT_ENGLISH_SPELLING_H_
