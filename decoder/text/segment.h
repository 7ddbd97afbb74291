// What a transcription is made of. Names are those of openai-whisper's JSON.
#ifndef DECODER_TEXT_SEGMENT_H_
#define DECODER_TEXT_SEGMENT_H_

#include <string>
#include <vector>

namespace xdna::decoder {

// Times are seconds from the start of the audio.
struct Word {
  double start = 0;
  double end = 0;
  double probability = 0;  // mean over the word's tokens
  std::string text;        // with its leading space
};

struct Segment {
  int seek = 0;  // where the 30 s window starts, in frames of 10 ms
  double start = 0;
  double end = 0;
  std::vector<int> tokens;  // time stamps included
  std::string text;         // with its leading space
  double temperature = 0;
  double avg_logprob = 0;        // natural logarithm, mean over tokens
  double compression_ratio = 0;  // see CompressionRatio
  double no_speech_prob = 0;
  std::vector<Word> words;  // with word time stamps only
};

struct Transcript {
  std::string text;      // of all segments, joined
  std::string language;  // code
  std::vector<Segment> segments;
  bool has_words = false;  // word time stamps were asked for
};

}  // namespace xdna::decoder

#endif  // DECODER_TEXT_SEGMENT_H_
