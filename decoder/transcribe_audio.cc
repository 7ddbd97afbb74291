#include "decoder/transcribe_audio.h"

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
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/error.h"
#include "encoder/audio/audio.h"
#include "encoder/audio/container.h"

namespace xdna::decoder {
namespace {

using encoder::kSampleRate;

constexpr int kMinRate = 1000;
constexpr int kMaxRate = 768000;
constexpr int kBlock = 1 << 16;      // values that are decoded at a time, over all channels
constexpr float kMaxSample = 1e30F;  // its square is finite; no recording has it

struct CloseSound {
  void operator()(SNDFILE* file) const { sf_close(file); }
};
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
        "not an audio file that libsndfile knows (WAV, FLAC, Ogg, MP3, AIFF, ...); raw PCM has no "
        "header that says its rate and sample format");
}

SNDFILE* OpenSound(const std::string& path, SF_INFO* info) {
  SNDFILE* file = sf_open(path.c_str(), SFM_READ, info);
  if (file != nullptr) return file;
  if (sf_error(nullptr) == SF_ERR_UNRECOGNISED_FORMAT) ThrowUnknownFormat();
  Throw(ErrorCode::kCorrupt, "libsndfile can't read it: {}", sf_strerror(nullptr));
}

void CheckHeader(const std::string& path, const SF_INFO& info) {
  if ((info.format & SF_FORMAT_TYPEMASK) == SF_FORMAT_RAW) ThrowUnknownFormat();
  if (info.samplerate < kMinRate || info.samplerate > kMaxRate) {
    Throw(ErrorCode::kUnsupported, "sample rate {} Hz; {} Hz to {} Hz are supported",
          info.samplerate, kMinRate, kMaxRate);
  }
  const std::optional<encoder::DataSize> data = encoder::FindDataSize(path);
  if (data && data->claimed > data->present) {
    Throw(ErrorCode::kCorrupt,
          "cut off: its header claims {} bytes of audio, but only {} are there", data->claimed,
          data->present);
  }
}

}  // namespace

class AudioStream::Source {
 public:
  Source(const std::string& path, std::string name) : name_(std::move(name)) {
    WithContext(name_, [&] {
      CheckIsFile(path);
      file_.reset(OpenSound(path, &info_));
      CheckHeader(path, info_);
      values_.resize(std::max(1, kBlock / info_.channels) * info_.channels);
      if (info_.samplerate != kSampleRate) MakeResampler();
    });
  }

  const SF_INFO& info() const { return info_; }

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
    Downmix(frames);
    frames_ += frames;
    Resample({values_.data(), static_cast<std::size_t>(frames)});
  }

  // Frames of several channels to mono, in place.
  void Downmix(std::int64_t frames) {
    const int channels = info_.channels;
    for (std::int64_t i = 0; i < frames * channels; ++i) {
      if (std::abs(values_[i]) <= kMaxSample) continue;  // NaN is not
      const std::int64_t frame = frames_ + i / channels;
      Throw(ErrorCode::kCorrupt,
            "frame {} ({:.3f} s), channel {} is {}; samples must be finite, with 1 as full scale",
            frame, Seconds(frame), i % channels, values_[i]);
    }
    if (channels == 1) return;
    for (std::int64_t frame = 0; frame < frames; ++frame) {
      double sum = 0;
      for (int c = 0; c < channels; ++c) sum += values_[frame * channels + c];
      values_[frame] = static_cast<float>(sum / channels);
    }
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
    if (frames_ == 0) {
      Throw(ErrorCode::kCorrupt, "holds no audio (0 frames at {} Hz)", info_.samplerate);
    }
    if (info_.frames == SF_COUNT_MAX) {  // a FLAC stream may say so, an Ogg file has an end
      if ((info_.format & SF_FORMAT_TYPEMASK) != SF_FORMAT_OGG) return;
      Throw(ErrorCode::kCorrupt, "cut off: an Ogg file without its last page; {:.2f} s can be read",
            Seconds(frames_));
    }
    if (frames_ < info_.frames) {
      Throw(ErrorCode::kCorrupt,
            "cut off or damaged: its header claims {} frames ({:.2f} s), but only {} ({:.2f} s) "
            "can be read",
            info_.frames, Seconds(info_.frames), frames_, Seconds(frames_));
    }
  }

  std::string name_;
  SF_INFO info_{};
  std::unique_ptr<SNDFILE, CloseSound> file_;
  std::unique_ptr<soxr, DeleteResampler> resampler_;
  std::vector<float> values_;   // as decoded
  std::vector<float> block_;    // of the resampler
  std::vector<float> ready_;    // mono at 16 kHz
  std::size_t taken_ = 0;       // of ready_
  std::int64_t frames_ = 0;     // decoded so far
  std::int64_t resampled_ = 0;  // samples that the resampler gave so far
  bool at_end_ = false;
};

AudioStream::AudioStream(const std::string& path, const std::string& name) {
  if (path.empty()) Throw(ErrorCode::kInvalidArgument, "no audio file named (an empty path)");
  source_ = std::make_unique<Source>(path, name.empty() ? path : name);
}

AudioStream::~AudioStream() = default;

int AudioStream::source_rate() const { return source_->info().samplerate; }
int AudioStream::source_channels() const { return source_->info().channels; }
std::size_t AudioStream::Read(std::span<float> out) { return source_->Read(out); }

}  // namespace xdna::decoder
