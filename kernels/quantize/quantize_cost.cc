// How kernels/cost calls this kernel to count what it issues.
#include <vector>

#include "kernels/cost/kernel_cost.h"
#include "kernels/quantize/quantize.h"

namespace xdna::kernels {

std::vector<KernelCost> QuantizeCosts();

std::vector<KernelCost> QuantizeCosts() {
  return {{"quantize_rows_bf16",
           {Size("rows", 1), Size("width", 16)},
           [](const Arguments& a, TileMemory& tile) {
             quantize_rows_bf16(tile.At<bfloat16>(0, a[0] * a[1]), tile.At<int8>(1, a[0] * a[1]),
                                tile.At<float>(2, a[0]), a[0], a[1]);
           }},
          {"quantize_rows_f32",
           {Size("rows", 1), Size("width", 16)},
           [](const Arguments& a, TileMemory& tile) {
             quantize_rows_f32(tile.At<float>(0, a[0] * a[1]), tile.At<int8>(1, a[0] * a[1]),
                               tile.At<float>(2, a[0]), a[0], a[1]);
           }},
          {"quantize_blocks_bf16",
           {Size("rows", 4), Size("parts", 1), Size("k", 32)},
           [](const Arguments& a, TileMemory& tile) {
             quantize_blocks_bf16(tile.At<bfloat16>(0, a[0] * a[1] * a[2]),
                                  tile.At<int8>(1, a[0] / 4 * a[1] * QuantizedPart(a[2])), a[0],
                                  a[1], a[2]);
           }},
          {"quantize_bf16",
           {Size("n", 16)},
           [](const Arguments& a, TileMemory& tile) {
             quantize_bf16(tile.At<bfloat16>(0, a[0]), tile.At<int8>(1, a[0]), 1.0F, a[0]);
           }},
          {"quantize_f32", {Size("n", 16)}, [](const Arguments& a, TileMemory& tile) {
             quantize_f32(tile.At<float>(0, a[0]), tile.At<int8>(1, a[0]), 1.0F, a[0]);
           }}};
}

}  // namespace xdna::kernels
