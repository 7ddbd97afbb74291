#ifndef OPS_ADD_NPU_ADD_ARRAY_H_
#define OPS_ADD_NPU_ADD_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ops/contract.h"

namespace xdna::ops {

// Sums by kernels/add on all cores of the array, row by row; all in bf16, or with the kernel
// "residual" a and the result in f32.
std::unique_ptr<Instance> MakeAddArray(const Dims& dims, const TensorMap& in, Variant variant,
                                       const CpuContext& context);
// For AddContract.
ArrayTiles AddArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                         std::size_t columns);

}  // namespace xdna::ops

#endif  // OPS_ADD_NPU_ADD_ARRAY_H_
