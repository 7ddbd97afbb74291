#ifndef OPS_ATTENTION_NPU_ATTENTION_ARRAY_H_
#define OPS_ATTENTION_NPU_ATTENTION_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ops/contract.h"

namespace xdna::ops {

// The attention block over the whole array: a product for Q, K and V, with AttentionScale() in the
// weights of Q, the heads by kernels/array/attention.h, the output projection. What is between them
// goes through the host. bf16. The heads' run takes all rows, whatever the batch: each query needs
// all keys. Throws kInvalidArgument unless the heads divide d, kUnsupported where a head's width is
// no multiple of 16 or does not fit.
std::unique_ptr<Instance> MakeAttentionArray(const Dims& dims, const TensorMap& in, Variant variant,
                                             const CpuContext& context);
// For AttentionContract.
ArrayTiles AttentionArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                               std::size_t columns);

}  // namespace xdna::ops

#endif  // OPS_ATTENTION_NPU_ATTENTION_ARRAY_H_
