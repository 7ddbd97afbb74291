// What a Phoenix returned (golden/silicon), bit for bit: through the lane functions and through the
// API as a kernel uses it.
#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/program.h"

namespace xdna::kernels {
namespace {

nlohmann::json Capture(const std::string& name) {
  std::ifstream file(RunfilePath("golden/silicon/" + name + ".json"));
  return nlohmann::json::parse(file);
}

template <typename T>
std::vector<T> Numbers(const nlohmann::json& capture, const char* name) {
  return capture.at(name).get<std::vector<T>>();
}

class Narrowing : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Registers, Narrowing, testing::Values(0, 9, 12));

TEST_P(Narrowing, F32ToBf16) {
  const nlohmann::json capture = Capture("f32_to_bf16_r" + std::to_string(GetParam()));
  const auto in = Numbers<std::uint32_t>(capture, "input_f32_bits");
  const auto silicon = Numbers<std::uint16_t>(capture, "silicon_bf16_bits");
  ASSERT_EQ(in.size(), 96U);
  ASSERT_EQ(in.size(), silicon.size());
  ASSERT_EQ(capture.at("rounding_register"), GetParam());
  const auto mode = static_cast<aie::rounding_mode>(GetParam());
  aie::set_rounding(mode);
  for (std::size_t i = 0; i < in.size(); i += 16) {
    aie::accum<accfloat, 16> acc;
    for (unsigned j = 0; j < 16; ++j) acc[j] = std::bit_cast<float>(in[i + j]);
    const aie::vector<bfloat16, 16> out = acc.to_vector<bfloat16>();
    for (unsigned j = 0; j < 16; ++j) {
      EXPECT_EQ(out[j].bits(), silicon[i + j]) << "input " << in[i + j];
      EXPECT_EQ(aie::lane::Bf16FromF32(in[i + j], mode), silicon[i + j]);
    }
  }
  aie::set_rounding(aie::rounding_mode::floor);
}

TEST(Widening, Bf16SubnormalsToF32) {
  const nlohmann::json capture = Capture("bf16_to_f32_denorm");
  const auto in = Numbers<std::uint16_t>(capture, "input_bf16_bits");
  const auto silicon = Numbers<std::uint32_t>(capture, "silicon");
  ASSERT_EQ(in.size(), 256U);
  ASSERT_EQ(in.size(), silicon.size());
  for (std::size_t i = 0; i < in.size(); i += 16) {
    aie::vector<bfloat16, 16> v;
    for (unsigned j = 0; j < 16; ++j) v[j] = bfloat16::from_bits(in[i + j]);
    const aie::accum<accfloat, 16> acc(v);
    for (unsigned j = 0; j < 16; ++j) {
      EXPECT_EQ(std::bit_cast<std::uint32_t>(acc[j]), silicon[i + j]) << "input " << in[i + j];
    }
  }
}

TEST(Mmul, TilesOfArbitraryBits) {
  const nlohmann::json capture = Capture("mmul_4x8x4_bf16");
  const auto a_bits = Numbers<std::uint16_t>(capture, "a_bf16_bits");
  const auto b_bits = Numbers<std::uint16_t>(capture, "b_bf16_bits");
  const auto silicon = Numbers<std::uint32_t>(capture, "silicon_f32_bits");
  const std::size_t tiles = capture.at("tiles");
  ASSERT_EQ(tiles, 27U);
  ASSERT_EQ(a_bits.size(), tiles * 32);
  ASSERT_EQ(b_bits.size(), tiles * 32);
  ASSERT_EQ(silicon.size(), tiles * 16);
  for (std::size_t t = 0; t < tiles; ++t) {
    aie::vector<bfloat16, 32> a, b;
    for (unsigned i = 0; i < 32; ++i) {
      a[i] = bfloat16::from_bits(a_bits[t * 32 + i]);
      b[i] = bfloat16::from_bits(b_bits[t * 32 + i]);
    }
    aie::mmul<4, 8, 4, bfloat16, bfloat16> product;
    product.mul(a, b);
    const auto c = product.to_vector<float>();
    for (unsigned i = 0; i < 16; ++i) {
      std::uint16_t x[8], y[8];
      for (unsigned k = 0; k < 8; ++k) {
        x[k] = a[i / 4 * 8 + k].bits();
        y[k] = b[k * 4 + i % 4].bits();
      }
      EXPECT_EQ(std::bit_cast<std::uint32_t>(c[i]), silicon[t * 16 + i]) << "tile " << t;
      EXPECT_EQ(aie::lane::MacBf16(0, x, y, 8, false, {}), silicon[t * 16 + i]) << "tile " << t;
    }
  }
}

}  // namespace
}  // namespace xdna::kernels
