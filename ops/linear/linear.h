#ifndef OPS_LINEAR_LINEAR_H_
#define OPS_LINEAR_LINEAR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ops/contract.h"
#include "ops/internal/fused_matmul.h"
#include "ops/internal/matmul.h"
#include "ops/internal/row_kernels.h"
#include "ops/internal/workspace.h"
#include "ops/linear/product_choice.h"

namespace xdna::ops {

// y = f(x W^T + b), or y += x W^T + b, with W packed once.
//
// In f32 and bf16 the product runs in that precision with f32 sums. In int8, W is
// quantised by output channel ahead of time (symmetric, round to nearest, scale
// max/127) and x by row on the way in, to u8 (QuantizeRowU8); sums are exact int32;
// the result is dequantised in f32. No intermediate tensor of the whole [m,n] is made:
// each thread takes a piece of rows through quantisation, product and epilogue while
// it is in its cache. The product is our own (FusedMatmul) where that is faster than the
// library's: by table, or where none knows (AMX) by the times of both on up to 128 rows, taken
// when a process first makes a product of this shape.
class Linear {
 public:
  // On which values int8 spends its 255 steps.
  enum class XRange : std::uint8_t {
    kEven,    // as many above 0 as below, up to max |x|: integers stay exact
    kSkewed,  // from the row's least value to its largest
    kGelu,    // likewise, of values that GELU made: their least is known
  };
  enum class Product : std::uint8_t {
    kFaster,    // of our own and the library's, as far as known; else measure
    kMeasured,  // measure even so; and for comparison:
    kOwn,       // where FusedMatmul is not known to be slower
    kLibrary,
  };
  struct Options {
    Variant variant;
    bool gelu = false;            // f is GELU, else identity
    bool accumulate = false;      // y +=; y is f32 and there is no gelu
    DType x_dtype = DType::kF32;  // f32, or bf16 with bf16 and int8
    DType y_dtype = DType::kF32;  // f32 or bf16
    // int8: what is known of rows of x.
    XRange x_range = XRange::kEven;
    Product product = Product::kFaster;
  };

  // `weight` [n,k] f32, `bias` [n] f32 or empty; both are copied. `m` is the number
  // of rows that Run will get. Throws kUnsupported as Matmul::Create does.
  Linear(const TensorView& weight, const TensorView& bias, std::int64_t m, const Options& options,
         const CpuContext& context);

  // x [m,k] and y [m,n], contiguous.
  void Run(const void* x, void* y) const;
  void Run(const TensorView& x, const TensorView& y) const { Run(x.raw(), y.raw()); }

  // Like Run, with rows of x made on the fly: `gather(first, rows, scratch)` returns
  // [rows,k] of x_dtype, in `scratch` (that large) or elsewhere.
  using Gather = std::function<const void*(std::int64_t first, std::int64_t rows, void* scratch)>;
  void RunGathered(const Gather& gather, void* y) const;

  // "oneDNN brg:avx512_core_bf16, 12 pieces of 125 rows"; where it was measured "own tdpbf16ps,
  // 32x64 (1.4x the speed of oneDNN at start-up), 12 pieces of 125 rows"
  std::string description() const;

 private:
  // Buffers of one thread for one piece.
  struct Scratch {
    void* sums;
    std::uint8_t* quantized;
    float* row_scales;
    std::int32_t* row_zeros;
    void* gathered;
  };

  Scratch ScratchOf(int thread) const;
  void Piece(std::int64_t first, const void* x, const Scratch& scratch, void* y) const;
  // x [rows,k] to scratch.quantized.
  void Quantize(const void* x, std::int64_t rows, const Scratch& scratch) const;
  // scratch.sums to `out` [rows,n].
  void Epilogue(std::int64_t rows, const Scratch& scratch, std::byte* out) const;
  bool TakesOwn(const TensorView& weight, const TensorView& bias);
  // What ChooseProduct times: one of the two on its own threads, with everything done to its sums.
  std::function<void()> Trial(const TensorView& weight, const TensorView& bias, bool own) const;
  // W in the product's dtype.
  Tensor ProductWeight(const TensorView& weight);
  void MakeLibraryProduct(const TensorView& weight);
  void PlanScratch(bool sums_stay);

  Options options_;
  CpuContext context_;
  std::int64_t m_, n_, k_, piece_;
  std::unique_ptr<FusedMatmul> own_;
  std::optional<ProductChoice> measured_;
  bool direct_ = false;  // the library's product writes y itself; else an epilogue does
  std::unique_ptr<Matmul> matmul_;
  Tensor packed_, bias_;
  // int8: of W, by output channel.
  std::vector<float> column_scales_;
  std::vector<std::int32_t> column_sums_;
  std::unique_ptr<Workspace> own_workspace_;
  // Where a thread's buffers begin, the sums at 0.
  std::size_t quantized_at_ = 0, scales_at_ = 0, zeros_at_ = 0, gathered_at_ = 0;
};

Contract LinearContract();

}  // namespace xdna::ops

#endif  // OPS_LINEAR_LINEAR_H_
