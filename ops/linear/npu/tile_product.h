// Matrix products on one core tile: the shape of the tile, and its results bit for bit.
#ifndef OPS_LINEAR_NPU_TILE_PRODUCT_H_
#define OPS_LINEAR_NPU_TILE_PRODUCT_H_

#include <aie_api/aie.hpp>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/matmul/matmul_design.h"
#include "kernels/matmul/matmul_tiles.h"
#include "ops/contract.h"

namespace xdna::ops {

// How the host computes what the tile would. Both give the same bits: a MAC's result depends on
// its eight products and on C alone, so the order of the tiles does not matter.
enum class TileHost : std::uint8_t {
  kAuto,   // kTiles for small problems, kBulk from 2^24 multiply-adds on
  kTiles,  // tile by tile as kernels/matmul/matmul_tiles.h: DMA's padding, steps of k, epilogue
  kBulk,   // sums by kernels/aie/exact_matmul.h, all else by the tile's kernels: 7 times as fast
};

// A product made ready for a shape: bf16, or int8 where `int8` is set.
class TileProduct {
 public:
  struct Options {
    bool int8 = false;
    // What the epilogue will do, which the choice of the tile depends on.
    bool bias = false, scaled = false, gelu = false;
    bool reload = false;  // C as bf16 from step to step, narrowed by floor, as mlir-aie's mm.cc
    TileHost host = TileHost::kAuto;
  };

  // Chooses the tile of the least cycles for all of `problem`, its padding included, among shapes
  // that fit(); sizes of the tile are powers of two and multiples of 16 up to 128 (k: 256).
  TileProduct(const kernels::MatmulProblem& problem, const Options& options);

  const kernels::MatmulTile& tile() const { return tile_; }
  bool bulk() const { return bulk_; }

  // y [rows,n] = epilogue(a [rows,k] b [k,n]), dense and row-major, rows <= problem.m. The
  // epilogue's bias [n] is readable up to the next multiple of 4; it has no residual. Safe to call
  // from many threads: each plays a core of its own.
  void Run(std::int64_t rows, const bfloat16* a, const bfloat16* b,
           const kernels::MatmulEpilogue& epilogue, bfloat16* y) const;
  // The exact sums. int8 only.
  void Run(std::int64_t rows, const int8* a, const int8* b, int32* y) const;

 private:
  void RunReload(const kernels::MatmulProblem& p, const bfloat16* a, const bfloat16* b,
                 bfloat16* y) const;

  kernels::MatmulProblem problem_;
  Options options_;
  kernels::MatmulTile tile_;
  bool bulk_;
};

// y [rows,n] = epilogue(c [rows, first n of c_stride]) by matmul_finish_bf16, which sees blocks
// with zeros beyond `rows` and `n`. The bias as above.
void FinishRows(const float* c, std::int64_t c_stride, std::int64_t rows, std::int64_t n,
                const kernels::MatmulEpilogue& epilogue, bfloat16* y);

// Sorts shapes by cycles a result and appends the 8 of `beyond`, which do not fit, that need the
// least memory.
void SortTiles(std::vector<TileShape>& fitting, std::vector<TileShape> beyond);

// Contract::tiles for a product over `k`: all shapes up to 128 in each size.
std::vector<TileShape> ProductTiles(const kernels::MatmulConfig& like, std::int64_t k);

}  // namespace xdna::ops

#endif  // OPS_LINEAR_NPU_TILE_PRODUCT_H_
