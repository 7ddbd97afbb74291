// The names of mlir-aie's aie_runtime_lib/AIE2/lut_based_ops.h that kernels use, declared and no
// more.
#ifndef KERNELS_AIE_VENDOR_LAYOUT_LUT_BASED_OPS_H_
#define KERNELS_AIE_VENDOR_LAYOUT_LUT_BASED_OPS_H_

#include "aie_api/aie.hpp"

v16accfloat getExpBf16(v16bfloat16 x);
v16bfloat16 getTanhBf16(v16bfloat16 x);
bfloat16 getInvBf16(float x);

#endif  // KERNELS_AIE_VENDOR_LAYOUT_LUT_BASED_OPS_H_
