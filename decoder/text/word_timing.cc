#include "decoder/text/word_timing.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

#include "base/error.h"

namespace xdna::decoder {
namespace {

constexpr std::size_t kMedianWidth = 7;
constexpr double kFramesPerSecond = 50;
constexpr std::size_t kBlock = 64;  // frames that are filtered at once

// A step of the path, as the cell that it leads into knows it.
enum Step : std::uint8_t { kBoth, kDown, kRight };

// Compares neighbours in odd-even order until all columns are sorted; plain loops over frames, so
// that they vectorise.
void SortColumns(std::vector<float>& window, std::size_t width) {
  for (std::size_t pass = 0; pass < width; ++pass) {
    for (std::size_t k = pass % 2; k + 1 < width; k += 2) {
      float* a = &window[k * kBlock];
      float* b = &window[(k + 1) * kBlock];
      for (std::size_t i = 0; i < kBlock; ++i) {
        const float low = std::min(a[i], b[i]);
        b[i] = std::max(a[i], b[i]);
        a[i] = low;
      }
    }
  }
}

// Normalises one head [tokens, frames] over tokens, in place.
void NormalizeOverTokens(float* head, std::size_t tokens, std::size_t frames) {
  std::vector<double> mean(frames);
  std::vector<double> variance(frames);
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t f = 0; f < frames; ++f) mean[f] += head[t * frames + f];
  }
  for (double& value : mean) value /= static_cast<double>(tokens);
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t f = 0; f < frames; ++f) {
      const double off = head[t * frames + f] - mean[f];
      variance[f] += off * off;
    }
  }
  for (std::size_t f = 0; f < frames; ++f) {
    const double deviation = std::sqrt(variance[f] / static_cast<double>(tokens));
    variance[f] = deviation > 0 ? 1 / deviation : 0;
  }
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t f = 0; f < frames; ++f) {
      float& value = head[t * frames + f];
      value = static_cast<float>((value - mean[f]) * variance[f]);
    }
  }
}

void CheckShapes(const TokenAttention& attention) {
  const TensorView& weights = attention.weights;
  const std::size_t tokens = attention.text.size();
  if (attention.text_probability.size() != tokens) {
    Throw(ErrorCode::kInvalidArgument, "{} probabilities for {} text tokens",
          attention.text_probability.size(), tokens);
  }
  const auto expected = static_cast<std::int64_t>(attention.sot_tokens + tokens + 2);
  if (weights.rank() != 3 || weights.dim(0) < 1 || weights.dim(1) != expected ||
      weights.dim(2) < 1 || weights.dtype() != DType::kF32 || !weights.contiguous()) {
    Throw(ErrorCode::kInvalidArgument, "attention is {} {}; expected f32 [heads,{},frames]",
          DTypeName(weights.dtype()), ShapeString(weights.shape()), expected);
  }
}

// Seconds at which the path comes to each row.
std::vector<double> RowTimes(const std::vector<std::pair<int, int>>& path) {
  std::vector<double> times;
  int row = -1;
  for (const auto& [text, frame] : path) {
    if (text == row) continue;
    row = text;
    times.push_back(frame / kFramesPerSecond);
  }
  return times;
}

}  // namespace

void MedianFilter(std::span<float> rows, std::size_t length, std::size_t width) {
  const std::size_t reach = width / 2;
  if (length <= reach) return;
  std::vector<float> padded(length + 2 * reach + kBlock);
  std::vector<float> window(width * kBlock);
  for (std::size_t begin = 0; begin + length <= rows.size(); begin += length) {
    const std::span<float> row = rows.subspan(begin, length);
    std::copy(row.begin(), row.end(), padded.begin() + static_cast<std::ptrdiff_t>(reach));
    for (std::size_t i = 1; i <= reach; ++i) {
      padded[reach - i] = row[i];
      padded[reach + length - 1 + i] = row[length - 1 - i];
    }
    for (std::size_t first = 0; first < length; first += kBlock) {
      for (std::size_t k = 0; k < width; ++k) {
        std::copy_n(&padded[first + k], kBlock, &window[k * kBlock]);
      }
      SortColumns(window, width);
      std::copy_n(&window[reach * kBlock], std::min(kBlock, length - first), &row[first]);
    }
  }
}

std::vector<float> AlignmentMatrix(const TensorView& weights) {
  const auto heads = static_cast<std::size_t>(weights.dim(0));
  const auto tokens = static_cast<std::size_t>(weights.dim(1));
  const auto frames = static_cast<std::size_t>(weights.dim(2));
  const std::size_t size = tokens * frames;
  std::vector<float> mean(size);
  std::vector<float> head(size);
  for (std::size_t h = 0; h < heads; ++h) {
    std::copy_n(weights.data<float>() + h * size, size, head.begin());
    NormalizeOverTokens(head.data(), tokens, frames);
    MedianFilter(head, frames, kMedianWidth);
    for (std::size_t i = 0; i < size; ++i) mean[i] += head[i];
  }
  for (float& value : mean) value /= static_cast<float>(heads);
  return mean;
}

std::vector<std::pair<int, int>> DynamicTimeWarp(std::span<const float> cost, std::size_t rows,
                                                 std::size_t columns) {
  if (rows == 0 || columns == 0) return {};
  constexpr float kFar = std::numeric_limits<float>::infinity();
  std::vector<float> above(columns + 1, kFar);
  std::vector<float> present(columns + 1, kFar);
  std::vector<Step> steps(rows * columns);
  above[0] = 0;
  for (std::size_t i = 0; i < rows; ++i) {
    present[0] = kFar;
    for (std::size_t j = 0; j < columns; ++j) {
      const float both = above[j];
      const float down = above[j + 1];
      const float right = present[j];
      Step step = kRight;
      if (both < down && both < right) {
        step = kBoth;
      } else if (down < both && down < right) {
        step = kDown;
      }
      present[j + 1] = cost[i * columns + j] + (step == kBoth   ? both
                                                : step == kDown ? down
                                                                : right);
      // At the borders there is one way only, also where costs are not finite.
      steps[i * columns + j] = i == 0 ? kRight : j == 0 ? kDown : step;
    }
    std::swap(above, present);
  }
  std::vector<std::pair<int, int>> path;
  for (std::size_t i = rows - 1, j = columns - 1;;) {
    path.emplace_back(static_cast<int>(i), static_cast<int>(j));
    if (i == 0 && j == 0) break;
    const Step step = steps[i * columns + j];
    if (step != kRight) --i;
    if (step != kDown) --j;
  }
  std::reverse(path.begin(), path.end());
  return path;
}

std::vector<WordTiming> FindWordTimings(const Tokenizer& tokenizer, std::string_view code,
                                        const TokenAttention& attention) {
  if (attention.text.empty()) return {};
  CheckShapes(attention);
  const auto frames = static_cast<std::size_t>(attention.weights.dim(2));
  std::vector<float> matrix = AlignmentMatrix(attention.weights);
  for (float& value : matrix) value = -value;
  // From <|notimestamps|> on, without eot: when a row begins, the token before it has been said.
  const std::size_t rows = attention.text.size() + 1;
  const std::vector<double> times = RowTimes(DynamicTimeWarp(
      std::span(matrix).subspan(attention.sot_tokens * frames, rows * frames), rows, frames));

  std::vector<WordTiming> timings;
  std::size_t begin = 0;
  for (TokenizedWord& word : tokenizer.SplitToWords(attention.text, code)) {
    const std::size_t end = begin + word.tokens.size();
    const auto probabilities = attention.text_probability.subspan(begin, end - begin);
    const double sum = std::accumulate(probabilities.begin(), probabilities.end(), 0.0);
    timings.push_back({std::move(word.text), std::move(word.tokens), times[begin], times[end],
                       sum / static_cast<double>(end - begin)});
    begin = end;
  }
  return timings;
}

}  // namespace xdna::decoder
