#include "encoder/audio/log_mel.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numbers>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/program.h"
#include "base/tensor.h"
#include "base/thread_pool.h"
#include "golden/hdf5_file.h"

namespace xdna::encoder {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

// A tone that gets louder, with a little of everything on top.
std::vector<float> TestSignal(int samples) {
  std::vector<float> signal(samples);
  std::uint32_t noise = 1;
  for (int i = 0; i < samples; ++i) {
    noise = noise * 1664525 + 1013904223;
    const double hiss = static_cast<double>(noise) / 0xFFFFFFFF - 0.5;
    signal[i] = static_cast<float>(std::sin(i * 0.1) * i / samples * 0.5 + hiss * 0.01);
  }
  return signal;
}

double MaxError(const Tensor& got, const Tensor& want) {
  EXPECT_EQ(got.shape(), want.shape());
  double error = 0;
  for (std::int64_t i = 0; i < want.size(); ++i) {
    const double e = std::abs(got.data<float>()[i] - want.data<double>()[i]);
    error = e <= error ? error : e;  // keeps a NaN
  }
  return error;
}

std::vector<float> Values(const Tensor& tensor) {
  return {tensor.data<float>(), tensor.data<float>() + tensor.size()};
}

std::string MessageOf(const LogMel& log_mel, std::span<const float> samples, int frames) {
  try {
    log_mel.Compute(samples, frames, nullptr);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.message();
  }
  return "no error";
}

// The bar is 1e-4. Values go to about 2; an f32 near 2 has steps of 2.4e-7, and three f32
// operations follow the logarithm.
constexpr double kGoldenLimit = 1e-6;

TEST(LogMel, MatchesNumpyInFloat64) {
  const Hdf5File golden = Hdf5File::Open(RunfilePath("encoder/audio/mel_golden.h5"));
  EXPECT_THAT(golden.Children("/cases"),
              ElementsAre("card", "cards", "click_at_end", "librivox", "noise", "one_sample",
                          "short", "silence", "square", "tiny"));
  const LogMel mel80(80);
  const LogMel mel128(128);
  ThreadPool pool(2);
  for (const std::string& name : golden.Children("/cases")) {
    const Tensor samples = golden.Read("/cases/" + name + "/samples");
    const std::span<const float> span(samples.data<float>(), samples.size());
    const auto check = [&](const LogMel& log_mel, int frames) {
      const auto dataset = fmt::format("/cases/{}/mel{}_{}", name, log_mel.n_mels(), frames);
      const double error = MaxError(log_mel.Compute(span, frames, &pool), golden.Read(dataset));
      EXPECT_LE(error, kGoldenLimit) << dataset;
      RecordProperty(fmt::format("{}_{}_{}", name, log_mel.n_mels(), frames),
                     fmt::format("{:.3g}", error));
    };
    check(mel80, kWhisperFrames);
    check(mel80, kSeedFrames);
    check(mel128, kWhisperFrames);
  }
}

// One frame by the definition: a padded copy of the window, and a sum for each bin.
std::vector<double> NaiveFrame(const std::vector<float>& samples, const Tensor& filters, int t) {
  std::vector<double> window(kWindowSamples);
  std::ranges::copy(samples, window.begin());
  constexpr int kHalf = kFftSize / 2;
  std::vector<double> padded(window.rend() - 1 - kHalf, window.rend() - 1);
  padded.insert(padded.end(), window.begin(), window.end());
  padded.insert(padded.end(), window.rbegin() + 1, window.rbegin() + 1 + kHalf);

  std::vector<double> mel(filters.dim(0));
  for (int bin = 0; bin <= kHalf; ++bin) {
    std::complex<double> sum = 0;
    for (int i = 0; i < kFftSize; ++i) {
      const double angle = 2 * std::numbers::pi * i / kFftSize;
      const double hann = std::pow(std::sin(angle / 2), 2);
      sum += padded[t * kHop + i] * hann * std::polar(1.0, -angle * bin);
    }
    for (std::size_t band = 0; band < mel.size(); ++band) {
      mel[band] += filters.data<double>()[band * (kHalf + 1) + bin] * std::norm(sum);
    }
  }
  for (double& value : mel) value = std::log10(std::max(value, 1e-10));
  return mel;
}

class LogMelByDefinition : public testing::TestWithParam<int> {};

// The reflection at the start sees all of fewer than 200 samples, the one at the end only the last
// of a full window. Where a value was clamped, the least one of the result says to what.
TEST_P(LogMelByDefinition, AgreesAtBothEndsAndBetween) {
  const std::vector<float> samples = TestSignal(GetParam());
  const Tensor filters = MelFilters(80);
  const Tensor mel = LogMel(80).Compute(samples, kSeedFrames, nullptr);
  const std::vector<float> values = Values(mel);
  const double least = *std::ranges::min_element(values);
  for (int t : {0, 1, 2, 1499, 2998, 2999, 3000}) {
    const std::vector<double> want = NaiveFrame(samples, filters, t);
    for (int band = 0; band < 80; ++band) {
      const double clamped = std::max((want[band] + 4) / 4, least);
      EXPECT_NEAR(values[band * kSeedFrames + t], clamped, 1e-6)
          << "frame " << t << ", band " << band;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Lengths, LogMelByDefinition,
                         testing::Values(1, 2, 199, 200, 201, 5000, kWindowSamples - 1,
                                         kWindowSamples));

TEST(LogMel, BitsDoNotDependOnTheNumberOfThreads) {
  const std::vector<float> samples = TestSignal(300001);
  const LogMel log_mel(80);
  for (int frames : {kWhisperFrames, kSeedFrames}) {
    const Tensor want = log_mel.Compute(samples, frames, nullptr);
    for (int threads : {1, 2, 3, 7}) {
      ThreadPool pool(threads);
      const Tensor got = log_mel.Compute(samples, frames, &pool);
      EXPECT_EQ(std::memcmp(got.view().raw(), want.view().raw(), want.bytes()), 0) << threads;
    }
  }
}

TEST(LogMel, MayBeSharedByThreads) {
  const std::vector<float> samples = TestSignal(100000);
  const LogMel log_mel(80);
  const std::vector<float> want = Values(log_mel.Compute(samples, kWhisperFrames, nullptr));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      EXPECT_EQ(Values(log_mel.Compute(samples, kWhisperFrames, nullptr)), want);
      EXPECT_EQ(LogMel(80).n_mels(), 80);  // FFTW's planner beside its plans
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(LogMel, SilenceIsTheLeastValueEverywhere) {
  // (log10(1e-10) + 4) / 4: the clamp is relative, and everything is the largest.
  const LogMel log_mel(128);
  EXPECT_THAT(Values(log_mel.Compute({}, kWhisperFrames, nullptr)), Each(-1.5F));
  const std::vector<float> zeros(kWindowSamples, -0.0F);
  EXPECT_THAT(Values(log_mel.Compute(zeros, kSeedFrames, nullptr)), Each(-1.5F));
}

TEST(LogMel, ZerosAtTheEndChangeNothing) {
  std::vector<float> samples = TestSignal(40000);
  const LogMel log_mel(80);
  const std::vector<float> want = Values(log_mel.Compute(samples, kSeedFrames, nullptr));
  samples.resize(kWindowSamples);
  EXPECT_EQ(Values(log_mel.Compute(samples, kSeedFrames, nullptr)), want);
}

TEST(LogMel, EachWindowIsOnItsOwn) {
  Audio audio;
  audio.samples = TestSignal(2 * kWindowSamples + 1);
  EXPECT_EQ(NumWindows(audio), 3);
  const LogMel log_mel(80);
  ThreadPool pool(2);
  const Tensor windows = log_mel.Windows(audio, kWhisperFrames, &pool);
  EXPECT_THAT(windows.shape(), ElementsAre(3, 80, kWhisperFrames));
  const std::span<const float> all(audio.samples);
  for (int w = 0; w < 3; ++w) {
    const auto rest = all.subspan(w * kWindowSamples);
    const auto samples = rest.first(std::min<std::size_t>(rest.size(), kWindowSamples));
    const Tensor want = log_mel.Compute(samples, kWhisperFrames, nullptr);
    const TensorView got = windows.view().Rows(w, 1);
    EXPECT_EQ(std::memcmp(got.raw(), want.view().raw(), want.bytes()), 0) << w;
  }
}

TEST(LogMel, CountsWindows) {
  Audio audio;
  EXPECT_EQ(NumWindows(audio), 0);
  EXPECT_THAT(LogMel(80).Windows(audio, kWhisperFrames, nullptr).shape(),
              ElementsAre(0, 80, kWhisperFrames));
  audio.samples.resize(1);
  EXPECT_EQ(NumWindows(audio), 1);
  audio.samples.resize(kWindowSamples);
  EXPECT_EQ(NumWindows(audio), 1);
}

TEST(LogMel, RefusesBadArguments) {
  const LogMel log_mel(80);
  const std::vector<float> samples(kWindowSamples + 1);
  EXPECT_THAT(MessageOf(log_mel, samples, kWhisperFrames), HasSubstr("480001 samples"));
  EXPECT_THAT(MessageOf(log_mel, {}, 1500), HasSubstr("1500 frames"));
  std::vector<float> bad(1000);
  bad[321] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(MessageOf(log_mel, bad, kWhisperFrames), HasSubstr("sample 321 is nan"));
  bad[321] = -std::numeric_limits<float>::infinity();
  EXPECT_THAT(MessageOf(log_mel, bad, kWhisperFrames), HasSubstr("sample 321 is -inf"));
  EXPECT_THROW(LogMel(40), Error);
  EXPECT_THROW(MelFilters(0), Error);
}

TEST(MelFilters, HaveUnitAreaAndNoEmptyBand) {
  for (int bands : {80, 128}) {
    const Tensor filters = MelFilters(bands);
    EXPECT_THAT(filters.shape(), ElementsAre(bands, 201));
    for (int band = 0; band < bands; ++band) {
      double sum = 0;
      for (int bin = 0; bin < 201; ++bin) sum += filters.data<double>()[band * 201 + bin];
      EXPECT_GT(sum, 0) << band;
      // Bins are 40 Hz apart, too coarse a sampling for the narrower triangles.
      if (band >= bands * 3 / 4) {
        EXPECT_NEAR(sum * 40, 1, 0.05) << band;
      }
    }
  }
}

}  // namespace
}  // namespace xdna::encoder
