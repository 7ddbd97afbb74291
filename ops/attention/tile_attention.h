// Attention kernels (attention_kernel.h) of AMX: those of dot_attention.h, but tiles make the
// products. A group is a tile of 16 queries; its scores for a panel of 64 keys, 4 KB, lie on the
// stack between the tiles and the vectors that make probabilities of them.
//
// Registers: 4 sums, of 16 rows and 64 columns, one tile of rows and 3 of columns. A step of 4
// products so loads 5 tiles: 40 cycles of loads beside 64 of products. 2 x 2 sums load 4, which
// gains nothing, and need 32 queries at a time: twice the scores and probabilities in the cache.
//
// It was only ever run by an emulation of its instructions (ops/internal/amx_emulation.h). What to
// expect, in cycles for 16 queries and 128 keys of a head of 64 channels, with 16 for a product, 8
// for a load and 16 for a store of a tile (Intel's optimization manual, chapter on AMX), and for
// vectors what their instructions take of two ports:
//
//                         products   vectors
//   bf16                       512       410   6.4 for 32 scores, vpermt2b and vdpbf16ps 4 of them
//   int8 scores                384       450   a conversion more
//   all int8                   256       770   rounded block by block, sums scaled
//
// What overlaps is little: the processor looks about 100 vector instructions ahead. So that is 56 %
// of the tiles' peak in bf16, and with int8 scores 0.9 of its time; integers for V do not pay here.
#ifndef OPS_ATTENTION_TILE_ATTENTION_H_
#define OPS_ATTENTION_TILE_ATTENTION_H_

#include "ops/attention/attention_kernel.h"

namespace xdna::ops {

// For bf16 operands, on processors with AMX's tdpbf16ps and, for integers, tdpbusd; such have all
// that DotAttention asks for.
const AttentionKernel& TileAttention(Integers integers);

}  // namespace xdna::ops

#endif  // OPS_ATTENTION_TILE_ATTENTION_H_
