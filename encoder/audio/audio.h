// Audio files as the 16 kHz mono samples that Whisper takes.
#ifndef ENCODER_AUDIO_AUDIO_H_
#define ENCODER_AUDIO_AUDIO_H_

#include <string>
#include <vector>

namespace xdna::encoder {

inline constexpr int kSampleRate = 16000;  // in Hz; Radford et al. 2022, section 2.2

struct Audio {
  std::vector<float> samples;  // mono, 16 kHz, full scale is [-1, 1]; all finite
  double seconds = 0;          // samples.size() / 16000
  std::string sha256;          // of `samples` as little-endian f32
  std::string source;          // the path as given; of joined audio all paths, with " + " between
  int source_rate = 0;         // of the file, in Hz; 0 if joined files differ
  int source_channels = 0;     // likewise
};

// Audio of this length still fits into memory (5.5 GB); longer files must be split.
inline constexpr double kMaxAudioSeconds = 24 * 3600;

// Reads any format, rate (1 kHz to 768 kHz) and channel count that libsndfile knows. Channels are
// averaged; other rates go through soxr's "high quality" resampler (20 bits, linear phase, in f32)
// and give round(frames * 16000 / rate) samples. Mono files of 16 kHz keep libsndfile's own values:
// n-bit integers divided by 2^(n-1). Memory grows with what is decoded, never with what a header
// claims.
//
// Throws, with the path first: kNotFound (no such file); kInvalidArgument (an empty path, not a
// regular file, longer than `max_seconds`); kUnavailable (no permission); kUnsupported (a format
// that libsndfile does not know, headerless PCM, a rate out of range); kCorrupt (a damaged header,
// no samples, less audio than the header claims, a sample that is not finite).
Audio ReadAudio(const std::string& path, double max_seconds = kMaxAudioSeconds);

// The parts back to back, in order. Throws kInvalidArgument if there are none.
Audio Join(std::vector<Audio> parts);

// ReadAudio of each, then Join; `max_seconds` is for all together.
Audio ReadAudioList(const std::vector<std::string>& paths, double max_seconds = kMaxAudioSeconds);

}  // namespace xdna::encoder

#endif  // ENCODER_AUDIO_AUDIO_H_
