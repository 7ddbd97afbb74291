#ifndef OPS_SOFTMAX_SOFTMAX_H_
#define OPS_SOFTMAX_SOFTMAX_H_

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "ops/contract.h"

namespace xdna::ops {

// y[i,j] = exp(x[i,j] - max_j) / sum_j exp(x[i,j] - max_j).
// x [m,n] f32, y [m,n] f32 or bf16 (f32 only with kEigen).
void Softmax(const TensorView& x, const TensorView& y, Backend backend, ThreadPool& pool);

Contract SoftmaxContract();

}  // namespace xdna::ops

#endif  // OPS_SOFTMAX_SOFTMAX_H_
