#ifndef OPS_CONV1D_NPU_CONV1D_ARRAY_H_
#define OPS_CONV1D_NPU_CONV1D_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ops/contract.h"

namespace xdna::ops {

// conv1d over the whole array, as a product in which neighbouring rows of A overlap: 3 rows of the
// padded, time-major input are one of A. The host turns and pads it. bf16 only, else kUnsupported.
std::unique_ptr<Instance> MakeConv1dArray(const Dims& dims, const TensorMap& in, Variant variant,
                                          const CpuContext& context);
// For Conv1dContract.
ArrayTiles Conv1dArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                            std::size_t columns);

}  // namespace xdna::ops

#endif  // OPS_CONV1D_NPU_CONV1D_ARRAY_H_
