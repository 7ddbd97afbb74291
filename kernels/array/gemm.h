// Matrix product over the whole array: C [M,N] = A [M,K] B [K,N].
//
// Each of the 4 rows x `columns` cores makes tiles of C. Column c's memory tile brings A's rows for
// core row c, broadcast along that row (with fewer columns, a memory tile serves several rows), and
// B's columns for its own column of cores, broadcast along it; it joins the four tiles of C. This
// is mlir-aie's whole_array design, with the memory tiles' deeper panels of arXiv 2512.13282
// (k_mem). Sizes of a problem are run-time parameters, so one overlay serves every M, K, N.
#ifndef KERNELS_ARRAY_GEMM_H_
#define KERNELS_ARRAY_GEMM_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "device/array/instructions.h"
#include "device/array/overlay.h"

namespace xdna::kernels {

enum class GemmType : std::uint8_t { kBf16, kInt8 };

struct GemmConfig {
  std::size_t m = 64, k = 64, n = 64;  // a core's tile, as matmul's: multiples of 4, 8, 4 (int8: 8)
  std::size_t k_mem = 0;  // of a memory tile's panel, a multiple of k; 0: the largest of up to 4 k
                          // that fits
  // What memory tiles keep, to save reading it as often from host memory; 1, 1, 1: nothing, panels
  // stream through, of any K. The cores' programs are the same for all. Either rows of A, for
  // `a_times` blocks of columns: K is one panel. Or columns of B, for `b_times` blocks of rows: K
  // is `b_panels` panels, and M is padded to as many blocks.
  std::size_t a_times = 1, b_panels = 1, b_times = 1;
  GemmType in = GemmType::kBf16;
  std::size_t out_bytes = 2;  // bf16: 2 (bf16), 4 (f32); int8: 1, 2, 4
  // C in the output's type from step to step, no accumulators apart. Of int8 to int8 and int16 the
  // simulator has times and no kernel.
  bool reload = false;
  bool double_buffer_c = false;
  std::size_t columns = 4;  // 1, 2 or 4
  // B as PackGemmB() makes it, with a bias of f32 (int8: int32) behind each object; otherwise
  // row-major, no bias.
  bool packed_b = false;
  bool gelu = false;        // epilogue, by the erf polynomial; needs packed_b
  bool gelu_table = false;  // by kernels/gelu's table instead, which takes room on the core
  // Only where GemmProblem::gelu says so: one overlay for linear layers with and without it.
  bool gelu_rtp = false;
  unsigned int_shift = 0;  // int8: C / 2^shift, rounded and saturated
  // int8 with a scale for each row of A and each column of B, to bf16 or f32 (out_bytes 2, 4). A is
  // as quantize_blocks_bf16 makes it of parts of k, so the scales of four rows travel behind them:
  // the cores' two input channels are A's and B's, and only A's goes by rows. Bias f32 and GELU as
  // of bf16; int_shift is MatmulScaledEpilogue's.
  bool scaled = false;
};

struct GemmProblem {
  std::size_t m = 0, k = 0, n = 0;
  // Elements from one row of A to the next; 0: the padded k. Less than k makes a convolution over
  // time-major rows without any im2col: neighbouring rows of A overlap.
  std::size_t a_stride = 0;
  bool gelu = false;  // for a configuration with gelu_rtp
};

// The least problem that holds `problem`, in whole tiles of the array: what buffers are sized for.
GemmProblem Padded(const GemmConfig& config, const GemmProblem& problem);

// Whether tiles, memory tiles and channels hold it, with the arithmetic.
device::Fit GemmFits(const GemmConfig& config);

// Throws kInvalidArgument, with GemmFits' reason.
device::Overlay GemmOverlay(const GemmConfig& config);

// Buffers of a run, in argument order: A, B, C, each of the padded problem, row-major but for a
// packed B. Throws kUnsupported where the shims' registers can't express it.
std::vector<device::Instruction> GemmInstructions(const GemmConfig& config,
                                                  const GemmProblem& problem);

// Bytes of the three buffers for a padded problem.
struct GemmBytes {
  std::size_t a = 0, b = 0, c = 0;
};
GemmBytes GemmBufferBytes(const GemmConfig& config, const GemmProblem& problem);

// B [k,n] row-major, bf16 bits or int8, and bias [n] (null: zeros), into the order in which cores
// take it: by block of columns, then step of k, mmul tiles of 8x4 (int8: 8x8), then the bias of
// those n columns. With scales those of the columns follow, [n] f32, each times 2^int_shift.
std::vector<std::byte> PackGemmB(const GemmConfig& config, const GemmProblem& problem,
                                 const void* b, const void* bias,
                                 const float* column_scales = nullptr);

}  // namespace xdna::kernels

#endif  // KERNELS_ARRAY_GEMM_H_
