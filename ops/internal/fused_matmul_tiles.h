// Products by AMX, whose registers are tiles of 16 x 16 sums. This was only ever run by an
// emulation of its instructions (ops/internal/amx_emulation.h): what it is worth is measured at
// start-up.
#ifndef OPS_INTERNAL_FUSED_MATMUL_TILES_H_
#define OPS_INTERNAL_FUSED_MATMUL_TILES_H_

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "ops/internal/amx_tiles.h"
#include "ops/internal/fused_matmul_kernel.h"

namespace xdna::ops {

// Registers 0 to 3 are sums of 2 x 2 tiles, 4 and 5 rows of x, 6 and 7 columns of W, whose packed
// units are rows of such tiles as they lie. While the rows of a call pass, a panel of W stays in
// the second-level cache: 64 KB in bf16 for k = 512.
template <bool kInt8>
class TileMatmul {
 public:
  static FusedMatmulKernel Kernel(const char* name) {
    FusedMatmulKernel kernel = {};
    kernel.name = name;
    kernel.rows = 2 * kTile;
    kernel.width = kPanel;
    kernel.unit = kUnit / kElement;
    kernel.depth = kStep / kElement;
    kernel.whole_tiles = true;
    kernel.multiply = Multiply;
    kernel.begin = AmxTiles::Begin;
    kernel.end = AmxTiles::End;
    return kernel;
  }

 private:
  static constexpr int kTile = 16;                      // rows, and units in a row
  static constexpr std::int64_t kStep = kTile * kUnit;  // bytes of a row of x
  static constexpr std::int64_t kElement = kInt8 ? 1 : 2;
  static constexpr std::size_t kRowOfW = kPanel * kUnit;

  // A step of x where it is not whole, with 0 for what is missing.
  struct alignas(64) Edge {
    std::byte rows[2 * kTile][kStep];
  };

  static void Multiply(const std::byte* x, std::int64_t pitch, int rows, std::int64_t k,
                       const std::byte* panel, float* sums) {
    Edge edge;
    for (int column = 0; column < kPanel; column += 2 * kTile) {
      AmxTiles::Zero<0>();
      AmxTiles::Zero<1>();
      AmxTiles::Zero<2>();
      AmxTiles::Zero<3>();
      const std::byte* w = panel + column * kUnit;
      for (std::int64_t left = k * kElement, at = 0; left > 0; left -= kStep, at += kStep) {
        if (rows == 2 * kTile && left >= kStep) {
          Step(x + at, pitch, w);
        } else {
          CopyEdge(x + at, pitch, rows, left < kStep ? left : kStep, edge);
          Step(edge.rows[0], kStep, w);
        }
        w += kTile * kRowOfW;
      }
      constexpr std::size_t kPitch = kPanel * sizeof(float);
      AmxTiles::Store<0>(sums + column, kPitch);
      AmxTiles::Store<1>(sums + column + kTile, kPitch);
      AmxTiles::Store<2>(sums + column + kTile * kPanel, kPitch);
      AmxTiles::Store<3>(sums + column + kTile * kPanel + kTile, kPitch);
    }
  }

  // 32 rows and columns, 64 bytes of each row.
  static void Step(const std::byte* x, std::size_t pitch, const std::byte* w) {
    AmxTiles::Load<6>(w, kRowOfW);
    AmxTiles::Load<4>(x, pitch);
    Product<0, 4, 6>();
    AmxTiles::Load<5>(x + kTile * pitch, pitch);
    Product<2, 5, 6>();
    AmxTiles::Load<7>(w + kTile * kUnit, kRowOfW);
    Product<1, 4, 7>();
    Product<3, 5, 7>();
  }

  template <int kSum, int kA, int kB>
  static void Product() {
    if constexpr (kInt8) {
      AmxTiles::MultiplyInt8<kSum, kA, kB>();
    } else {
      AmxTiles::Multiply<kSum, kA, kB>();
    }
  }

  static void CopyEdge(const std::byte* x, std::int64_t pitch, int rows, std::size_t bytes,
                       Edge& edge) {
    std::memset(&edge, 0, sizeof edge);
    for (int r = 0; r < rows; ++r) std::memcpy(edge.rows[r], x + r * pitch, bytes);
  }
};

}  // namespace xdna::ops

#endif  // OPS_INTERNAL_FUSED_MATMUL_TILES_H_
