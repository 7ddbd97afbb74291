// How much audio a file's header claims. libsndfile silently reads what is there instead, so a
// recording that was cut off would pass for a short one.
#ifndef ENCODER_AUDIO_CONTAINER_H_
#define ENCODER_AUDIO_CONTAINER_H_

#include <cstdint>
#include <optional>
#include <string>

namespace xdna::encoder {

struct DataSize {
  std::uint64_t claimed = 0;  // bytes of audio data, as the header says
  std::uint64_t present = 0;  // bytes from where that data starts to the end of the file
};

// For WAV (RIFF, RIFX, RF64: Microsoft's multimedia data standards update, EBU Tech 3306), AIFF and
// AIFF-C (Apple, 1989) and AU (Sun's .snd). Nothing for other formats, for a file without a data
// chunk, and where the writer could not seek back and left a placeholder for the size.
std::optional<DataSize> FindDataSize(const std::string& path);

}  // namespace xdna::encoder

#endif  // ENCODER_AUDIO_CONTAINER_H_
