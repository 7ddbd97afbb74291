// Built with AIE_HOST_COUNT=1: what an operation issues is counted.
#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <cstdint>

namespace xdna::kernels {
namespace {

class Counting : public testing::Test {
 protected:
  void SetUp() override { aie::host::core() = {}; }
  void TearDown() override { aie::host::core() = {}; }
  const aie::host::issue_counts& counts() { return aie::host::core().counts; }
};

TEST_F(Counting, ProductsAndShuffles) {
  aie::mmul<4, 8, 4, bfloat16> small;
  small.mac(aie::vector<bfloat16, 32>(), aie::vector<bfloat16, 32>());
  EXPECT_EQ(counts().vmac, 1U);
  aie::mmul<8, 8, 8, bfloat16> large;
  large.mac(aie::vector<bfloat16, 64>(), aie::vector<bfloat16, 64>());
  EXPECT_EQ(counts().vmac, 5U);
  EXPECT_EQ(counts().shuffle, 2U);  // B's columns
  aie::mmul<4, 16, 8, int8> integers;
  integers.mac(aie::vector<int8, 64>(), aie::vector<int8, 128>());
  EXPECT_EQ(counts().vmac, 7U);
  aie::mul(aie::vector<float, 16>(), aie::vector<float, 16>());
  EXPECT_EQ(counts().vmac, 20U);  // 9 products, 4 to split the operands
}

TEST_F(Counting, LoadsAndStoresByBank) {
  alignas(64) static std::uint8_t tile[4 * aie::host::memory_bank_bytes];
  aie::host::core().memory = tile;
  const auto* second = reinterpret_cast<const bfloat16*>(tile + aie::host::memory_bank_bytes);
  aie::load_v<32>(second);  // 512 bits: two loads
  aie::store_v(reinterpret_cast<float*>(tile + 3 * aie::host::memory_bank_bytes),
               aie::vector<float, 8>());
  EXPECT_EQ(counts().load[1], 2U);
  EXPECT_EQ(counts().store[3], 1U);
  alignas(32) const float elsewhere[16] = {};
  aie::load_v<8>(elsewhere);
  EXPECT_EQ(counts().load_unplaced, 1U);
  EXPECT_EQ(counts().misaligned, 0U);
  aie::load_v<8>(elsewhere + 1);
  EXPECT_EQ(counts().misaligned, 1U);
  aie::load_unaligned_v<8>(elsewhere + 1);
  EXPECT_EQ(counts().misaligned, 1U);
}

TEST_F(Counting, AluAndConversions) {
  const auto v = aie::broadcast<int16, 64>(1);  // 1024 bits: two operations
  const std::uint64_t before = counts().valu;
  aie::add(v, v);
  EXPECT_EQ(counts().valu, before + 2);
  aie::accum<acc32, 64>(v).to_vector<int8>();
  EXPECT_EQ(counts().convert, 8U);  // 2048 bits up and down
}

}  // namespace
}  // namespace xdna::kernels
