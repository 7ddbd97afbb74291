// From what the decoder says about one window to segments, and to where the next window begins: the
// steps of openai-whisper's transcribe() (whisper/transcribe.py) for a window of 30 s at most.
#ifndef DECODER_TRANSCRIBE_WINDOW_H_
#define DECODER_TRANSCRIBE_WINDOW_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "decoder/decoder.h"
#include "decoder/decoding.h"
#include "decoder/text/segment.h"
#include "decoder/text/tokenizer.h"
#include "decoder/text/word_timing.h"

namespace xdna::decoder {

// Frames of 10 ms of the recording.
struct Window {
  std::int64_t seek = 0;
  std::int64_t size = 0;

  double start() const;  // in seconds
  double end() const;
};

struct WindowText {
  std::vector<Segment> segments;
  std::int64_t next_seek = 0;
  // The window ends with one time stamp after text: nothing is said after it. Otherwise what
  // follows the last pair of time stamps is unfinished, and belongs to the next window.
  bool complete = false;
};

// Cuts the tokens at pairs of time stamps.
WindowText CutIntoSegments(const DecodingResult& result, const Tokenizer& tokenizer,
                           const Window& window);

// The words of `segments` with times from the start of the window, which is `slot` of the state;
// the state captures the alignment heads. Starts the state's row 0 anew. `sot` as
// Tokenizer::SotSequence, `code` the language.
std::vector<WordTiming> TimeWords(const Decoder& decoder, DecoderState& state, int slot,
                                  const Tokenizer& tokenizer, std::string_view code,
                                  std::span<const int> sot, std::span<const Segment> segments,
                                  const Window& window);

// Of the last word of all, or of the last segment where there are no words. `segments` is not
// empty.
double LastWordEnd(std::span<const Segment> segments);

// Sets where to go on once words have their times: after the last of them.
void SeekAfterWords(WindowText& text, const Window& window);

// Looks for segments whose words are improbable, too short or too long, with more than `threshold`
// seconds of silence around them; drops them and sets `next_seek` to where to listen again. Words
// have their times. `last_speech`: when speech was last heard before the window; `frames`: of the
// recording. False where nothing of the window is to be kept.
bool SkipHallucinations(WindowText& text, const Window& window, double threshold,
                        double last_speech, std::int64_t frames);

}  // namespace xdna::decoder

#endif  // DECODER_TRANSCRIBE_WINDOW_H_
