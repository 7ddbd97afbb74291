#ifndef OPS_SOFTMAX_NPU_SOFTMAX_ARRAY_H_
#define OPS_SOFTMAX_NPU_SOFTMAX_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ops/contract.h"

namespace xdna::ops {

// Softmax by kernels/softmax on all cores of the array, bf16 in and out. Throws kUnsupported where
// a row does not fit.
std::unique_ptr<Instance> MakeSoftmaxArray(const Dims& dims, const TensorMap& in, Variant variant,
                                           const CpuContext& context);
// For SoftmaxContract.
ArrayTiles SoftmaxArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                             std::size_t columns);

}  // namespace xdna::ops

#endif  // OPS_SOFTMAX_NPU_SOFTMAX_ARRAY_H_
