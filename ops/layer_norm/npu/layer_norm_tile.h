#ifndef OPS_LAYER_NORM_NPU_LAYER_NORM_TILE_H_
#define OPS_LAYER_NORM_NPU_LAYER_NORM_TILE_H_

#include <memory>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "golden/compare.h"
#include "ops/contract.h"

namespace xdna::ops {

// Layer norm by kernels/layer_norm on one tile, in calls of as many rows as fit; all operands and
// the result are bf16. Kernels: "" (two passes, aie::invsqrt), "nosqrt" (integer magic and two
// Newton steps), "one_pass", and the wrong "nosqrt0" (no Newton step) and "floor" (the rounding
// mode as after reset). Throws kUnsupported where a row is no multiple of 16 wide, since the kernel
// has no padding, or does not fit.
std::unique_ptr<Instance> MakeLayerNormTile(const Dims& dims, const TensorMap& in, Variant variant,
                                            const CpuContext& context);

// For LayerNormContract.
golden::Tolerance LayerNormTileTolerance(const Dims& dims, Variant variant, std::string_view data);
// Those of the kernel "", which the others are near.
std::vector<TileShape> LayerNormTiles(const Dims& dims, Variant variant);

}  // namespace xdna::ops

#endif  // OPS_LAYER_NORM_NPU_LAYER_NORM_TILE_H_
