#ifndef OPS_ADD_ADD_H_
#define OPS_ADD_ADD_H_

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "ops/contract.h"

namespace xdna::ops {

// y = a + b, element by element. All [m,n], each f32 or bf16 (f32 only with
// kEigen); y may be a or b.
void Add(const TensorView& a, const TensorView& b, const TensorView& y, Backend backend,
         ThreadPool& pool);

Contract AddContract();

}  // namespace xdna::ops

#endif  // OPS_ADD_ADD_H_
