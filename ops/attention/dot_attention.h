// Attention kernels (attention_kernel.h) of AVX-512's dot products, where probabilities are made
// of scores that are still in registers.
//
// A row's exponents are taken relative to its greatest score among the first keys, not among all:
// probabilities are bf16, whose exponents reach 2^127, so a later key may outdo the first ones by
// far and nothing is lost. Where one outdoes them by more, or operands are huge or not finite,
// the rows are done again with their greatest scores found beforehand.
//
// 2^x as bf16 is made in 16-bit integers: x in steps of 2^-7 is a bf16 whose mantissa lacks
// 2^f - f - 1, and that comes from a table of 128 (after Schraudolph, Neural Computation 11, 1999).
// Error at most 0.64 %, 0.22 % rms, where rounding 2^x to bf16 has 0.39 % and 0.16 %; without bias.
//
// In int8 the scores are products of integers: Q by row, and K less its mean over the keys (which
// moves all of a row's scores alike and no probability; Zhang et al., arXiv:2410.02367) by head.
// And so are the results: probabilities are integers with a factor for each block of keys, of
// which the greatest is 255, and V less its mean, which is added in the end, is by channel.
#ifndef OPS_ATTENTION_DOT_ATTENTION_H_
#define OPS_ATTENTION_DOT_ATTENTION_H_

#include "ops/attention/attention_kernel.h"

namespace xdna::ops {

// For bf16 operands, on processors with avx512bw, avx512vbmi, avx512_bf16 and avx512_vnni: AMD's
// since Zen 4, and all that have AMX.
const AttentionKernel& DotAttention(Integers integers);

}  // namespace xdna::ops

#endif  // OPS_ATTENTION_DOT_ATTENTION_H_
