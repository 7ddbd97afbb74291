#ifndef OPS_LAYER_NORM_NPU_LAYER_NORM_ARRAY_H_
#define OPS_LAYER_NORM_NPU_LAYER_NORM_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ops/contract.h"

namespace xdna::ops {

// Layer norm by kernels/layer_norm on all cores of the array, bf16 in and out; gamma and beta go to
// each core once a run. Throws kUnsupported where a row is no multiple of 16 wide, since the kernel
// has no padding, or does not fit.
std::unique_ptr<Instance> MakeLayerNormArray(const Dims& dims, const TensorMap& in, Variant variant,
                                             const CpuContext& context);
// For LayerNormContract.
ArrayTiles LayerNormArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                               std::size_t columns);

}  // namespace xdna::ops

#endif  // OPS_LAYER_NORM_NPU_LAYER_NORM_ARRAY_H_
