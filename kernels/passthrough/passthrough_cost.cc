// How kernels/cost calls this kernel to count what it issues.
#include <vector>

#include "kernels/cost/kernel_cost.h"
#include "kernels/passthrough/passthrough.h"

namespace xdna::kernels {

std::vector<KernelCost> PassthroughCosts();

std::vector<KernelCost> PassthroughCosts() {
  return {{"passthrough_words", {Size("words", 1, 8)}, [](const Arguments& a, TileMemory& tile) {
             passthrough_words(tile.At<int32>(0, a[0]), tile.At<int32>(1, a[0]), a[0]);
           }}};
}

}  // namespace xdna::kernels
