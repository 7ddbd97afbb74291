#ifndef OPS_ATTENTION_ATTENTION_H_
#define OPS_ATTENTION_ATTENTION_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "base/tensor.h"
#include "ops/contract.h"
#include "ops/internal/matmul.h"
#include "ops/linear/linear.h"

namespace xdna::ops {

// softmax(Q K^T / sqrt(d_head)) V for all heads. Scores exist only for one block
// of queries of one head at a time, in the cache of the core that works on it; a
// whole layer's would be 72 MB in f32 for Whisper base.
class ScaledDotProduct {
 public:
  // Rows m, width d, `heads` divides d. Operands and result are f32 or bf16 as
  // `dtype` says; scores and sums are f32. `stride`: elements from row to row of Q,
  // K and V.
  ScaledDotProduct(std::int64_t m, std::int64_t d, std::int64_t heads, std::int64_t stride,
                   DType dtype, Backend backend, const CpuContext& context);

  // q, k, v: first elements of [m,d] with the stride above; y [m,d], contiguous.
  // Profiled as "attention.pack" and "attention.core".
  void Run(const void* q, const void* k, const void* v, const TensorView& y);

 private:
  struct Scratch {
    Tensor scores, probabilities, sums;
  };

  void Pack(const void* k, const void* v);
  void Block(const std::byte* q, std::int64_t head, std::int64_t first, Scratch& scratch,
             const TensorView& y);

  CpuContext context_;
  std::int64_t m_, d_, heads_, head_, stride_, block_;
  DType dtype_;
  std::unique_ptr<Matmul> qk_, pv_;
  Tensor packed_k_, packed_v_;  // one after the other for each head
  std::vector<Scratch> scratch_;
};

// A layer's attention half: Q, K and V in one product, the heads, the output
// projection. y = attention(x), or y += that.
class Attention {
 public:
  struct Options {
    Variant variant;
    std::int64_t heads = 8;
    bool accumulate = false;  // y += (f32)
    DType y_dtype = DType::kF32;
  };

  // Weights [d,d] and biases [d], f32, copied. K has no bias in Whisper.
  struct Weights {
    TensorView wq, bq, wk, wv, bv, wo, bo;
  };

  Attention(const Weights& weights, std::int64_t m, const Options& options,
            const CpuContext& context);

  // x [m,d] of ActivationType, y [m,d]. Profiled as "attention.qkv",
  // "attention.pack", "attention.core" and "attention.out".
  void Run(const TensorView& x, const TensorView& y);

 private:
  CpuContext context_;
  std::int64_t d_;
  Tensor qkv_, heads_out_;
  std::unique_ptr<Linear> in_, out_;
  std::unique_ptr<ScaledDotProduct> core_;
};

Contract AttentionContract();

}  // namespace xdna::ops

#endif  // OPS_ATTENTION_ATTENTION_H_
