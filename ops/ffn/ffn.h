#ifndef OPS_FFN_FFN_H_
#define OPS_FFN_FFN_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "base/tensor.h"
#include "ops/contract.h"
#include "ops/internal/workspace.h"
#include "ops/linear/linear.h"

namespace xdna::ops {

// y = W2 gelu(W1 x + b1) + b2, or y += that: a layer's feed-forward half.
class Ffn {
 public:
  struct Options {
    Variant variant;
    std::optional<Precision> fc2;  // of the second product where not the variant's
    bool accumulate = false;       // y += (f32)
    DType y_dtype = DType::kF32;
    Linear::XRange x_range = Linear::XRange::kEven;  // int8: of x
  };

  // w1 [f,d], b1 [f], w2 [d,f], b2 [d]: f32, copied. x is of ActivationType.
  Ffn(const TensorView& w1, const TensorView& b1, const TensorView& w2, const TensorView& b2,
      std::int64_t m, const Options& options, const CpuContext& context);

  // x [m,d], y [m,d]. Profiled as "ffn.fc1" (with GELU) and "ffn.fc2".
  void Run(const TensorView& x, const TensorView& y) const;

 private:
  std::unique_ptr<Workspace> own_workspace_;
  CpuContext context_;  // the shared part of its workspace is the hidden layer, [m,f]
  std::unique_ptr<Linear> fc1_, fc2_;
};

Contract FfnContract();

}  // namespace xdna::ops

#endif  // OPS_FFN_FFN_H_
