// Designs of //kernels/array as the encoder uses them: weights folded and packed, GELU as a
// run-time parameter, operands that lie in wider rows.
#ifndef ENCODER_NPU_DESIGNS_H_
#define ENCODER_NPU_DESIGNS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/tensor.h"
#include "device/array/instructions.h"
#include "device/array/overlay.h"
#include "encoder/graph.h"
#include "kernels/array/gemm.h"

namespace xdna::encoder {

// The product's design for a width: tiles of m and at most k and n that divide it, so that rows lie
// back to back.
kernels::GemmConfig ProductTile(std::int64_t width, std::size_t m, std::size_t k, std::size_t n);

// A bf16 product with packed B whose GELU a run-time parameter switches. `table_gelu`: by the table
// of kernels/gelu in place of the erf polynomial, which takes 16 times as long.
kernels::GemmConfig WithGelu(kernels::GemmConfig config, bool table_gelu);
device::Overlay ProductOverlay(const kernels::GemmConfig& config, bool table_gelu);
std::vector<device::Instruction> ProductInstructions(const kernels::GemmConfig& config,
                                                     kernels::GemmProblem problem, bool gelu);
// W [n,k] and b [n], f32, as PackGemmB() packs them.
std::vector<std::byte> PackLinear(const kernels::GemmConfig& config,
                                  const kernels::GemmProblem& problem, const Tensor& w,
                                  const Tensor& b);

// W and b take over gamma and beta of the normalisation before them, in place.
void FoldNorm(const Tensor& gamma, const Tensor& beta, Tensor& w, Tensor& b);
// conv weights [d,c,3] as a product's [d, 3 c]: frame by frame, channels inside.
Tensor ByFrame(const Tensor& conv);
// What Q is multiplied by, in its weights.
double QueryScale(bool fused_attention, const EncoderShape& shape);

// The stream of a product with a B that is not packed, made for rows of `n` elements: B's and C's
// rows are `b_pitch` and `c_pitch` elements apart.
std::vector<device::Instruction> WithPitch(std::vector<device::Instruction> stream, std::size_t n,
                                           std::size_t b_pitch, std::size_t c_pitch);

}  // namespace xdna::encoder

#endif  // ENCODER_NPU_DESIGNS_H_
