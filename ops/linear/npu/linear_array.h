// linear over the whole array: kernels/array/gemm.h with a packed weight, the bias and maybe GELU
// in its epilogue.
#ifndef OPS_LINEAR_NPU_LINEAR_ARRAY_H_
#define OPS_LINEAR_NPU_LINEAR_ARRAY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
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
// In bf16 results are rounded to bf16; in int8 sums are exact in 32 bits.
ArrayProduct ArrayProductOf(Precision precision, bool gelu, const kernels::GemmProblem& problem,
                            std::size_t columns);

// Configurations with tiles in steps of 16 up to 128 (m from 4, n from 8, k to 256) that the cores'
// and memory tiles' memory holds, those that should be the fastest first. GemmFits() has the last
// word on them.
std::vector<kernels::GemmConfig> GemmCandidates(const ArrayProduct& product);
// Names of those that work, "64x64x32"; for problems of 2^28 multiply-adds on without those that no
// one would choose: padding to more than 9/8 of the least, or calls of less than 2^15.
std::vector<std::string> GemmTiles(const ArrayProduct& product);
// The best, or the one named. Throws kInvalidArgument for a name that is none.
kernels::GemmConfig ChooseGemm(const ArrayProduct& product, const std::string& tile);

// y = f(x W^T + b), activations in bf16, f GELU or identity. Bits as TileLinear's.
//
// In bf16 all of it is the array's. In int8 the array makes the exact sums; the host quantises x
// by row and W by output channel, dequantises, and applies bias and GELU, by the kernels of a tile.
class ArrayLinear {
 public:
  struct Options {
    Precision precision = Precision::kBf16;  // or kInt8
    bool gelu = false;
    // bf16: elements from one row of x to the next, a multiple of 8; 0: k. Less than k lets rows
    // overlap, as a convolution's do.
    std::int64_t x_stride = 0;
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
  struct Int8;

  ArrayDesign Design(const TensorView& weight, const TensorView& bias) const;
  std::vector<std::byte> PackedWeight(const TensorView& weight, const TensorView& bias) const;
  kernels::GemmProblem Problem(std::int64_t rows) const;
  void Fill(const TensorView& x, std::int64_t first, std::int64_t rows,
            std::span<std::byte> to) const;
  void Drain(const TensorView& y, std::int64_t first, std::int64_t rows,
             std::span<const std::byte> from) const;

  std::shared_ptr<ArrayDevice> device_;
  Options options_;
  std::int64_t m_, n_, k_;
  std::int64_t k_padded_;  // int8: to whole vectors of 16
  std::unique_ptr<Int8> int8_;
  kernels::GemmConfig config_;
  std::unique_ptr<ArrayStage> stage_;
};

// For LinearContract.
std::unique_ptr<Instance> MakeLinearArray(const Dims& dims, const TensorMap& in, Variant variant,
                                          const CpuContext& context);
std::vector<std::string> LinearArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                                          std::size_t columns);

}  // namespace xdna::ops

#endif  // OPS_LINEAR_NPU_LINEAR_ARRAY_H_
