// How kernels/cost calls this kernel to count what it issues.
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/cost/kernel_cost.h"

namespace xdna::kernels {

std::vector<KernelCost> AttentionCosts();

std::vector<KernelCost> AttentionCosts() {
  // Groups of 16 queries, pairs of 8 keys, the last of which may be ragged. Scores of zero stay
  // within the range of their references.
  const Parameter queries = {"queries", 4, 16, 4}, d = {"d", 16, 16, 16},
                  valid = {"valid", 1, 16, 1};
  return {{"attention_block_bf16",
           {queries, d, valid, Value("first")},
           [](const Arguments& a, TileMemory& tile) {
             const int32 keys = (a[2] + 7) / 8 * 8, weights = keys * 16, state = a[0] * 8;
             auto* k = tile.At<bfloat16>(1, keys * a[1] + weights);
             auto* sums = tile.At<float>(3, a[0] * a[1] + state);
             attention_block_bf16(tile.At<bfloat16>(0, a[0] * a[1]), k,
                                  tile.At<bfloat16>(2, keys * a[1]), k + keys * a[1],
                                  sums + a[0] * a[1], sums, a[0], a[1], a[2], a[3]);
           }},
          {"attention_finish_bf16", {queries, d}, [](const Arguments& a, TileMemory& tile) {
             attention_finish_bf16(tile.At<float>(0, a[0] * 8), tile.At<float>(1, a[0] * a[1]),
                                   tile.At<bfloat16>(2, a[0] * a[1]), a[0], a[1]);
           }}};
}

}  // namespace xdna::kernels
