// Which part of the encoder computes in which precision: what --precision names.
#ifndef ENCODER_PRECISION_PLAN_H_
#define ENCODER_PRECISION_PLAN_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/tensor.h"
#include "ops/attention/attention_kernel.h"
#include "ops/contract.h"

namespace xdna::encoder {

struct PrecisionPlan {
  struct Layer {
    ops::Precision attention;  // of the projections
    ops::Integers integers;    // allowed between them; the rest is bf16 in int8
    ops::Precision fc1, fc2;   // of the feed-forward half's products
  };

  ops::Precision stem;
  std::vector<Layer> layers;

  // The lowest of all parts.
  ops::Precision lowest() const;
};

// int8 is for the layers' matrix products alone: not for the stem (4 % of the work), nor for what
// is sensitive. Measured with one part in int8 and all else in bf16, Whisper base, 11 windows of
// speech (LibriVox, LJ Speech, Harvard sentences, a public address), mean relative L2 error of the
// output against f32, 2026-11-24:
//
//   none                                        0.8e-2
//   projections of layer 0's attention          5.1e-2
//   first, second product of layer 0's FFN      1.7e-2, 1.2e-2
//   any one of the other 15 parts               0.9e-2 to 1.1e-2
//   scores of layers 1 to 5; of all layers      0.8e-2, 1.2e-2
//
// So kBf16 allows integers for scores but in layer 0; kInt8 keeps the projections and results of
// layer 0's attention in bf16, kMixed the first product of its FFN too. Over those windows that
// makes a mean of 0.9e-2, 2.6e-2 and 2.3e-2, at most 1.1e-2, 3.2e-2 and 2.9e-2. (All of layer 0's
// FFN in bf16 gives 2.2e-2 for 2.5 % of the time; no integers between the projections 2.0e-2 for
// 25 %.) Of the time that int8 saves in the linears, layer 0 is a sixth.
PrecisionPlan MakePrecisionPlan(ops::Precision precision, std::int64_t layers);

// "stem bf16; layer 0: attention bf16, scores int8 where faster, fc1 bf16, fc2 int8; layers 1 to 5:
// ...".
std::string Describe(const PrecisionPlan& plan);

// What to divide each column of x = LayerNorm(...) by, and to multiply the same column of
// the weights by that x meets, so that neither has columns much larger than the rest, which
// would take the steps of int8 from those: max|x|^0.7 / max|w|^0.3 (SmoothQuant, Xiao et al.
// 2022, equation 4). max|x| is estimated by |beta| + 3 |gamma|, so that it takes no
// calibration; that of LibriVox speech gives no less error (4.2e-2 both, all in int8).
// `gamma`, `beta` [d]; `weights` each [n,d] f32. 0.7 is the best of 0.3 to 0.7.
std::vector<float> SmoothingFactors(const TensorView& gamma, const TensorView& beta,
                                    std::span<const TensorView> weights);

}  // namespace xdna::encoder

#endif  // ENCODER_PRECISION_PLAN_H_
