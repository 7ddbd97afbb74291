// conv1d on one core tile: kernels/im2col makes rows of three frames, kernels/matmul the product
// with bias and GELU.
#ifndef OPS_CONV1D_NPU_CONV1D_TILE_H_
#define OPS_CONV1D_NPU_CONV1D_TILE_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "ops/contract.h"
#include "ops/linear/npu/linear_tile.h"

namespace xdna::ops {

// Convolution over time with 3 taps and padding 1, as Conv1d. Channels are padded with zeros to a
// multiple of 16, which is what im2col moves at a time.
class TileConv1d {
 public:
  // `weight` [d,c,3] and `bias` [d], f32, copied; `t` frames of input; bf16 only.
  TileConv1d(const TensorView& weight, const TensorView& bias, std::int64_t t, int stride,
             bool gelu, const TileOptions& options, const CpuContext& context);

  std::int64_t rows() const { return rows_; }
  std::int64_t padded_channels() const { return channels_; }

  // `x` [t,padded_channels], time-major, zeros in the padding; `y` [rows,d]: bf16, contiguous.
  void Run(const TensorView& x, const TensorView& y) const;

 private:
  std::int64_t frames_, rows_, channels_;
  int stride_;
  std::unique_ptr<TileLinear> linear_;
};

// [d,c,tap] f32 to [d, 3 * channels], tap by tap as im2col lays out a row; zeros beyond c.
Tensor WeightByTap(const TensorView& weight, std::int64_t channels);

// x [c,t] f32 to time-major bf16 [t, c up to a multiple of 16], zeros beyond c, by
// kernels/transpose.
Tensor TimeMajor(const TensorView& x);

// For Conv1dContract.
std::unique_ptr<Instance> MakeConv1dTile(const Dims& dims, const TensorMap& in, Variant variant,
                                         const CpuContext& context);
golden::Tolerance Conv1dTileTolerance(const Dims& dims, Variant variant, std::string_view data);
std::vector<TileShape> Conv1dTiles(const Dims& dims, Variant variant);

}  // namespace xdna::ops

#endif  // OPS_CONV1D_NPU_CONV1D_TILE_H_
