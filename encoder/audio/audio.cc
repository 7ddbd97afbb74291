#include "encoder/audio/audio.h"

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"
#include "encoder/audio/audio_stream.h"

namespace xdna::encoder {
namespace {

constexpr std::size_t kBlock = std::size_t{1} << 16;  // samples that are read at a time

void Describe(Audio* audio) {
  audio->seconds = static_cast<double>(audio->samples.size()) / kSampleRate;
  audio->sha256 = Sha256(audio->samples.data(), audio->samples.size() * sizeof(float));
}

}  // namespace

Audio ReadAudio(const std::string& path, double max_seconds) {
  AudioStream stream(path, path, max_seconds);
  Audio audio;
  audio.source = path;
  audio.source_rate = stream.source_rate();
  audio.source_channels = stream.source_channels();
  std::size_t read = 0;
  do {
    audio.samples.resize(read + kBlock);
    read += stream.Read(std::span(audio.samples).subspan(read));
  } while (read == audio.samples.size());
  audio.samples.resize(read);
  if (audio.samples.empty()) {
    Throw(ErrorCode::kCorrupt, "{}: holds no audio ({} frames at {} Hz)", path, stream.frames(),
          audio.source_rate);
  }
  Describe(&audio);
  return audio;
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
