// The table's kernels: bulk forms against the kernels that they stand for, and that all of them
// give the same bits for each instruction set of this machine.
#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/error.h"
#include "device/sim/kernel_table.h"
#include "kernels/aie/exact_matmul.h"
#include "kernels/gelu/gelu.h"
#include "kernels/matmul/matmul.h"
#include "kernels/npu/bulk.h"
#include "kernels/npu/bulk_gelu.h"
#include "kernels/npu/kernels.h"
#include "kernels/quantize/quantize.h"

namespace xdna::kernels {
namespace {

// Memory of a tile: activations as f32 bits, or any bits, with infinities and NaN among them.
using Words = std::vector<std::uint32_t>;
Words Activations(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0, 2);
  Words words(count);
  for (std::uint32_t& w : words) w = std::bit_cast<std::uint32_t>(normal(random));
  return words;
}
Words AnyBits(std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Words words(count);
  for (std::uint32_t& w : words) w = static_cast<std::uint32_t>(random());
  return words;
}

template <typename T>
T* As(Words& words) {
  return reinterpret_cast<T*>(words.data());
}

class NpuTest : public ::testing::Test {
 protected:
  void SetUp() override { aie::host::core() = {}; }
  void TearDown() override {
    aie::host::core() = {};
    UseExactMatmulTarget("");
  }
};

constexpr int32 kM = 12, kK = 24, kN = 40;

TEST_F(NpuTest, BulkProductsAreTheKernels) {
  for (Words a : {Activations(kM * kK, 1), AnyBits(kM * kK, 2)}) {
    for (const int32 first : {1, 0}) {
      Words b = Activations(kK * kN, 3), want = Activations(kM * kN, 4), got = want;
      matmul_bf16(As<bfloat16>(a), As<bfloat16>(b), As<float>(want), kM, kK, kN, first);
      BulkMatmulBf16(As<bfloat16>(a), As<bfloat16>(b), As<float>(got), kM, kK, kN, first);
      EXPECT_EQ(got, want);
      matmul_int8(As<int8>(a), As<int8>(b), As<int32>(want), kM, kK, kN, first);
      aie::set_saturation(aie::saturation_mode::saturate);
      BulkMatmulInt8(As<int8>(a), As<int8>(b), As<int32>(got), kM, kK, kN, first);
      EXPECT_EQ(got, want);
      EXPECT_EQ(aie::get_saturation(), aie::saturation_mode::none);
    }
  }
}

TEST_F(NpuTest, BulkScaledProductsAreTheKernels) {
  constexpr int32 kDeep = 32;
  constexpr std::size_t kCount = kM * kN;
  Words a = AnyBits(kM / 4 * static_cast<std::size_t>(QuantizedPart(kDeep)) / 4, 1);
  Words b = AnyBits(kDeep * kN / 4, 2), want = AnyBits(kCount, 3), got = want;
  for (const int32 first : {1, 0}) {
    matmul_scaled_int8(As<int8>(a), As<int8>(b), As<int32>(want), kM, kDeep, kN, first);
    BulkMatmulScaledInt8(As<int8>(a), As<int8>(b), As<int32>(got), kM, kDeep, kN, first);
    EXPECT_EQ(got, want);
  }
  for (Words numbers : {Activations(kCount, 5), AnyBits(kCount, 6)}) {
    const MatmulScaledEpilogue epilogue{.row_scales = As<bfloat16>(numbers),
                                        .column_scales = As<float>(numbers) + 128,
                                        .bias = As<float>(numbers) + 64,
                                        .shift = 4,
                                        .gelu = true};
    Words sums = AnyBits(kCount, 7), y(kCount), bulk(kCount);
    matmul_finish_scaled_bf16(As<int32>(sums), As<bfloat16>(y), kM, kN, &epilogue);
    BulkFinishScaledGelu(As<int32>(sums), As<bfloat16>(bulk), kM, kN, epilogue);
    EXPECT_EQ(bulk, y);
    matmul_finish_scaled_f32(As<int32>(sums), As<float>(y), kM, kN, &epilogue);
    BulkFinishScaledGelu(As<int32>(sums), As<float>(bulk), kM, kN, epilogue);
    EXPECT_EQ(bulk, y);
  }
}

TEST_F(NpuTest, BulkGeluIsTheKernels) {
  constexpr std::size_t kCount = kM * kN;  // seven times 64, and 32
  for (Words sums : {Activations(kCount, 1), AnyBits(kCount, 2)}) {
    Words bias = Activations(kN, 3);
    for (const float* b : {static_cast<const float*>(nullptr), As<const float>(bias)}) {
      const MatmulEpilogue epilogue{.bias = b, .gelu = true};
      Words want(kCount), got(kCount);
      matmul_finish_bf16(As<float>(sums), As<bfloat16>(want), kM, kN, &epilogue);
      aie::set_rounding(aie::rounding_mode::floor);
      BulkFinishGelu(As<float>(sums), b, As<bfloat16>(got), kM, kN);
      EXPECT_EQ(got, want);
      EXPECT_EQ(aie::get_rounding(), aie::rounding_mode::conv_even);
      matmul_finish_f32(As<float>(sums), As<float>(want), kM, kN, &epilogue);
      got = sums;  // in place
      BulkFinishGelu(As<float>(got), b, As<float>(got), kM, kN);
      EXPECT_EQ(got, want);
    }
    Words want(kCount), got(kCount);
    gelu_bf16(As<bfloat16>(sums), As<bfloat16>(want), kCount);
    aie::set_rounding(aie::rounding_mode::floor);
    BulkGeluBf16(As<bfloat16>(sums), As<bfloat16>(got), kCount);
    EXPECT_EQ(got, want);
    EXPECT_EQ(aie::get_rounding(), aie::rounding_mode::conv_even);
  }
}

// A call by its numbers; each pointer has memory of its own.
struct Call {
  const char* name;
  std::vector<std::int32_t> numbers;
};
const Call kCalls[] = {
    {"matmul_bf16", {kM, kK, kN, 0}},
    {"matmul_reload_bf16", {kM, kK, kN, 0, 12}},
    {"matmul_int8", {kM, kK, kN, 0}},
    {"matmul_finish_tile_bf16", {kM, kN, 0}},
    {"matmul_finish_tile_bf16", {kM, kN, 1}},
    {"matmul_finish_tile_f32", {kM, kN, 0}},
    {"matmul_finish_tile_f32", {kM, kN, 1}},
    {"matmul_finish_table_bf16", {kM, kN, 0}},
    {"matmul_finish_table_bf16", {kM, kN, 1}},
    {"matmul_finish_table_f32", {kM, kN, 1}},
    {"matmul_finish_tile_int8", {kM, kN, 3}},
    {"matmul_finish_tile_int16", {kM, kN, 3}},
    {"matmul_finish_tile_int32", {kM, kN, 3}},
    {"matmul_scaled_int8", {kM, 32, kN, 0}},
    {"matmul_finish_scaled_tile_bf16", {kM, kN, 32, 1, 0}},
    {"matmul_finish_scaled_tile_bf16", {kM, kN, 32, 1, 1}},
    {"matmul_finish_scaled_tile_f32", {kM, kN, 32, 0, 1}},
    {"matmul_finish_scaled_table_bf16", {kM, kN, 32, 1, 1}},
    {"matmul_finish_scaled_table_f32", {kM, kN, 32, 0, 1}},
    {"attention_block_bf16", {8, 32, 13, 1}},
    {"attention_finish_bf16", {8, 32}},
    {"layer_norm_bf16", {3, 96}},
    {"layer_norm_folded_bf16", {3, 96}},
    {"layer_norm_one_pass_bf16", {3, 96}},
    {"layer_norm_nosqrt0_bf16", {3, 96}},
    {"layer_norm_nosqrt1_bf16", {3, 96}},
    {"layer_norm_nosqrt2_bf16", {3, 96}},
    {"layer_norm_nosqrt3_bf16", {3, 96}},
    {"softmax_bf16", {3, 96, 77}},
    {"softmax_inverse_bf16", {3, 96, 77}},
    {"softmax_stock_bf16", {3, 96, 77}},
    {"gelu_bf16", {96}},
    {"gelu_table_bf16", {96}},
    {"gelu_stock_bf16", {96}},
    {"add_bf16", {96}},
    {"add_f32", {96}},
    {"add_residual_f32", {96}},
    {"add_norm_f32", {3, 96}},
    {"convert_f32_bf16", {96, 12}},
    {"convert_bf16_f32", {96}},
    {"scale_bf16", {std::bit_cast<std::int32_t>(0.3F), 96}},
    {"quantize_rows_bf16", {3, 96}},
    {"quantize_blocks_bf16", {4, 3, 32}},
    {"passthrough_words", {96}},
};

// What the memory behind all pointers holds after the call.
std::vector<Words> After(const Call& call, bool hostile) {
  const device::Kernel& kernel = device::FindKernel(call.name);
  std::vector<Words> memory;
  std::vector<void*> pointers;
  for (unsigned i = 0; i < kernel.pointers; ++i) {
    // Room for tiles and the weights of attention.
    memory.push_back(hostile ? AnyBits(2048, i) : Activations(2048, i));
  }
  for (Words& words : memory) pointers.push_back(words.data());
  device::CoreState core;
  kernel.run(core, pointers, call.numbers);
  return memory;
}

TEST_F(NpuTest, AllInstructionSetsGiveTheSameBits) {
  RegisterNpuKernels();
  RegisterNpuKernels();
  for (const Call& call : kCalls) {
    SCOPED_TRACE(call.name);
    ASSERT_EQ(call.numbers.size(), device::FindKernel(call.name).numbers);
    for (const bool hostile : {false, true}) {
      UseExactMatmulTarget("");
      const std::vector<Words> best = After(call, hostile);
      for (const std::string& target : ExactMatmulTargets()) {
        UseExactMatmulTarget(target);
        EXPECT_EQ(After(call, hostile), best) << target;
      }
    }
  }
}

TEST_F(NpuTest, CoversTheTable) {
  RegisterNpuKernels();
  for (const std::string& name : device::KernelNames()) {
    EXPECT_TRUE(std::any_of(std::begin(kCalls), std::end(kCalls), [&](const Call& call) {
      return call.name == name;
    })) << name;
  }
}

// A core keeps its registers from call to call; the thread that plays it does not.
TEST_F(NpuTest, RegistersBelongToTheCore) {
  RegisterNpuKernels();
  aie::set_rounding(aie::rounding_mode::ceil);
  Words x = Activations(16, 1), y(16);
  const std::vector<void*> pointers = {x.data(), y.data()};
  const std::vector<std::int32_t> numbers = {16, static_cast<int32>(aie::rounding_mode::conv_odd)};
  device::CoreState core;
  device::FindKernel("convert_f32_bf16").run(core, pointers, numbers);
  ASSERT_NE(core, nullptr);
  EXPECT_EQ(static_cast<const aie::host::core_state*>(core.get())->rounding,
            aie::rounding_mode::conv_odd);
  EXPECT_EQ(aie::get_rounding(), aie::rounding_mode::ceil);
}

TEST_F(NpuTest, CyclesOfACall) {
  RegisterNpuKernels();
  const device::Kernel& kernel = device::FindKernel("matmul_finish_tile_bf16");
  const std::vector<std::int32_t> plain = {kM, kN, 0}, gelu = {kM, kN, 1};
  EXPECT_LT(kernel.cycles("peano", plain, 0), kernel.cycles("peano", gelu, 0));
  EXPECT_THROW(kernel.cycles("gcc", plain, 0), Error);
}

}  // namespace
}  // namespace xdna::kernels
