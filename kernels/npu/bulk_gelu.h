// GELU with the bits of kernels/gelu and of kernels/matmul's epilogue, for many values at once:
// what the simulator runs when a core calls gelu_bf16 or an epilogue with GELU.
#ifndef KERNELS_NPU_BULK_GELU_H_
#define KERNELS_NPU_BULK_GELU_H_

#include <aie_api/aie.hpp>

#include "kernels/matmul/matmul.h"

namespace xdna::kernels {

// As gelu_bf16, what it leaves in the core's registers included.
void BulkGeluBf16(const bfloat16* x, bfloat16* y, int32 n);
// As matmul_finish_bf16 and matmul_finish_f32 with a bias (may be null), GELU and rounding to
// nearest even; sums, y [m,n] in blocks, all aligned to 32 bytes. y may be sums.
void BulkFinishGelu(const float* sums, const float* bias, bfloat16* y, int32 m, int32 n);
void BulkFinishGelu(const float* sums, const float* bias, float* y, int32 m, int32 n);

// As matmul_finish_scaled_bf16 and _f32 with GELU by the polynomial.
void BulkFinishScaledGelu(const int32* sums, bfloat16* y, int32 m, int32 n,
                          MatmulScaledEpilogue epilogue);
void BulkFinishScaledGelu(const int32* sums, float* y, int32 m, int32 n,
                          MatmulScaledEpilogue epilogue);

}  // namespace xdna::kernels

#endif  // KERNELS_NPU_BULK_GELU_H_
