#ifndef OPS_ATTENTION_ATTENTION_H_
#define OPS_ATTENTION_ATTENTION_H_

#include <cstdint>
#include <memory>
#include <string>

#include "base/tensor.h"
#include "ops/attention/scaled_dot_product.h"
#include "ops/contract.h"
#include "ops/linear/linear.h"

namespace xdna::ops {

// A layer's attention half: Q, K and V in one product, the heads, the output
// projection. y = attention(x), or y += that.
class Attention {
 public:
  struct Options {
    Variant variant;
    std::int64_t heads = 8;
    bool accumulate = false;  // y += (f32)
    DType y_dtype = DType::kF32;
    Integers integers = Integers::kNone;             // allowed between the projections
    Linear::XRange x_range = Linear::XRange::kEven;  // int8: of x and of the heads' result
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

  // What is used of those allowed.
  Integers integers() const { return core_->integers(); }

  // Of what is between the projections: "fused vdpbf16ps zmm".
  std::string description() const { return core_->description(); }

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
