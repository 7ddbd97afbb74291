// The operands of a scaled int8 product (gemm.h): weights quantised by output channel ahead of
// time, activations by row on the array.
#ifndef KERNELS_ARRAY_SCALED_GEMM_H_
#define KERNELS_ARRAY_SCALED_GEMM_H_

#include <cstddef>
#include <vector>

#include "device/array/instructions.h"
#include "device/array/overlay.h"
#include "kernels/array/gemm.h"

namespace xdna::kernels {

// W [n,k] and bias [n] (or null), f32, as PackGemmB() packs them for W^T: each channel by its
// largest magnitude / 127, to the nearest integers.
std::vector<std::byte> PackScaledWeights(const GemmConfig& config, const GemmProblem& problem,
                                         const float* w, const float* bias);

// Rows of bf16 to a product's A, by kernels/quantize. A call of a core takes `rows` rows of
// `width`; with others as long together, of rows of another width, the overlay is the same.
struct QuantizeConfig {
  std::size_t rows = 4;     // a multiple of 4
  std::size_t width = 512;  // a multiple of k
  std::size_t k = 64;       // the product's
  std::size_t columns = 4;  // 1 to 4
};

// Rows in whole groups of all cores: what buffers are sized for.
std::size_t PaddedRows(const QuantizeConfig& config, std::size_t rows);
// Of A.
std::size_t QuantizedRowBytes(const QuantizeConfig& config);

// Throws kInvalidArgument, with the reason, for what the array can't hold.
device::Overlay QuantizeOverlay(const QuantizeConfig& config);
// Buffers of a run, in argument order, of padded rows: bf16 row-major, A.
std::vector<device::Instruction> QuantizeInstructions(const QuantizeConfig& config,
                                                      std::size_t rows);

}  // namespace xdna::kernels

#endif  // KERNELS_ARRAY_SCALED_GEMM_H_
