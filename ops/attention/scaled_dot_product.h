#ifndef OPS_ATTENTION_SCALED_DOT_PRODUCT_H_
#define OPS_ATTENTION_SCALED_DOT_PRODUCT_H_

#include <cstdint>
#include <memory>
#include <string>

#include "base/tensor.h"
#include "ops/attention/attention_kernel.h"
#include "ops/contract.h"

namespace xdna::ops {

struct ScaledDotProductShape {
  std::int64_t m = 0;         // rows of Q, K, V and y
  std::int64_t d = 0;         // columns, of all heads together
  std::int64_t heads = 1;     // divides d
  std::int64_t stride = 0;    // elements from row to row of Q, K and V
  DType dtype = DType::kF32;  // of operands and result: f32 or bf16; scores and sums are f32
  Integers integers = Integers::kNone;  // allowed, where that is faster
};

// softmax(Q K^T / sqrt(d / heads)) V for all heads. A layer's scores, 72 MB in f32 for Whisper
// base, are never in memory together.
class ScaledDotProduct {
 public:
  // The fused kernel of this machine (attention_kernel.h) for Backend::kFast, two products of the
  // backend with scores between them for others and where that is faster. On one core of Zen 5, a
  // head of 1500 x 64, oneDNN's two products took 1.47 (bf16), 1.17 (f32) and, limited to AVX2,
  // 1.14 times as long as the fused kernel (minima, 2026-11-24). Throws kInvalidArgument where
  // heads do not divide d.
  static std::unique_ptr<ScaledDotProduct> Create(const ScaledDotProductShape& shape,
                                                  Backend backend, const CpuContext& context);
  virtual ~ScaledDotProduct() = default;

  // q, k, v: first elements of [m,d] with the stride above; y [m,d], contiguous.
  // Profiled as "attention.pack" and "attention.core".
  virtual void Run(const void* q, const void* k, const void* v, const TensorView& y) = 0;

  // What it does, of what the shape allows.
  virtual Integers integers() const { return Integers::kNone; }

  // "fused vdpbf16ps zmm"
  virtual std::string description() const = 0;
};

namespace internal {

// By two matrix products with a block of scores between them.
std::unique_ptr<ScaledDotProduct> MakeBatchedAttention(const ScaledDotProductShape& shape,
                                                       Backend backend, const CpuContext& context);

}  // namespace internal
}  // namespace xdna::ops

#endif  // OPS_ATTENTION_SCALED_DOT_PRODUCT_H_
