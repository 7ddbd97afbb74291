// From an encoded window to tokens, as openai-whisper's DecodingTask (whisper/decoding.py): greedy,
// sampled, or by beam search.
#ifndef DECODER_DECODING_H_
#define DECODER_DECODING_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/thread_pool.h"
#include "decoder/decoder.h"
#include "decoder/text/tokenizer.h"

namespace xdna::decoder {

struct DecodingOptions {
  // 0: the likeliest token, or beam search where beam_size > 0. Above: tokens are drawn, best_of
  // times over, and the best draw is taken.
  double temperature = 0;
  int best_of = 5;
  int beam_size = 0;
  // A beam search ends with round(beam_size * patience) finished sequences.
  double patience = 1;
  // Sequences are ranked by the sum of log-probabilities over their length, or over
  // ((5 + length) / 6)^length_penalty (Wu et al., "Google's Neural Machine Translation System",
  // 2016, equation 14).
  std::optional<double> length_penalty;
  int most_tokens = 0;         // 0: half of the model's positions
  std::vector<int> suppress;   // tokens never sampled
  std::vector<int> not_first;  // tokens not sampled first: a blank, the end
  bool timestamps = true;      // sample them, by their rules
  double max_initial_s = 1;    // the first one, at most; negative: any
  std::uint64_t seed = 0;      // of draws
};

// What openai-whisper samples from unless told otherwise: no symbols that aren't speech, no special
// tokens but the end and timestamps, no blank or end first.
DecodingOptions DefaultDecoding(const Tokenizer& tokenizer);

// One window's part of a decoding.
struct DecodingTask {
  int window = 0;             // of the state
  std::vector<int> start;     // Tokenizer::SotSequence; <|notimestamps|> is added as needed
  std::vector<int> previous;  // text before this window; the last of it is taken as context
};

struct DecodingResult {
  std::vector<int> tokens;  // without the start and without the end
  double sum_logprob = 0;   // the end included, where it was reached
  double avg_logprob = 0;   // sum_logprob / (tokens + 1)
  // Probability of <|nospeech|> where the transcript begins.
  double no_speech_prob = 0;
  double temperature = 0;
};

// Rows that a task needs in a state: DecodingOptions' beams or draws.
int RowsPerTask(const DecodingOptions& options);

// Decodes all tasks together; the state has their audio (Decoder::SetAudio) and RowsPerTask rows
// for each of them. A task's result does not depend on the others. Throws kInvalidArgument for
// options that make no sense.
std::vector<DecodingResult> Decode(const Decoder& decoder, DecoderState& state,
                                   std::span<const DecodingTask> tasks,
                                   const SpecialTokens& special, const DecodingOptions& options,
                                   ThreadPool& pool);

// The probability of each language for a window, in the order of `languages`, which is not empty.
std::vector<float> DetectLanguage(const Decoder& decoder, DecoderState& state, int window,
                                  const SpecialTokens& special,
                                  std::span<const LanguageToken> languages);

}  // namespace xdna::decoder

#endif  // DECODER_DECODING_H_
