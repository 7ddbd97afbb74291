#include "encoder/audio/audio.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sndfile.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/sha256.h"

namespace xdna::encoder {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::string PathOf(const std::string& name) { return testing::TempDir() + "/" + name; }

// `values`: frames of `channels` values.
std::string WriteSound(const std::string& name, int format, int rate, int channels,
                       const std::vector<float>& values) {
  const std::string path = PathOf(name);
  SF_INFO info{};
  info.samplerate = rate;
  info.channels = channels;
  info.format = format;
  SNDFILE* file = sf_open(path.c_str(), SFM_WRITE, &info);
  EXPECT_NE(file, nullptr) << sf_strerror(nullptr);
  const auto frames = static_cast<sf_count_t>(values.size()) / channels;
  EXPECT_EQ(sf_writef_float(file, values.data(), frames), frames);
  EXPECT_EQ(sf_close(file), 0);
  return path;
}

constexpr int kWavFloat = SF_FORMAT_WAV | SF_FORMAT_FLOAT;
constexpr int kWav16 = SF_FORMAT_WAV | SF_FORMAT_PCM_16;
constexpr int kFlac16 = SF_FORMAT_FLAC | SF_FORMAT_PCM_16;

std::string WriteBytes(const std::string& name, const std::string& bytes) {
  const std::string path = PathOf(name);
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::string ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The first `part` of a file's bytes, as another file.
std::string CutOff(const std::string& path, double part) {
  const std::string bytes = ReadBytes(path);
  const std::string name = "cut_" + std::filesystem::path(path).filename().string();
  return WriteBytes(name, bytes.substr(0, static_cast<std::size_t>(bytes.size() * part)));
}

std::string Little(std::uint64_t value, int width) {
  std::string bytes;
  for (int i = 0; i < width; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}

struct WavHeader {
  std::uint16_t channels = 1;
  std::uint32_t rate = 16000;
  std::uint32_t claimed_bytes = 0;
};

// A 16-bit WAV that says whatever we want, with 1000 samples.
std::string WriteWav(const std::string& name, const WavHeader& header) {
  const std::uint32_t block = 2U * header.channels;
  return WriteBytes(name, "RIFF" + Little(36 + 2000, 4) + "WAVEfmt " + Little(16, 4) +
                              Little(1, 2) + Little(header.channels, 2) + Little(header.rate, 4) +
                              Little(header.rate * block, 4) + Little(block, 2) + Little(16, 2) +
                              "data" + Little(header.claimed_bytes, 4) + std::string(2000, '\1'));
}

std::vector<float> Sine(double hz, double rate, std::int64_t frames, int channels = 1) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < frames; ++i) {
    const double value = 0.5 * std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / rate);
    values.insert(values.end(), channels, static_cast<float>(value));
  }
  return values;
}

// Signal to error in dB against the analytic sine, without the filter's transient at both ends.
double SineSnr(const std::vector<float>& got, double hz) {
  const std::vector<float> want = Sine(hz, kSampleRate, static_cast<std::int64_t>(got.size()));
  double signal = 0;
  double error = 0;
  for (std::size_t i = 1000; i + 1000 < got.size(); ++i) {
    signal += static_cast<double>(want[i]) * want[i];
    error += std::pow(static_cast<double>(got[i]) - want[i], 2);
  }
  return 10 * std::log10(signal / error);
}

// The error that `body` throws; its message is one line.
Error ErrorOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), Not(HasSubstr("\n")));
    return error;
  }
  return {ErrorCode::kInternal, "no error"};
}

// ... of reading `path`, which it names first; checks the code.
std::string ReadError(const std::string& path, ErrorCode code) {
  const Error error = ErrorOf([&] { ReadAudio(path); });
  EXPECT_EQ(error.code(), code) << error.message();
  EXPECT_THAT(error.message(), StartsWith(path + ": "));
  return error.message();
}

// Every 16-bit value, over more than one block.
std::vector<float> AllShorts() {
  std::vector<float> values;
  for (int v = -32768; v <= 32767; ++v) values.push_back(static_cast<float>(v) / 32768);
  values.insert(values.end(), values.begin(), values.end());
  return values;
}

TEST(ReadAudio, KeepsMono16kBitExact) {
  const std::vector<float> values = AllShorts();
  const std::string path = WriteSound("exact.wav", kWavFloat, 16000, 1, values);
  const Audio audio = ReadAudio(path);
  EXPECT_EQ(audio.samples, values);
  EXPECT_EQ(audio.seconds, 131072 / 16000.0);
  EXPECT_EQ(audio.sha256, Sha256(values.data(), values.size() * sizeof(float)));
  EXPECT_EQ(audio.source, path);
  EXPECT_EQ(audio.source_rate, 16000);
  EXPECT_EQ(audio.source_channels, 1);
}

TEST(ReadAudio, ScalesIntegersByAPowerOfTwo) {
  const std::vector<float> values = AllShorts();
  std::vector<std::int16_t> shorts;
  for (float value : values) shorts.push_back(static_cast<std::int16_t>(value * 32768));
  for (int format : {kWav16, kFlac16, SF_FORMAT_AIFF | SF_FORMAT_PCM_24}) {
    SF_INFO info{};
    info.samplerate = 16000;
    info.channels = 1;
    info.format = format;
    SNDFILE* file = sf_open(PathOf("shorts").c_str(), SFM_WRITE, &info);
    ASSERT_NE(file, nullptr);
    sf_write_short(file, shorts.data(), static_cast<sf_count_t>(shorts.size()));
    sf_close(file);
    EXPECT_EQ(ReadAudio(PathOf("shorts")).samples, values) << fmt::format("{:x}", format);
  }
}

TEST(ReadAudio, AveragesChannels) {
  const std::vector<float> frames = {1, 0, 0.5F, -0.25F, -0.25F, -0.25F, 0, 1, -1};
  const Audio three = ReadAudio(WriteSound("three.wav", kWavFloat, 16000, 3, frames));
  EXPECT_THAT(three.samples, ElementsAre(0.5F, -0.25F, 0));
  EXPECT_EQ(three.source_channels, 3);

  // Opposite channels cancel, also after resampling, and 1024 channels are one.
  std::vector<float> opposite;
  for (float x : Sine(440, 44100, 44100)) opposite.insert(opposite.end(), {x, -x});
  const Audio silent = ReadAudio(WriteSound("opposite.wav", kWavFloat, 44100, 2, opposite));
  EXPECT_THAT(silent.samples, testing::Each(0));
  const std::string many =
      WriteSound("many.wav", kWavFloat, 16000, 1024, Sine(440, 16000, 300, 1024));
  EXPECT_EQ(ReadAudio(many).samples, Sine(440, 16000, 300));
}

// soxr's "high quality" is 20 bits: 122 dB. Measured: 127 dB or more (soxr 0.1.3).
TEST(ReadAudio, ResamplesASineTo120Db) {
  for (int rate : {8000, 11025, 22050, 44100, 48000, 96000, 192000}) {
    for (int channels : {1, 2}) {
      for (double hz : {50.0, 440.0, 3000.0}) {
        const std::string path =
            WriteSound("sine.wav", kWavFloat, rate, channels, Sine(hz, rate, rate * 2, channels));
        const Audio audio = ReadAudio(path);
        EXPECT_EQ(audio.samples.size(), 32000U);
        EXPECT_GE(SineSnr(audio.samples, hz), 120) << rate << " Hz, sine of " << hz;
        EXPECT_EQ(audio.source_rate, rate);
      }
    }
  }
}

TEST(ReadAudio, RemovesWhat16kCannotHold) {
  const std::string path = WriteSound("alias.wav", kWavFloat, 48000, 1, Sine(9000, 48000, 48000));
  const std::vector<float> samples = ReadAudio(path).samples;
  const auto middle = std::pair(samples.begin() + 1000, samples.end() - 1000);
  EXPECT_LT(*std::max_element(middle.first, middle.second), 1e-5);
}

TEST(ReadAudio, GivesTheRoundedLengthAndTheTail) {
  for (int rate : {1000, 8000, 15999, 16001, 33600, 44100, 44800, 48000, 767999, 768000}) {
    for (std::int64_t frames : {63, 1001, 10003, 70007}) {
      const std::string path =
          WriteSound("length.wav", kWavFloat, rate, 1, Sine(100, rate, frames));
      const double want = std::round(static_cast<double>(frames) * 16000 / rate);
      EXPECT_EQ(ReadAudio(path).samples.size(), want) << frames << " frames at " << rate;
    }
  }
  // A step in the last 10 ms is still there: the delay line was drained.
  std::vector<float> step(48000);
  std::fill(step.end() - 480, step.end(), 0.5F);
  const Audio audio = ReadAudio(WriteSound("step.wav", kWavFloat, 48000, 1, step));
  EXPECT_NEAR(audio.samples[16000 - 80], 0.5, 0.01);
  EXPECT_NEAR(audio.samples[16000 - 500], 0, 0.01);
}

TEST(ReadAudio, ReadsOtherFormats) {
  const std::vector<float> sine = Sine(440, 48000, 96000);
  for (int format : {SF_FORMAT_OGG | SF_FORMAT_VORBIS, SF_FORMAT_OGG | SF_FORMAT_OPUS,
                     SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, SF_FORMAT_CAF | SF_FORMAT_ALAC_16,
                     SF_FORMAT_AU | SF_FORMAT_ULAW, SF_FORMAT_W64 | SF_FORMAT_PCM_24,
                     SF_FORMAT_RF64 | SF_FORMAT_PCM_16, SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM}) {
    const Audio audio = ReadAudio(WriteSound("other", format, 48000, 1, sine));
    EXPECT_NEAR(audio.seconds, 2, 0.05);
    EXPECT_GT(SineSnr(audio.samples, 440), 10) << fmt::format("{:x}", format);
  }
}

TEST(ReadAudio, AcceptsAPlaceholderForTheSize) {
  for (std::uint32_t size : {0xFFFFFFFFU, 0x7FFFFFFFU, 0x80000000U, 0x7FFFF000U}) {
    const std::string path = WriteWav("piped.wav", {.claimed_bytes = size});
    EXPECT_EQ(ReadAudio(path).samples.size(), 1000U);
  }
}

TEST(ReadAudioErrors, WhatIsNotAFile) {
  EXPECT_THAT(ErrorOf([] { ReadAudio(""); }).message(), HasSubstr("an empty path"));
  EXPECT_THAT(ReadError(PathOf("missing.wav"), ErrorCode::kNotFound), HasSubstr("no such file"));
  EXPECT_THAT(ReadError(testing::TempDir(), ErrorCode::kInvalidArgument),
              HasSubstr("is a directory"));
  EXPECT_THAT(ReadError("/dev/zero", ErrorCode::kInvalidArgument), HasSubstr("not a regular file"));
  const std::string pipe = PathOf("pipe");
  std::filesystem::remove(pipe);
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(ReadError(pipe, ErrorCode::kInvalidArgument), HasSubstr("not a regular file"));
}

TEST(ReadAudioErrors, WhatIsNotAudio) {
  EXPECT_THAT(ReadError(WriteBytes("empty.wav", ""), ErrorCode::kCorrupt), HasSubstr("empty"));
  const std::string text = "This is a text, whatever its name says.\n";
  // .vox and .gsm are formats without a header, which libsndfile knows by name.
  for (const char* name : {"text.wav", "text.flac", "text.raw", "text.vox", "text.gsm"}) {
    EXPECT_THAT(ReadError(WriteBytes(name, text), ErrorCode::kUnsupported),
                AllOf(HasSubstr("not an audio file"), HasSubstr("raw PCM")));
  }
  EXPECT_THAT(ReadError(WriteBytes("text.mp3", text), ErrorCode::kCorrupt),
              HasSubstr("no MPEG audio"));
  EXPECT_THAT(ReadError("/usr/share/pocketsphinx/test/data/goforward.raw", ErrorCode::kUnsupported),
              HasSubstr("nothing in it says its rate and sample format"));
}

TEST(ReadAudioErrors, BadHeaders) {
  const auto wav = [](const WavHeader& header) { return WriteWav("header.wav", header); };
  EXPECT_THAT(ReadError(wav({.channels = 0, .claimed_bytes = 2000}), ErrorCode::kCorrupt),
              HasSubstr("Channel count is zero"));
  EXPECT_THAT(ReadError(wav({.channels = 2000, .claimed_bytes = 2000}), ErrorCode::kCorrupt),
              HasSubstr("Too many channels"));
  for (std::uint32_t rate : {0U, 4000000000U}) {
    EXPECT_THAT(ReadError(wav({.rate = rate, .claimed_bytes = 2000}), ErrorCode::kCorrupt),
                HasSubstr("impossible sample rate"));
  }
  for (std::uint32_t rate : {999U, 768001U}) {
    EXPECT_THAT(ReadError(wav({.rate = rate, .claimed_bytes = 2000}), ErrorCode::kUnsupported),
                HasSubstr(fmt::format("sample rate {} Hz; 1000 Hz to 768000 Hz", rate)));
  }
  EXPECT_THAT(ReadError(wav({.claimed_bytes = 0}), ErrorCode::kCorrupt),
              HasSubstr("holds no audio (0 frames"));
  const std::string half = CutOff(wav({.claimed_bytes = 2000}), 0.01);
  EXPECT_THAT(ReadError(half, ErrorCode::kCorrupt), HasSubstr("fmt"));
  // Less than a sample at 16 kHz.
  const std::string click = WriteSound("click.wav", kWav16, 768000, 1, {1});
  EXPECT_THAT(ReadError(click, ErrorCode::kCorrupt), HasSubstr("no audio (1 frames at 768000 Hz"));
}

TEST(ReadAudioErrors, ClaimsMoreThanIsThere) {
  const std::string day = WriteWav("day.wav", {.claimed_bytes = 24U * 3600 * 32000});
  EXPECT_THAT(ReadError(day, ErrorCode::kCorrupt),
              HasSubstr("claims 2764800000 bytes of audio, but only 2000 are there (1000 frames, "
                        "0.06 s)"));
  const std::vector<float> sine = Sine(440, 16000, 160000);
  for (int format : {kWav16, SF_FORMAT_AIFF | SF_FORMAT_PCM_16, SF_FORMAT_AU | SF_FORMAT_PCM_16,
                     SF_FORMAT_RF64 | SF_FORMAT_PCM_16}) {
    const std::string cut = CutOff(WriteSound("cut", format, 16000, 1, sine), 0.5);
    EXPECT_THAT(ReadError(cut, ErrorCode::kCorrupt),
                HasSubstr("claims 320000 bytes of audio, but only 1"))
        << fmt::format("{:x}", format);
  }
  const std::string big =
      CutOff(WriteSound("cut", kWav16 | SF_ENDIAN_BIG, 16000, 1, sine), 0.5);  // RIFX
  EXPECT_THAT(ReadError(big, ErrorCode::kCorrupt), HasSubstr("claims 320000 bytes"));
}

TEST(ReadAudioErrors, CutOffStreams) {
  const std::vector<float> sine = Sine(440, 48000, 480000);
  for (int format : {kFlac16, SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III}) {
    const std::string cut = CutOff(WriteSound("cut", format, 48000, 1, sine), 0.5);
    EXPECT_THAT(
        ReadError(cut, ErrorCode::kCorrupt),
        AllOf(HasSubstr("claims 480000 frames (10.00 s), but only"), HasSubstr("can be read")));
  }
  const std::string ogg =
      CutOff(WriteSound("cut", SF_FORMAT_OGG | SF_FORMAT_VORBIS, 48000, 1, sine), 0.5);
  EXPECT_THAT(ReadError(ogg, ErrorCode::kCorrupt), HasSubstr("without its last page"));
}

// 36 bits at byte 21 of a FLAC file are its number of frames (RFC 9639, section 8.2).
TEST(ReadAudioErrors, FlacThatClaimsADay) {
  const std::string path = WriteSound("day.flac", kFlac16, 16000, 1, Sine(440, 16000, 16000));
  std::string bytes = ReadBytes(path);
  for (int i = 0; i < 4; ++i)
    bytes[22 + i] = static_cast<char>((24 * 3600 * 16000) >> (24 - 8 * i));
  WriteBytes("day.flac", bytes);
  EXPECT_THAT(ReadError(path, ErrorCode::kCorrupt),
              HasSubstr("claims 1382400000 frames (86400.00 s), but only 16000 (1.00 s)"));
}

TEST(ReadAudioErrors, SamplesThatAreNotFinite) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::vector<float> values(2 * 100000);
  for (const auto& [value, name] :
       {std::pair(std::numeric_limits<float>::quiet_NaN(), "nan"), std::pair(kInfinity, "inf"),
        std::pair(-kInfinity, "-inf"), std::pair(2e30F, "2e+30")}) {
    values[2 * 80000 + 1] = value;
    const std::string path = WriteSound("bad.wav", kWavFloat, 16000, 2, values);
    EXPECT_THAT(ReadError(path, ErrorCode::kCorrupt),
                HasSubstr(fmt::format("frame 80000 (5.000 s), channel 1 is {};", name)));
  }
}

TEST(ReadAudioErrors, TooLong) {
  const std::string path = WriteSound("long.wav", kWav16, 8000, 1, Sine(440, 8000, 16000));
  EXPECT_EQ(ReadAudio(path, 2).seconds, 2);
  const Error one = ErrorOf([&] { ReadAudio(path, 1.9); });
  EXPECT_EQ(one.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(one.message(), HasSubstr("more than 1.9 s of audio"));
  const Error list = ErrorOf([&] { ReadAudioList({path, path}, 3); });
  EXPECT_EQ(list.code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(list.message(), AllOf(StartsWith(path), HasSubstr("brings the list to 4 s")));
}

TEST(ReadAudioList, JoinsInOrder) {
  const std::string a = WriteSound("a.wav", kWavFloat, 16000, 1, {0.1F, 0.2F});
  const std::string b = WriteSound("b.wav", kWavFloat, 16000, 2, {0.5F, 0.5F});
  const Audio audio = ReadAudioList({a, b, a});
  EXPECT_THAT(audio.samples, ElementsAre(0.1F, 0.2F, 0.5F, 0.1F, 0.2F));
  EXPECT_EQ(audio.seconds, 5 / 16000.0);
  EXPECT_EQ(audio.sha256, Sha256(audio.samples.data(), 5 * sizeof(float)));
  EXPECT_EQ(audio.source, a + " + " + b + " + " + a);
  EXPECT_EQ(audio.source_rate, 16000);
  EXPECT_EQ(audio.source_channels, 0);  // they differ

  EXPECT_EQ(ReadAudioList({a}).source, a);
  EXPECT_THAT(ErrorOf([] { ReadAudioList({}); }).message(), HasSubstr("no audio to join"));
  EXPECT_THAT(ErrorOf([&] {
                ReadAudioList({a, a + ".missing"});
              }).message(),
              StartsWith(a + ".missing: no such file"));
}

}  // namespace
}  // namespace xdna::encoder
