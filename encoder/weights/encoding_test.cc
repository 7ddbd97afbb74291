#include "encoder/weights/encoding.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/tensor.h"

namespace xdna::encoder::internal {
namespace {

std::vector<float> DecodeBlock(Encoding encoding, const std::vector<std::uint8_t>& bytes) {
  std::vector<float> out(Info(encoding).block_elements);
  EXPECT_EQ(bytes.size(), static_cast<std::size_t>(Info(encoding).block_bytes));
  Decode(encoding, std::as_bytes(std::span(bytes)).data(), out.size(), {}, 0, out.data());
  return out;
}

TEST(Decode, EveryHalf) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    float got = 0;
    Decode(Encoding::kF16, std::as_bytes(std::span(&half, 1)).data(), 1, {}, 0, &got);
    ASSERT_EQ(std::bit_cast<std::uint32_t>(got), std::bit_cast<std::uint32_t>(HalfToFloat(half)))
        << bits;
    if (!std::isnan(got)) {
      ASSERT_EQ(FloatToHalf(got), half);
    }
  }
  EXPECT_EQ(FloatToHalf(std::numeric_limits<float>::quiet_NaN()) & 0x7E00, 0x7E00);
}

TEST(FloatToHalf, RoundsToNearestEven) {
  EXPECT_EQ(FloatToHalf(1 + 0x1p-11F), 0x3C00);         // tie, to even
  EXPECT_EQ(FloatToHalf(1 + 0x3p-11F), 0x3C02);         // tie, to even
  EXPECT_EQ(FloatToHalf(1 + 0x1.002p-11F), 0x3C01);     // above the tie
  EXPECT_EQ(FloatToHalf(-1 - 0x1.002p-11F), 0xBC01);    // alike for both signs
  EXPECT_EQ(FloatToHalf(65519.996F), 0x7BFF);           // the largest
  EXPECT_EQ(FloatToHalf(65520), 0x7C00);                // tie, to infinity
  EXPECT_EQ(FloatToHalf(0x1p-25F), 0);                  // tie, to zero
  EXPECT_EQ(FloatToHalf(0x1.8p-24F), 2);                // tie, to even
  EXPECT_EQ(FloatToHalf(-0x1.0002p-25F), 0x8001);       // the smallest subnormal
  EXPECT_EQ(FloatToHalf(0x1p-14F - 0x1p-26F), 0x0400);  // up to the smallest normal
  EXPECT_EQ(FloatToHalf(-0.0F), 0x8000);
}

// Bytes by hand from the layout in ggml-common.h; d = 0.5 (0x3800), m = -2 (0xC000).
TEST(Decode, GgmlBlocks) {
  std::vector<std::uint8_t> q4_0 = {0x00, 0x38};
  std::vector<std::uint8_t> q4_1 = {0x00, 0x38, 0x00, 0xC0};
  std::vector<std::uint8_t> q5_0 = {0x00, 0x38, 0x01, 0x00, 0x02, 0x80};  // high: 0, 17, 31
  std::vector<std::uint8_t> q5_1 = {0x00, 0x38, 0x00, 0xC0, 0x01, 0x00, 0x02, 0x80};
  std::vector<std::uint8_t> q8_0 = {0x00, 0x38};
  for (int i = 0; i < 16; ++i) {
    const auto nibbles = static_cast<std::uint8_t>(i | (15 - i) << 4);
    for (auto* bytes : {&q4_0, &q4_1, &q5_0, &q5_1}) bytes->push_back(nibbles);
  }
  for (int i = 0; i < 32; ++i) q8_0.push_back(static_cast<std::uint8_t>(i - 16));

  for (int i = 0; i < 32; ++i) {
    const float q = static_cast<float>(i < 16 ? i : 15 - (i - 16));
    const float high = i == 0 || i == 17 || i == 31 ? 16.0F : 0.0F;
    EXPECT_EQ(DecodeBlock(Encoding::kQ4_0, q4_0)[i], 0.5F * (q - 8)) << i;
    EXPECT_EQ(DecodeBlock(Encoding::kQ4_1, q4_1)[i], 0.5F * q - 2) << i;
    EXPECT_EQ(DecodeBlock(Encoding::kQ5_0, q5_0)[i], 0.5F * (q + high - 16)) << i;
    EXPECT_EQ(DecodeBlock(Encoding::kQ5_1, q5_1)[i], 0.5F * (q + high) - 2) << i;
    EXPECT_EQ(DecodeBlock(Encoding::kQ8_0, q8_0)[i], 0.5F * static_cast<float>(i - 16)) << i;
  }
}

TEST(Decode, Bf16AndInt8Rows) {
  const std::uint16_t bf16[] = {0x3F80, 0xC049};
  float out[6];
  Decode(Encoding::kBf16, std::as_bytes(std::span(bf16)).data(), 2, {}, 0, out);
  EXPECT_EQ(out[0], 1);
  EXPECT_EQ(out[1], -3.140625F);
  const std::int8_t q[] = {-128, 0, 127, 1, 2, 3};
  const float scale[] = {2, 0.25F};
  Decode(Encoding::kI8, std::as_bytes(std::span(q)).data(), 6, std::as_bytes(std::span(scale)), 3,
         out);
  const float want[] = {-64, 0, 63.5F, 4, 8, 12};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(out[i], want[i]);
}

TEST(StoredBytes, RefusesOverflowAndBrokenBlocks) {
  EXPECT_EQ(StoredBytes(Encoding::kF16, {3, 5}), 30u);
  EXPECT_EQ(StoredBytes(Encoding::kF32, {}), 4u);
  EXPECT_EQ(StoredBytes(Encoding::kQ5_1, {2, 64}), 96u);
  EXPECT_EQ(StoredBytes(Encoding::kQ5_1, {64, 2}), std::nullopt);
  EXPECT_EQ(StoredBytes(Encoding::kQ8_0, {}), std::nullopt);
  EXPECT_EQ(StoredBytes(Encoding::kF32, {-1}), std::nullopt);
  EXPECT_EQ(StoredBytes(Encoding::kF32, {1LL << 32, 1LL << 32}), std::nullopt);
  EXPECT_EQ(StoredBytes(Encoding::kF32, {1LL << 61}), 1ULL << 63);
  EXPECT_EQ(CheckedElements({1LL << 40, 0, 1LL << 40}), 0u);
}

TEST(FirstNonFinite, FindsOneAnywhere) {
  std::vector<float> values(10000, 3e38F);
  EXPECT_EQ(FirstNonFinite(values.data(), values.size()), std::nullopt);
  for (std::size_t place : {0, 4095, 4096, 9999}) {
    for (float bad :
         {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
      const float kept = values[place];
      values[place] = bad;
      EXPECT_EQ(FirstNonFinite(values.data(), values.size()), place);
      values[place] = kept;
    }
  }
}

}  // namespace
}  // namespace xdna::encoder::internal
