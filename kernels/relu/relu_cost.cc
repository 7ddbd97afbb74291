// How kernels/cost calls this kernel to count what it issues.
#include "kernels/cost/kernel_cost.h"
#include "kernels/relu/relu.h"

namespace xdna::kernels {

std::vector<KernelCost> ReluCosts() {
  return {{"relu_bf16", {Size("n", 16)}, [](const Arguments& a, TileMemory& tile) {
             relu_bf16(tile.At<bfloat16>(0, a[0]), tile.At<bfloat16>(1, a[0]), a[0]);
           }}};
}

}  // namespace xdna::kernels
