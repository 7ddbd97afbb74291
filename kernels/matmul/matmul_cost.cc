// How kernels/cost calls this kernel to count what it issues.
#include <vector>

#include "kernels/cost/kernel_cost.h"
#include "kernels/matmul/matmul.h"
#include "kernels/quantize/quantize.h"

namespace xdna::kernels {
namespace {

template <typename Out>
KernelCost FinishCost(const char* name,
                      void (*kernel)(const float*, Out*, int32, int32, const MatmulEpilogue*)) {
  return {
      name,
      {Size("m", 4), Size("n", 4), Value("bias"), Value("residual"), Value("scale"), Value("gelu")},
      [kernel](const Arguments& a, TileMemory& tile) {
        const MatmulEpilogue epilogue = {
            .bias = a[2] != 0 ? tile.At<float>(2, a[1]) : nullptr,
            .residual = a[3] != 0 ? tile.At<bfloat16>(3, a[0] * a[1]) : nullptr,
            .scale = a[4] != 0 ? 0.5F : 1.0F,
            .gelu = a[5] != 0,
            .gelu_table = a[5] == 2};
        kernel(tile.At<float>(0, a[0] * a[1]), tile.At<Out>(1, a[0] * a[1]), a[0], a[1], &epilogue);
      }};
}

template <typename Out>
KernelCost FinishCost(const char* name,
                      void (*kernel)(const int32*, Out*, int32, int32, const MatmulIntEpilogue*)) {
  return {name,
          {Size("m", 4), Size("n", 8), Value("bias")},
          [kernel](const Arguments& a, TileMemory& tile) {
            const MatmulIntEpilogue epilogue = {
                .bias = a[2] != 0 ? tile.At<int32>(2, a[1]) : nullptr, .shift = 8};
            kernel(tile.At<int32>(0, a[0] * a[1]), tile.At<Out>(1, a[0] * a[1]), a[0], a[1],
                   &epilogue);
          },
          {},
          MacType::kInteger};
}

template <typename Out>
KernelCost FinishCost(const char* name, void (*kernel)(const int32*, Out*, int32, int32,
                                                       const MatmulScaledEpilogue*)) {
  return {name,
          {Size("m", 4), Size("n", 8), Value("gelu")},
          [kernel](const Arguments& a, TileMemory& tile) {
            const MatmulScaledEpilogue epilogue = {.row_scales = tile.At<bfloat16>(2, 4 * a[0]),
                                                   .column_scales = tile.At<float>(3, a[1]),
                                                   .bias = tile.At<float>(3, a[1], 8192),
                                                   .shift = 1,
                                                   .gelu = a[2] != 0,
                                                   .gelu_table = a[2] == 2};
            kernel(tile.At<int32>(0, a[0] * a[1]), tile.At<Out>(1, a[0] * a[1]), a[0], a[1],
                   &epilogue);
          }};
}

}  // namespace

std::vector<KernelCost> MatmulCosts();

std::vector<KernelCost> MatmulCosts() {
  // Register blocks are 16 rows and 16 columns; what is left over goes by single tiles.
  const Parameter m = Size("m", 4, 16), k = Size("k", 8), bf16_n = Size("n", 4, 16),
                  int8_n = Size("n", 8, 16), first = Value("first");
  return {
      {"matmul_bf16",
       {m, k, bf16_n, first},
       [](const Arguments& a, TileMemory& tile) {
         matmul_bf16(tile.At<bfloat16>(0, a[0] * a[1]), tile.At<bfloat16>(1, a[1] * a[2]),
                     tile.At<float>(2, a[0] * a[2]), a[0], a[1], a[2], a[3]);
       }},
      {"matmul_reload_bf16",
       {m, k, bf16_n, first, Value("rounding")},
       [](const Arguments& a, TileMemory& tile) {
         matmul_reload_bf16(tile.At<bfloat16>(0, a[0] * a[1]), tile.At<bfloat16>(1, a[1] * a[2]),
                            tile.At<bfloat16>(2, a[0] * a[2]), a[0], a[1], a[2], a[3], 12);
       }},
      {"matmul_int8",
       {m, k, int8_n, first},
       [](const Arguments& a, TileMemory& tile) {
         matmul_int8(tile.At<int8>(0, a[0] * a[1]), tile.At<int8>(1, a[1] * a[2]),
                     tile.At<int32>(2, a[0] * a[2]), a[0], a[1], a[2], a[3]);
       },
       {},
       MacType::kInteger},
      {"matmul_scaled_int8",
       {m, k, int8_n, first},
       [](const Arguments& a, TileMemory& tile) {
         matmul_scaled_int8(tile.At<int8>(0, a[0] / 4 * QuantizedPart(a[1])),
                            tile.At<int8>(1, a[1] * a[2]), tile.At<int32>(2, a[0] * a[2]), a[0],
                            a[1], a[2], a[3]);
       },
       {},
       MacType::kInteger},
      FinishCost<float>("matmul_finish_f32", matmul_finish_f32),
      FinishCost<bfloat16>("matmul_finish_bf16", matmul_finish_bf16),
      FinishCost<int8>("matmul_finish_int8", matmul_finish_int8),
      FinishCost<int16>("matmul_finish_int16", matmul_finish_int16),
      FinishCost<int32>("matmul_finish_int32", matmul_finish_int32),
      FinishCost<float>("matmul_finish_scaled_f32", matmul_finish_scaled_f32),
      FinishCost<bfloat16>("matmul_finish_scaled_bf16", matmul_finish_scaled_bf16),
  };
}

}  // namespace xdna::kernels
