// Layer normalisation on one tile: y = (x - mean) / sqrt(variance + 1e-5) [* gamma + beta] by rows.
//
// x, y [rows, width] bf16, gamma, beta [width] bf16, all aligned to 32 bytes; width is a multiple
// of 16, 16 or more. Sums are f32. y may be x. All set the rounding register to conv_even.
#ifndef KERNELS_LAYER_NORM_LAYER_NORM_H_
#define KERNELS_LAYER_NORM_LAYER_NORM_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

TILE_FUNCTIONS_BEGIN

// Two passes (mean, then squares of the differences), aie::invsqrt: the default.
void layer_norm_bf16(const bfloat16* x, const bfloat16* gamma, const bfloat16* beta, bfloat16* y,
                     int32 rows, int32 width);
// Without gamma and beta, which a following product can take into its weights and bias.
void layer_norm_folded_bf16(const bfloat16* x, bfloat16* y, int32 rows, int32 width);
// One pass, variance = E[x^2] - mean^2: a load less per vector, and worthless where the mean is
// large beside the deviation (the variance's error is 2^-23 E[x^2] and more).
void layer_norm_one_pass_bf16(const bfloat16* x, const bfloat16* gamma, const bfloat16* beta,
                              bfloat16* y, int32 rows, int32 width);
// Two passes, the inverse root by integer magic and 0 to 3 Newton steps in scalar f32: errors of
// 3.5e-2, 1.8e-3, 4.8e-6 and 2e-7. No sqrtf, which Peano has not.
void layer_norm_nosqrt0_bf16(const bfloat16* x, const bfloat16* gamma, const bfloat16* beta,
                             bfloat16* y, int32 rows, int32 width);
void layer_norm_nosqrt1_bf16(const bfloat16* x, const bfloat16* gamma, const bfloat16* beta,
                             bfloat16* y, int32 rows, int32 width);
void layer_norm_nosqrt2_bf16(const bfloat16* x, const bfloat16* gamma, const bfloat16* beta,
                             bfloat16* y, int32 rows, int32 width);
void layer_norm_nosqrt3_bf16(const bfloat16* x, const bfloat16* gamma, const bfloat16* beta,
                             bfloat16* y, int32 rows, int32 width);

TILE_FUNCTIONS_END

#endif  // KERNELS_LAYER_NORM_LAYER_NORM_H_
