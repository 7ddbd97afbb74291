// Whole matrix products with the bits of AIE2's mmul, fast: what a host kernel uses for many tiles
// at once. Vectorised for the instruction set found at run time; all sets give the same bits.
#ifndef KERNELS_AIE_EXACT_MATMUL_H_
#define KERNELS_AIE_EXACT_MATMUL_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace xdna::kernels {

// C[m,n] += A[m,k] B[k,n], all row-major; a stride is the distance of two rows in elements.
struct MatmulShape {
  std::size_t m = 0, k = 0, n = 0;
  std::size_t a_stride = 0, b_stride = 0, c_stride = 0;
};

// bf16 bits in, f32 out: the bits of a chain of aie::mmul<4, 8, 4, bfloat16>::mac along k, eight at
// a time from k = 0, with the options of the calling thread's aie::host::core(). A last group of
// fewer than eight is filled with zeros, as a kernel pads it. Start with C = 0 for a product.
//
// How: a bf16 product is exact in f32. Divided by the unit of 2^-23 of the lane's largest exponent,
// which is a power of two, the FPU's conversion to int32 does the alignment and its rounding to
// nearest even; the sum is integer; the conversion back to f32 is the final rounding. Lanes with
// infinities, NaN or exponents for which f32 has no room go one by one through aie::lane::MacBf16.
// Needs the default floating-point mode. Takes 4 (m + 2 * 16) bytes times k of scratch memory.
void MacMatrixBf16(const MatmulShape& shape, const std::uint16_t* a, const std::uint16_t* b,
                   float* c);

// int8 in, int32 out, exact; wraps like acc32. The bits of aie::mmul<4, 8, 8, int8>.
void MacMatrixInt8(const MatmulShape& shape, const std::int8_t* a, const std::int8_t* b,
                   std::int32_t* c);

// The instruction set in use: "AVX3" (AVX-512), "AVX2", ...
const char* ExactMatmulTarget();
// All that this machine can run, the best first.
std::vector<std::string> ExactMatmulTargets();
// From now on the named one (of ExactMatmulTargets); "" for the best. For tests and benchmarks: it
// holds for every user of Highway in the process.
void UseExactMatmulTarget(const std::string& name);

}  // namespace xdna::kernels

#endif  // KERNELS_AIE_EXACT_MATMUL_H_
