// How kernels/cost calls this kernel to count what it issues.
#include <vector>

#include "kernels/cost/kernel_cost.h"
#include "kernels/im2col/im2col.h"

namespace xdna::kernels {

std::vector<KernelCost> Im2colCosts();

std::vector<KernelCost> Im2colCosts() {
  // All frames inside the sequence; those of its ends are not loaded.
  return {{"im2col_bf16",
           {Size("channels", 16), Size("outputs", 1)},
           [](const Arguments& a, TileMemory& tile) {
             const Im2colWindow window = {.channels = a[0],
                                          .outputs = a[1],
                                          .stride = 1,
                                          .first = 1,
                                          .offset = 0,
                                          .total = a[1] + 2};
             im2col_bf16(tile.At<bfloat16>(0, a[0] * (a[1] + 2)),
                         tile.At<bfloat16>(1, 3 * a[0] * a[1]), &window);
           }}};
}

}  // namespace xdna::kernels
