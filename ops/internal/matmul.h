// A matrix product made ready for one shape: out[r, :] = in[r, :] B (+ bias)
// (+ out[r, :]), with B packed ahead of time and rows handed over in pieces.
//
// A piece runs on the calling thread alone, so a loop over pieces can be shared
// out by our own ThreadPool: measured on 2 cores, pieces of 64 rows and more reach
// what oneDNN reaches with its own OpenMP threads, without OpenMP's barrier.
#ifndef OPS_INTERNAL_MATMUL_H_
#define OPS_INTERNAL_MATMUL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ops/contract.h"

namespace xdna::ops {

struct MatmulSpec {
  std::int64_t k = 0;
  std::int64_t n = 0;
  DType in = DType::kF32;       // f32, bf16, i8 or u8; of B too, but i8 where this is u8
  DType out = DType::kF32;      // f32 or bf16; i32 where `in` is i8 or u8
  std::int64_t in_stride = 0;   // elements from row to row; 0: k
  std::int64_t out_stride = 0;  // 0: n
  bool bias = false;            // not with i8 and u8
  bool accumulate = false;      // out += ...
  // The numbers of rows that Run is called with.
  std::vector<std::int64_t> rows;
};

class Matmul {
 public:
  // Throws kUnsupported where this machine can't multiply in `spec.in`.
  static std::unique_ptr<Matmul> Create(Backend backend, const MatmulSpec& spec);
  virtual ~Matmul() = default;

  // Bytes that a packed B needs, aligned to 64.
  virtual std::size_t packed_bytes() const = 0;
  // `b` is [k, n] of dtype spec.in (i8 for u8) with any strides. Safe to call from many threads.
  virtual void Pack(const TensorView& b, void* packed) const = 0;
  // `rows` is one of spec.rows; `bias` is [n] f32 or null. Safe to call from many
  // threads.
  virtual void Run(const void* in, std::int64_t rows, const void* packed, const float* bias,
                   void* out) const = 0;
  // Which implementation was chosen, for reports: "oneDNN brg:avx512_core_bf16".
  virtual std::string description() const = 0;
};

// Rows of a piece: near `wanted`, so that `m` rows fall into equal pieces (but for
// the last) and `threads` threads get the same number of them.
std::int64_t PieceRows(std::int64_t m, std::int64_t wanted, int threads);

// {piece, last piece} for MatmulSpec::rows.
std::vector<std::int64_t> PieceSizes(std::int64_t m, std::int64_t piece);

}  // namespace xdna::ops

#endif  // OPS_INTERNAL_MATMUL_H_
