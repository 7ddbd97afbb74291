// How kernels/cost calls this kernel to count what it issues.
#include <vector>

#include "kernels/cost/kernel_cost.h"
#include "kernels/scale/scale.h"

namespace xdna::kernels {

std::vector<KernelCost> ScaleCosts();

std::vector<KernelCost> ScaleCosts() {
  return {{"scale_bf16", {Size("n", 16)}, [](const Arguments& a, TileMemory& tile) {
             scale_bf16(tile.At<bfloat16>(0, a[0]), tile.At<bfloat16>(1, a[0]), 0.3F, a[0]);
           }}};
}

}  // namespace xdna::kernels
