// How kernels/cost calls this kernel to count what it issues.
#include <vector>

#include "kernels/cost/kernel_cost.h"
#include "kernels/layer_norm/layer_norm.h"

namespace xdna::kernels {

std::vector<KernelCost> LayerNormCosts();

std::vector<KernelCost> LayerNormCosts() {
  using Kernel =
      void (*)(const bfloat16*, const bfloat16*, const bfloat16*, bfloat16*, int32, int32);
  const std::vector<Parameter> sizes = {Size("rows", 1), Size("width", 16)};
  const auto affine = [&sizes](const char* name, Kernel kernel) -> KernelCost {
    return {name, sizes, [kernel](const Arguments& a, TileMemory& tile) {
              kernel(tile.At<bfloat16>(0, a[0] * a[1]), tile.At<bfloat16>(1, a[1]),
                     tile.At<bfloat16>(2, a[1]), tile.At<bfloat16>(3, a[0] * a[1]), a[0], a[1]);
            }};
  };
  return {affine("layer_norm_bf16", layer_norm_bf16),
          affine("layer_norm_one_pass_bf16", layer_norm_one_pass_bf16),
          affine("layer_norm_nosqrt0_bf16", layer_norm_nosqrt0_bf16),
          affine("layer_norm_nosqrt1_bf16", layer_norm_nosqrt1_bf16),
          affine("layer_norm_nosqrt2_bf16", layer_norm_nosqrt2_bf16),
          affine("layer_norm_nosqrt3_bf16", layer_norm_nosqrt3_bf16),
          {"layer_norm_folded_bf16", sizes, [](const Arguments& a, TileMemory& tile) {
             layer_norm_folded_bf16(tile.At<bfloat16>(0, a[0] * a[1]),
                                    tile.At<bfloat16>(3, a[0] * a[1]), a[0], a[1]);
           }}};
}

}  // namespace xdna::kernels
