// When each word was said: the decoder's cross-attention aligned with time, as openai-whisper's
// timing.py does it.
#ifndef DECODER_TEXT_WORD_TIMING_H_
#define DECODER_TEXT_WORD_TIMING_H_

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/tensor.h"
#include "decoder/text/segment.h"
#include "decoder/text/tokenizer.h"

namespace xdna::decoder {

// A word of the text; seconds from the start of the window.
struct WordTiming {
  std::string word;
  std::vector<int> tokens;
  double start = 0;
  double end = 0;
  double probability = 0;
};

// What the decoder knows of one window whose text is forced on it: sot sequence, <|notimestamps|>,
// the text tokens, eot.
struct TokenAttention {
  // f32 [heads, tokens, frames], contiguous: cross-attention of the alignment heads after softmax
  // over the frames that hold audio (20 ms each), a row for each token that was fed.
  TensorView weights;
  int sot_tokens = 0;                       // length of the sot sequence
  std::span<const int> text;                // no special tokens
  std::span<const float> text_probability;  // of each text token, softmax over tokens below eot
};

// The words with their times. Empty if there is no text. `code`: the language. Throws
// kInvalidArgument where shapes do not fit.
std::vector<WordTiming> FindWordTimings(const Tokenizer& tokenizer, std::string_view code,
                                        const TokenAttention& attention);

// Punctuation that makes up a word joins its neighbour and leaves an empty word behind: of
// `prepended` those that begin with a space join the next, of `appended` the one before.
void MergePunctuation(std::vector<WordTiming>& timings, std::string_view prepended,
                      std::string_view appended);
inline constexpr std::string_view kPrependedPunctuation = "\"'“¿([{-";
inline constexpr std::string_view kAppendedPunctuation = "\"'.。,，!！?？:：”)]}、";

// Hands the timings of one window to its segments: sets `words` and adjusts `start` and `end` of
// each (which all share `seek`), and holds back words that are too long beside a pause or at the
// end of a sentence. `timings` are of all segments' text tokens in order. `last_speech`: when
// speech was last heard before these segments, in seconds; returns the same for after them.
double AddWordTimings(std::span<Segment> segments, std::vector<WordTiming> timings,
                      const Tokenizer& tokenizer, double last_speech);

// --- the parts ---------------------------------------------------------------------------------

// Replaces each row of `rows` [count, length] by its running median over `width` (odd) values,
// mirrored at the ends without repeating the outermost. Rows of at most width / 2 values stay.
void MedianFilter(std::span<float> rows, std::size_t length, std::size_t width);

// The mean over heads [tokens, frames] of the weights, each normalised over tokens to mean 0 and
// deviation 1 and then median-filtered over 7 frames. Where all tokens weigh the same it is 0.
std::vector<float> AlignmentMatrix(const TensorView& weights);

// The cheapest path through `cost` [rows, columns] from the first cell to the last by steps right,
// down or both; pairs of (row, column). Ties go right. Empty if the table is.
std::vector<std::pair<int, int>> DynamicTimeWarp(std::span<const float> cost, std::size_t rows,
                                                 std::size_t columns);

}  // namespace xdna::decoder

#endif  // DECODER_TEXT_WORD_TIMING_H_
