// ffn on one core tile: two products of kernels/matmul, GELU in the first one's epilogue.
#ifndef OPS_FFN_NPU_FFN_TILE_H_
#define OPS_FFN_NPU_FFN_TILE_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "ops/contract.h"
#include "ops/linear/npu/linear_tile.h"

namespace xdna::ops {

// y = W2 gelu(W1 x + b1) + b2, activations in bf16 (int8: quantised ahead of each product).
class TileFfn {
 public:
  // w1 [f,d], b1 [f], w2 [d,f], b2 [d]: f32, copied; `m` rows.
  TileFfn(const TensorView& w1, const TensorView& b1, const TensorView& w2, const TensorView& b2,
          std::int64_t m, const TileOptions& options, const CpuContext& context);

  // x [m,d], y [m,d]: bf16, contiguous. Profiled as "ffn.fc1" (with GELU) and "ffn.fc2".
  void Run(const TensorView& x, const TensorView& y) const;

 private:
  CpuContext context_;
  Tensor hidden_;  // [m,f]
  TileLinear fc1_, fc2_;
};

// For FfnContract.
std::unique_ptr<Instance> MakeFfnTile(const Dims& dims, const TensorMap& in, Variant variant,
                                      const CpuContext& context);
golden::Tolerance FfnTileTolerance(const Dims& dims, Variant variant, std::string_view data);
// Of the first product; the second's are those of linear.
std::vector<TileShape> FfnTiles(const Dims& dims, Variant variant);

}  // namespace xdna::ops

#endif  // OPS_FFN_NPU_FFN_TILE_H_
