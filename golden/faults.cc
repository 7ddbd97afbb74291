#include "golden/faults.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "base/bf16.h"
#include "base/error.h"
#include "base/tensor.h"

namespace xdna::golden {
namespace {

constexpr std::int64_t kTile = 16;  // rows and columns of a typical kernel's output tile

// A tensor as rows: all axes but the last are one. A vector is a column.
struct Rows {
  std::int64_t count;
  std::int64_t width;

  explicit Rows(const Shape& shape) : count(NumElements(shape)), width(1) {
    if (shape.size() < 2 || shape.back() == 0) return;
    width = shape.back();
    count /= width;
  }
};

// SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
std::uint64_t Mix(std::uint64_t z) {
  z += 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

double RootMeanSquare(const float* x, std::int64_t n) {
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * x[i];
  return std::sqrt(sum / static_cast<double>(n));
}

// What an earlier run may have left: other numbers of the same size, which no test for NaN or zero
// would notice.
void MakeStale(float* x, std::int64_t n, std::uint64_t seed) {
  const double reach = RootMeanSquare(x, n) * std::sqrt(3.0);  // uniform, of the same RMS
  for (std::int64_t i = 0; i < n; ++i) {
    const double unit = static_cast<double>(Mix(seed + i) >> 11) * 0x1p-52 - 1;
    x[i] = static_cast<float>(reach * unit);
  }
}

void Transpose(const float* from, Rows rows, float* to) {
  for (std::int64_t r = 0; r < rows.count; ++r) {
    for (std::int64_t c = 0; c < rows.width; ++c) {
      to[c * rows.count + r] = from[r * rows.width + c];
    }
  }
}

// Copies one tile over another; at least two tiles fit unless there is one element.
void CopyTile(float* x, Rows rows, std::uint64_t seed) {
  const std::int64_t height = std::clamp<std::int64_t>(rows.count / 2, 1, kTile);
  const std::int64_t width = std::clamp<std::int64_t>(rows.width / 2, 1, kTile);
  const std::int64_t across = rows.width / width;
  const std::int64_t tiles = (rows.count / height) * across;
  const auto row = [&](std::int64_t tile, std::int64_t r) {
    return x + ((tile / across) * height + r) * rows.width + (tile % across) * width;
  };
  const auto row_bytes = static_cast<std::size_t>(width) * sizeof(float);
  const std::int64_t to = static_cast<std::int64_t>(Mix(seed) % tiles);
  const std::int64_t start = static_cast<std::int64_t>(Mix(seed + 1) % tiles);
  for (std::int64_t i = 0; i < tiles; ++i) {
    const std::int64_t from = (start + i) % tiles;
    bool changed = false;
    for (std::int64_t r = 0; r < height; ++r) {
      changed |= std::memcmp(row(to, r), row(from, r), row_bytes) != 0;
      std::memmove(row(to, r), row(from, r), row_bytes);
    }
    if (changed) return;
  }
}

// Of an element of at least the root mean square: a sign that is lost in the rounding of a value
// near zero is no fault.
void FlipSign(float* x, std::int64_t n, std::uint64_t seed) {
  const double enough = RootMeanSquare(x, n);
  const std::int64_t start = static_cast<std::int64_t>(Mix(seed) % n);
  for (std::int64_t i = 0; i < n; ++i) {
    float& value = x[(start + i) % n];
    if (std::abs(value) < enough || value == 0) continue;
    value = -value;
    return;
  }
}

}  // namespace

const char* FaultName(Fault fault) {
  switch (fault) {
    case Fault::kAllZero:
      return "all_zero";
    case Fault::kStale:
      return "stale";
    case Fault::kTransposed:
      return "transposed";
    case Fault::kWrongTile:
      return "wrong_tile";
    case Fault::kSignFlip:
      return "sign_flip";
    case Fault::kNan:
      return "nan";
    case Fault::kOffByOneRow:
      return "off_by_one_row";
    case Fault::kTruncated:
      return "truncated";
  }
  return "?";
}

Tensor Inject(const TensorView& output, Fault fault, std::uint64_t seed) {
  const auto* from = output.data<const float>();
  if (!output.contiguous()) Throw(ErrorCode::kInternal, "fault in a tensor that is not contiguous");
  Tensor result = Convert(output, DType::kF32);
  auto* x = result.data<float>();
  const std::int64_t n = output.size();
  const Rows rows(output.shape());
  if (n == 0) return result;
  switch (fault) {
    case Fault::kAllZero:
      std::fill(x, x + n, 0.0F);
      break;
    case Fault::kStale:
      MakeStale(x, n, seed);
      break;
    case Fault::kTransposed:
      Transpose(from, rows, x);
      break;
    case Fault::kWrongTile:
      CopyTile(x, rows, seed);
      break;
    case Fault::kSignFlip:
      FlipSign(x, n, seed);
      break;
    case Fault::kNan:
      x[Mix(seed) % n] = std::numeric_limits<float>::quiet_NaN();
      break;
    case Fault::kOffByOneRow:
      std::rotate(x, x + rows.width, x + n);
      break;
    case Fault::kTruncated:
      std::transform(x, x + n, x, [](float value) {
        return Bf16::FromFloat(value, Rounding::kSymFloor).ToFloat();
      });
      break;
  }
  return result;
}

}  // namespace xdna::golden
