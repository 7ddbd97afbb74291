#ifndef OPS_LAYER_NORM_LAYER_NORM_H_
#define OPS_LAYER_NORM_LAYER_NORM_H_

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "ops/contract.h"

namespace xdna::ops {

// Of all LayerNorms in Whisper (PyTorch's default).
inline constexpr float kLayerNormEpsilon = 1e-5F;

// y[i,:] = (x[i,:] - mean) / sqrt(variance + epsilon) * gamma + beta.
// x [m,d] f32, gamma and beta [d] f32, y [m,d] f32 or bf16 (f32 only with kEigen).
void LayerNorm(const TensorView& x, const TensorView& gamma, const TensorView& beta,
               const TensorView& y, Backend backend, ThreadPool& pool);

Contract LayerNormContract();

}  // namespace xdna::ops

#endif  // OPS_LAYER_NORM_LAYER_NORM_H_
