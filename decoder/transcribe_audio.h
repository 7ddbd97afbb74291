// An audio file as a stream of 16 kHz mono samples, for recordings of any length.
#ifndef DECODER_TRANSCRIBE_AUDIO_H_
#define DECODER_TRANSCRIBE_AUDIO_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace xdna::decoder {

// The samples that encoder::ReadAudio has, read a piece at a time: memory does not grow with the
// file. Errors are ReadAudio's, but for the length, which has no limit; what only the end of a file
// shows (cut off, no samples) is thrown when Read comes there.
class AudioStream {
 public:
  // `name` is what messages call the file; the path where it is empty.
  explicit AudioStream(const std::string& path, const std::string& name = "");
  ~AudioStream();
  AudioStream(const AudioStream&) = delete;
  AudioStream& operator=(const AudioStream&) = delete;

  int source_rate() const;      // of the file, in Hz
  int source_channels() const;  // likewise

  // The next samples; fewer than out.size() at the end of the file only.
  std::size_t Read(std::span<float> out);

 private:
  class Source;
  std::unique_ptr<Source> source_;
};

}  // namespace xdna::decoder

#endif  // DECODER_TRANSCRIBE_AUDIO_H_
