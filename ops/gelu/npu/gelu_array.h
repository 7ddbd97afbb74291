#ifndef OPS_GELU_NPU_GELU_ARRAY_H_
#define OPS_GELU_NPU_GELU_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ops/contract.h"

namespace xdna::ops {

// GELU by kernels/gelu on all cores of the array, row by row; bf16 in and out.
std::unique_ptr<Instance> MakeGeluArray(const Dims& dims, const TensorMap& in, Variant variant,
                                        const CpuContext& context);
// For GeluContract.
ArrayTiles GeluArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                          std::size_t columns);

}  // namespace xdna::ops

#endif  // OPS_GELU_NPU_GELU_ARRAY_H_
