// How kernels/cost calls this kernel to count what it issues.
#include <vector>

#include "kernels/cost/kernel_cost.h"
#include "kernels/transpose/transpose.h"

namespace xdna::kernels {

std::vector<KernelCost> TransposeCosts();

std::vector<KernelCost> TransposeCosts() {
  return {{"transpose_bf16",
           {Size("rows", 16), Size("cols", 16)},
           [](const Arguments& a, TileMemory& tile) {
             transpose_bf16(tile.At<bfloat16>(0, a[0] * a[1]), tile.At<bfloat16>(1, a[0] * a[1]),
                            a[0], a[1]);
           }},
          {"transpose_int8",
           {Size("rows", 16), Size("cols", 16)},
           [](const Arguments& a, TileMemory& tile) {
             transpose_int8(tile.At<int8>(0, a[0] * a[1]), tile.At<int8>(1, a[0] * a[1]), a[0],
                            a[1]);
           }}};
}

}  // namespace xdna::kernels
