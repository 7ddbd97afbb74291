#include "decoder/transcribe.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "decoder/text/compression.h"
#include "decoder/text/unicode.h"
#include "encoder/weights/geometry.h"

namespace xdna::decoder {
namespace {

using encoder::kWhisperFrames;

// Loudest band of the loudest frame, below which a window has no sound (MelStream::Loudness):
// noise of -86 dB of full scale, a sixth of the least step of 16-bit audio. Whisper makes up words
// for digital silence.
constexpr float kSilence = -8;
// Pieces are cut in their last 10 s, in the middle of the 0.3 s whose loudest band is quietest.
constexpr std::int64_t kCutFrames = 1000;
constexpr std::int64_t kPauseFrames = 30;
// Text from a hotter decoding is no context for the next window.
constexpr double kHot = 0.5;

// Adds the time that it lives to `seconds`.
class Stopwatch {
 public:
  explicit Stopwatch(double& seconds) : seconds_(seconds) {}
  ~Stopwatch() { seconds_ += std::chrono::duration<double>(Clock::now() - begin_).count(); }
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  double& seconds_;
  Clock::time_point begin_ = Clock::now();
};

DecodingOptions AtTemperature(const DecodingOptions& options, double temperature) {
  DecodingOptions at = options;
  at.temperature = temperature;
  return at;
}

void Check(const TranscribeOptions& options) {
  if (options.temperatures.empty()) {
    Throw(ErrorCode::kInvalidArgument, "no temperature to decode at");
  }
  if (options.batch_windows < 1) {
    Throw(ErrorCode::kInvalidArgument, "batch_windows is {}; expected 1 or more",
          options.batch_windows);
  }
  if (options.word_timestamps && options.alignment_heads.empty()) {
    Throw(ErrorCode::kInvalidArgument, "word_timestamps need alignment heads");
  }
  if (options.hallucination_silence_threshold && !options.word_timestamps) {
    Throw(ErrorCode::kInvalidArgument, "hallucination_silence_threshold needs word_timestamps");
  }
}

bool IsEmpty(const Segment& segment) {
  return segment.start == segment.end || Strip(segment.text).empty();
}

}  // namespace

Transcriber::Transcriber(Decoder& decoder, const Tokenizer& tokenizer, EncodeWindow encode,
                         ThreadPool& pool, TranscribeOptions options)
    : decoder_(decoder),
      tokenizer_(tokenizer),
      encode_(std::move(encode)),
      pool_(pool),
      options_(std::move(options)) {
  Check(options_);
  const encoder::Geometry& g = decoder.geometry();
  if (tokenizer.size() != g.n_vocab) {
    Throw(ErrorCode::kInvalidArgument, "the tokenizer has {} tokens, {} has {}", tokenizer.size(),
          g.name, g.n_vocab);
  }
  if (!options_.language.empty()) {
    tokenizer.SotSequence(options_.language, options_.task);  // throws for an unknown language
  }
  int rows = 1;
  for (double temperature : options_.temperatures)
    rows = std::max(rows, RowsPerTask(AtTemperature(options_.decoding, temperature)));
  state_ = decoder.NewState(
      options_.batch_windows, rows * options_.batch_windows,
      options_.word_timestamps ? options_.alignment_heads : std::vector<CrossHead>{});
  mel_ = Tensor(DType::kF32, {g.n_mels, kWhisperFrames});
  encoded_ = Tensor(DType::kF32, {g.n_audio_ctx, g.d_model});
}

Transcription Transcriber::Run(MelStream& mel, const TranscribeProgress& progress) {
  Transcription result;
  language_ = tokenizer_.multilingual() ? options_.language : "en";
  if (!language_.empty()) sot_ = tokenizer_.SotSequence(language_, options_.task);
  for (std::int64_t planned = 0; planned < mel.frames() && !result.stopped;) {
    std::vector<Piece> pieces;
    const std::int64_t begin = planned;
    while (planned < mel.frames() && static_cast<int>(pieces.size()) < options_.batch_windows) {
      pieces.push_back(NextPiece(mel, planned));
      planned = pieces.back().end;
    }
    for (std::int64_t done = begin; done < planned && !result.stopped;) {
      Advance(mel, pieces, result);
      done = begin;
      for (const Piece& piece : pieces) done += piece.seek - piece.begin;
      result.until = static_cast<double>(done) / kFramesPerSecond;
      if (progress && !progress(result.until, mel.seconds())) result.stopped = done < mel.frames();
    }
    for (Piece& piece : pieces) {
      auto& segments = result.transcript.segments;
      std::move(piece.segments.begin(), piece.segments.end(), std::back_inserter(segments));
    }
  }
  for (const Segment& segment : result.transcript.segments) result.transcript.text += segment.text;
  result.transcript.language = language_;
  result.transcript.has_words = options_.word_timestamps;
  return result;
}

Transcriber::Piece Transcriber::NextPiece(MelStream& mel, std::int64_t begin) const {
  Piece piece;
  piece.begin = piece.seek = begin;
  piece.end = mel.frames();
  piece.last_speech = static_cast<double>(begin) / kFramesPerSecond;
  if (!options_.initial_prompt.empty()) {
    piece.tokens = tokenizer_.Encode(" " + std::string(Strip(options_.initial_prompt)));
  }
  if (options_.batch_windows == 1 || piece.end - begin <= kWhisperFrames) return piece;
  const std::int64_t first = begin + kWhisperFrames - kCutFrames;
  const std::vector<float> loudness = mel.Loudness(first, kCutFrames);
  float quietest = 0;
  for (std::int64_t i = 0; i + kPauseFrames <= kCutFrames; ++i) {
    const float loudest =
        *std::max_element(loudness.begin() + i, loudness.begin() + i + kPauseFrames);
    if (i > 0 && loudest >= quietest) continue;
    quietest = loudest;
    piece.end = first + i + kPauseFrames / 2;
  }
  return piece;
}

void Transcriber::Advance(MelStream& mel, std::span<Piece> pieces, Transcription& to) {
  std::vector<DecodingTask> tasks;
  std::vector<Window> windows;
  std::vector<Piece*> of_task;
  std::int64_t oldest = mel.frames();
  for (Piece& piece : pieces) {
    oldest = std::min(oldest, piece.seek == piece.end ? mel.frames() : piece.seek);
    if (piece.seek == piece.end) continue;
    const Window window = {piece.seek,
                           std::min<std::int64_t>(kWhisperFrames, piece.end - piece.seek)};
    if (IsSilent(mel, window)) {
      piece.seek += window.size;
      continue;
    }
    const int slot = static_cast<int>(tasks.size());
    Encode(mel, window, slot, to);
    if (language_.empty()) ChooseLanguage(slot, to);
    const auto context = piece.tokens.begin() + static_cast<std::ptrdiff_t>(piece.prompt_begin);
    tasks.push_back({slot, sot_, {context, piece.tokens.end()}});
    windows.push_back(window);
    of_task.push_back(&piece);
  }
  mel.Forget(oldest);
  if (tasks.empty()) return;
  std::vector<DecodingResult> results;
  {
    const Stopwatch watch(to.times.decode);
    results = DecodeWithFallback(tasks);
  }
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    Take(results[i], static_cast<int>(i), windows[i], mel.frames(), *of_task[i], to);
  }
}

bool Transcriber::IsSilent(MelStream& mel, const Window& window) const {
  const std::vector<float> loudness = mel.Loudness(window.seek, window.size);
  return *std::max_element(loudness.begin(), loudness.end()) < kSilence;
}

void Transcriber::Encode(MelStream& mel, const Window& window, int slot, Transcription& to) {
  mel.Window(window.seek, window.size, mel_);
  const EncodeTime time = encode_(mel_, encoded_);
  to.times.encode += time.measured;
  if (time.modelled)
    to.times.modelled_encode = to.times.modelled_encode.value_or(0) + *time.modelled;
  ++to.times.windows;
  const Stopwatch watch(to.times.decode);
  decoder_.SetAudio(*state_, slot, encoded_);
}

void Transcriber::ChooseLanguage(int slot, Transcription& to) {
  const Stopwatch watch(to.times.decode);
  const std::span<const LanguageToken> languages = tokenizer_.languages();
  const std::vector<float> odds =
      DetectLanguage(decoder_, *state_, slot, tokenizer_.special(), languages);
  const auto best = std::max_element(odds.begin(), odds.end());
  language_ = languages[best - odds.begin()].code;
  to.language_probability = *best;
  sot_ = tokenizer_.SotSequence(language_, options_.task);
}

std::vector<DecodingResult> Transcriber::DecodeWithFallback(
    const std::vector<DecodingTask>& tasks) {
  std::vector<DecodingResult> results(tasks.size());
  std::vector<std::size_t> open(tasks.size());
  for (std::size_t i = 0; i < open.size(); ++i) open[i] = i;
  for (double temperature : options_.temperatures) {
    std::vector<DecodingTask> again;
    for (std::size_t i : open) again.push_back(tasks[i]);
    const std::vector<DecodingResult> tried =
        Decode(decoder_, *state_, again, tokenizer_.special(),
               AtTemperature(options_.decoding, temperature), pool_);
    std::vector<std::size_t> failed;
    for (std::size_t i = 0; i < open.size(); ++i) {
      results[open[i]] = tried[i];
      if (NeedsFallback(tried[i])) failed.push_back(open[i]);
    }
    open = std::move(failed);
    if (open.empty()) break;
  }
  return results;
}

bool Transcriber::NeedsFallback(const DecodingResult& result) const {
  const auto& ratio = options_.compression_ratio_threshold;
  const bool repeats = ratio && CompressionRatio(Strip(tokenizer_.Decode(result.tokens))) > *ratio;
  const bool improbable =
      options_.logprob_threshold && result.avg_logprob < *options_.logprob_threshold;
  const bool silence = improbable && options_.no_speech_threshold &&
                       result.no_speech_prob > *options_.no_speech_threshold;
  return (repeats || improbable) && !silence;
}

bool Transcriber::IsNoSpeech(const DecodingResult& result) const {
  return options_.no_speech_threshold && result.no_speech_prob > *options_.no_speech_threshold &&
         !(options_.logprob_threshold && result.avg_logprob > *options_.logprob_threshold);
}

void Transcriber::Take(const DecodingResult& result, int slot, const Window& window,
                       std::int64_t frames, Piece& piece, Transcription& to) {
  // Where time stamps lead nowhere, on to the next window.
  const auto go_on = [&](std::int64_t seek) {
    piece.seek = std::min(seek > window.seek ? seek : window.seek + window.size, piece.end);
  };
  if (IsNoSpeech(result)) return go_on(window.seek + window.size);
  WindowText text = CutIntoSegments(result, tokenizer_, window);
  if (options_.word_timestamps) {
    const Stopwatch watch(to.times.words);
    std::vector<WordTiming> timings =
        TimeWords(decoder_, *state_, slot, tokenizer_, language_, sot_, text.segments, window);
    AddWordTimings(text.segments, std::move(timings), tokenizer_, piece.last_speech);
    SeekAfterWords(text, window);
    if (options_.hallucination_silence_threshold &&
        !SkipHallucinations(text, window, *options_.hallucination_silence_threshold,
                            piece.last_speech, frames)) {
      return go_on(text.next_seek);
    }
    if (!text.segments.empty()) piece.last_speech = LastWordEnd(text.segments);
  }
  for (Segment& segment : text.segments) {
    if (IsEmpty(segment)) continue;
    piece.tokens.insert(piece.tokens.end(), segment.tokens.begin(), segment.tokens.end());
    piece.segments.push_back(std::move(segment));
  }
  if (!options_.condition_on_previous_text || result.temperature > kHot) {
    piece.prompt_begin = piece.tokens.size();
  }
  go_on(text.next_seek);
}

}  // namespace xdna::decoder
