// linear on one core tile: kernels/matmul with its epilogue; in int8 between quantize and
// dequantize.
#ifndef OPS_LINEAR_NPU_LINEAR_TILE_H_
#define OPS_LINEAR_NPU_LINEAR_TILE_H_

#include <aie_api/aie.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/tensor.h"
#include "ops/contract.h"
#include "ops/linear/npu/tile_product.h"

namespace xdna::ops {

// What a variant of an op made of products asks of them.
struct TileOptions {
  Precision precision = Precision::kBf16;  // or kInt8
  bool reload = false;                     // as in TileProduct; narrowing by floor throughout
  aie::rounding_mode rounding = aie::rounding_mode::conv_even;  // of results
  TileHost host = TileHost::kAuto;
};

// Of a variant with the kernel "", "floor" (results narrowed by floor, what the register holds
// after reset) or, in bf16, "reload". Throws kUnsupported for f32, which a tile can't multiply, and
// kInvalidArgument for another kernel.
TileOptions TileOptionsOf(const Variant& variant);

// y = f(x W^T + b), activations in bf16.
//
// In bf16 a sum is kept in f32, bias and GELU are applied to it, and the result is rounded once.
// In int8, W is quantised by output channel ahead of time, x by row; sums are exact; they are
// dequantised in f32, then bias, GELU and the rounding follow.
class TileLinear {
 public:
  // `weight` [n,k] and `bias` [n] (or empty), f32, copied; `m` rows that Run gets; `gelu`: f is
  // GELU, else identity.
  TileLinear(const TensorView& weight, const TensorView& bias, std::int64_t m, bool gelu,
             const TileOptions& options, const CpuContext& context);

  // x [m,k] and y [m,n]: bf16, contiguous.
  void Run(const TensorView& x, const TensorView& y) const;

  // Like Run, with rows of x made on the fly, in `scratch` [rows,k].
  using Gather = std::function<void(std::int64_t first, std::int64_t rows, bfloat16* scratch)>;
  void RunGathered(const Gather& gather, const TensorView& y) const;

 private:
  void PackInt8(const TensorView& weight);
  void Piece(std::int64_t rows, const bfloat16* x, bfloat16* y) const;
  void PieceInt8(std::int64_t rows, const bfloat16* x, bfloat16* y) const;

  TileOptions options_;
  CpuContext context_;
  std::int64_t m_, n_, k_;
  std::int64_t n_padded_, k_padded_;  // int8: to whole vectors of 16
  std::int64_t piece_;
  bool gelu_;
  TileProduct product_;
  Tensor weight_;         // [k,n]; int8: [k_padded,n_padded]
  Tensor bias_;           // [n_padded], or empty
  Tensor column_scales_;  // int8: [n_padded]
};

// Limits of a product over `k` on a tile. A MAC rounds its nine terms and its sum to 2^-24 of the
// largest each (kernels/matmul/matmul_test.cc): 10 * 2^-24 for each 8 of k.
golden::Tolerance TileProductTolerance(Precision precision, std::int64_t k, std::string_view data);

// The same with kernels/gelu's polynomial on top: |error| <= 1.4e-5 and as much for its f32 steps.
golden::Tolerance WithTileGelu(golden::Tolerance product);

// What ProductTiles wants to know of a variant; a bf16 product in f32 has a bias and maybe GELU.
kernels::MatmulConfig TileConfigOf(const Variant& variant, bool gelu);

// f32 tensors to bf16 [k,n] from [n,k]: a weight as a tile wants it.
Tensor TransposedBf16(const TensorView& weight);

bfloat16* Bf16Data(const TensorView& tensor);

// For LinearContract.
std::unique_ptr<Instance> MakeLinearTile(const Dims& dims, const TensorMap& in, Variant variant,
                                         const CpuContext& context);
golden::Tolerance LinearTileTolerance(const Dims& dims, Variant variant, std::string_view data);
std::vector<TileShape> LinearTiles(const Dims& dims, Variant variant);

}  // namespace xdna::ops

#endif  // OPS_LINEAR_NPU_LINEAR_TILE_H_
