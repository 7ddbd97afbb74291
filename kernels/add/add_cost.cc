// How kernels/cost calls this kernel to count what it issues.
#include <vector>

#include "kernels/add/add.h"
#include "kernels/cost/kernel_cost.h"

namespace xdna::kernels {

std::vector<KernelCost> AddCosts();

std::vector<KernelCost> AddCosts() {
  return {{"add_bf16",
           {Size("n", 16)},
           [](const Arguments& a, TileMemory& tile) {
             add_bf16(tile.At<bfloat16>(0, a[0]), tile.At<bfloat16>(1, a[0]),
                      tile.At<bfloat16>(2, a[0]), a[0]);
           }},
          {"add_f32",
           {Size("n", 16)},
           [](const Arguments& a, TileMemory& tile) {
             add_f32(tile.At<float>(0, a[0]), tile.At<float>(1, a[0]), tile.At<float>(2, a[0]),
                     a[0]);
           }},
          {"add_residual_f32", {Size("n", 16)}, [](const Arguments& a, TileMemory& tile) {
             add_residual_f32(tile.At<float>(0, a[0]), tile.At<bfloat16>(1, a[0]),
                              tile.At<float>(2, a[0]), a[0]);
           }}};
}

}  // namespace xdna::kernels
