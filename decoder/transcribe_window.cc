#include "decoder/transcribe_window.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/tensor.h"
#include "decoder/text/compression.h"
#include "decoder/text/unicode.h"
#include "decoder/transcribe_mel.h"
#include "ops/internal/row_kernels.h"

namespace xdna::decoder {
namespace {

constexpr int kFramesPerPosition = 2;  // of the encoder's output
constexpr int kPrefillTokens = 32;     // whose logits are held at a time

double Seconds(std::int64_t frames) { return static_cast<double>(frames) / kFramesPerSecond; }

std::int64_t Frames(double seconds) { return std::llrint(seconds * kFramesPerSecond); }

// Where the tokens are cut: between the two of each pair of time stamps.
std::vector<std::size_t> Cuts(std::span<const int> tokens, int timestamp_begin) {
  std::vector<std::size_t> cuts;
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    if (tokens[i - 1] >= timestamp_begin && tokens[i] >= timestamp_begin) cuts.push_back(i);
  }
  return cuts;
}

// Softmax over the first `frames` of each row of scores [heads,tokens,n_audio_ctx].
Tensor Weights(const TensorView& scores, std::int64_t frames) {
  Tensor weights(DType::kF32, {scores.dim(0), scores.dim(1), frames});
  float* to = weights.data<float>();
  for (std::int64_t head = 0; head < scores.dim(0); ++head) {
    for (std::int64_t token = 0; token < scores.dim(1); ++token, to += frames) {
      const float* from =
          scores.data<const float>() + head * scores.strides()[0] + token * scores.strides()[1];
      const float sum = ops::ExpRow(from, 1, frames, to, DType::kF32);
      for (std::int64_t i = 0; i < frames; ++i) to[i] /= sum;
    }
  }
  return weights;
}

// Feeds `tokens` after what row 0 has; returns for each how probable tokens[i + 1] is after it,
// among the first `eot` of the vocabulary.
std::vector<float> FeedAndJudge(const Decoder& decoder, DecoderState& state,
                                std::span<const int> tokens, int eot) {
  const std::int64_t vocabulary = decoder.geometry().n_vocab;
  const Tensor logits(DType::kF32, {kPrefillTokens, vocabulary});
  std::vector<float> probabilities, odds(eot);
  for (std::size_t first = 0; first < tokens.size(); first += kPrefillTokens) {
    const auto part =
        tokens.subspan(first, std::min<std::size_t>(kPrefillTokens, tokens.size() - first));
    std::vector<int> wanted(part.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i] = static_cast<int>(i);
    decoder.Prefill(state, 0, part, wanted, logits);
    for (std::size_t i = 0; i < part.size() && first + i + 1 < tokens.size(); ++i) {
      const int next = tokens[first + i + 1];
      const float* row = logits.data<float>() + static_cast<std::int64_t>(i) * vocabulary;
      const float sum = ops::ExpRow(row, 1, eot, odds.data(), DType::kF32);
      probabilities.push_back(next < eot ? odds[next] / sum : 0);
    }
  }
  return probabilities;
}

double WordAnomaly(const Word& word) {
  constexpr double kShort = 0.133, kLong = 2.0;  // seconds
  const double duration = word.end - word.start;
  double score = word.probability < 0.15 ? 1 : 0;
  if (duration < kShort) score += (kShort - duration) * 15;
  if (duration > kLong) score += duration - kLong;
  return score;
}

bool IsAnomalous(const Segment* segment) {
  constexpr std::size_t kWords = 8;
  if (segment == nullptr || segment->words.empty()) return false;
  const std::string punctuation =
      std::string(kPrependedPunctuation) + std::string(kAppendedPunctuation);
  std::size_t count = 0;
  double score = 0;
  for (const Word& word : segment->words) {
    if (punctuation.find(word.text) != std::string::npos) continue;
    score += WordAnomaly(word);
    if (++count == kWords) break;
  }
  return score >= 3 || score + 0.01 >= static_cast<double>(count);
}

const Segment* FirstWithWords(std::span<const Segment> segments) {
  const auto found =
      std::ranges::find_if(segments, [](const Segment& s) { return !s.words.empty(); });
  return found == segments.end() ? nullptr : &*found;
}

}  // namespace

double Window::start() const { return Seconds(seek); }
double Window::end() const { return Seconds(seek + size); }

WindowText CutIntoSegments(const DecodingResult& result, const Tokenizer& tokenizer,
                           const Window& window) {
  const int zero = tokenizer.special().timestamp_begin;
  const std::vector<int>& tokens = result.tokens;
  const double ratio = CompressionRatio(Strip(tokenizer.Decode(tokens)));
  const auto time = [&](int token) {
    return window.start() + (token - zero) * kSecondsPerTimestamp;
  };

  WindowText text;
  const auto add = [&](double start, double end, std::span<const int> part) {
    Segment segment;
    segment.seek = static_cast<int>(window.seek);
    segment.start = start;
    segment.end = end;
    segment.tokens.assign(part.begin(), part.end());
    segment.text = tokenizer.Decode(part);
    segment.temperature = result.temperature;
    segment.avg_logprob = result.avg_logprob;
    segment.compression_ratio = ratio;
    segment.no_speech_prob = result.no_speech_prob;
    text.segments.push_back(std::move(segment));
  };

  text.complete = tokens.size() >= 2 && tokens[tokens.size() - 2] < zero && tokens.back() >= zero;
  text.next_seek = window.seek + window.size;
  std::vector<std::size_t> cuts = Cuts(tokens, zero);
  if (cuts.empty()) {
    const auto last =
        std::find_if(tokens.rbegin(), tokens.rend(), [zero](int token) { return token >= zero; });
    const bool timed = last != tokens.rend() && *last != zero;
    add(window.start(), timed ? time(*last) : window.end(), tokens);
    return text;
  }
  if (text.complete) cuts.push_back(tokens.size());
  std::size_t begin = 0;
  for (std::size_t cut : cuts) {
    add(time(tokens[begin]), time(tokens[cut - 1]), std::span(tokens).subspan(begin, cut - begin));
    begin = cut;
  }
  if (!text.complete)
    text.next_seek = window.seek + std::int64_t{tokens[begin - 1] - zero} * kFramesPerPosition;
  return text;
}

std::vector<WordTiming> TimeWords(const Decoder& decoder, DecoderState& state, int slot,
                                  const Tokenizer& tokenizer, std::string_view code,
                                  std::span<const int> sot, std::span<const Segment> segments,
                                  const Window& window) {
  const SpecialTokens& special = tokenizer.special();
  std::vector<int> text;
  for (const Segment& segment : segments) {
    std::copy_if(segment.tokens.begin(), segment.tokens.end(), std::back_inserter(text),
                 [&](int token) { return token < special.eot; });
  }
  const std::int64_t frames = window.size / kFramesPerPosition;
  if (text.empty() || frames == 0) return {};

  std::vector<int> tokens = {special.no_timestamps};
  tokens.insert(tokens.end(), text.begin(), text.end());
  tokens.push_back(special.eot);
  decoder.Start(state, std::vector<int>{slot});
  decoder.Prefill(state, 0, sot, {}, {});
  std::vector<float> probabilities = FeedAndJudge(decoder, state, tokens, special.eot);
  probabilities.resize(text.size());  // without eot's
  const Tensor weights = Weights(state.CrossScores(), frames);
  return FindWordTimings(tokenizer, code,
                         {weights, static_cast<int>(sot.size()), text, probabilities});
}

double LastWordEnd(std::span<const Segment> segments) {
  for (std::size_t i = segments.size(); i-- > 0;) {
    if (!segments[i].words.empty()) return segments[i].words.back().end;
  }
  return segments.back().end;
}

void SeekAfterWords(WindowText& text, const Window& window) {
  if (text.complete || text.segments.empty()) return;
  const double end = LastWordEnd(text.segments);
  if (end > window.start()) text.next_seek = Frames(end);
}

bool SkipHallucinations(WindowText& text, const Window& window, double threshold,
                        double last_speech, std::int64_t frames) {
  constexpr double kNear = 2.0;  // seconds to a border of the window
  std::vector<Segment>& segments = text.segments;
  const double window_end = window.start() + Seconds(encoder::kWhisperFrames);
  if (!text.complete && !segments.empty()) {
    const double end = LastWordEnd(segments);
    if (end > window.start()) {
      text.next_seek = window_end - end > threshold ? Frames(end) : window.seek + window.size;
    }
  }
  const Segment* first = FirstWithWords(segments);
  if (IsAnomalous(first)) {
    const double gap = first->start - window.start();
    if (gap > threshold) {
      text.next_seek = window.seek + Frames(gap);
      return false;
    }
  }
  double heard = last_speech;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    if (segment.words.empty()) continue;
    if (IsAnomalous(&segment)) {
      const Segment* next = FirstWithWords(std::span(segments).subspan(i + 1));
      const double next_start = next != nullptr ? next->words.front().start : window.end();
      const bool silence_before = segment.start - heard > threshold || segment.start < threshold ||
                                  segment.start - window.start() < kNear;
      const bool silence_after = next_start - segment.end > threshold || IsAnomalous(next) ||
                                 window_end - segment.end < kNear;
      if (silence_before && silence_after) {
        text.next_seek = Frames(std::max(window.start() + 1, segment.start));
        if (Seconds(frames) - segment.end < threshold) text.next_seek = frames;
        segments.resize(i);
        return true;
      }
    }
    heard = segment.end;
  }
  return true;
}

}  // namespace xdna::decoder
