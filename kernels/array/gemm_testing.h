// What tests of products on the simulated array share.
#ifndef KERNELS_ARRAY_GEMM_TESTING_H_
#define KERNELS_ARRAY_GEMM_TESTING_H_

#include <aie_api/aie.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <type_traits>
#include <vector>

#include "device/array/instructions.h"
#include "device/sim/sim_array.h"
#include "device/sim/timing.h"
#include "kernels/array/gemm.h"
#include "kernels/matmul/matmul_tiles.h"
#include "kernels/npu/kernels.h"

namespace xdna::kernels {

// bf16 bits of a few octaves, or bytes.
template <typename In>
std::vector<In> Random(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<In> values(count);
  for (In& value : values) {
    if constexpr (std::is_same_v<In, bfloat16>) {
      value = bfloat16(static_cast<float>(static_cast<int>(random() % 4001) - 2000) / 512.0F);
    } else {
      value = static_cast<In>(static_cast<int>(random() % 255) - 127);
    }
  }
  return values;
}

template <typename T>
std::vector<T> PaddedMatrix(const std::vector<T>& from, std::size_t rows, std::size_t cols,
                            std::size_t to_rows, std::size_t to_cols) {
  std::vector<T> to(to_rows * to_cols);
  for (std::size_t i = 0; i < rows; ++i) {
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(i * cols), cols,
                to.begin() + static_cast<std::ptrdiff_t>(i * to_cols));
  }
  return to;
}

template <typename T>
device::DeviceMemory Bytes(std::vector<T>& values) {
  return {std::as_writable_bytes(std::span(values))};
}

struct Product {
  GemmConfig config;
  GemmProblem problem;

  MatmulProblem small() const {
    return {static_cast<int32>(problem.m), static_cast<int32>(problem.k),
            static_cast<int32>(problem.n)};
  }
  MatmulTile tile() const {
    return {static_cast<int32>(config.m), static_cast<int32>(config.k),
            static_cast<int32>(config.n)};
  }
};

inline device::ArrayResult RunArray(const Product& p,
                                    std::span<const device::DeviceMemory> memory) {
  RegisterNpuKernels();
  device::SimArray array(GemmOverlay(p.config), device::FindPreset("phx-1.0").array, {});
  return array.Run(GemmInstructions(p.config, p.problem), memory);
}

inline GemmConfig Tile(std::size_t m, std::size_t k, std::size_t n) {
  GemmConfig config;
  config.m = m;
  config.k = k;
  config.n = n;
  return config;
}

}  // namespace xdna::kernels

#endif  // KERNELS_ARRAY_GEMM_TESTING_H_
