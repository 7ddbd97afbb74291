#ifndef OPS_CONV1D_CONV1D_H_
#define OPS_CONV1D_CONV1D_H_

#include <cstdint>
#include <memory>

#include "base/tensor.h"
#include "ops/contract.h"
#include "ops/linear/linear.h"

namespace xdna::ops {

// Convolution over time with 3 taps and padding 1, as in Whisper's stem, optionally
// followed by GELU. Time-major: a row is all channels of one moment, so three
// neighbouring rows of the padded input are one row of a matrix product.
class Conv1d {
 public:
  struct Options {
    Variant variant;  // f32 or bf16
    int stride = 1;
    bool gelu = false;
    DType y_dtype = DType::kF32;
  };

  // `weight` [d,c,3] and `bias` [d], f32, copied; `t` rows of input.
  Conv1d(const TensorView& weight, const TensorView& bias, std::int64_t t, const Options& options,
         const CpuContext& context);

  static std::int64_t OutputRows(std::int64_t t, int stride) { return (t - 1) / stride + 1; }

  // dtype of the input rows: f32 or bf16, as the precision says.
  DType x_dtype() const { return x_dtype_; }
  // `x` [t+2,c], first and last row zero; `y` [OutputRows,d], contiguous.
  void Run(const TensorView& x, const TensorView& y) const;

 private:
  std::int64_t c_;
  int stride_;
  DType x_dtype_;
  std::unique_ptr<Linear> linear_;
};

// `x` [c,t] f32, channel-major as a mel spectrogram is, to padded rows [t+2,c] of
// y's dtype (f32 or bf16). Writes all of y.
void TransposePadded(const TensorView& x, const TensorView& y, ThreadPool& pool);

Contract Conv1dContract();

}  // namespace xdna::ops

#endif  // OPS_CONV1D_CONV1D_H_
