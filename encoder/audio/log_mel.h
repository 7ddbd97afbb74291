// Whisper's input: the log-mel spectrogram of 30 s windows, as openai-whisper's audio.py makes it
// (pad_or_trim, then log_mel_spectrogram; Radford et al. 2022, section 2.2), in float64 up to the
// logarithm.
#ifndef ENCODER_AUDIO_LOG_MEL_H_
#define ENCODER_AUDIO_LOG_MEL_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "encoder/audio/audio.h"

namespace xdna::encoder {

inline constexpr int kWindowSamples = 30 * kSampleRate;
inline constexpr int kFftSize = 400;  // samples of one frame, 25 ms
inline constexpr int kHop = 160;      // samples from one frame to the next, 10 ms
// A window has a frame around each multiple of kHop, both ends included. Whisper drops the last
// one; geometry seed-3001 keeps it.
inline constexpr int kWhisperFrames = kWindowSamples / kHop;
inline constexpr int kSeedFrames = kWhisperFrames + 1;

// Slaney's mel filters as librosa.filters.mel(sr=16000, n_fft=400, n_mels=n_mels) has them:
// triangles from 0 to 8000 Hz on Slaney's mel scale (linear below 1 kHz, logarithmic above;
// Auditory Toolbox, 1998), each of unit area over Hz. f64 [n_mels, 201]. Throws kInvalidArgument
// unless n_mels is 80 (tiny to large-v2) or 128 (large-v3).
Tensor MelFilters(int n_mels);

class LogMel {
 public:
  // Throws as MelFilters does.
  explicit LogMel(int n_mels);
  ~LogMel();
  LogMel(const LogMel&) = delete;
  LogMel& operator=(const LogMel&) = delete;

  int n_mels() const { return static_cast<int>(bands_.size()); }

  // The log-mel of one window: f32 [n_mels, frames]. `samples`: at most kWindowSamples at 16 kHz,
  // silence follows. `frames`: kWhisperFrames or kSeedFrames; values are clamped to 8 (80 dB) below
  // the largest of the frames asked for. `pool` may be null: then this thread works alone. The bits
  // do not depend on the number of threads. May be called from several threads at once, each with a
  // pool of its own. Throws kInvalidArgument for more samples, another number of frames, or a
  // sample that is not finite.
  Tensor Compute(std::span<const float> samples, int frames, ThreadPool* pool) const;

  // Compute of each window of `audio`, cut every kWindowSamples: f32 [NumWindows, n_mels, frames].
  Tensor Windows(const Audio& audio, int frames, ThreadPool* pool) const;

 private:
  struct Band {  // one mel filter's non-zero weights
    int first_bin = 0;
    std::vector<double> weights;
  };
  struct Plan;  // FFTW's
  struct Scratch;

  void ComputeInto(std::span<const float> samples, int frames, ThreadPool* pool, float* out) const;
  // log10 of the mel energies of frame `t` to out[band * stride]; returns the largest.
  float Frame(std::span<const float> samples, int t, Scratch& scratch, float* out,
              std::int64_t stride) const;

  std::vector<double> hann_;
  std::vector<Band> bands_;
  std::unique_ptr<Plan> plan_;
};

// 30 s windows that hold all of `audio`; the last one may be partly silence. 0 for no samples.
std::int64_t NumWindows(const Audio& audio);

}  // namespace xdna::encoder

#endif  // ENCODER_AUDIO_LOG_MEL_H_
