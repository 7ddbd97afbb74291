// Scaled int8 products on the simulated array: the bits of exact sums with the kernel's epilogue,
// and a linear layer from bf16 rows and f32 weights.
#include "kernels/array/scaled_gemm.h"

#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "device/sim/sim_array.h"
#include "device/sim/timing.h"
#include "kernels/array/gemm_testing.h"
#include "kernels/matmul/matmul.h"
#include "kernels/npu/kernels.h"
#include "kernels/quantize/quantize.h"

namespace xdna::kernels {
namespace {

// Scaled int8: rows of bf16 quantised by the kernel, exact sums in plain loops, and the kernel's
// epilogue on blocks of four rows.
template <typename Out>
void ExpectTheBitsOfScaledSums(const Product& p) {
  const GemmProblem padded = Padded(p.config, p.problem);
  const auto m = static_cast<int32>(padded.m), k = static_cast<int32>(padded.k),
             step = static_cast<int32>(p.config.k);
  const std::size_t n = p.problem.n, wide = (n + 7) / 8 * 8;
  const auto x = PaddedMatrix(Random<bfloat16>(p.problem.m * p.problem.k, 1), p.problem.m,
                              p.problem.k, padded.m, padded.k);
  const auto b = Random<int8>(p.problem.k * n, 2);
  alignas(32) float bias[256] = {};
  alignas(32) float scales[256] = {};
  for (std::size_t j = 0; j < n; ++j) {
    bias[j] = static_cast<float>(j * 37 % 101) / 64;
    scales[j] = static_cast<float>(j % 7 + 1) / 1999;
  }
  std::vector<int8> a(GemmBufferBytes(p.config, p.problem).a);
  quantize_blocks_bf16(x.data(), a.data(), m, k / step, step);
  auto packed = PackGemmB(p.config, p.problem, b.data(), bias, scales);
  std::vector<Out> y(padded.m * padded.n);
  const auto result = RunArray(p, std::vector{Bytes(a), Bytes(packed), Bytes(y)});
  ASSERT_TRUE(result.completed) << result.reason;
  const auto group = static_cast<std::size_t>(QuantizedPart(step));
  const std::size_t parts = padded.k / p.config.k;
  alignas(32) int32 sums[4 * 256];
  alignas(32) Out want[4 * 256];
  for (std::size_t i = 0; i < p.problem.m; ++i) {
    std::fill(std::begin(sums), std::end(sums), 0);
    const int8* rows = a.data() + i / 4 * parts * group;
    for (std::size_t j = 0; j < n; ++j) {
      int32 sum = 0;
      for (std::size_t z = 0; z < p.problem.k; ++z) {
        const std::size_t in_step = z % p.config.k;
        sum += rows[z / p.config.k * group + in_step / 8 * 32 + i % 4 * 8 + in_step % 8] *
               b[z * n + j];
      }
      sums[j / 8 * 32 + i % 4 * 8 + j % 8] = sum;
    }
    const MatmulScaledEpilogue e{
        .row_scales = reinterpret_cast<const bfloat16*>(rows + 4 * p.config.k),
        .column_scales = scales,
        .bias = bias,
        .shift = static_cast<int32>(p.config.int_shift),
        .gelu = p.config.gelu_rtp ? p.problem.gelu : p.config.gelu,
        .gelu_table = p.config.gelu_table};
    if constexpr (std::is_same_v<Out, float>) {
      matmul_finish_scaled_f32(sums, want, 4, static_cast<int32>(wide), &e);
    } else {
      matmul_finish_scaled_bf16(sums, want, 4, static_cast<int32>(wide), &e);
    }
    for (std::size_t j = 0; j < n; ++j) {
      const Out& expected = want[j / 8 * 32 + i % 4 * 8 + j % 8];
      ASSERT_EQ(std::memcmp(&y[i * padded.n + j], &expected, sizeof(Out)), 0)
          << GemmOverlay(p.config).name << " [" << i << "," << j << "]";
    }
  }
}

TEST(ScaledGemm, BitsOfTheKernels) {
  for (const std::size_t columns : {1, 2, 4}) {
    GemmConfig config = Tile(8, 32, 16);
    config.in = GemmType::kInt8;
    config.scaled = config.packed_b = true;
    config.columns = columns;
    for (const std::size_t out_bytes : {2, 4}) {
      config.out_bytes = out_bytes;
      config.int_shift = out_bytes / 2;
      const auto expect =
          out_bytes == 2 ? ExpectTheBitsOfScaledSums<bfloat16> : ExpectTheBitsOfScaledSums<float>;
      expect({config, {70, 150, 90}});
      config.gelu = true;
      expect({config, {3, 32, 8}});
      config.gelu_rtp = config.gelu_table = true;
      expect({config, {70, 150, 90, 0, true}});
      expect({config, {70, 150, 90, 0, false}});
      config.gelu = config.gelu_rtp = config.gelu_table = false;
    }
  }
  GemmConfig config = Tile(8, 32, 16);
  config.in = GemmType::kInt8;
  config.scaled = config.packed_b = true;
  config.k_mem = 64;
  config.b_panels = config.b_times = 2;
  ExpectTheBitsOfScaledSums<bfloat16>({config, {70, 100, 90}});
}

// The whole way of a linear layer, from bf16 rows and f32 weights, of both widths on one overlay.
TEST(ScaledGemm, FromQuantizedRows) {
  RegisterNpuKernels();
  constexpr std::size_t kRowsIn = 37, kWide = 128, kOut = 24;
  device::SimArray quantize(QuantizeOverlay({8, 64, 32, 4}), device::FindPreset("phx-1.0").array,
                            {});
  for (const QuantizeConfig& q : {QuantizeConfig{8, kWide / 2, 32, 4}, {4, kWide, 32, 4}}) {
    GemmConfig config = Tile(8, 32, 16);
    config.in = GemmType::kInt8;
    config.scaled = config.packed_b = true;
    config.k_mem = kWide / 2;
    const GemmProblem problem{kRowsIn, q.width, kOut};
    auto x = Random<bfloat16>(PaddedRows(q, kRowsIn) * q.width, 8);
    std::vector<float> w(kOut * q.width), bias(kOut, 0.5F);
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i * 7919 % 401) - 200;
    std::vector<int8> a(PaddedRows(q, kRowsIn) * QuantizedRowBytes(q));
    const auto quantized =
        quantize.Run(QuantizeInstructions(q, kRowsIn), std::vector{Bytes(x), Bytes(a)});
    ASSERT_TRUE(quantized.completed) << quantized.reason;
    ASSERT_GE(a.size(), GemmBufferBytes(config, problem).a);
    auto b = PackScaledWeights(config, problem, w.data(), bias.data());
    std::vector<bfloat16> y(GemmBufferBytes(config, problem).c / 2);
    const auto result = RunArray({config, problem}, std::vector{Bytes(a), Bytes(b), Bytes(y)});
    ASSERT_TRUE(result.completed) << result.reason;
    const std::size_t pitch = Padded(config, problem).n;
    double error = 0, norm = 0;
    for (std::size_t i = 0; i < kRowsIn; ++i) {
      for (std::size_t j = 0; j < kOut; ++j) {
        double want = bias[j];
        for (std::size_t z = 0; z < q.width; ++z) {
          want += static_cast<double>(x[i * q.width + z]) * w[j * q.width + z];
        }
        error += std::pow(y[i * pitch + j] - want, 2);
        norm += want * want;
      }
    }
    EXPECT_LT(std::sqrt(error / norm), 1e-2);
  }
}

TEST(ScaledGemm, QuantizeSaysWhatItCanNotDo) {
  EXPECT_THROW(QuantizeOverlay({6, 64, 32, 4}), Error);
  EXPECT_THROW(QuantizeOverlay({4, 64, 48, 4}), Error);
  EXPECT_THROW(QuantizeOverlay({64, 512, 64, 4}), Error);  // rows that a core can't hold
}

}  // namespace
}  // namespace xdna::kernels
