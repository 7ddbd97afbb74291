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

TEST_F(Counting, ScalarsAreWhatCrossesToVectorsAndBack) {
  aie::broadcast<float, 16>(1.0F);
  EXPECT_EQ(counts().scalar, 1U);
  aie::mul(aie::vector<bfloat16, 16>(), bfloat16(2.0F));  // broadcasts it
  EXPECT_EQ(counts().scalar, 2U);
  aie::reduce_add(aie::vector<float, 16>());
  aie::reduce_max(aie::vector<int16, 16>());
  aie::reduce_min(aie::vector<bfloat16, 32>());
  EXPECT_EQ(counts().scalar, 5U);
  aie::inv(2.0F);
  aie::invsqrt(2.0F);
  EXPECT_EQ(counts().scalar, 7U);
  EXPECT_EQ(counts().vmac, 1U);  // of mul: these two are calls into a library
  aie::set_rounding(aie::rounding_mode::ceil);
  aie::set_saturation(aie::saturation_mode::saturate);
  EXPECT_EQ(counts().scalar, 9U);
  aie::inv(bfloat16(2.0F));  // by the vector form
  EXPECT_EQ(counts().scalar, 10U);
  EXPECT_EQ(counts().vmac, 6U);
}

alignas(32) constexpr int16 kLanes[16] = {};

// `entries` times a loop of `iterations`, with an ALU operation around it where `around`.
void Loops(int entries, int iterations, bool around, bool marked_outside) {
  const auto inner = [&] {
    if (around) aie::add(aie::vector<int16, 16>(), aie::vector<int16, 16>());
    for (int i = 0; i < iterations; ++i) chess_prepare_for_pipelining {
        aie::load_v<16>(kLanes);
      }
  };
  if (marked_outside) {
    for (int e = 0; e < entries; ++e) chess_loop_range(1, ) {
        inner();
      }
  } else {
    for (int e = 0; e < entries; ++e) inner();
  }
}

TEST_F(Counting, BranchesAreIterationsOfMarkedLoops) {
  Loops(3, 5, false, false);
  EXPECT_EQ(counts().branch, 15U);
  EXPECT_EQ(counts().load_unplaced, 15U);
  Loops(3, 5, false, true);
  EXPECT_EQ(counts().branch, 33U);
}

class LoopLog : public Counting {
 protected:
  void SetUp() override {
    Counting::SetUp();
    aie::host::core().loops = &log_;
  }
  aie::host::loop_log log_;
};

TEST_F(LoopLog, TellsBodiesFromWhatIsAroundThem) {
  Loops(3, 5, true, false);
  ASSERT_EQ(log_.used, 1U);
  const aie::host::loop_counts& loop = log_.loops[0];
  EXPECT_EQ(loop.entries, 3U);
  EXPECT_EQ(loop.iterations, 15U);
  EXPECT_EQ(loop.body.load_unplaced, 15U);
  EXPECT_EQ(loop.body.valu, 0U);
  EXPECT_EQ(loop.around.valu, 3U);
  EXPECT_FALSE(loop.nested);
}

// Only a mark outside tells entries apart that have nothing between them.
TEST_F(LoopLog, EntriesWithNothingBetween) {
  Loops(3, 5, false, false);
  EXPECT_EQ(log_.loops[0].entries, 1U);
  Loops(3, 5, false, true);
  EXPECT_EQ(log_.loops[0].entries, 4U);
  EXPECT_EQ(log_.loops[0].iterations, 30U);
}

template <int kShuffles>
void Nested() {
  for (int i = 0; i < 4; ++i) chess_prepare_for_pipelining {
      aie::add(aie::vector<int16, 16>(), aie::vector<int16, 16>());
      for (int j = 0; j < 2; ++j) chess_prepare_for_pipelining {
          for (int n = 0; n < kShuffles; ++n) aie::reverse(aie::vector<int16, 32>());
        }
      aie::load_v<16>(kLanes);
    }
}

TEST_F(LoopLog, OfInstantiationsAndNestedLoops) {
  Nested<1>();
  Nested<3>();
  ASSERT_EQ(log_.used, 4U);
  EXPECT_TRUE(log_.loops[0].nested);
  EXPECT_EQ(log_.loops[0].body, aie::host::issue_counts{});
  EXPECT_EQ(log_.loops[1].entries, 4U);
  EXPECT_EQ(log_.loops[1].iterations, 8U);
  EXPECT_EQ(log_.loops[1].around.valu + log_.loops[0].around.valu, 4U);
  EXPECT_EQ(log_.loops[1].around.load_unplaced, 4U);
  EXPECT_EQ(log_.loops[3].body.shuffle, 3 * log_.loops[1].body.shuffle);
}

TEST_F(LoopLog, SaysWhenItIsFull) {
  int type[aie::host::loop_log::most + 1];
  for (unsigned i = 0; i < aie::host::loop_log::most; ++i) log_.place(&type[i]);
  EXPECT_FALSE(log_.full);
  EXPECT_EQ(log_.place(&type[3]), 3U);
  log_.place(&type[aie::host::loop_log::most]);
  EXPECT_TRUE(log_.full);
}

}  // namespace
}  // namespace xdna::kernels
