// Sizes in a product's design (gemm.h), which its overlay and its instruction streams agree on.
#ifndef KERNELS_ARRAY_GEMM_LAYOUT_H_
#define KERNELS_ARRAY_GEMM_LAYOUT_H_

#include <cstddef>
#include <cstdint>

#include "device/array/pattern.h"
#include "kernels/array/gemm.h"
#include "kernels/array/tiles.h"
#include "kernels/quantize/quantize.h"

namespace xdna::kernels::gemm_layout {

inline constexpr std::size_t kR = 4, kS = 8;  // mmul's rows and depth
inline constexpr std::size_t kSumBytes = 4;
inline constexpr std::size_t kScaleBytes = 4;
inline constexpr unsigned kWord = 4;
inline constexpr unsigned kTiles = 0, kSteps = 1, kGelu = 2;  // run-time parameters of a core
inline constexpr unsigned kGoLock = 6;  // a core's three FIFOs have the locks before

inline std::size_t InBytes(const GemmConfig& c) { return c.in == GemmType::kBf16 ? 2 : 1; }
inline std::size_t T(const GemmConfig& c) { return c.in == GemmType::kBf16 ? 4 : 8; }
inline std::size_t RowsPerColumn(const GemmConfig& c) { return kRows / c.columns; }

// Of a scaled A: four rows of a step and their scales.
inline std::size_t GroupBytes(const GemmConfig& c) {
  return static_cast<std::size_t>(QuantizedPart(static_cast<std::int32_t>(c.k)));
}

inline std::size_t AObjectBytes(const GemmConfig& c) {
  return c.scaled ? c.m / kR * GroupBytes(c) : c.m * c.k * InBytes(c);
}

inline std::size_t BObjectBytes(const GemmConfig& c) {
  return c.k * c.n * InBytes(c) + (c.packed_b ? c.n * kSumBytes : 0) +
         (c.scaled ? c.n * kScaleBytes : 0);
}

// Of B in a memory tile. Where it is kept, its panels make room for the next ones one by one.
inline unsigned BDepth(const GemmConfig& c) { return c.b_times > 1 ? 1 : 2; }

inline std::size_t MemBytes(const GemmConfig& c, std::size_t k_mem) {
  const std::size_t a = RowsPerColumn(c) * (k_mem / c.k) * AObjectBytes(c);
  const std::size_t b = c.b_panels * (k_mem / c.k) * BObjectBytes(c);
  return BDepth(c) * b + 2 * (a + kRows * c.m * c.n * c.out_bytes);
}

// Deeper panels make longer runs in host memory; beyond 4 steps little is left to gain.
inline std::size_t KMem(const GemmConfig& c) {
  if (c.k_mem != 0) return c.k_mem;
  for (std::size_t steps = 4; steps > 1; steps /= 2) {
    if (MemBytes(c, steps * c.k) <= device::kMemTileBytes) return steps * c.k;
  }
  return c.k;
}

}  // namespace xdna::kernels::gemm_layout

#endif  // KERNELS_ARRAY_GEMM_LAYOUT_H_
