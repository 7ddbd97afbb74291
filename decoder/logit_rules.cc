#include "decoder/logit_rules.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>
#include <span>
#include <vector>

#include "ops/internal/row_kernels.h"

namespace xdna::decoder {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

void Forbid(std::span<float> logits, int first, int last) {
  const int size = static_cast<int>(logits.size());
  first = std::clamp(first, 0, size);
  std::fill(logits.begin() + first, logits.begin() + std::clamp(last, first, size), kNever);
}

// One for each lane of a vector, so that the compiler uses them.
constexpr std::size_t kLanes = 16;

float MaxOf(std::span<const float> x) {
  float lanes[kLanes];
  std::fill(std::begin(lanes), std::end(lanes), kNever);
  std::size_t i = 0;
  for (; i + kLanes <= x.size(); i += kLanes) {
    for (std::size_t j = 0; j < kLanes; ++j) lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
  }
  float max = *std::max_element(std::begin(lanes), std::end(lanes));
  for (; i < x.size(); ++i) max = std::max(max, x[i]);
  return max;
}

}  // namespace

void BlankRule::Apply(std::span<const int> sampled, std::span<float> logits) const {
  if (!sampled.empty()) return;
  for (int token : tokens) logits[token] = kNever;
}

void SuppressRule::Apply(std::span<float> logits) const {
  for (int token : tokens) logits[token] = kNever;
}

void TimestampRule::Apply(std::span<const int> sampled, std::span<float> logits) const {
  const int begin = special.timestamp_begin;
  const int size = static_cast<int>(logits.size());
  logits[special.no_timestamps] = kNever;
  const auto is_time = [begin](int token) { return token >= begin; };
  const bool last_is_time = !sampled.empty() && is_time(sampled.back());
  const bool before_is_time = sampled.size() < 2 || is_time(sampled[sampled.size() - 2]);
  if (last_is_time && before_is_time) Forbid(logits, begin, size);  // a pair is complete
  if (last_is_time && !before_is_time) Forbid(logits, 0, special.eot);
  const auto latest = std::find_if(sampled.rbegin(), sampled.rend(), is_time);
  if (latest != sampled.rend()) {
    // The second of a pair may repeat the first; a segment is never of no length.
    Forbid(logits, begin, last_is_time && !before_is_time ? *latest : *latest + 1);
  }
  if (sampled.empty()) {
    Forbid(logits, 0, begin);
    if (last_initial >= 0) Forbid(logits, begin + last_initial + 1, size);
  }
  const float text = MaxOf(logits.first(begin));
  const std::span<const float> times = logits.subspan(begin);
  const float time = MaxOf(times);
  double sum = 0;
  for (float v : times) sum += std::exp(v - std::max(time, text));
  if (sum > std::exp(text - std::max(time, text))) Forbid(logits, 0, begin);
}

double LogSumExp(std::span<const float> x, std::span<float> scratch) {
  const float sum = ops::ExpRow(x.data(), 1, x.size(), scratch.data(), DType::kF32);
  return MaxOf(x) + std::log(static_cast<double>(sum));
}

void LargestOf(std::span<const float> x, std::size_t count, std::vector<int>& best) {
  best.clear();
  const auto larger = [x](int a, int b) { return x[a] > x[b]; };
  float least = kNever;  // that still gets in
  for (std::size_t begin = 0; begin < x.size(); begin += 4 * kLanes) {
    const std::size_t size = std::min(4 * kLanes, x.size() - begin);
    if (MaxOf(x.subspan(begin, size)) <= least) continue;
    for (std::size_t i = begin; i < begin + size; ++i) {
      if (x[i] <= least) continue;
      const int index = static_cast<int>(i);
      best.insert(std::upper_bound(best.begin(), best.end(), index, larger), index);
      if (best.size() > count) best.pop_back();
      if (best.size() == count) least = x[best.back()];
    }
  }
}

}  // namespace xdna::decoder
