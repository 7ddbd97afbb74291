#include "encoder/audio/audio_stream.h"

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
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "encoder/audio/audio.h"
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

struct DeleteResampler {
  void operator()(soxr* resampler) const { soxr_delete(resampler); }
};

void CheckIsFile(const std::string& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    Throw(ErrorCode::kNotFound, "no such file");
  }
  if (error) Throw(ErrorCode::kUnavailable, "{}", error.message());
  if (std::filesystem::is_directory(status)) {
    Throw(ErrorCode::kInvalidArgument,
          "is not a regular file (it is a directory); an audio file is wanted");
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

}  // namespace

class AudioStream::Source {
 public:
  Source(const std::string& path, std::string name, double max_seconds)
      : name_(std::move(name)), max_seconds_(max_seconds) {
    WithContext(name_, [&] {
      CheckIsFile(path);
      file_ = OpenSound(path, &info_);
      CheckHeader(path, info_);
      values_.resize(std::max(1, kBlock / info_.channels) * info_.channels);
      if (info_.samplerate != kSampleRate) MakeResampler();
    });
  }

  const SF_INFO& info() const { return info_; }
  std::int64_t frames() const { return frames_; }

  std::size_t Read(std::span<float> out) {
    std::size_t done = 0;
    while (done < out.size()) {
      if (taken_ == ready_.size()) {
        if (at_end_) break;
        WithContext(name_, [&] { Fill(); });
        continue;
      }
      const std::size_t count = std::min(out.size() - done, ready_.size() - taken_);
      std::copy_n(ready_.data() + taken_, count, out.data() + done);
      taken_ += count;
      done += count;
    }
    return done;
  }

 private:
  static void Check(soxr_error_t error) {
    if (error != nullptr) Throw(ErrorCode::kInternal, "resampling failed: {}", error);
  }

  void MakeResampler() {
    const soxr_io_spec_t io = soxr_io_spec(SOXR_FLOAT32_I, SOXR_FLOAT32_I);
    const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    const soxr_runtime_spec_t runtime = soxr_runtime_spec(1);
    soxr_error_t error = nullptr;
    resampler_.reset(
        soxr_create(info_.samplerate, kSampleRate, 1, &error, &io, &quality, &runtime));
    Check(error);
    block_.resize(kBlock);
  }

  double Seconds(std::int64_t frames) const {
    return static_cast<double>(frames) / info_.samplerate;
  }

  // Decodes one more block.
  void Fill() {
    ready_.clear();
    taken_ = 0;
    const std::int64_t block = static_cast<std::int64_t>(values_.size()) / info_.channels;
    const std::int64_t frames = sf_readf_float(file_.get(), values_.data(), block);
    if (frames == 0) return Finish();
    Downmix(std::span(values_).first(frames * info_.channels), info_.channels, frames_,
            info_.samplerate);
    frames_ += frames;
    if (static_cast<double>(frames_) > max_seconds_ * info_.samplerate) {
      Throw(ErrorCode::kInvalidArgument,
            "holds more than {:.4g} s of audio, the most that is read into memory; split it",
            max_seconds_);
    }
    Resample({values_.data(), static_cast<std::size_t>(frames)});
  }

  void Resample(std::span<const float> in) {
    if (!resampler_) {
      ready_.assign(in.begin(), in.end());
      return;
    }
    while (!in.empty()) in = in.subspan(Step(in.data(), in.size()).first);
  }

  // Returns how many samples soxr took and how many it gave.
  std::pair<std::size_t, std::size_t> Step(const float* in, std::size_t count) {
    std::size_t taken = 0;
    std::size_t given = 0;
    Check(soxr_process(resampler_.get(), in, count, &taken, block_.data(), block_.size(), &given));
    ready_.insert(ready_.end(), block_.begin(),
                  block_.begin() + static_cast<std::ptrdiff_t>(given));
    resampled_ += static_cast<std::int64_t>(given);
    return {taken, given};
  }

  void Finish() {
    at_end_ = true;
    if (sf_error(file_.get()) != SF_ERR_NO_ERROR) {
      Throw(ErrorCode::kCorrupt, "after frame {} ({:.2f} s): {}", frames_, Seconds(frames_),
            sf_strerror(file_.get()));
    }
    CheckAllRead();
    if (!resampler_) return;
    while (Step(nullptr, 0).second != 0) {
    }
    // soxr rounds the length in floating point, which may miss a tie by one.
    const std::int64_t rate = info_.samplerate;
    const std::int64_t length = (frames_ * 2 * kSampleRate + rate) / (2 * rate);
    ready_.resize(
        std::max<std::int64_t>(0, static_cast<std::int64_t>(ready_.size()) + length - resampled_));
  }

  void CheckAllRead() const {
    if (info_.frames == SF_COUNT_MAX) {
      // Unknown: a FLAC stream may say so, an Ogg file has an end.
      if ((info_.format & SF_FORMAT_TYPEMASK) == SF_FORMAT_OGG) {
        Throw(ErrorCode::kCorrupt,
              "cut off: an Ogg file without its last page; {} frames ({:.2f} s) can be read",
              frames_, Seconds(frames_));
      }
    } else if (frames_ < info_.frames) {
      Throw(ErrorCode::kCorrupt,
            "cut off or damaged: its header claims {} frames ({:.2f} s), but only {} ({:.2f} s) "
            "can be read",
            info_.frames, Seconds(info_.frames), frames_, Seconds(frames_));
    }
    if (frames_ == 0) {
      Throw(ErrorCode::kCorrupt, "holds no audio (0 frames at {} Hz)", info_.samplerate);
    }
  }

  std::string name_;
  double max_seconds_;
  SF_INFO info_{};
  Sound file_;
  std::unique_ptr<soxr, DeleteResampler> resampler_;
  std::vector<float> values_;   // as decoded
  std::vector<float> block_;    // of the resampler
  std::vector<float> ready_;    // mono at 16 kHz
  std::size_t taken_ = 0;       // of ready_
  std::int64_t frames_ = 0;     // decoded so far
  std::int64_t resampled_ = 0;  // samples that the resampler gave so far
  bool at_end_ = false;
};

AudioStream::AudioStream(const std::string& path, const std::string& name, double max_seconds) {
  if (path.empty()) Throw(ErrorCode::kInvalidArgument, "no audio file named (an empty path)");
  source_ = std::make_unique<Source>(path, name.empty() ? path : name, max_seconds);
}

AudioStream::~AudioStream() = default;

int AudioStream::source_rate() const { return source_->info().samplerate; }
int AudioStream::source_channels() const { return source_->info().channels; }
std::int64_t AudioStream::frames() const { return source_->frames(); }
std::size_t AudioStream::Read(std::span<float> out) { return source_->Read(out); }

}  // namespace xdna::encoder
