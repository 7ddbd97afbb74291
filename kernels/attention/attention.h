// Attention of one head on one tile, scores never leaving it: y = softmax(scale Q K^T) V for a
// block of queries, K and V streamed by blocks of keys, the softmax online.
//
//   attention_block_bf16(.., first = 1), attention_block_bf16(.., 0) .., attention_finish_bf16(..)
//
// All scores are transposed, S^T = K Q^T and O^T = V^T P^T: then two tiles of S^T below each other
// are an operand of the second product as they are, and neither product needs a layout that the DMA
// can't make of row-major matrices (it moves words of 32 bits, so it can't transpose bf16). What
// has to be transposed, Q's and V's tiles, a shuffle turns on the way in, in a slot that MACs leave
// free.
//
// Operands, aligned to 32 bytes (4 x 8 means blocks of 4 rows and 8 columns, row-major inside):
//   q        [queries/4][d/8] of 4 x 8, queries a multiple of 4, times AttentionScale(sqrt(d))
//   k        [keys/4][d/8] of 4 x 8, keys a multiple of 8
//   v        [keys/8][d/4] of 8 x 4
//   y        [queries/4][d/4] of 4 x 4
//   weights  scratch, [keys/8][4] of 8 keys x 4 queries
//   state    [queries/4][2][16] f32: where the scores of 4 queries start, and the sums of their
//            weights, each 4 times
//   sums     [queries/4][d/4][16] f32: O^T, 4 x 4
// d is a multiple of 16. The first `valid` keys of a block (1 or more) take part, whatever k and v
// hold beyond; operands are finite, |scores| at most 2^15.
//
// Numbers. q's factor is log2(e) / sqrt(d) / 64: f32 at 2 + s / 64 has 16 bits below and 7 bits
// above the binary point of s, so the accumulators of the first product start there, less the
// reference, and end as weights of base 2 in fixed point, with an error of some 2^-16 each step. As
// integers the upper bits are the exponent of 2^s, and the lower ones, with a parabola added, its
// fraction: 2^f is 1 + f - 11/32 f (1 - f) to within 0.33 %. One SRS makes bf16 of it, rounded to
// nearest even. So an exponential takes 3 vector operations for 16 scores.
//
// The reference of a query is 0 at first and only changes when it must: when the highest score of
// the first block is not within [-48, 32) of it, and when one of a later block is 32 or more above.
// It becomes the block's highest score rounded to an integer, and the block is done again, after
// sums are multiplied by the power of two in between. bf16 weights have f32's range, so a reference
// that isn't the maximum costs no precision. Scores 96 or more below the reference count as zero.
//
// Sums are in f32, those of the weights of what was rounded to bf16, by products with ones: so a
// query's weights sum to one, whatever their rounding.
#ifndef KERNELS_ATTENTION_ATTENTION_H_
#define KERNELS_ATTENTION_ATTENTION_H_

#include <aie_api/aie.hpp>

#include "kernels/common/tile.h"

namespace xdna::kernels {

// What Q is multiplied by before it is rounded to bf16: log2(e) / sqrt(d) / 64.
inline constexpr double AttentionScale(double sqrt_d) { return 1.4426950408889634 / (64 * sqrt_d); }

}  // namespace xdna::kernels

TILE_FUNCTIONS_BEGIN

// One block of keys. `first` not 0: state and sums start anew, whatever they hold.
void attention_block_bf16(const bfloat16* q, const bfloat16* k, const bfloat16* v,
                          bfloat16* weights, float* state, float* sums, int32 queries, int32 d,
                          int32 valid, int32 first);
// y = O / sum, rounded to nearest even.
void attention_finish_bf16(const float* state, const float* sums, bfloat16* y, int32 queries,
                           int32 d);

TILE_FUNCTIONS_END

#endif  // KERNELS_ATTENTION_ATTENTION_H_
