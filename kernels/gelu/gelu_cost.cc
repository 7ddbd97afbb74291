// How kernels/cost calls this kernel to count what it issues.
#include <vector>

#include "kernels/cost/kernel_cost.h"
#include "kernels/gelu/gelu.h"

namespace xdna::kernels {

std::vector<KernelCost> GeluCosts();

std::vector<KernelCost> GeluCosts() {
  return {{"gelu_bf16",
           {Size("n", 16)},
           [](const Arguments& a, TileMemory& tile) {
             gelu_bf16(tile.At<bfloat16>(0, a[0]), tile.At<bfloat16>(1, a[0]), a[0]);
           }},
          {"gelu_table_bf16",
           {Size("n", 16)},
           [](const Arguments& a, TileMemory& tile) {
             gelu_table_bf16(tile.At<bfloat16>(0, a[0]), tile.At<bfloat16>(1, a[0]), a[0]);
           }},
          {"gelu_stock_bf16", {Size("n", 16)}, [](const Arguments& a, TileMemory& tile) {
             gelu_stock_bf16(tile.At<bfloat16>(0, a[0]), tile.At<bfloat16>(1, a[0]), a[0]);
           }}};
}

}  // namespace xdna::kernels
