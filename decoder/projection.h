// A linear layer for a few rows at a time, as a decoder needs it.
#ifndef DECODER_PROJECTION_H_
#define DECODER_PROJECTION_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "decoder/arena.h"
#include "ops/contract.h"

namespace xdna::decoder {

// Type that weights are kept in: f32, bf16 or i8.
DType WeightType(ops::Precision precision);

// y = f(x W^T + b), weights packed once. Activations are f32 on both sides. With bf16, W is
// rounded and x is not: what counts is the memory that W is read from. With int8, W is quantised
// by output channel (symmetric, scale max/127), x by row to 15 bits; sums are exact.
class Projection {
 public:
  // Bytes that the weights of [n,k] take of an arena.
  static std::size_t Bytes(ops::Precision precision, std::int64_t n, std::int64_t k);

  // `weight` [n,k] f32, `bias` [n] f32 or empty; both are copied. The arena and the pool outlive
  // this.
  Projection(const TensorView& weight, const TensorView& bias, ops::Precision precision,
             Arena& arena, ThreadPool& pool);

  std::int64_t n() const { return n_; }
  std::int64_t k() const { return k_; }

  // For quantised activations of one call at a time.
  struct Scratch {
    Scratch(std::int64_t rows, std::int64_t k) : quantized(rows * k), scales(rows) {}
    std::vector<std::int16_t> quantized;
    std::vector<float> scales;
  };

  // x [rows,k] and y [rows,n], contiguous f32. With `gelu` f is GELU.
  void Run(const float* x, std::int64_t rows, float* y, bool gelu, Scratch& scratch) const;

  // Row `index` of W, as the product sees it, to `out` [k].
  void Row(std::int64_t index, float* out) const;

 private:
  ThreadPool* pool_;
  DType dtype_;
  std::int64_t n_, k_;
  void* blocks_;
  std::int64_t chunk_;  // blocks that a thread takes at a time
  Tensor bias_;
  Tensor scales_;  // i8: of W's rows
};

}  // namespace xdna::decoder

#endif  // DECODER_PROJECTION_H_
