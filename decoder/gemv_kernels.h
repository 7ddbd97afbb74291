// Products of a large matrix with a few vectors, as a decoder makes them for each token: bound by
// the memory that the matrix is read from. Written once with Google Highway; the best instruction
// set of this machine is chosen at run time.
#ifndef DECODER_GEMV_KERNELS_H_
#define DECODER_GEMV_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "base/tensor.h"

namespace xdna::decoder {

// The layout: blocks of 16 rows, one after the other, the last filled up with zeros. Within a
// block the columns follow each other, in bf16 and i8 two at a time (row 0 columns 0 and 1, row 1
// columns 0 and 1, ..., row 15; then columns 2 and 3), filled up with a column of zeros. So a
// matrix is one stream of memory, and results need no sums across lanes.
inline constexpr std::int64_t kBlockRows = 16;

// Columns that a packed matrix of `k` columns has: even, but for f32.
std::int64_t PackedColumns(DType dtype, std::int64_t k);
// Bytes of one block.
std::size_t BlockBytes(DType dtype, std::int64_t k);

struct GemvArgs {
  const void* blocks = nullptr;  // packed, aligned to 64
  DType dtype = DType::kF32;     // of the matrix: f32, bf16 or i8
  std::int64_t n = 0;            // rows of the matrix
  std::int64_t k = 0;            // its columns
  // `vectors` vectors of PackedColumns elements: f32, or i16 for i8. With k columns of x at most
  // 32767 and of the matrix at most 127, i32 sums hold up to 16 384 columns if |x| <= 16 383.
  const void* x = nullptr;
  std::int64_t x_stride = 0;  // elements
  int vectors = 1;
  // out[v][row], for the rows of the range below; |out| < 2^31 for i8 (the sums, as they are).
  float* out = nullptr;
  std::int64_t out_stride = 0;
  bool accumulate = false;  // out += ...
};

// Blocks [first, last). No row beyond n is written.
void Gemv(const GemvArgs& args, std::int64_t first, std::int64_t last);

// q[j] = round(x[j] / s), s = max |x| / 16383; returns s (1 for a row of zeros).
float QuantizeRow16(const float* x, std::size_t n, std::int16_t* q);

// Packs rows of f32 into `blocks`, which is large enough: block b has rows [16 b, 16 b + 16) of
// [n,k] `rows`; blocks [first, last). `dtype` is f32, bf16 (to nearest even) or i8: then `inverse`
// [n] is what a row is multiplied by before it is rounded. With `transposed`, `rows` is [k,n].
struct PackArgs {
  const float* rows = nullptr;
  std::int64_t n = 0;
  std::int64_t k = 0;
  std::int64_t stride = 0;  // elements from row to row of `rows`, as it lies in memory
  bool transposed = false;
  DType dtype = DType::kF32;
  const float* inverse = nullptr;
  void* blocks = nullptr;
};
void PackBlocks(const PackArgs& args, std::int64_t first, std::int64_t last);

}  // namespace xdna::decoder

#endif  // DECODER_GEMV_KERNELS_H_
