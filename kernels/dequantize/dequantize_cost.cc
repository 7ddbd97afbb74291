// How kernels/cost calls this kernel to count what it issues.
#include <vector>

#include "kernels/cost/kernel_cost.h"
#include "kernels/dequantize/dequantize.h"

namespace xdna::kernels {

std::vector<KernelCost> DequantizeCosts();

std::vector<KernelCost> DequantizeCosts() {
  return {{"dequantize_bf16",
           {Size("rows", 1), Size("width", 16)},
           [](const Arguments& a, TileMemory& tile) {
             dequantize_bf16(tile.At<int32>(0, a[0] * a[1]), tile.At<float>(2, a[0]),
                             tile.At<float>(1, a[1]), tile.At<bfloat16>(3, a[0] * a[1]), a[0],
                             a[1]);
           }},
          {"dequantize_f32",
           {Size("rows", 1), Size("width", 16)},
           [](const Arguments& a, TileMemory& tile) {
             dequantize_f32(tile.At<int32>(0, a[0] * a[1]), tile.At<float>(2, a[0]),
                            tile.At<float>(1, a[1]), tile.At<float>(3, a[0] * a[1]), a[0], a[1]);
           }}};
}

}  // namespace xdna::kernels
