// Softmax attention of one head without a matrix of scores: while a block of K is in the cache,
// the scores of a few queries are made, turned into probabilities and multiplied with V, and
// nothing but the sums outlives the block. A row's maximum grows from block to block and its sums
// follow: "online softmax" (Milakov and Gimelshein, arXiv:1805.02867; Dao et al.,
// arXiv:2205.14135).
//
// exp is 2^x, where products are in f32 by a polynomial: relative error below 2 ULP. The kernels of
// AVX-512's dot products (dot_attention.h) and of AMX (tile_attention.h) make it in 16-bit
// integers, the first of them beside the products and almost for nothing.
//
// Of the peak of their products on a core of Zen 5, for 1500 x 64 (minima, 2026-11-24): 86 % with
// vdpbf16ps, 82 % with vpdpbusd for the scores, 87 to 91 % in f32 by AVX-512 and 88 to 90 % by
// AVX2. AMX's were only ever run by an emulation of its instructions.
#ifndef OPS_ATTENTION_ATTENTION_KERNEL_H_
#define OPS_ATTENTION_ATTENTION_KERNEL_H_

#include <cstddef>
#include <cstdint>

#include "base/cpu.h"
#include "base/tensor.h"

namespace xdna::ops {

// Which products are of integers of 8 bits: scores, of Q by row and K by head; and results, of
// probabilities by row and block of keys and V by channel.
enum class Integers : std::uint8_t { kNone, kScores, kAll };

struct AttentionHead {
  std::size_t keys = 0;    // rows of K and V, at least 1
  std::size_t width = 0;   // columns of Q, K and V, at least 1
  std::size_t stride = 0;  // elements from row to row of Q, K and V
};

// Queries of one head: y[i] = softmax(q[i] K^T / sqrt(width)) V.
struct AttentionQueries {
  const void* q = nullptr;  // [rows, width], with the head's stride
  std::size_t rows = 0;     // 1 to AttentionKernel::rows
  const void* packed_k = nullptr;
  const void* packed_v = nullptr;
  void* scratch = nullptr;  // this thread's
  void* y = nullptr;        // [rows, width]
  std::size_t y_stride = 0;
};

// The code for one instruction set. Safe to call from many threads; packed operands and scratch
// are the caller's, of the sizes that it is told and aligned to 64 bytes.
struct AttentionKernel {
  const char* name;  // by its instruction: "fused vdpbf16ps zmm"
  Integers integers;
  std::size_t rows;  // most queries of a call, and best
  std::size_t (*packed_k_bytes)(const AttentionHead&);
  std::size_t (*packed_v_bytes)(const AttentionHead&);
  std::size_t (*scratch_bytes)(const AttentionHead&);
  void (*pack_k)(const AttentionHead&, const void* k, void* packed);
  void (*pack_v)(const AttentionHead&, const void* v, void* packed);
  void (*run)(const AttentionHead&, const AttentionQueries&);
};

// The fastest for Q, K, V and y of `dtype` (f32 or bf16; throws kInternal for others) on a
// processor with these features, which this one has: by table. The f32 kernels, which bf16 gets
// where there is nothing faster, are those of Highway's best target. `integers` are allowed, and
// taken where that is faster.
const AttentionKernel& FindAttentionKernel(DType dtype, const CpuFeatures& cpu, Integers integers);

}  // namespace xdna::ops

#endif  // OPS_ATTENTION_ATTENTION_KERNEL_H_
