#include "decoder/transcribe_mel.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"

namespace xdna::decoder {
namespace {

using encoder::kHop;
using encoder::kWhisperFrames;
using encoder::kWindowSamples;

// LogMel clamps to 8 below the largest value of what it gets, and maps x to (x + 4) / 4. Clamping
// again to 8 below the largest of the whole recording gives what clamping once would, as long as no
// chunk is louder than the recording. Frames at a cut, which see its mirror image, might be: so the
// samples before and after the frames that count are faded.
constexpr int kFade = 32;                                 // frames
constexpr int kChunkFrames = kWhisperFrames - 2 * kFade;  // frames that count
constexpr float kRange = 8.0F / 4;
// Chunks that are kept from the first pass, so that the second need not read: 16 minutes, 31 MB.
constexpr std::size_t kKept = 32;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

MelStream::MelStream(std::string path, std::string name, const encoder::LogMel& log_mel,
                     ThreadPool* pool)
    : path_(std::move(path)), name_(std::move(name)), log_mel_(log_mel), pool_(pool) {
  FirstPass();
}

void MelStream::Restart() {
  chunks_.clear();
  samples_.assign(static_cast<std::size_t>(kFade) * kHop, 0.0F);
  samples_read_ = 0;
  next_chunk_ = 0;
  audio_ = std::make_unique<encoder::AudioStream>(path_, name_);
}

// samples_ begins kFade frames before the chunk, and on return before the next one.
bool MelStream::Next(Chunk& chunk) {
  const double begin = Now();
  const bool first = next_chunk_ == 0;
  const auto border = static_cast<std::size_t>(kFade) * kHop;
  const std::size_t had = samples_.size();
  samples_.resize(kWindowSamples);
  const std::size_t read = audio_->Read(std::span(samples_).subspan(had));
  const bool ended = read < kWindowSamples - had;
  samples_.resize(had + read);
  samples_read_ += static_cast<std::int64_t>(read);
  const double loaded = Now();
  load_seconds_ += loaded - begin;
  if (!first && samples_.size() <= border) return false;

  std::vector<float> faded = samples_;
  const std::size_t ramp = border - encoder::kFftSize / 2;
  for (std::size_t i = 0; i < std::min(ramp, faded.size()); ++i) {
    const float gain = static_cast<float>(i) / static_cast<float>(ramp);
    if (!first) faded[i] *= gain;
    if (!ended) faded[faded.size() - 1 - i] *= gain;
  }
  chunk.first = next_chunk_;
  // At the beginning of a recording Whisper mirrors, too.
  const std::span<const float> from = first ? std::span(faded).subspan(border) : std::span(faded);
  chunk.mel = log_mel_.Compute(from, kWhisperFrames, pool_);
  mel_seconds_ += Now() - loaded;

  const auto used = static_cast<std::size_t>(kChunkFrames) * kHop;
  samples_.erase(samples_.begin(),
                 samples_.begin() + static_cast<std::ptrdiff_t>(std::min(used, samples_.size())));
  next_chunk_ += kChunkFrames;
  return true;
}

void MelStream::FirstPass() {
  Restart();
  source_rate_ = audio_->source_rate();
  source_channels_ = audio_->source_channels();
  float largest = -std::numeric_limits<float>::infinity();
  bool all = true;
  for (Chunk chunk; Next(chunk);) {
    const float* values = chunk.mel.data<float>();
    largest = std::max(largest, *std::max_element(values, values + chunk.mel.size()));
    all = all && chunks_.size() < kKept;
    if (all) chunks_.push_back(std::move(chunk));
  }
  floor_ = largest - kRange;
  frames_ = samples_read_ / kHop;
  seconds_ = static_cast<double>(samples_read_) / encoder::kSampleRate;
  if (all) {
    audio_.reset();
  } else {
    Restart();
  }
}

void MelStream::ForChunks(std::int64_t first, std::int64_t count, const ChunkBody& body) {
  if (first < 0 || count < 0 || first + count > frames_) {
    Throw(ErrorCode::kInternal, "frames {} to {} of {}", first, first + count, frames_);
  }
  const std::int64_t end = first + count;
  while (chunks_.empty() || chunks_.back().first + kChunkFrames < end) {
    Chunk chunk;
    if (!Next(chunk)) {
      Throw(ErrorCode::kUnavailable, "{}: became shorter while it was read",
            name_.empty() ? path_ : name_);
    }
    chunks_.push_back(std::move(chunk));
  }
  if (count > 0 && first < chunks_.front().first) {
    Throw(ErrorCode::kInternal, "frame {} is forgotten", first);
  }
  for (const Chunk& chunk : chunks_) {
    const std::int64_t begin = std::max(first, chunk.first);
    const std::int64_t stop = std::min(end, chunk.first + kChunkFrames);
    const std::int64_t border = chunk.first == 0 ? 0 : kFade;
    if (begin < stop) body(chunk, begin - chunk.first + border, begin - first, stop - begin);
  }
}

void MelStream::Window(std::int64_t first, std::int64_t count, const TensorView& out) {
  const double begin = Now();
  const double before = load_seconds_ + mel_seconds_;
  auto* to = out.data<float>();
  std::fill_n(to, out.size(), 0.0F);
  ForChunks(first, count,
            [&](const Chunk& chunk, std::int64_t from, std::int64_t at, std::int64_t n) {
              for (std::int64_t band = 0; band < log_mel_.n_mels(); ++band) {
                const float* row = chunk.mel.data<const float>() + band * kWhisperFrames + from;
                std::transform(row, row + n, to + band * kWhisperFrames + at,
                               [this](float value) { return std::max(value, floor_); });
              }
            });
  mel_seconds_ += Now() - begin - (load_seconds_ + mel_seconds_ - before);
}

std::vector<float> MelStream::Loudness(std::int64_t first, std::int64_t count) {
  std::vector<float> loudness(count, -std::numeric_limits<float>::infinity());
  ForChunks(first, count,
            [&](const Chunk& chunk, std::int64_t from, std::int64_t at, std::int64_t n) {
              for (std::int64_t band = 0; band < log_mel_.n_mels(); ++band) {
                const float* row = chunk.mel.data<const float>() + band * kWhisperFrames + from;
                for (std::int64_t i = 0; i < n; ++i)
                  loudness[at + i] = std::max(loudness[at + i], row[i] * 4 - 4);
              }
            });
  return loudness;
}

void MelStream::Forget(std::int64_t before) {
  while (!chunks_.empty() && chunks_.front().first + kChunkFrames <= before) chunks_.pop_front();
}

}  // namespace xdna::decoder
