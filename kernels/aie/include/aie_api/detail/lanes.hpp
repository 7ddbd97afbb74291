// Float lanes by the vector: numerics.hpp's results at the host's speed. Vectorised for the
// instruction set found at run time, in kernels/aie/exact_lanes.cc; the modes are those of the
// calling thread's core.
#ifndef KERNELS_AIE_INCLUDE_AIE_API_DETAIL_LANES_HPP_
#define KERNELS_AIE_INCLUDE_AIE_API_DETAIL_LANES_HPP_

#include "aie_api/detail/bfloat16.hpp"
#include "aie_api/detail/core.hpp"

namespace aie::host {

// acc[i] += a[i] b[i] for i < n, or -=: lane::MacBf16.
void mac_lanes(unsigned n, float* acc, const bfloat16* a, const bfloat16* b, bool subtract);
// The same of f32, which the toolchain emulates: detail::Fp32Mac.
void mac_lanes(unsigned n, float* acc, const float* a, const float* b, bool subtract);
// sum[i] = a[i] + b[i] or a[i] - b[i]: lane::AddF32. `sum` may be a or b.
void add_lanes(unsigned n, const float* a, const float* b, float* sum, bool subtract);
// lane::Bf16FromF32 with the core's rounding.
void narrow_lanes(unsigned n, const float* x, bfloat16* y);

}  // namespace aie::host

#endif  // KERNELS_AIE_INCLUDE_AIE_API_DETAIL_LANES_HPP_
