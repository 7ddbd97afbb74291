#ifndef OPS_FFN_NPU_FFN_ARRAY_H_
#define OPS_FFN_NPU_FFN_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ops/contract.h"

namespace xdna::ops {

// ffn over the whole array: two products, GELU in the first one's epilogue. What is between them
// goes through the host. bf16 or int8, as ArrayLinear.
std::unique_ptr<Instance> MakeFfnArray(const Dims& dims, const TensorMap& in, Variant variant,
                                       const CpuContext& context);
// For FfnContract.
ArrayTiles FfnArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                         std::size_t columns);

}  // namespace xdna::ops

#endif  // OPS_FFN_NPU_FFN_ARRAY_H_
