#include "encoder/audio/audio.h"

#include <fmt/core.h>
#include <sndfile.h>
#include <soxr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/sha256.h"
#include "encoder/audio/container.h"

namespace xdna::encoder {
namespace {

constexpr int kMinRate = 1000;
constexpr int kMaxRate = 768000;
// Values of one block, over all channels.
constexpr int kBlock = 1 << 16;
// No recording has such a value (full scale is 1), and its square still fits into a double's range.
constexpr float kMaxSample = 1e30F;

struct CloseSound {
  void operator()(SNDFILE* file) const { sf_close(file); }
};
using Sound = std::unique_ptr<SNDFILE, CloseSound>;

void CheckIsFile(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    Throw(ErrorCode::kNotFound, "no such file");
  }
  if (error) Throw(ErrorCode::kUnavailable, "{}", error.message());
  if (std::filesystem::is_directory(status)) {
    Throw(ErrorCode::kInvalidArgument, "is a directory; an audio file is wanted");
  }
  // A pipe without a writer would make us wait for ever, a device has no end.
  if (!std::filesystem::is_regular_file(status)) {
    Throw(ErrorCode::kInvalidArgument, "is not a regular file; an audio file is wanted");
  }
  if (access(path.c_str(), R_OK) != 0) Throw(ErrorCode::kUnavailable, "{}", std::strerror(errno));
  if (std::filesystem::file_size(path) == 0) {
    Throw(ErrorCode::kCorrupt, "is empty (0 bytes); an audio file is wanted");
  }
}

[[noreturn]] void ThrowUnknownFormat() {
  Throw(ErrorCode::kUnsupported,
        "not an audio file that libsndfile knows (WAV, FLAC, Ogg, MP3, AIFF, ...); raw PCM without "
        "a header is not accepted, as nothing in it says its rate and sample format");
}

Sound OpenSound(const std::string& path, SF_INFO* info) {
  Sound file(sf_open(path.c_str(), SFM_READ, info));
  if (file) {
    // What libsndfile takes for headerless audio because of its name alone (.vox, .gsm).
    if ((info->format & SF_FORMAT_TYPEMASK) == SF_FORMAT_RAW) ThrowUnknownFormat();
    return file;
  }
  if (sf_error(nullptr) == SF_ERR_UNRECOGNISED_FORMAT) ThrowUnknownFormat();
  const std::string_view why = sf_strerror(nullptr);
  if (why.find("SF_INFO") != std::string_view::npos) {
    Throw(ErrorCode::kCorrupt,
          "its header says an impossible sample rate or channel count; {} Hz to {} Hz and at least "
          "1 channel are wanted",
          kMinRate, kMaxRate);
  }
  // So says libsndfile when the MP3 decoder finds no MPEG frame.
  if (why.find("regular file") != std::string_view::npos) {
    Throw(ErrorCode::kCorrupt, "looks like MP3, but has no MPEG audio in it");
  }
  Throw(ErrorCode::kCorrupt, "libsndfile can't read it: {}", why);
}

void CheckHeader(const std::string& path, const SF_INFO& info) {
  if (info.samplerate < kMinRate || info.samplerate > kMaxRate) {
    Throw(ErrorCode::kUnsupported, "sample rate {} Hz; {} Hz to {} Hz are supported",
          info.samplerate, kMinRate, kMaxRate);
  }
  const std::optional<DataSize> data = FindDataSize(path);
  if (data && data->claimed > data->present) {
    Throw(
        ErrorCode::kCorrupt,
        "cut off: its header claims {} bytes of audio, but only {} are there ({} frames, {:.2f} s)",
        data->claimed, data->present, info.frames,
        static_cast<double>(info.frames) / info.samplerate);
  }
}

// Frames of `channels` values each, to mono, in place. `first` is the position of the first frame
// in the file, for messages.
void Downmix(std::span<float> values, int channels, std::int64_t first, int rate) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::abs(values[i]) <= kMaxSample) continue;  // NaN is not
    const std::int64_t frame = first + static_cast<std::int64_t>(i) / channels;
    Throw(ErrorCode::kCorrupt,
          "frame {} ({:.3f} s), channel {} is {}; samples must be finite, with 1 as full scale",
          frame, static_cast<double>(frame) / rate, i % channels, values[i]);
  }
  if (channels == 1) return;
  for (std::size_t frame = 0; frame < values.size() / channels; ++frame) {
    double sum = 0;
    for (int c = 0; c < channels; ++c) sum += values[frame * channels + c];
    values[frame] = static_cast<float>(sum / channels);
  }
}

// Mono blocks of any rate to 16 kHz, appended to a vector.
class Resampler {
 public:
  Resampler(int rate, std::vector<float>* out) : rate_(rate), out_(out) {
    if (rate == kSampleRate) return;
    const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    const soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
    soxr_error_t error = nullptr;
    soxr_.reset(soxr_create(rate, kSampleRate, 1, &error, &io, &quality, &runtime));
    Check(error);
    block_.resize(kBlock);
  }

  void Add(std::span<const float> in) {
    frames_ += static_cast<std::int64_t>(in.size());
    if (!soxr_) {
      out_->insert(out_->end(), in.begin(), in.end());
      return;
    }
    while (!in.empty()) in = in.subspan(Step(in.data(), in.size()).first);
  }

  // Drains the filter's delay line.
  void Finish() {
    if (!soxr_) return;
    while (Step(nullptr, 0).second != 0) {
    }
    // soxr rounds the length in floating point, which may miss a tie by one.
    out_->resize((frames_ * 2 * kSampleRate + rate_) / (2 * static_cast<std::int64_t>(rate_)));
  }

 private:
  struct Delete {
    void operator()(soxr* resampler) const { soxr_delete(resampler); }
  };

  static void Check(soxr_error_t error) {
    if (error != nullptr) Throw(ErrorCode::kInternal, "resampling failed: {}", error);
  }

  // Returns how many samples soxr took and how many it gave.
  std::pair<std::size_t, std::size_t> Step(const float* in, std::size_t count) {
    std::size_t taken = 0;
    std::size_t given = 0;
    Check(soxr_process(soxr_.get(), in, count, &taken, block_.data(), block_.size(), &given));
    out_->insert(out_->end(), block_.begin(), block_.begin() + static_cast<std::ptrdiff_t>(given));
    return {taken, given};
  }

  int rate_;
  std::vector<float>* out_;
  std::int64_t frames_ = 0;
  std::unique_ptr<soxr, Delete> soxr_;
  std::vector<float> block_;
};

// Decodes to the end; returns the number of frames.
std::int64_t Decode(SNDFILE* file, const SF_INFO& info, double max_seconds,
                    std::vector<float>* samples) {
  Resampler resampler(info.samplerate, samples);
  const std::int64_t block = std::max(1, kBlock / info.channels);
  std::vector<float> values(block * info.channels);
  std::int64_t frames = 0;
  while (const std::int64_t n = sf_readf_float(file, values.data(), block)) {
    Downmix(std::span(values).first(n * info.channels), info.channels, frames, info.samplerate);
    frames += n;
    if (static_cast<double>(frames) > max_seconds * info.samplerate) {
      Throw(ErrorCode::kInvalidArgument,
            "holds more than {:.4g} s of audio, the most that is read into memory; split it",
            max_seconds);
    }
    resampler.Add(std::span(values).first(n));
  }
  if (sf_error(file) != SF_ERR_NO_ERROR) {
    Throw(ErrorCode::kCorrupt, "after frame {} ({:.2f} s): {}", frames,
          static_cast<double>(frames) / info.samplerate, sf_strerror(file));
  }
  resampler.Finish();
  return frames;
}

void CheckAllRead(const SF_INFO& info, std::int64_t frames) {
  const auto seconds = [&](std::int64_t n) { return static_cast<double>(n) / info.samplerate; };
  if (info.frames == SF_COUNT_MAX) {  // unknown: a FLAC stream may say so, an Ogg file has an end
    if ((info.format & SF_FORMAT_TYPEMASK) != SF_FORMAT_OGG) return;
    Throw(ErrorCode::kCorrupt,
          "cut off: an Ogg file without its last page; {} frames ({:.2f} s) can be read", frames,
          seconds(frames));
  }
  if (frames < info.frames) {
    Throw(ErrorCode::kCorrupt,
          "cut off or damaged: its header claims {} frames ({:.2f} s), but only {} ({:.2f} s) can "
          "be read",
          info.frames, seconds(info.frames), frames, seconds(frames));
  }
}

void Describe(Audio* audio) {
  audio->seconds = static_cast<double>(audio->samples.size()) / kSampleRate;
  audio->sha256 = Sha256(audio->samples.data(), audio->samples.size() * sizeof(float));
}

}  // namespace

Audio ReadAudio(const std::string& path, double max_seconds) {
  if (path.empty()) Throw(ErrorCode::kInvalidArgument, "no audio file named (an empty path)");
  return WithContext(path, [&] {
    CheckIsFile(path);
    SF_INFO info{};
    const Sound file = OpenSound(path, &info);
    CheckHeader(path, info);
    Audio audio;
    audio.source = path;
    audio.source_rate = info.samplerate;
    audio.source_channels = info.channels;
    const std::int64_t frames = Decode(file.get(), info, max_seconds, &audio.samples);
    CheckAllRead(info, frames);
    if (audio.samples.empty()) {
      Throw(ErrorCode::kCorrupt, "holds no audio ({} frames at {} Hz)", frames, info.samplerate);
    }
    Describe(&audio);
    return audio;
  });
}

Audio Join(std::vector<Audio> parts) {
  if (parts.empty()) Throw(ErrorCode::kInvalidArgument, "no audio to join");
  Audio all = std::move(parts.front());
  if (parts.size() == 1) return all;
  for (const Audio& part : std::span(parts).subspan(1)) {
    all.samples.insert(all.samples.end(), part.samples.begin(), part.samples.end());
    all.source += " + " + part.source;
    if (part.source_rate != all.source_rate) all.source_rate = 0;
    if (part.source_channels != all.source_channels) all.source_channels = 0;
  }
  Describe(&all);
  return all;
}

Audio ReadAudioList(const std::vector<std::string>& paths, double max_seconds) {
  std::vector<Audio> parts;
  double seconds = 0;
  for (const std::string& path : paths) {
    parts.push_back(ReadAudio(path, max_seconds));
    seconds += parts.back().seconds;
    if (seconds > max_seconds) {
      Throw(ErrorCode::kInvalidArgument,
            "{}: brings the list to {:.4g} s of audio; at most {:.4g} s are read into memory", path,
            seconds, max_seconds);
    }
  }
  return Join(std::move(parts));
}

}  // namespace xdna::encoder
