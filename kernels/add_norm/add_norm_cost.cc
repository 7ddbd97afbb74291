// How kernels/cost calls this kernel to count what it issues.
#include <vector>

#include "kernels/add_norm/add_norm.h"
#include "kernels/cost/kernel_cost.h"

namespace xdna::kernels {

std::vector<KernelCost> AddNormCosts();

std::vector<KernelCost> AddNormCosts() {
  return {{"add_norm_f32",
           {Size("rows", 1), Size("width", 16)},
           [](const Arguments& a, TileMemory& tile) {
             add_norm_f32(tile.At<float>(0, a[0] * a[1]), tile.At<bfloat16>(1, a[0] * a[1]),
                          tile.At<float>(2, a[0] * a[1]), tile.At<bfloat16>(3, a[0] * a[1]), a[0],
                          a[1]);
           }}};
}

}  // namespace xdna::kernels
