// The design against sizes and counts taken anew: a brute-force oracle, and what the kernel issues
// (the API counts it in this build).
#include "kernels/attention/attention_design.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"
#include "kernels/aie/slot_model/slot_model.h"
#include "kernels/attention/attention.h"
#include "kernels/attention/attention_tiles.h"

namespace xdna::kernels {
namespace {

std::size_t Up(std::size_t bytes) { return (bytes + 31) / 32 * 32; }

bool OracleFits(const AttentionConfig& c) {
  const std::size_t bytes = 2 * c.depth * Up(c.queries * c.d * 2) + 4 * Up(c.keys * c.d * 2) +
                            Up(c.keys * 32) + Up(c.queries / 4 * 128) + Up(c.queries * c.d * 4);
  const std::size_t words = 16383;  // of a core's descriptor
  return bytes <= 65536 - 1024 && c.queries * c.d / 2 <= words && c.keys * c.d / 2 <= words;
}

TEST(AttentionDesign, FitsAsTheOracleSays) {
  for (const std::size_t d : {16U, 64U, 128U}) {
    for (const unsigned depth : {1U, 2U}) {
      AttentionConfig c = {.d = d, .depth = depth};
      std::size_t fitting = 0;
      for (c.queries = 4; c.queries <= 256; c.queries += 4) {
        for (c.keys = 8; c.keys <= 256; c.keys += 8) {
          const Fit fit = AttentionDesign(c).fits();
          ASSERT_EQ(fit.ok, OracleFits(c)) << fit.reason;
          fitting += fit.ok ? 1 : 0;
        }
      }
      EXPECT_EQ(LegalAttentionTiles(c, 256).size(), fitting);
      EXPECT_GT(fitting, 20U);
    }
  }
}

TEST(AttentionDesign, SaysWhyNot) {
  EXPECT_EQ(AttentionDesign({.queries = 64, .keys = 64}).fits().reason,
            "attention 64 x 64 x 64: 2*Q 8192 + 2*K 8192 + 2*V 8192 + 2*Y 8192 + weights 2048 + "
            "state 2048 + sums 16384 = 86016 B > 64512 B of tile data memory (65536 less 1024 of "
            "stack)");
  for (const AttentionConfig& bad :
       {AttentionConfig{.queries = 6, .keys = 8}, AttentionConfig{.queries = 4, .keys = 12},
        AttentionConfig{.queries = 4, .keys = 8, .d = 24}, AttentionConfig{},
        AttentionConfig{.queries = 4, .keys = 8, .blocks = 0}}) {
    EXPECT_THROW(AttentionDesign(bad), Error);
  }
}

// The driver's memory is the design's.
TEST(AttentionDesign, DriverUsesThatMemory) {
  for (const AttentionTile tile : {AttentionTile{48, 56}, AttentionTile{4, 8}}) {
    const Design d = AttentionDesign({.queries = static_cast<std::size_t>(tile.queries),
                                      .keys = static_cast<std::size_t>(tile.keys),
                                      .depth = 1});
    EXPECT_EQ(d.data_bytes(), static_cast<std::size_t>(AttentionMemoryBytes(tile, 64)));
  }
}

// Operands of zeros.
struct Memory {
  alignas(32) unsigned char bytes[65536] = {};
  template <typename T>
  operator T*() {  // NOLINT(google-explicit-constructor): stands for any operand
    return reinterpret_cast<T*>(bytes);
  }
};
Memory q, k, v, weights, state, sums, y;

// Cycles of the loops as the kernel runs them: a block of zeros, whose scores stay at the
// reference, and the end.
double Counted(const AttentionConfig& c, CodeGenerator generator) {
  const auto queries = static_cast<int32>(c.queries), d = static_cast<int32>(c.d);
  const auto block = [&](int32 first) {
    attention_block_bf16(q, k, v, weights, state, sums, queries, d, static_cast<int32>(c.keys),
                         first);
  };
  block(1);
  const auto cycles = [generator](const auto& run) {
    return Cycles(generator, WorkOf(CountCall(nullptr, run), MacType::kBf16));
  };
  const double one = cycles([&] { block(0); });
  return static_cast<double>(c.blocks) * one +
         cycles([&] { attention_finish_bf16(state, sums, y, queries, d); });
}

TEST(AttentionDesign, CyclesAreThoseOfTheKernel) {
  for (const AttentionConfig& c :
       {AttentionConfig{.queries = 64, .keys = 64}, AttentionConfig{.queries = 32, .keys = 80},
        AttentionConfig{.queries = 48, .keys = 40, .blocks = 5},
        AttentionConfig{.queries = 20, .keys = 24, .d = 128}}) {
    for (const CodeGenerator generator : {CodeGenerator::kChess, CodeGenerator::kPeano}) {
      const double counted = Counted(c, generator);
      EXPECT_NEAR(AttentionDesign(c, generator).core_cycles, counted, 0.05 * counted)
          << c.queries << " x " << c.keys << ", " << CodeGeneratorName(generator);
    }
  }
}

// A window's heads by the best tile that fits: at least 40 % of peak is what the encoder needs.
TEST(AttentionDesign, KeepsTheMacsBusy) {
  for (const std::size_t keys : {1500U, 3001U}) {
    double best = 0;
    AttentionConfig chosen;
    for (const AttentionConfig& tile : LegalAttentionTiles({}, 128)) {
      AttentionConfig c = tile;
      c.blocks = (keys + c.keys - 1) / c.keys;
      const Design d = AttentionDesign(c);
      // Of the keys and queries that exist, and with what the DMA takes.
      const std::size_t rounds = (keys + c.queries - 1) / c.queries;
      const double useful = static_cast<double>(keys * keys * c.d * 2);
      const double rate = useful / static_cast<double>(rounds) / d.cycles() / 128;
      if (rate > best) best = rate, chosen = c;
    }
    const Design d = AttentionDesign(chosen);
    fmt::print(
        "{} keys: {} x {} takes {:.0f} cycles, {:.1f} % of peak, {:.1f} % with padding and DMA "
        "({})\n",
        keys, chosen.queries, chosen.keys, d.core_cycles, 100 * MacUtilization(d), 100 * best,
        d.data_sum());
    EXPECT_GT(best, 0.5);
    EXPECT_LT(MacUtilization(d), 0.9);
    EXPECT_GT(MacUtilization(AttentionDesign(chosen, CodeGenerator::kPeano)), 0.3);
  }
}

}  // namespace
}  // namespace xdna::kernels
