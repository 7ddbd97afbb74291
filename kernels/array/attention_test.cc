// Attention on the simulated array with data: the bits of the exact host form, ragged or not.
#include "kernels/array/attention.h"

#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "device/sim/sim_array.h"
#include "device/sim/timing.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/exact_attention.h"
#include "kernels/npu/kernels.h"

namespace xdna::kernels {
namespace {

template <typename T>
device::DeviceMemory Bytes(std::vector<T>& values) {
  return {std::as_writable_bytes(std::span(values))};
}

std::uint16_t Bits(float value) {
  const bfloat16 narrow(value);
  std::uint16_t bits = 0;
  std::memcpy(&bits, &narrow, sizeof bits);
  return bits;
}

// [rows, 3 heads d]; scores spread over some octaves.
std::vector<std::uint16_t> RandomQkv(std::size_t rows, std::size_t width, std::size_t d) {
  std::mt19937 random(11);
  const double scale = AttentionScale(std::sqrt(static_cast<double>(d)));
  std::vector<std::uint16_t> qkv(rows * 3 * width);
  for (std::size_t i = 0; i < qkv.size(); ++i) {
    const float x = static_cast<float>(static_cast<int>(random() % 4001) - 2000) / 500.0F;
    qkv[i] = Bits(i % (3 * width) < width ? x * static_cast<float>(scale) : x);
  }
  return qkv;
}

void ExpectExactBits(const AttentionArrayConfig& config, const AttentionProblem& problem) {
  RegisterNpuKernels();
  const std::size_t padded = PaddedPositions(config, problem.rows);
  const std::size_t width = problem.heads * config.d;
  std::vector<std::uint16_t> qkv = RandomQkv(padded, width, config.d);
  std::vector<std::uint16_t> y(padded * width);
  device::SimArray array(AttentionOverlay(config), device::FindPreset("phx-1.0").array, {});
  const device::ArrayResult result =
      array.Run(AttentionInstructions(config, problem), std::vector{Bytes(qkv), Bytes(y)});
  ASSERT_TRUE(result.completed) << result.reason;

  std::vector<std::uint16_t> expected(problem.rows * width);
  aie::host::core() = {};
  for (std::size_t head = 0; head < problem.heads; ++head) {
    const std::uint16_t* q = qkv.data() + head * config.d;
    ExactAttention({.queries = problem.rows,
                    .keys = problem.rows,
                    .d = config.d,
                    .q_stride = 3 * width,
                    .k_stride = 3 * width,
                    .v_stride = 3 * width,
                    .y_stride = width},
                   config.keys, q, q + width, q + 2 * width, expected.data() + head * config.d);
  }
  EXPECT_EQ(std::memcmp(y.data(), expected.data(), expected.size() * sizeof(std::uint16_t)), 0)
      << problem.rows << " rows, " << problem.heads << " heads, " << config.queries << " queries, "
      << config.keys << " keys, " << config.columns << " columns";
}

TEST(AttentionArray, RaggedOrNotOnAnyColumns) {
  for (const std::size_t columns : {1, 2, 3, 4}) {
    const AttentionArrayConfig config{.queries = 8, .keys = 16, .d = 16, .columns = columns};
    // One key; less than a block; whole blocks; a ragged block after whole ones.
    for (const std::size_t rows : {1, 7, 64, 75}) ExpectExactBits(config, {rows, 3});
  }
}

TEST(AttentionArray, AsWhispersHeads) {
  ExpectExactBits({.queries = 32, .keys = 32, .d = 64}, {300, 2});
  ExpectExactBits({}, {300, 1});
}

TEST(AttentionArray, RunsAgainWithOtherSizes) {
  RegisterNpuKernels();
  const AttentionArrayConfig config{.queries = 8, .keys = 16, .d = 16};
  device::SimArray array(AttentionOverlay(config), device::FindPreset("phx-1.0").array, {});
  for (const std::size_t rows : {100, 20}) {
    const std::size_t padded = PaddedPositions(config, rows);
    std::vector<std::uint16_t> qkv = RandomQkv(padded, 16, 16), y(padded * 16);
    const auto result =
        array.Run(AttentionInstructions(config, {rows, 1}), std::vector{Bytes(qkv), Bytes(y)});
    EXPECT_TRUE(result.completed) << result.reason;
  }
}

std::string WhyNot(const AttentionArrayConfig& config) {
  EXPECT_THROW(AttentionOverlay(config), Error);
  return AttentionArrayFits(config).reason;
}

TEST(AttentionArray, SaysWhatDoesNotFit) {
  EXPECT_EQ(WhyNot({.queries = 6, .keys = 12, .d = 20}),
            "attention: blocks of 6 queries, 12 keys, heads of 20; want multiples of 4, 8 and 16");
  EXPECT_EQ(WhyNot({.columns = 5}), "attention: 5 columns; want 1 to 4");
  EXPECT_NE(WhyNot({.queries = 128, .keys = 64}).find("65536"), std::string::npos);
  EXPECT_THROW(AttentionInstructions({}, {0, 8}), Error);
  EXPECT_THROW(AttentionInstructions({}, {65 * 32, 8}), Error);
}

}  // namespace
}  // namespace xdna::kernels
