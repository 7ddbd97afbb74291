// Tile products with the bits of kernels/matmul, at the speed of kernels/aie/exact_matmul.h: what
// the simulator runs when a core calls matmul_bf16, matmul_int8 or matmul_scaled_int8.
#ifndef KERNELS_NPU_BULK_H_
#define KERNELS_NPU_BULK_H_

#include <aie_api/aie.hpp>

namespace xdna::kernels {

// Arguments and layouts as matmul_bf16's and matmul_int8's.
void BulkMatmulBf16(const bfloat16* a, const bfloat16* b, float* c, int32 m, int32 k, int32 n,
                    int32 first);
void BulkMatmulInt8(const int8* a, const int8* b, int32* c, int32 m, int32 k, int32 n, int32 first);
void BulkMatmulScaledInt8(const int8* a, const int8* b, int32* c, int32 m, int32 k, int32 n,
                          int32 first);

}  // namespace xdna::kernels

#endif  // KERNELS_NPU_BULK_H_
