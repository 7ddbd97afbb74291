#ifndef OPS_GELU_NPU_GELU_TILE_H_
#define OPS_GELU_NPU_GELU_TILE_H_

#include <memory>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "golden/compare.h"
#include "ops/contract.h"

namespace xdna::ops {

// GELU by kernels/gelu on one tile, in calls of as many values as fit; bf16 in and out. Kernels: ""
// (erf polynomial), "table" (18 times as fast), and the wrong "stock" (tanh table, every step
// rounded by floor) and "floor".
std::unique_ptr<Instance> MakeGeluTile(const Dims& dims, const TensorMap& in, Variant variant,
                                       const CpuContext& context);

// For GeluContract.
golden::Tolerance GeluTileTolerance(std::string_view data);
std::vector<TileShape> GeluTiles(const Dims& dims, Variant variant);

}  // namespace xdna::ops

#endif  // OPS_GELU_NPU_GELU_TILE_H_
