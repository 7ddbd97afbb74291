#include "kernels/npu/bulk_gelu.h"

#include <aie_api/aie.hpp>
#include <cstddef>
#include <vector>

#include "kernels/convert/convert.h"
#include "kernels/gelu/gelu_lanes.h"
#include "kernels/matmul/matmul.h"

namespace xdna::kernels {
namespace {

constexpr int32 kNearest = static_cast<int32>(aie::rounding_mode::conv_even);

// From `at` on, kLanes at a time; where it stopped.
template <unsigned kLanes>
std::size_t GeluInPlace(std::vector<float>& values, std::size_t at) {
  for (; at + kLanes <= values.size(); at += kLanes) {
    float* const lanes = values.data() + at;
    const aie::vector<float, kLanes> x = aie::load_unaligned_v<kLanes>(lanes);
    aie::store_unaligned_v(lanes, GeluErf(x).template to_vector<float>());
  }
  return at;
}

// A multiple of 16 values.
void GeluInPlace(std::vector<float>& values) {
  aie::set_rounding(aie::rounding_mode::conv_even);
  GeluInPlace<16>(values, GeluInPlace<64>(values, 0));
}

// f32 between the steps loses nothing: the kernels have it in accumulators.
template <typename Out>
void Finish(const float* sums, const float* bias, Out* y, int32 m, int32 n,
            void (*finish)(const float*, Out*, int32, int32, const MatmulEpilogue*)) {
  thread_local std::vector<float> values;
  values.resize(static_cast<std::size_t>(m) * static_cast<std::size_t>(n));
  const MatmulEpilogue with_bias{.bias = bias};
  matmul_finish_f32(sums, values.data(), m, n, &with_bias);
  GeluInPlace(values);
  const MatmulEpilogue round;
  finish(values.data(), y, m, n, &round);
}

template <typename Out>
void FinishScaled(const int32* sums, Out* y, int32 m, int32 n, MatmulScaledEpilogue epilogue,
                  void (*finish)(const float*, Out*, int32, int32, const MatmulEpilogue*)) {
  thread_local std::vector<float> values;
  values.resize(static_cast<std::size_t>(m) * static_cast<std::size_t>(n));
  epilogue.gelu = false;
  matmul_finish_scaled_f32(sums, values.data(), m, n, &epilogue);
  GeluInPlace(values);
  const MatmulEpilogue round{.rounding = epilogue.rounding};
  finish(values.data(), y, m, n, &round);
}

}  // namespace

void BulkGeluBf16(const bfloat16* x, bfloat16* y, int32 n) {
  thread_local std::vector<float> values;
  values.resize(static_cast<std::size_t>(n));
  convert_bf16_f32(x, values.data(), n);
  GeluInPlace(values);
  convert_f32_bf16(values.data(), y, n, kNearest);
}

void BulkFinishGelu(const float* sums, const float* bias, bfloat16* y, int32 m, int32 n) {
  Finish(sums, bias, y, m, n, matmul_finish_bf16);
}

void BulkFinishGelu(const float* sums, const float* bias, float* y, int32 m, int32 n) {
  Finish(sums, bias, y, m, n, matmul_finish_f32);
}

void BulkFinishScaledGelu(const int32* sums, bfloat16* y, int32 m, int32 n,
                          MatmulScaledEpilogue epilogue) {
  FinishScaled(sums, y, m, n, epilogue, matmul_finish_bf16);
}

void BulkFinishScaledGelu(const int32* sums, float* y, int32 m, int32 n,
                          MatmulScaledEpilogue epilogue) {
  FinishScaled(sums, y, m, n, epilogue, matmul_finish_f32);
}

}  // namespace xdna::kernels
