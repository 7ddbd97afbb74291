// Vector code for one row at a time: what surrounds the matrix products. Written
// once with Google Highway; the best instruction set of this machine is chosen at
// run time. Rows need no alignment, and nothing outside them is read or written.
#ifndef OPS_INTERNAL_ROW_KERNELS_H_
#define OPS_INTERNAL_ROW_KERNELS_H_

#include <cstddef>
#include <cstdint>
#include <limits>

#include "base/bf16.h"
#include "base/tensor.h"

namespace xdna::ops {

// out[j] = activation((in[j] - zero * column_sum[j]) * scale * column_scale[j] + bias[j])
//          + addend[j]
// for j in [0, n). Absent parts are null. `out` may be `in` or `addend` where the
// dtypes agree. bf16 results are rounded to nearest even.
struct RowMap {
  const void* in = nullptr;
  DType in_dtype = DType::kF32;  // f32, bf16 or i32
  std::int32_t zero = 0;
  const std::int32_t* column_sum = nullptr;  // with i32 only
  float scale = 1;
  const float* column_scale = nullptr;
  const float* bias = nullptr;
  bool gelu = false;
  const void* addend = nullptr;
  DType addend_dtype = DType::kF32;  // f32 or bf16
  void* out = nullptr;
  DType out_dtype = DType::kF32;  // f32 or bf16
};
void MapRow(const RowMap& map, std::size_t n);

// out[j] = (in[j] - mean) / sqrt(variance + epsilon) * gamma[j] + beta[j]; the
// variance is the mean of squared differences (two passes). `out` is f32 or bf16.
void LayerNormRow(const float* in, const float* gamma, const float* beta, float epsilon,
                  std::size_t n, void* out, DType out_dtype);

// out[j] = exp(scale * (in[j] - max in)), scale > 0; returns the sum of exp before
// rounding to `out` (f32 or bf16). Relative error of exp below 2 ULP.
float ExpRow(const float* in, float scale, std::size_t n, void* out, DType out_dtype);

// q[j] = round(in[j] / s), s = max |in| / 127; returns s (1 for a row of zeros).
// `in` is f32 or bf16.
float QuantizeRow(const void* in, DType in_dtype, std::size_t n, std::int8_t* q);

// No value of x Phi(x) is below; its least is -0.16997, at -0.7518.
inline constexpr float kGeluLeast = -0.17F;
inline constexpr float kNoLeast = -std::numeric_limits<float>::infinity();
inline constexpr float kLeastOfRow = 0;

// q[j] = round(in[j] / scale) + zero in [0, 255]. With kNoLeast the steps are those of
// QuantizeRow, with zero = 128. With a `least` that no value is below (less than 0), or
// with kLeastOfRow, which looks for it, no steps are spent on what lies below: it is at
// 0, the row's largest value at 255. `in` is f32 or bf16.
struct RowScale {
  float scale;
  std::int32_t zero;
};
RowScale QuantizeRowU8(const void* in, DType in_dtype, std::size_t n, float least, std::uint8_t* q);

// The instruction set in use, as Highway names it: "AVX3_DL", "AVX2", ...
const char* RowKernelTarget();

}  // namespace xdna::ops

#endif  // OPS_INTERNAL_ROW_KERNELS_H_
