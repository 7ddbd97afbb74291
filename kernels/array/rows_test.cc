// Kernels that go row by row, on the simulated array with data: what one call on all rows gives.
#include "kernels/array/rows.h"

#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "device/array/instructions.h"
#include "device/sim/sim_array.h"
#include "device/sim/timing.h"
#include "kernels/add/add.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/npu/kernels.h"

namespace xdna::kernels {
namespace {

using Kind = RowArgument::Kind;

template <typename T>
std::vector<T> Random(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<T> values(count);
  for (T& value : values) {
    value = static_cast<T>(static_cast<float>(static_cast<int>(random() % 2001) - 1000) / 256);
  }
  return values;
}

template <typename T>
device::DeviceMemory Bytes(std::vector<T>& values) {
  return {std::as_writable_bytes(std::span(values))};
}

// An aligned copy, as kernels want their operands.
template <typename T>
class Aligned {
 public:
  explicit Aligned(const std::vector<T>& values) : bytes_(values.size() * sizeof(T) + 32) {
    std::memcpy(data(), values.data(), values.size() * sizeof(T));
  }
  T* data() {
    const auto at = reinterpret_cast<std::uintptr_t>(bytes_.data());
    return reinterpret_cast<T*>(bytes_.data() + (32 - at % 32) % 32);
  }

 private:
  std::vector<std::byte> bytes_;
};

template <typename T>
bool SameBits(const std::vector<T>& x, const T* y) {
  return std::memcmp(x.data(), y, x.size() * sizeof(T)) == 0;
}

void RunRows(const RowsConfig& config, std::size_t rows,
             std::span<const device::DeviceMemory> memory) {
  RegisterNpuKernels();
  device::SimArray array(RowsOverlay(config), device::FindPreset("phx-1.0").array, {});
  const device::ArrayResult result = array.Run(RowsInstructions(config, rows), memory);
  EXPECT_TRUE(result.completed) << result.reason;
}

RowsConfig LayerNorm(std::size_t rows, std::size_t width, std::size_t columns) {
  return {.kernel = "layer_norm_bf16",
          .rows = rows,
          .in = {2 * width},
          .out = {2 * width},
          .constant_bytes = 4 * width,
          .arguments = {{Kind::kIn, 0},
                        {Kind::kConstant, 0},
                        {Kind::kConstant, static_cast<int>(2 * width)},
                        {Kind::kOut, 0},
                        {Kind::kRows, 0},
                        {Kind::kNumber, static_cast<int>(width)}},
          .columns = columns};
}

TEST(RowsArray, LayerNormWithGammaAndBeta) {
  constexpr std::size_t kWidth = 64;
  for (const std::size_t columns : {1, 2, 3, 4}) {
    for (const std::size_t rows : {1, 37, 100}) {
      const RowsConfig config = LayerNorm(3, kWidth, columns);
      const std::size_t padded = PaddedRows(config, rows);
      auto x = Random<bfloat16>(padded * kWidth, 1), constants = Random<bfloat16>(2 * kWidth, 2);
      std::vector<bfloat16> y(padded * kWidth);
      RunRows(config, rows, std::vector{Bytes(x), Bytes(constants), Bytes(y)});
      Aligned a(x), c(constants), expected(y);
      aie::host::core() = {};
      layer_norm_bf16(a.data(), c.data(), c.data() + kWidth, expected.data(),
                      static_cast<int32>(padded), kWidth);
      EXPECT_TRUE(SameBits(y, expected.data())) << columns << " columns, " << rows << " rows";
    }
  }
}

// Streams longer than what one task of a shim takes.
TEST(RowsArray, ManyTasks) {
  constexpr std::size_t kWidth = 512, kRows = 5000;
  const RowsConfig config = LayerNorm(8, kWidth, 2);
  const std::size_t padded = PaddedRows(config, kRows);
  auto x = Random<bfloat16>(padded * kWidth, 3), constants = Random<bfloat16>(2 * kWidth, 4);
  std::vector<bfloat16> y(padded * kWidth);
  const auto stream = RowsInstructions(config, kRows);
  const auto tasks = std::count_if(stream.begin(), stream.end(), [](const auto& instruction) {
    return std::holds_alternative<device::PushTask>(instruction);
  });
  EXPECT_EQ(tasks, 2 * (1 + 3 * 2));  // on two columns: constants, and three times in and out
  RunRows(config, kRows, std::vector{Bytes(x), Bytes(constants), Bytes(y)});
  Aligned a(x), c(constants), expected(y);
  aie::host::core() = {};
  layer_norm_bf16(a.data(), c.data(), c.data() + kWidth, expected.data(),
                  static_cast<int32>(padded), kWidth);
  EXPECT_TRUE(SameBits(y, expected.data()));
}

template <typename A, typename B, typename Y, typename F>
void ExpectSums(const char* kernel, F add) {
  constexpr std::size_t kWidth = 32;
  const RowsConfig config{
      .kernel = kernel,
      .rows = 5,
      .in = {kWidth * sizeof(A), kWidth * sizeof(B)},
      .out = {kWidth * sizeof(Y)},
      .arguments = {{Kind::kIn, 0}, {Kind::kIn, 1}, {Kind::kOut, 0}, {Kind::kNumber, 5 * kWidth}}};
  const std::size_t padded = PaddedRows(config, 123);
  auto a = Random<A>(padded * kWidth, 5);
  auto b = Random<B>(padded * kWidth, 6);
  std::vector<Y> y(padded * kWidth);
  RunRows(config, 123, std::vector{Bytes(a), Bytes(b), Bytes(y)});
  Aligned x(a);
  Aligned z(b);
  Aligned expected(y);
  aie::host::core() = {};
  add(x.data(), z.data(), expected.data(), static_cast<int32>(padded * kWidth));
  EXPECT_TRUE(SameBits(y, expected.data())) << kernel;
}

TEST(RowsArray, TwoInputs) {
  ExpectSums<bfloat16, bfloat16, bfloat16>("add_bf16", add_bf16);
  ExpectSums<float, float, float>("add_f32", add_f32);
  ExpectSums<float, bfloat16, float>("add_residual_f32", add_residual_f32);
}

TEST(RowsArray, MostRowsFillTheTile) {
  RowsConfig config = LayerNorm(1, 512, 4);
  const std::size_t most = MostRows(config);
  config.rows = most;
  EXPECT_TRUE(RowsFit(config));
  config.rows = most + 1;
  EXPECT_FALSE(RowsFit(config));
  // Two of x and of y, the constants and the stack.
  EXPECT_EQ(most, (65536 - 1024 - 2048) / (4 * 1024));
  config.in = config.out = {40000};
  EXPECT_EQ(MostRows(config), 0U);
}

std::string WhyNot(const RowsConfig& config) {
  EXPECT_THROW(RowsOverlay(config), Error);
  return RowsFit(config).reason;
}

TEST(RowsArray, SaysWhatDoesNotFit) {
  RowsConfig config = LayerNorm(4, 64, 5);
  EXPECT_EQ(WhyNot(config),
            "rows layer_norm_bf16: 4 rows a call on 5 columns; want 1 or more on 1 to 4");
  config = LayerNorm(4, 64, 4);
  config.in = {128, 128};
  EXPECT_EQ(WhyNot(config),
            "rows layer_norm_bf16: 2 inputs, 256 B of constants, 1 outputs; a tile has 2 channels "
            "each way");
  EXPECT_NE(WhyNot(LayerNorm(16, 512, 4)).find("65536"), std::string::npos)
      << WhyNot(LayerNorm(16, 512, 4));
}

}  // namespace
}  // namespace xdna::kernels
