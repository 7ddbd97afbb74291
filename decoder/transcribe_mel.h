// The log-mel spectrogram of a whole recording, a window at a time.
#ifndef DECODER_TRANSCRIBE_MEL_H_
#define DECODER_TRANSCRIBE_MEL_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "encoder/audio/audio_stream.h"
#include "encoder/audio/log_mel.h"

namespace xdna::decoder {

inline constexpr int kFramesPerSecond = encoder::kSampleRate / encoder::kHop;

// What openai-whisper's transcribe() makes of a file: one spectrogram, clamped to 80 dB below its
// largest value anywhere. So the file is read twice, first for that value and for its length; in
// between, memory holds a few windows, and short recordings as a whole.
class MelStream {
 public:
  // Makes the first pass. `log_mel` and `pool` (or null) outlive this. Throws as AudioStream does.
  // `name` is what messages call the file; the path where it is empty.
  MelStream(std::string path, std::string name, const encoder::LogMel& log_mel, ThreadPool* pool);

  std::int64_t frames() const { return frames_; }  // of 10 ms, that hold audio
  double seconds() const { return seconds_; }      // of audio
  int source_rate() const { return source_rate_; }
  int source_channels() const { return source_channels_; }

  // Frames [first, first + count) to `out` f32 [n_mels,3000], followed by zeros, as openai-whisper
  // pads what it has normalised.
  void Window(std::int64_t first, std::int64_t count, const TensorView& out);

  // The loudest of each frame's bands, log10 of the energy: -10 for digital silence, up to 2.4 for
  // a full-scale sine.
  std::vector<float> Loudness(std::int64_t first, std::int64_t count);

  // Nothing before this frame will be asked for again.
  void Forget(std::int64_t before);

  // Decoding audio, and transforming it, in seconds so far.
  double load_seconds() const { return load_seconds_; }
  double mel_seconds() const { return mel_seconds_; }

 private:
  struct Chunk {
    std::int64_t first = 0;  // frame
    Tensor mel;              // [n_mels,3000], of which kChunkFrames from kFade on count
  };

  void Restart();
  bool Next(Chunk& chunk);  // false at the end
  void FirstPass();
  // Calls body(chunk, frame of its mel, frames since `first`, number of frames) until all frames
  // from `first` on have been shown.
  using ChunkBody = std::function<void(const Chunk&, std::int64_t, std::int64_t, std::int64_t)>;
  void ForChunks(std::int64_t first, std::int64_t count, const ChunkBody& body);

  std::string path_, name_;
  const encoder::LogMel& log_mel_;
  ThreadPool* pool_;
  std::unique_ptr<encoder::AudioStream> audio_;
  std::vector<float> samples_;     // of one chunk with its borders
  std::int64_t samples_read_ = 0;  // by audio_, since the beginning
  std::int64_t next_chunk_ = 0;    // frame
  std::deque<Chunk> chunks_;       // one after the other
  float floor_ = 0;                // nothing in the spectrogram is less
  std::int64_t frames_ = 0;
  double seconds_ = 0;
  int source_rate_ = 0, source_channels_ = 0;
  double load_seconds_ = 0, mel_seconds_ = 0;
};

}  // namespace xdna::decoder

#endif  // DECODER_TRANSCRIBE_MEL_H_
