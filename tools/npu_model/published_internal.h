// Parts of the table of published figures.
#ifndef TOOLS_NPU_MODEL_PUBLISHED_INTERNAL_H_
#define TOOLS_NPU_MODEL_PUBLISHED_INTERNAL_H_

#include <vector>

#include "tools/npu_model/published.h"

namespace xdna::model::internal {

// Taka et al., "Striking the Balance": 7940HS, turbo, xchesscc, B column-major, wall clock.
inline constexpr char kGemm25[] = "arXiv 2512.13282";
// jdominick05/ryzen-ai-xdna1-quantization docs/SILICON.md: 8700G, mlir-aie's whole_array, Peano.
inline constexpr char kSilicon[] = "SILICON";
inline constexpr char k8700g[] = "8700g-1.8";
// Its HISTORY and README: 8845HS, Peano, called from pyxrt.
inline constexpr char kWhisperXdna[] = "drakosha/whisper-xdna";

void AddGemm(std::vector<Figure>& all);

}  // namespace xdna::model::internal

#endif  // TOOLS_NPU_MODEL_PUBLISHED_INTERNAL_H_
