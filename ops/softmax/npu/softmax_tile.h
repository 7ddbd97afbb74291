#ifndef OPS_SOFTMAX_NPU_SOFTMAX_TILE_H_
#define OPS_SOFTMAX_NPU_SOFTMAX_TILE_H_

#include <memory>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "golden/compare.h"
#include "ops/contract.h"

namespace xdna::ops {

// Softmax by kernels/softmax on one tile, in calls of as many rows as fit; bf16 in and out. Rows
// are padded to whole vectors with NaN, which the kernel masks. Kernels: "" (maximum first, 1/sum
// as a pair), "inverse" (1/sum as one bf16), "online" (in blocks of 512 columns), and the wrong
// "stock" (no maximum, floor) and "floor" (all that should round to nearest does not). Throws
// kUnsupported where a row does not fit.
std::unique_ptr<Instance> MakeSoftmaxTile(const Dims& dims, const TensorMap& in, Variant variant,
                                          const CpuContext& context);

// For SoftmaxContract.
golden::Tolerance SoftmaxTileTolerance(const Dims& dims, Variant variant, std::string_view data);
// Those of the kernels "" and "stock"; the others are taken for "".
std::vector<TileShape> SoftmaxTiles(const Dims& dims, Variant variant);

}  // namespace xdna::ops

#endif  // OPS_SOFTMAX_NPU_SOFTMAX_TILE_H_
