// How kernels/cost calls this kernel to count what it issues.
#include <vector>

#include "kernels/convert/convert.h"
#include "kernels/cost/kernel_cost.h"

namespace xdna::kernels {

std::vector<KernelCost> ConvertCosts();

std::vector<KernelCost> ConvertCosts() {
  return {{"convert_f32_bf16",
           {Size("n", 16), Value("rounding")},
           [](const Arguments& a, TileMemory& tile) {
             convert_f32_bf16(tile.At<float>(0, a[0]), tile.At<bfloat16>(1, a[0]), a[0], a[1]);
           }},
          {"convert_bf16_f32", {Size("n", 16)}, [](const Arguments& a, TileMemory& tile) {
             convert_bf16_f32(tile.At<bfloat16>(0, a[0]), tile.At<float>(1, a[0]), a[0]);
           }}};
}

}  // namespace xdna::kernels
