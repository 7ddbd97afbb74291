#ifndef OPS_LINEAR_LINEAR_H_
#define OPS_LINEAR_LINEAR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ops/contract.h"
#include "ops/internal/matmul.h"

namespace xdna::ops {

// y = f(x W^T + b), or y += x W^T + b, with W packed once.
//
// In f32 and bf16 the product runs in that precision with f32 sums. In int8, W is
// quantised by output channel ahead of time and x by row on the way in (symmetric,
// round to nearest, scale max/127); sums are exact int32; the result is
// dequantised in f32. No intermediate tensor of the whole [m,n] is made: each
// thread takes a piece of rows through quantisation, product and epilogue while
// it is in its cache.
class Linear {
 public:
  struct Options {
    Variant variant;
    bool gelu = false;            // f is GELU, else identity
    bool accumulate = false;      // y +=; y is f32 and there is no gelu
    DType x_dtype = DType::kF32;  // f32, or bf16 with bf16 and int8
    DType y_dtype = DType::kF32;  // f32 or bf16
  };

  // `weight` [n,k] f32, `bias` [n] f32 or empty; both are copied. `m` is the number
  // of rows that Run will get. Throws kUnsupported as Matmul::Create does.
  Linear(const TensorView& weight, const TensorView& bias, std::int64_t m, const Options& options,
         const CpuContext& context);

  // x [m,k] and y [m,n], contiguous.
  void Run(const TensorView& x, const TensorView& y);

  // Like Run, with rows of x made on the fly: `gather(first, rows, scratch)` returns
  // [rows,k] of x_dtype, in `scratch` (that large) or elsewhere.
  using Gather = std::function<const void*(std::int64_t first, std::int64_t rows, void* scratch)>;
  void RunGathered(const Gather& gather, const TensorView& y);

  // "oneDNN brg:avx512_core_bf16, 12 pieces of 125 rows"
  std::string description() const;

 private:
  // Buffers of one thread for one piece.
  struct Scratch {
    Tensor gathered, quantized, sums;
    std::vector<float> row_scales;
  };

  void Piece(std::int64_t first, const void* x, Scratch& scratch, const TensorView& y);
  void PackWeight(const TensorView& weight);

  Options options_;
  CpuContext context_;
  std::int64_t m_, n_, k_, piece_;
  bool direct_;  // the product writes y itself; else an epilogue does
  std::unique_ptr<Matmul> matmul_;
  Tensor packed_, bias_;
  Tensor column_scales_;  // int8: of W, by output channel
  std::vector<Scratch> scratch_;
};

Contract LinearContract();

}  // namespace xdna::ops

#endif  // OPS_LINEAR_LINEAR_H_
