// An audio file as a stream of 16 kHz mono samples, for recordings of any length.
#ifndef ENCODER_AUDIO_AUDIO_STREAM_H_
#define ENCODER_AUDIO_AUDIO_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>

namespace xdna::encoder {

// The samples that ReadAudio (audio.h) has, read a piece at a time: memory does not grow with the
// file. Errors are ReadAudio's; what only the end of a file shows (cut off, no frames) is thrown
// when Read comes there.
class AudioStream {
 public:
  // `name` is what messages call the file; the path where it is empty. A file that holds more than
  // `max_seconds` is refused as soon as Read comes there.
  explicit AudioStream(const std::string& path, const std::string& name = "",
                       double max_seconds = std::numeric_limits<double>::infinity());
  ~AudioStream();
  AudioStream(const AudioStream&) = delete;
  AudioStream& operator=(const AudioStream&) = delete;

  int source_rate() const;      // of the file, in Hz
  int source_channels() const;  // likewise
  std::int64_t frames() const;  // of the file, decoded so far

  // The next samples; fewer than out.size() at the end of the file only.
  std::size_t Read(std::span<float> out);

 private:
  class Source;
  std::unique_ptr<Source> source_;
};

}  // namespace xdna::encoder

#endif  // ENCODER_AUDIO_AUDIO_STREAM_H_
