// linear over the whole array: kernels/array/gemm.h with a packed weight, the bias and maybe GELU
// in its epilogue; in int8 behind kernels/array/scaled_gemm.h's quantising, in one run.
#ifndef OPS_LINEAR_NPU_LINEAR_ARRAY_H_
#define OPS_LINEAR_NPU_LINEAR_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "kernels/array/gemm.h"
#include "ops/contract.h"
#include "ops/internal/npu_array.h"

namespace xdna::ops {

// A product of the array that is yet without a tile.
struct ArrayProduct {
  kernels::GemmType in = kernels::GemmType::kBf16;
  bool gelu = false;
  std::size_t columns = 4;
  kernels::GemmProblem problem;  // of a run
};
// Results are bf16.
ArrayProduct ArrayProductOf(Precision precision, bool gelu, const kernels::GemmProblem& problem,
                            std::size_t columns);

// Tiles in steps of 16 up to 128 (m from 4, n from 8, k to 256), named "64x64x32"; for problems of
// 2^28 multiply-adds on without those that no one would choose: padding to more than 9/8 of the
// least, or calls of less than 2^15.
ArrayTiles GemmTiles(const ArrayProduct& product);
// Those that two products can have, which run one after the other.
ArrayTiles TilesOfBoth(const ArrayTiles& first, const ArrayTiles& second);
// The best, or the one named. Throws kInvalidArgument for a name that is none.
kernels::GemmConfig ChooseGemm(const ArrayProduct& product, const std::string& tile);

// y = f(x W^T + b), activations in bf16, f GELU or identity, all of it the array's. In bf16 the
// bits are TileLinear's. In int8 x and W are quantised as there and sums are exact; products with
// the scales are of pairs of bf16.
class ArrayLinear {
 public:
  struct Options {
    Precision precision = Precision::kBf16;  // or kInt8
    bool gelu = false;
    // bf16 only: elements from one row of x to the next, a multiple of 8; 0: k. Less than k lets
    // rows overlap, as a convolution's do.
    std::int64_t x_stride = 0;
    // In place of the device's.
    std::optional<std::string> tile = {};
  };
  // `weight` [n,k] and `bias` [n] (or empty), f32, copied; `m` rows that Run gets. Throws
  // kUnsupported for other precisions and where the array can't do it.
  ArrayLinear(std::shared_ptr<ArrayDevice> device, const TensorView& weight, const TensorView& bias,
              std::int64_t m, const Options& options);
  ~ArrayLinear();

  // x: bf16, contiguous, [m,k] or, with a stride, all that its rows cover; y [m,n]: bf16.
  void Run(const TensorView& x, const TensorView& y);

  const kernels::GemmConfig& config() const { return config_; }

 private:
  ArrayDesign Design(const TensorView& weight, const TensorView& bias) const;
  ArrayDesign Int8Design(const TensorView& weight, const TensorView& bias) const;
  std::vector<std::byte> PackedWeight(const TensorView& weight, const TensorView& bias) const;
  kernels::GemmProblem Problem(std::int64_t rows) const;
  void Fill(const TensorView& x, std::int64_t first, std::int64_t rows,
            std::span<std::byte> to) const;
  void Drain(const TensorView& y, std::int64_t first, std::int64_t rows,
             std::span<const std::byte> from) const;

  std::shared_ptr<ArrayDevice> device_;
  Options options_;
  std::int64_t m_, n_, k_;
  kernels::GemmConfig config_;
  std::unique_ptr<ArrayStage> stage_;
};

// For LinearContract.
std::unique_ptr<Instance> MakeLinearArray(const Dims& dims, const TensorMap& in, Variant variant,
                                          const CpuContext& context);
ArrayTiles LinearArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                            std::size_t columns);

}  // namespace xdna::ops

#endif  // OPS_LINEAR_NPU_LINEAR_ARRAY_H_
