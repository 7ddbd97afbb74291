// How kernels/cost calls this kernel to count what it issues.
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "kernels/cost/kernel_cost.h"
#include "kernels/softmax/softmax.h"

namespace xdna::kernels {

std::vector<KernelCost> SoftmaxCosts();

std::vector<KernelCost> SoftmaxCosts() {
  using Kernel = void (*)(const bfloat16*, bfloat16*, int32, int32, int32);
  // A vector whose columns all take part is not masked, the others are.
  const auto full = [](const Arguments& a) -> std::int64_t { return a[2] / 16; };
  const auto masked = [](const Arguments& a) -> std::int64_t { return a[1] / 16 - a[2] / 16; };
  const auto check = [](const Arguments& a) {
    if (a[2] > a[1]) Throw(ErrorCode::kInvalidArgument, "softmax: more valid columns than columns");
  };
  const std::vector<Parameter> parameters = {Size("rows", 1), {"width", 16}, {"valid", 1, 0, 1}};
  const auto with_first = [&](Parameter last) {
    std::vector<Parameter> all = parameters;
    all.push_back(last);
    return all;
  };
  const auto rows = [&](const char* name, Kernel kernel) -> KernelCost {
    return {name,
            parameters,
            [kernel, check](const Arguments& a, TileMemory& tile) {
              check(a);
              kernel(tile.At<bfloat16>(0, a[0] * a[1]), tile.At<bfloat16>(1, a[0] * a[1]), a[0],
                     a[1], a[2]);
            },
            {{{0, 16, 16}, full}, {{0, 16, 0}, masked}}};
  };
  return {rows("softmax_bf16", softmax_bf16),
          rows("softmax_inverse_bf16", softmax_inverse_bf16),
          rows("softmax_stock_bf16", softmax_stock_bf16),
          {"softmax_online_block_bf16",
           with_first(Value("first")),
           [check](const Arguments& a, TileMemory& tile) {
             check(a);
             softmax_online_block_bf16(tile.At<bfloat16>(0, a[0] * a[1]),
                                       tile.At<float>(1, 2 * a[0]), a[0], a[1], a[2], a[3]);
           },
           {{{0, 16, 16, 0}, full}, {{0, 16, 0, 0}, masked}}},
          {"softmax_online_finish_bf16",
           parameters,
           [check](const Arguments& a, TileMemory& tile) {
             check(a);
             softmax_online_finish_bf16(tile.At<bfloat16>(0, a[0] * a[1]),
                                        tile.At<float>(1, 2 * a[0]),
                                        tile.At<bfloat16>(2, a[0] * a[1]), a[0], a[1], a[2]);
           },
           {{{0, 16, 16}, full}, {{0, 16, 0}, masked}}}};
}

}  // namespace xdna::kernels
