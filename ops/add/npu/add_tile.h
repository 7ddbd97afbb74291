#ifndef OPS_ADD_NPU_ADD_TILE_H_
#define OPS_ADD_NPU_ADD_TILE_H_

#include <memory>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "golden/compare.h"
#include "ops/contract.h"

namespace xdna::ops {

// Sums by kernels/add on one tile, in calls of as many values as fit; operands and result are bf16.
// Kernels: "", "residual" (a and the result in f32, as a residual stream), and the wrong "floor".
std::unique_ptr<Instance> MakeAddTile(const Dims& dims, const TensorMap& in, Variant variant,
                                      const CpuContext& context);

// For AddContract.
golden::Tolerance AddTileTolerance(Variant variant, std::string_view data);
std::vector<TileShape> AddTiles(const Dims& dims, Variant variant);

}  // namespace xdna::ops

#endif  // OPS_ADD_NPU_ADD_TILE_H_
