#include "ops/internal/tile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace xdna::ops {
namespace {

constexpr std::int64_t kLanes = 16;

alignas(64) thread_local unsigned char tile_bytes[kernels::kTileDataBytes];

// Shapes of step, 2 step, ... rows, the largest first, since all cost the same but for what a call
// costs; then the first that does not fit.
std::vector<TileShape> Shapes(const DesignOfRows& design, std::int64_t step, std::int64_t width,
                              const std::function<std::string(std::int64_t)>& name_of) {
  std::vector<TileShape> shapes;
  for (std::int64_t rows = step;; rows += step) {
    kernels::Design d = design(rows, width);
    const bool fits = static_cast<bool>(d.fits());
    shapes.push_back({name_of(rows), static_cast<double>(rows * width), std::move(d)});
    if (!fits) break;
  }
  std::reverse(shapes.begin(), shapes.end() - 1);
  return shapes;
}

}  // namespace

TileMemory::TileMemory() {
  std::memset(tile_bytes, 0xFF, sizeof tile_bytes);
  aie::host::core() = {};
}

void* TileMemory::TakeBytes(std::size_t bytes) {
  const std::size_t at = used_;
  used_ += (bytes + kernels::kBufferAlign - 1) / kernels::kBufferAlign * kernels::kBufferAlign;
  if (used_ > sizeof tile_bytes) {
    Throw(ErrorCode::kInternal, "buffers of {} B in a tile's {} B", used_, sizeof tile_bytes);
  }
  return tile_bytes + at;
}

template <typename T>
void RowsToTile(const TensorView& from, std::int64_t first, std::int64_t rows, std::int64_t width,
                T* to) {
  const std::int64_t n = from.dim(1);
  const auto* source = static_cast<const T*>(from.raw()) + first * n;
  if (n == width) std::copy_n(source, rows * n, to);
  for (std::int64_t i = 0; n != width && i < rows; ++i) {
    std::copy_n(source + i * n, n, to + i * width);
  }
}

template <typename T>
void RowsFromTile(const T* from, std::int64_t first, std::int64_t rows, std::int64_t width,
                  const TensorView& to) {
  const std::int64_t n = to.dim(1);
  auto* target = static_cast<T*>(to.raw()) + first * n;
  if (n == width) std::copy_n(from, rows * n, target);
  for (std::int64_t i = 0; n != width && i < rows; ++i) {
    std::copy_n(from + i * width, n, target + i * n);
  }
}

template void RowsToTile(const TensorView&, std::int64_t, std::int64_t, std::int64_t, float*);
template void RowsToTile(const TensorView&, std::int64_t, std::int64_t, std::int64_t, bfloat16*);
template void RowsFromTile(const float*, std::int64_t, std::int64_t, std::int64_t,
                           const TensorView&);
template void RowsFromTile(const bfloat16*, std::int64_t, std::int64_t, std::int64_t,
                           const TensorView&);

std::int64_t MostRows(const DesignOfRows& design, std::int64_t width) {
  if (const kernels::Fit fit = design(1, width).fits(); !fit) {
    Throw(ErrorCode::kUnsupported, "{}", fit.reason);
  }
  // Bisection: a design's cycles, which nobody asks for here, take time to work out.
  std::int64_t fitting = 1, beyond = 2;
  for (; design(beyond, width).fits(); beyond *= 2) fitting = beyond;
  while (beyond - fitting > 1) {
    const std::int64_t middle = (fitting + beyond) / 2;
    (design(middle, width).fits() ? fitting : beyond) = middle;
  }
  return fitting;
}

void ForEachCall(ThreadPool& pool, std::int64_t rows, std::int64_t most,
                 const std::function<void(std::int64_t first, std::int64_t rows)>& body) {
  pool.ParallelFor((rows + most - 1) / most, [&](std::int64_t call, int) {
    body(call * most, std::min(most, rows - call * most));
  });
}

std::vector<TileShape> RowTiles(const DesignOfRows& design, std::int64_t width) {
  return Shapes(design, 1, width,
                [&](std::int64_t rows) { return fmt::format("{}x{}", rows, width); });
}

std::vector<TileShape> FlatTiles(const DesignOfRows& design) {
  return Shapes(design, kLanes, 1, [](std::int64_t n) { return fmt::format("{}", n); });
}

}  // namespace xdna::ops
