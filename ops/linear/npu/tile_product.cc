#include "ops/linear/npu/tile_product.h"

#include <fmt/format.h>

#include <aie_api/aie.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <utility>
#include <vector>

#include "base/tensor.h"
#include "kernels/aie/exact_matmul.h"
#include "kernels/convert/convert.h"
#include "kernels/matmul/matmul.h"

namespace xdna::ops {
namespace {

using kernels::MatmulConfig;
using kernels::MatmulProblem;
using kernels::MatmulTile;

constexpr double kBulkMacs = 1 << 24;

std::int64_t RoundUp(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }

// Sizes to try for a dimension of `size`: none beyond what one tile needs to cover it.
std::vector<std::size_t> Sizes(std::int64_t size, std::size_t least, std::size_t most) {
  std::vector<std::size_t> sizes;
  for (std::size_t s = least; s <= most; s = s < 16 ? 2 * s : s + 16) {
    sizes.push_back(s);
    if (static_cast<std::int64_t>(s) >= size) break;
  }
  return sizes;
}

std::size_t StepsOf(std::int64_t k, std::size_t tile_k) {
  return (static_cast<std::size_t>(k) + tile_k - 1) / tile_k;
}

MatmulTile ChooseTile(const MatmulProblem& p, const TileProduct::Options& options) {
  MatmulConfig c;
  c.in_bytes = options.int8 ? 1 : 2;
  c.out_bytes = options.int8 ? 4 : 2;
  c.reload = options.reload;
  if (!options.reload) {  // else the epilogue is elsewhere
    c.bias = options.bias, c.scaled = options.scaled, c.gelu = options.gelu;
  }
  MatmulTile best = {};
  double least = std::numeric_limits<double>::infinity();
  for (const std::size_t m : Sizes(p.m, 4, 128)) {
    for (const std::size_t n : Sizes(p.n, options.int8 ? 8 : 4, 128)) {
      for (const std::size_t k : Sizes(p.k, 8, 256)) {
        c.m = m, c.k = k, c.n = n, c.steps = StepsOf(p.k, k);
        const kernels::Design design = kernels::MatmulDesign(c);
        const double tiles = static_cast<double>(StepsOf(p.m, m) * StepsOf(p.n, n));
        const double cycles = tiles * design.cycles();
        if (cycles >= least || !design.fits()) continue;
        least = cycles;
        best = {static_cast<int32>(m), static_cast<int32>(k), static_cast<int32>(n)};
      }
    }
  }
  return best;
}

Tensor TileMemory(const MatmulTile& tile, int32 in_bytes, int32 out_bytes) {
  return {DType::kU8, {kernels::MatmulMemoryBytes(tile, in_bytes, out_bytes, false)}};
}

bfloat16* Bf16Of(const Tensor& tensor) { return reinterpret_cast<bfloat16*>(tensor.data<Bf16>()); }

const std::uint16_t* BitsOf(const bfloat16* values) {
  return reinterpret_cast<const std::uint16_t*>(values);
}

kernels::MatmulShape DenseShape(std::int64_t m, std::int64_t k, std::int64_t n) {
  const auto depth = static_cast<std::size_t>(k), width = static_cast<std::size_t>(n);
  return {static_cast<std::size_t>(m), depth, width, depth, width, width};
}

}  // namespace

TileProduct::TileProduct(const MatmulProblem& problem, const Options& options)
    : problem_(problem), options_(options), tile_(ChooseTile(problem, options)) {
  const double macs = static_cast<double>(problem.m) * problem.k * problem.n;
  bulk_ = options.host == TileHost::kBulk || (options.host == TileHost::kAuto && macs >= kBulkMacs);
}

void TileProduct::Run(std::int64_t rows, const bfloat16* a, const bfloat16* b,
                      const kernels::MatmulEpilogue& epilogue, bfloat16* y) const {
  MatmulProblem p = problem_;
  p.m = static_cast<int32>(rows);
  if (!bulk_ && !options_.reload) {
    const Tensor memory = TileMemory(tile_, 2, 2);
    return kernels::RunMatmul<bfloat16>(p, tile_, a, b, epilogue, y, memory.view().raw());
  }
  const std::int64_t padded = RoundUp(rows * p.n, 16);  // for the conversions of reloading
  const Tensor c(DType::kF32, {padded});
  if (options_.reload) {
    const Tensor narrow(DType::kBf16, {padded});
    RunReload(p, a, b, Bf16Of(narrow));
    convert_bf16_f32(Bf16Of(narrow), c.data<float>(), static_cast<int32>(padded));
  } else {
    kernels::MacMatrixBf16(DenseShape(rows, p.k, p.n), BitsOf(a), BitsOf(b), c.data<float>());
  }
  FinishRows(c.data<float>(), p.n, rows, p.n, epilogue, y);
}

void TileProduct::RunReload(const MatmulProblem& p, const bfloat16* a, const bfloat16* b,
                            bfloat16* y) const {
  constexpr auto kFloor = aie::rounding_mode::floor;
  if (!bulk_) {
    const Tensor memory = TileMemory(tile_, 2, 2);
    return kernels::RunMatmulReload(p, tile_, a, b, kFloor, y, memory.view().raw());
  }
  const auto padded = static_cast<int32>(RoundUp(static_cast<std::int64_t>(p.m) * p.n, 16));
  const Tensor c(DType::kF32, {padded});
  for (std::int64_t z = 0; z < p.k; z += tile_.k) {
    if (z > 0) convert_bf16_f32(y, c.data<float>(), padded);
    kernels::MatmulShape shape = DenseShape(p.m, p.k, p.n);
    shape.k = static_cast<std::size_t>(std::min<std::int64_t>(tile_.k, p.k - z));
    kernels::MacMatrixBf16(shape, BitsOf(a + z), BitsOf(b + z * p.n), c.data<float>());
    convert_f32_bf16(c.data<float>(), y, padded, static_cast<int32>(kFloor));
  }
}

void TileProduct::Run(std::int64_t rows, const int8* a, const int8* b, int32* y) const {
  MatmulProblem p = problem_;
  p.m = static_cast<int32>(rows);
  if (!bulk_) {
    const Tensor memory = TileMemory(tile_, 1, 4);
    return kernels::RunMatmul<int32>(p, tile_, a, b, kernels::MatmulIntEpilogue{}, y,
                                     memory.view().raw());
  }
  std::fill_n(y, rows * p.n, 0);
  kernels::MacMatrixInt8(DenseShape(rows, p.k, p.n), a, b, y);
}

void FinishRows(const float* c, std::int64_t c_stride, std::int64_t rows, std::int64_t n,
                const kernels::MatmulEpilogue& epilogue, bfloat16* y) {
  constexpr std::int64_t kSide = 4;  // of a block
  const std::int64_t width = RoundUp(n, kSide);
  const Tensor blocks(DType::kF32, {kSide * width});
  const Tensor narrow(DType::kBf16, {kSide * width});
  const auto at = [](std::int64_t i, std::int64_t j) {
    return j / kSide * kSide * kSide + i * kSide + j % kSide;
  };
  for (std::int64_t row = 0; row < rows; row += kSide) {
    const std::int64_t height = std::min(kSide, rows - row);
    for (std::int64_t i = 0; i < kSide; ++i) {
      const float* from = c + (row + i) * c_stride;
      for (std::int64_t j = 0; j < n; ++j) {
        blocks.data<float>()[at(i, j)] = i < height ? from[j] : 0;
      }
    }
    matmul_finish_bf16(blocks.data<float>(), Bf16Of(narrow), kSide, static_cast<int32>(width),
                       &epilogue);
    for (std::int64_t i = 0; i < height; ++i) {
      for (std::int64_t j = 0; j < n; ++j) y[(row + i) * n + j] = Bf16Of(narrow)[at(i, j)];
    }
  }
}

void SortTiles(std::vector<TileShape>& fitting, std::vector<TileShape> beyond) {
  std::stable_sort(fitting.begin(), fitting.end(), [](const TileShape& a, const TileShape& b) {
    return a.design.cycles() * b.results < b.design.cycles() * a.results;
  });
  std::stable_sort(beyond.begin(), beyond.end(), [](const TileShape& a, const TileShape& b) {
    return a.design.data_bytes() < b.design.data_bytes();
  });
  constexpr std::size_t kNearest = 8;
  beyond.resize(std::min(beyond.size(), kNearest));
  std::move(beyond.begin(), beyond.end(), std::back_inserter(fitting));
}

std::vector<TileShape> ProductTiles(const MatmulConfig& like, std::int64_t k) {
  constexpr std::size_t kMost = 128;
  const auto shape_of = [k](MatmulConfig c) {
    c.steps = StepsOf(k, c.k);
    return TileShape{fmt::format("{}x{}x{}", c.m, c.k, c.n), static_cast<double>(c.m * c.n),
                     kernels::MatmulDesign(c)};
  };
  std::vector<TileShape> shapes, beyond;
  const std::size_t step = like.in_bytes == 1 ? 8 : 4;
  MatmulConfig c = like;
  for (c.m = 4; c.m <= kMost; c.m += 4) {
    for (c.n = step; c.n <= kMost; c.n += step) {
      for (c.k = 8; c.k <= kMost; c.k += 8) {
        TileShape shape = shape_of(c);
        const bool fits = shape.design.fits().ok;
        (fits ? shapes : beyond).push_back(std::move(shape));
        if (!fits) break;  // what is deeper does not fit either
      }
    }
  }
  SortTiles(shapes, std::move(beyond));
  return shapes;
}

}  // namespace xdna::ops
