#ifndef OPS_GELU_GELU_H_
#define OPS_GELU_GELU_H_

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "ops/contract.h"

namespace xdna::ops {

// y = x Phi(x) = x (1 + erf(x / sqrt 2)) / 2, the form that Whisper was trained
// with (Hendrycks & Gimpel 2016), not the tanh approximation.
// x and y [m,n], each f32 or bf16 (f32 only with kEigen); y may be x.
void Gelu(const TensorView& x, const TensorView& y, Backend backend, ThreadPool& pool);

// One value, with the C library's erf.
double Gelu(double x);

Contract GeluContract();

}  // namespace xdna::ops

#endif  // OPS_GELU_GELU_H_
