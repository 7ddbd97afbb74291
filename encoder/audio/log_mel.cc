#include "encoder/audio/log_mel.h"

#include <fftw3.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <mutex>
#include <numbers>
#include <span>
#include <vector>

#include "base/error.h"

namespace xdna::encoder {
namespace {

constexpr int kBins = kFftSize / 2 + 1;
constexpr double kLeastEnergy = 1e-10;
constexpr float kLeastLog = -10;  // its log10
constexpr float kRange = 8;       // 80 dB below the largest value
// Frames of one piece of parallel work: some tens of microseconds, two cache lines of a row.
constexpr int kBlock = 32;

// Slaney's mel scale: 200/3 Hz a mel up to 1 kHz, then 27 mels for each factor of 6.4.
constexpr double kHzPerMel = 200.0 / 3;
constexpr double kBreakHz = 1000;
constexpr double kBreakMel = kBreakHz / kHzPerMel;
const double kLogStep = std::log(6.4) / 27;

double MelFromHz(double hz) {
  return hz < kBreakHz ? hz / kHzPerMel : kBreakMel + std::log(hz / kBreakHz) / kLogStep;
}

double HzFromMel(double mel) {
  return mel < kBreakMel ? mel * kHzPerMel : kBreakHz * std::exp(kLogStep * (mel - kBreakMel));
}

// FFTW's planner is not thread-safe.
std::mutex& PlannerMutex() {
  static std::mutex mutex;
  return mutex;
}

// The window as the transform sees it: silence after the samples, and at both ends reflected about
// the first and last sample of all 30 s. `i` in [-kFftSize / 2, kWindowSamples + kFftSize / 2).
float SampleAt(std::span<const float> samples, int i) {
  if (i < 0) i = -i;
  if (i >= kWindowSamples) i = 2 * (kWindowSamples - 1) - i;
  return i < static_cast<int>(samples.size()) ? samples[i] : 0.0F;
}

// First sample of the window that frame `t` looks at.
int FirstSampleOf(int t) {
  const int begin = t * kHop - kFftSize / 2;
  const int end = begin + kFftSize;
  return std::max(0, std::min(begin, 2 * (kWindowSamples - 1) - (end - 1)));
}

void CheckArguments(std::span<const float> samples, int frames) {
  if (samples.size() > static_cast<std::size_t>(kWindowSamples)) {
    Throw(ErrorCode::kInvalidArgument, "log-mel of {} samples; a window has at most {}",
          samples.size(), kWindowSamples);
  }
  if (frames != kWhisperFrames && frames != kSeedFrames) {
    Throw(ErrorCode::kInvalidArgument, "log-mel of {} frames; {} (Whisper) or {} (seed-3001)",
          frames, kWhisperFrames, kSeedFrames);
  }
  const auto bad = std::ranges::find_if(samples, [](float x) { return !std::isfinite(x); });
  if (bad != samples.end()) {
    Throw(ErrorCode::kInvalidArgument, "log-mel: sample {} is {}; samples must be finite",
          bad - samples.begin(), *bad);
  }
}

template <typename Body>
void For(ThreadPool* pool, std::int64_t count, Body body) {
  if (pool != nullptr) {
    pool->ParallelFor(count, body);
  } else {
    for (std::int64_t i = 0; i < count; ++i) body(i, 0);
  }
}

struct FftwFree {
  void operator()(void* memory) const { fftw_free(memory); }
};

}  // namespace

struct LogMel::Scratch {
  std::unique_ptr<double[], FftwFree> in{fftw_alloc_real(kFftSize)};
  std::unique_ptr<fftw_complex[], FftwFree> out{fftw_alloc_complex(kBins)};
  double power[kBins] = {};
};

struct LogMel::Plan {
  // FFTW_ESTIMATE measures nothing, so the plan, and with it the rounding, is always the same.
  Plan() {
    const Scratch scratch;
    const std::lock_guard<std::mutex> lock(PlannerMutex());
    plan = fftw_plan_dft_r2c_1d(kFftSize, scratch.in.get(), scratch.out.get(), FFTW_ESTIMATE);
  }
  ~Plan() {
    const std::lock_guard<std::mutex> lock(PlannerMutex());
    fftw_destroy_plan(plan);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  fftw_plan plan;
};

Tensor MelFilters(int n_mels) {
  if (n_mels != 80 && n_mels != 128) {
    Throw(ErrorCode::kInvalidArgument, "{} mel bands; Whisper has 80 or 128", n_mels);
  }
  const double top = MelFromHz(kSampleRate / 2.0);
  const auto corner = [&](int i) { return HzFromMel(top * i / (n_mels + 1)); };
  Tensor filters(DType::kF64, {n_mels, kBins});
  for (int band = 0; band < n_mels; ++band) {
    const double left = corner(band);
    const double peak = corner(band + 1);
    const double right = corner(band + 2);
    for (int bin = 0; bin < kBins; ++bin) {
      const double hz = bin * static_cast<double>(kSampleRate) / kFftSize;
      const double height = std::min((hz - left) / (peak - left), (right - hz) / (right - peak));
      filters.data<double>()[band * kBins + bin] = std::max(0.0, height) * 2 / (right - left);
    }
  }
  return filters;
}

LogMel::LogMel(int n_mels) : hann_(kFftSize), plan_(std::make_unique<Plan>()) {
  for (int i = 0; i < kFftSize; ++i) {
    hann_[i] = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * i / kFftSize);
  }
  const Tensor filters = MelFilters(n_mels);
  const auto is_set = [](double weight) { return weight != 0; };
  for (int band = 0; band < n_mels; ++band) {
    const std::span<const double> row(filters.data<double>() + band * kBins, kBins);
    const auto first = std::ranges::find_if(row, is_set);
    const auto last = std::find_if_not(first, row.end(), is_set);
    bands_.push_back({static_cast<int>(first - row.begin()), std::vector<double>(first, last)});
  }
}

LogMel::~LogMel() = default;

float LogMel::Frame(std::span<const float> samples, int t, Scratch& scratch, float* out,
                    std::int64_t stride) const {
  const int begin = t * kHop - kFftSize / 2;
  if (begin >= 0 && begin + kFftSize <= static_cast<int>(samples.size())) {
    const float* x = samples.data() + begin;
    for (int i = 0; i < kFftSize; ++i) scratch.in[i] = x[i] * hann_[i];
  } else {
    for (int i = 0; i < kFftSize; ++i) scratch.in[i] = SampleAt(samples, begin + i) * hann_[i];
  }
  fftw_execute_dft_r2c(plan_->plan, scratch.in.get(), scratch.out.get());
  for (int bin = 0; bin < kBins; ++bin) {
    const fftw_complex& x = scratch.out[bin];
    scratch.power[bin] = x[0] * x[0] + x[1] * x[1];
  }
  float largest = kLeastLog;
  for (std::size_t band = 0; band < bands_.size(); ++band) {
    const std::vector<double>& weights = bands_[band].weights;
    const double* power = scratch.power + bands_[band].first_bin;
    double energy = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) energy += weights[i] * power[i];
    const auto value = static_cast<float>(std::log10(std::max(energy, kLeastEnergy)));
    out[band * stride] = value;
    largest = std::max(largest, value);
  }
  return largest;
}

void LogMel::ComputeInto(std::span<const float> samples, int frames, ThreadPool* pool,
                         float* out) const {
  CheckArguments(samples, frames);
  while (!samples.empty() && samples.back() == 0) samples = samples.first(samples.size() - 1);

  std::vector<Scratch> scratch(pool != nullptr ? pool->threads() : 1);
  const int blocks = (frames + kBlock - 1) / kBlock;
  std::vector<float> largest(blocks, kLeastLog);
  For(pool, blocks, [&](std::int64_t block, int thread) {
    const int first = static_cast<int>(block) * kBlock;
    for (int t = first; t < std::min(first + kBlock, frames); ++t) {
      if (FirstSampleOf(t) < static_cast<int>(samples.size())) {
        const float value = Frame(samples, t, scratch[thread], out + t, frames);
        largest[block] = std::max(largest[block], value);
      } else {  // silence needs no transform
        for (int band = 0; band < n_mels(); ++band) {
          out[static_cast<std::int64_t>(band) * frames + t] = kLeastLog;
        }
      }
    }
  });

  const float least = *std::ranges::max_element(largest) - kRange;
  For(pool, n_mels(), [&](std::int64_t band, int) {
    for (float& value : std::span(out + band * frames, frames)) {
      value = (std::max(value, least) + 4) / 4;
    }
  });
}

Tensor LogMel::Compute(std::span<const float> samples, int frames, ThreadPool* pool) const {
  Tensor mel(DType::kF32, {n_mels(), frames});
  ComputeInto(samples, frames, pool, mel.data<float>());
  return mel;
}

Tensor LogMel::Windows(const Audio& audio, int frames, ThreadPool* pool) const {
  const std::int64_t windows = NumWindows(audio);
  Tensor mel(DType::kF32, {windows, n_mels(), frames});
  const std::span<const float> samples(audio.samples);
  for (std::int64_t w = 0; w < windows; ++w) {
    const std::span<const float> rest = samples.subspan(w * kWindowSamples);
    ComputeInto(rest.first(std::min<std::size_t>(rest.size(), kWindowSamples)), frames, pool,
                mel.data<float>() + w * n_mels() * frames);
  }
  return mel;
}

std::int64_t NumWindows(const Audio& audio) {
  return (static_cast<std::int64_t>(audio.samples.size()) + kWindowSamples - 1) / kWindowSamples;
}

}  // namespace xdna::encoder
