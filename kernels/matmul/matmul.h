// Products of tiles on one core: C += A B over steps of k, then an epilogue that narrows C.
//
// A tile lies as blocks of the mmul shape r x s x t (bf16 4x8x4, int8 4x8x8), as the memory tile's
// DMA leaves it: A [m/r][k/s][r][s], B [k/s][n/t][s][t], C and all that has C's shape
// [m/r][n/t][r][t]. m, k, n are multiples of r, s, t; buffers are aligned to 32 bytes. `first` not
// 0: C starts at zero, whatever it holds.
#ifndef KERNELS_MATMUL_MATMUL_H_
#define KERNELS_MATMUL_MATMUL_H_

#include <aie_api/aie.hpp>
#include <cstdint>

#include "kernels/common/tile.h"

namespace xdna::kernels {

// y = act(scale c + bias) + residual, in f32; then one rounding.
struct MatmulEpilogue {
  const float* bias = nullptr;         // [n], not in blocks; or null
  const bfloat16* residual = nullptr;  // like C; or null
  float scale = 1;
  bool gelu = false;        // by the erf polynomial
  bool gelu_table = false;  // by gelu_lanes.h's table instead, where `gelu` is set
  aie::rounding_mode rounding = aie::rounding_mode::conv_even;
};

// y = saturate(round((c + bias) / 2^shift)).
struct MatmulIntEpilogue {
  const int32* bias = nullptr;  // [n], not in blocks; or null
  int32 shift = 0;
  aie::rounding_mode rounding = aie::rounding_mode::conv_even;
};

// y = act(2^shift round(c / 2^shift) row_scale column_scale + bias): f32 from integer sums. The
// products go as pairs of bf16 (kernels/common/pair.h): 2^-13.9 of them at most is lost.
struct MatmulScaledEpilogue {
  // Pairs for each four rows, `row_step` elements apart, as quantize_blocks_bf16 makes them.
  const bfloat16* row_scales = nullptr;
  int32 row_step = 16;
  const float* column_scales = nullptr;  // [n], each times 2^shift
  const float* bias = nullptr;           // [n]
  // Of the sums, whose magnitude is below 2^(22 + shift): ScaledShift(k) at least.
  int32 shift = 0;
  bool gelu = false, gelu_table = false;  // as above
  aie::rounding_mode rounding = aie::rounding_mode::conv_even;
};

// For k products of two int8 in [-127, 127].
constexpr int32 ScaledShift(int32 k) {
  int32 shift = 0;
  while ((std::int64_t{127 * 127} * k >> shift) >= (std::int64_t{1} << 22)) ++shift;
  return shift;
}

}  // namespace xdna::kernels

TILE_FUNCTIONS_BEGIN

// C in f32, so that it is rounded to bf16 once, in the epilogue.
void matmul_bf16(const bfloat16* a, const bfloat16* b, float* c, int32 m, int32 k, int32 n,
                 int32 first);
// C in bf16, loaded and rounded again in every step as mlir-aie's mm.cc does, which never sets the
// rounding mode: `rounding` is an aie::rounding_mode, 0 (floor) what runs there. For comparison.
void matmul_reload_bf16(const bfloat16* a, const bfloat16* b, bfloat16* c, int32 m, int32 k,
                        int32 n, int32 first, int32 rounding);
// Exact; wraps at 32 bits (k up to 131072 can't).
void matmul_int8(const int8* a, const int8* b, int32* c, int32 m, int32 k, int32 n, int32 first);
// The same with A as quantize_blocks_bf16 leaves it: each four rows with their scales behind them.
void matmul_scaled_int8(const int8* a, const int8* b, int32* c, int32 m, int32 k, int32 n,
                        int32 first);

// y may be c where the types are of one size.
void matmul_finish_f32(const float* c, float* y, int32 m, int32 n,
                       const xdna::kernels::MatmulEpilogue* epilogue);
void matmul_finish_bf16(const float* c, bfloat16* y, int32 m, int32 n,
                        const xdna::kernels::MatmulEpilogue* epilogue);
void matmul_finish_int8(const int32* c, int8* y, int32 m, int32 n,
                        const xdna::kernels::MatmulIntEpilogue* epilogue);
void matmul_finish_int16(const int32* c, int16* y, int32 m, int32 n,
                         const xdna::kernels::MatmulIntEpilogue* epilogue);
void matmul_finish_int32(const int32* c, int32* y, int32 m, int32 n,
                         const xdna::kernels::MatmulIntEpilogue* epilogue);
void matmul_finish_scaled_f32(const int32* c, float* y, int32 m, int32 n,
                              const xdna::kernels::MatmulScaledEpilogue* epilogue);
void matmul_finish_scaled_bf16(const int32* c, bfloat16* y, int32 m, int32 n,
                               const xdna::kernels::MatmulScaledEpilogue* epilogue);

TILE_FUNCTIONS_END

#endif  // KERNELS_MATMUL_MATMUL_H_
