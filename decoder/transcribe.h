// Speech of any length to text, as openai-whisper's transcribe() (whisper/transcribe.py).
#ifndef DECODER_TRANSCRIBE_H_
#define DECODER_TRANSCRIBE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "decoder/decoder.h"
#include "decoder/decoding.h"
#include "decoder/text/segment.h"
#include "decoder/text/tokenizer.h"
#include "decoder/transcribe_mel.h"
#include "decoder/transcribe_window.h"

namespace xdna::decoder {

// How long the encoder took for a window, in seconds.
struct EncodeTime {
  double measured = 0;             // on this machine; 0 where only a model of the device ran
  std::optional<double> modelled;  // where there is a model of the device only
};

// One window through the encoder: `mel` [n_mels,3000] f32 to `out` [n_audio_ctx,d] f32.
using EncodeWindow = std::function<EncodeTime(const TensorView& mel, const TensorView& out)>;

// Names, meanings and values are openai-whisper's.
struct TranscribeOptions {
  std::string language;  // code; empty: what the first window with sound is in
  Task task = Task::kTranscribe;
  DecodingOptions decoding;  // but for its temperature
  // The next one is tried where a decoding fails one of the two thresholds that follow.
  std::vector<double> temperatures = {0, 0.2, 0.4, 0.6, 0.8, 1};
  std::optional<double> compression_ratio_threshold = 2.4;
  std::optional<double> logprob_threshold = -1;
  // A window of which the decoder says so and which fails `logprob_threshold` is silence.
  std::optional<double> no_speech_threshold = 0.6;
  std::optional<double> hallucination_silence_threshold;  // seconds; needs word_timestamps
  bool condition_on_previous_text = true;
  std::string initial_prompt;
  bool word_timestamps = false;
  std::vector<CrossHead> alignment_heads;  // for word_timestamps
  // Above 1, so many windows go through the decoder together: the recording is cut into pieces of
  // at most 30 s at its quietest places, and no piece knows the text of another.
  int batch_windows = 1;
};

struct TranscribeTimes {
  double encode = 0, decode = 0, words = 0;  // measured seconds
  std::optional<double> modelled_encode;     // of EncodeWindow
  std::int64_t windows = 0;                  // encoded
};

struct Transcription {
  Transcript transcript;
  double language_probability = 1;  // where the language was detected
  double until = 0;                 // seconds of the recording that are done
  bool stopped = false;             // before the end
  TranscribeTimes times;
};

// Told how many seconds of the recording are done, of how many; false stops.
using TranscribeProgress = std::function<bool(double done, double all)>;

// Works on one recording at a time.
class Transcriber {
 public:
  // All but the options outlives this. Throws kInvalidArgument for options that make no sense.
  Transcriber(Decoder& decoder, const Tokenizer& tokenizer, EncodeWindow encode, ThreadPool& pool,
              TranscribeOptions options);

  Transcription Run(MelStream& mel, const TranscribeProgress& progress = {});

 private:
  // A part of the recording that is transcribed on its own, window after window.
  struct Piece {
    std::int64_t begin = 0, seek = 0, end = 0;  // frames
    std::vector<int> tokens;                    // so far
    std::size_t prompt_begin = 0;  // those from here on are context for the next window
    double last_speech = 0;
    std::vector<Segment> segments;
  };

  Piece NextPiece(MelStream& mel, std::int64_t begin) const;
  // The next window of each piece that is not at its end.
  void Advance(MelStream& mel, std::span<Piece> pieces, Transcription& to);
  bool IsSilent(MelStream& mel, const Window& window) const;
  void Encode(MelStream& mel, const Window& window, int slot, Transcription& to);
  void ChooseLanguage(int slot, Transcription& to);
  std::vector<DecodingResult> DecodeWithFallback(const std::vector<DecodingTask>& tasks);
  bool NeedsFallback(const DecodingResult& result) const;
  bool IsNoSpeech(const DecodingResult& result) const;
  void Take(const DecodingResult& result, int slot, const Window& window, std::int64_t frames,
            Piece& piece, Transcription& to);

  Decoder& decoder_;
  const Tokenizer& tokenizer_;
  EncodeWindow encode_;
  ThreadPool& pool_;
  TranscribeOptions options_;
  std::unique_ptr<DecoderState> state_;
  Tensor mel_, encoded_;  // of one window
  std::string language_;  // of this recording
  std::vector<int> sot_;
};

}  // namespace xdna::decoder

#endif  // DECODER_TRANSCRIBE_H_
