#include "decoder/transcribe_mel.h"

#include <gtest/gtest.h>
#include <sndfile.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"
#include "encoder/audio/audio.h"
#include "encoder/audio/audio_stream.h"
#include "encoder/audio/log_mel.h"

namespace xdna::decoder {
namespace {

using encoder::kHop;
using encoder::kSampleRate;
using encoder::kWhisperFrames;
using encoder::kWindowSamples;

const encoder::LogMel& Mel80() {
  static const encoder::LogMel log_mel(80);
  return log_mel;
}

std::string WriteSound(const std::string& name, int format, int rate, int channels,
                       const std::vector<float>& values) {
  const std::string path = testing::TempDir() + "/" + name;
  SF_INFO info{};
  info.samplerate = rate;
  info.channels = channels;
  info.format = format;
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  sf_writef_float(file, values.data(), static_cast<sf_count_t>(values.size()) / channels);
  sf_close(file);
  return path;
}

// Buzzing that grows and fades, loudest in the middle.
std::vector<float> Buzz(double seconds, int rate, int channels = 1) {
  std::vector<float> values;
  const auto frames = static_cast<std::int64_t>(seconds * rate);
  for (std::int64_t i = 0; i < frames; ++i) {
    const double t = static_cast<double>(i) / rate;
    const double loudness = 0.5 * std::exp(-std::abs(t - seconds / 2));
    const double phase = std::fmod(t * (140 + 20 * std::sin(t)), 1.0);
    for (int c = 0; c < channels; ++c)
      values.push_back(static_cast<float>((1e-4 + loudness) * (phase - 0.5) * (c + 1) / channels));
  }
  return values;
}

std::vector<float> ReadAll(const std::string& path, std::size_t piece) {
  encoder::AudioStream stream(path);
  std::vector<float> all, block(piece);
  while (const std::size_t n = stream.Read(block))
    all.insert(all.end(), block.begin(), block.begin() + n);
  return all;
}

TEST(AudioStream, IsReadAudioInPieces) {
  const int wav = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
  for (const std::string& path :
       {WriteSound("plain.wav", wav, 16000, 1, Buzz(5, 16000)),
        WriteSound("stereo.wav", wav, 44100, 2, Buzz(3.3333, 44100, 2)),
        WriteSound("slow.flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, 8000, 1, Buzz(7.7, 8000)),
        WriteSound("fast.wav", wav, 96000, 8, Buzz(1.01, 96000, 8))}) {
    const std::vector<float> want = encoder::ReadAudio(path).samples;
    for (std::size_t piece : {777U, 100000U}) EXPECT_EQ(ReadAll(path, piece), want) << path;
  }
}

void ExpectError(const std::string& path, ErrorCode code, const std::string& message) {
  try {
    ReadAll(path, 1000);
    ADD_FAILURE() << path << " was read";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code);
    EXPECT_EQ(error.message().find(path), 0U) << error.message();
    EXPECT_NE(error.message().find(message), std::string::npos) << error.message();
  }
}

TEST(AudioStream, SaysWhatIsWrong) {
  const std::string folder = testing::TempDir();
  ExpectError(folder + "/none.wav", ErrorCode::kNotFound, "no such file");
  ExpectError(folder, ErrorCode::kInvalidArgument, "not a regular file");
  for (const char* name : {"cut.wav", "cut.flac"}) {
    const int type = std::string(name) == "cut.wav" ? SF_FORMAT_WAV : SF_FORMAT_FLAC;
    const std::string path = WriteSound(name, type | SF_FORMAT_PCM_16, 16000, 1, Buzz(5, 16000));
    std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
    ExpectError(path, ErrorCode::kCorrupt, type == SF_FORMAT_WAV ? "cut off" : "");
  }
  const std::string empty = WriteSound("empty.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1, {});
  ExpectError(empty, ErrorCode::kCorrupt, "holds no audio");
  const std::string bad =
      WriteSound("nan.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 16000, 1, {0.0F, std::nanf("")});
  ExpectError(bad, ErrorCode::kCorrupt, "frame 1");
}

// What openai-whisper makes of it: the excerpt's own spectrogram away from its ends, clamped by the
// largest value of all.
void ExpectWindow(MelStream& stream, const std::vector<float>& samples, float largest,
                  std::int64_t first) {
  const std::int64_t count = std::min<std::int64_t>(kWhisperFrames, stream.frames() - first);
  const Tensor got(DType::kF32, {80, kWhisperFrames});
  stream.Window(first, count, got);
  const std::span<const float> rest = std::span(samples).subspan(first * kHop);
  const Tensor want = Mel80().Compute(
      rest.first(std::min<std::size_t>(rest.size(), kWindowSamples)), kWhisperFrames, nullptr);
  std::int64_t bad = 0;
  for (std::int64_t band = 0; band < 80; ++band) {
    for (std::int64_t t = first == 0 ? 0 : 2; t < kWhisperFrames - 2; ++t) {
      const std::int64_t i = band * kWhisperFrames + t;
      const float expected = t < count ? std::max(want.data<float>()[i], largest - 2) : 0.0F;
      bad += got.data<float>()[i] != expected ? 1 : 0;
    }
  }
  EXPECT_EQ(bad, 0) << "from frame " << first;
}

TEST(MelStream, IsOneSpectrogramOfTheWholeFile) {
  // 16 minutes are kept from the first pass; the longer one is read again.
  for (double seconds : {71.237, 17 * 60.0 + 0.011}) {
    const std::string path =
        WriteSound("long.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 16000, 1, Buzz(seconds, 16000));
    const std::vector<float> samples = encoder::ReadAudio(path).samples;
    MelStream stream(path, "", Mel80(), nullptr);
    EXPECT_EQ(stream.frames(), static_cast<std::int64_t>(samples.size()) / kHop);
    EXPECT_NEAR(stream.seconds(), seconds, 1e-3);
    // The loudest place is in the middle.
    const std::size_t middle = (samples.size() / 2 / kHop - kWhisperFrames / 2) * kHop;
    const Tensor loudest = Mel80().Compute(std::span(samples).subspan(middle, kWindowSamples),
                                           kWhisperFrames, nullptr);
    const float largest =
        *std::max_element(loudest.data<float>(), loudest.data<float>() + loudest.size());
    for (std::int64_t first = 0; first < stream.frames(); first += 2711) {
      stream.Forget(first);
      if (first < 9000 || first + 9000 > stream.frames())
        ExpectWindow(stream, samples, largest, first);
    }
  }
}

TEST(MelStream, KnowsHowLoudAFrameIs) {
  std::vector<float> samples(2 * kSampleRate);
  for (int i = kSampleRate; i < 2 * kSampleRate; ++i)
    samples[i] = std::sin(0.4F * static_cast<float>(i));
  const std::string path =
      WriteSound("half.wav", SF_FORMAT_WAV | SF_FORMAT_FLOAT, 16000, 1, samples);
  MelStream stream(path, "", Mel80(), nullptr);
  const std::vector<float> loudness = stream.Loudness(0, 200);
  EXPECT_GT(loudness[150], 1.5);
  EXPECT_LT(loudness[150], 2.4);
  EXPECT_LT(loudness[50], loudness[150] - 7.9);
}

TEST(MelStream, ShorterThanAFrameHasNone) {
  const std::string path = WriteSound("dot.wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16, 16000, 1,
                                      std::vector<float>(100, 0.1F));
  const MelStream stream(path, "", Mel80(), nullptr);
  EXPECT_EQ(stream.frames(), 0);
}

}  // namespace
}  // namespace xdna::decoder
