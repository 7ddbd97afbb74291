// Designs and descriptors against an oracle that walks addresses and adds sizes one by one.
#include "kernels/design/design.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace xdna::kernels {
namespace {

// A descriptor's word addresses as hardware makes them, by brute force from the pattern's elements:
// false where an element is split from its 32-bit word, or the registers can't hold a count or
// step.
bool OracleFits(const Pattern& p) {
  static constexpr struct {
    std::size_t dims, wrap, step;
    std::uint64_t words;
  } kTable[] = {{3, 255, 8192, 16383}, {4, 1023, 131072, 131071}, {3, 1023, 1048576, 4294967295}};
  const auto& limit = kTable[static_cast<int>(p.engine)];
  std::vector<std::size_t> bytes = {0};  // where each element lies, in the order it is sent
  for (const Dim& d : p.dims) {
    std::vector<std::size_t> next;
    for (const std::size_t at : bytes) {
      for (std::size_t i = 0; i < d.count; ++i) next.push_back(at + i * d.step * p.element_bytes);
    }
    bytes = next;
  }
  if (bytes.size() * p.element_bytes % 4 != 0) return false;
  if (bytes.size() * p.element_bytes / 4 > limit.words) return false;
  bool linear = true;
  for (std::size_t i = 0; i < bytes.size(); ++i) linear = linear && bytes[i] == i * p.element_bytes;
  if (linear) return true;
  const std::size_t per_word = 4 / p.element_bytes;
  const Dim& inner = p.dims.back();
  if (per_word > 1 && (inner.step != 1 || inner.count % per_word != 0)) return false;
  if (p.dims.size() > limit.dims) return false;
  for (std::size_t i = 0; i < p.dims.size(); ++i) {
    const bool last = i + 1 == p.dims.size();
    if (!last && p.dims[i].step * p.element_bytes % 4 != 0) return false;
    const std::size_t step = last && per_word > 1 ? 1 : p.dims[i].step / per_word;
    if (step < 1 || step > limit.step) return false;
    if (i > 0 && (last ? p.dims[i].count / per_word : p.dims[i].count) > limit.wrap) return false;
  }
  return true;
}

TEST(Pattern, FitsAsTheOracleSays) {
  std::mt19937 random(1);
  int yes = 0, no = 0;
  for (int round = 0; round < 20000; ++round) {
    Pattern p;
    p.engine = static_cast<Engine>(random() % 3);
    p.element_bytes = 1U << random() % 3;
    const std::size_t dims = 1 + random() % 5;
    for (std::size_t i = 0; i < dims; ++i) {
      constexpr std::size_t kCounts[] = {1, 2, 3, 4, 8};
      constexpr std::size_t kSteps[] = {1, 2, 4, 8, 64, 8192, 8196, 16384, 131072, 262144, 5000000};
      p.dims.push_back({kCounts[random() % 5], kSteps[random() % (i + 1 == dims ? 3 : 11)]});
    }
    // Now and then a count at the edge of a wrap register or of the length.
    constexpr std::size_t kEdges[] = {255, 256, 1020, 1023, 1024, 4096, 16380, 16384};
    if (round % 3 == 0) p.dims[random() % dims].count = kEdges[random() % 8];
    if (p.elements() > 200000) continue;
    const Fit fit = p.fits();
    ASSERT_EQ(fit.ok, OracleFits(p)) << "round " << round << ": " << fit.reason;
    ASSERT_EQ(fit.ok, fit.reason.empty());
    ++(fit.ok ? yes : no);
  }
  EXPECT_GT(yes, 1000);
  EXPECT_GT(no, 1000);
}

TEST(Pattern, SaysWhyNot) {
  const auto why = [](const Pattern& p) { return p.fits().reason; };
  // A transpose of bf16: single elements of 2 bytes.
  EXPECT_EQ(why({.element_bytes = 2, .dims = {{8, 1}, {8, 64}}}),
            "the innermost step is 64 elements of 2 bytes, and the DMA moves 32-bit words");
  EXPECT_EQ(why({.element_bytes = 1, .dims = {{8, 64}, {6, 1}}}),
            "the innermost run of 6 * 1 = 6 bytes is no multiple of 4");
  EXPECT_EQ(why({.element_bytes = 2, .dims = {{8, 33}, {8, 1}}}),
            "step 33 * 2 = 66 bytes is no multiple of 4");
  EXPECT_EQ(why({.dims = {{2, 1000}, {256, 2}}}), "wrap 256 of dimension 0 > 255 (8 bits)");
  EXPECT_EQ(why({.dims = {{2, 8193}, {4, 1}}}), "step 8193 words of dimension 1 > 8192 (13 bits)");
  EXPECT_EQ(why({.dims = {{2, 999}, {2, 99}, {2, 9}, {2, 1}}}),
            "4 dimensions > 3 of a core descriptor");
  EXPECT_EQ(why({.dims = {{16384, 1}}}), "length 16384 words > 16383 of a core descriptor");
  EXPECT_EQ(why({.element_bytes = 2, .dims = {{3, 1}}}), "6 bytes are no whole 32-bit words");
  EXPECT_EQ(why({.dims = {{0, 1}}}), "a dimension of 0 elements");
  EXPECT_EQ(why({.dims = {{4, 1}}, .iteration = {65, 4}}), "65 iterations > 64");
  EXPECT_EQ(why({.dims = {{4, 1}}, .iteration = {2, 9000}}),
            "iteration step 9000 words > 8192 (13 bits)");
  EXPECT_EQ(why({.element_bytes = 2, .dims = {{4, 1}}, .iteration = {2, 3}}),
            "an iteration step of 6 bytes");
}

TEST(Pattern, ZerosAreInsertedByMemoryTilesThatSend) {
  Pattern p = {.engine = Engine::kMem,
               .sends = true,
               .element_bytes = 2,
               .dims = {{4, 64, 0, 2}, {8, 1, 0, 4}}};
  EXPECT_TRUE(p.fits().ok) << p.fits().reason;
  EXPECT_EQ(p.elements(), 6U * 12U);
  p.dims[1].zeros_after = 3;
  EXPECT_EQ(p.fits().reason, "zeros of 0 and 3 elements of 2 bytes are no whole 32-bit words");
  p.dims[1].zeros_after = 128;
  EXPECT_EQ(p.fits().reason, "64 zeros in dimension 0 > 63");
  p.dims[1].zeros_after = 4;
  p.dims[0].zeros_after = 32;
  EXPECT_EQ(p.fits().reason, "32 zeros in dimension 1 > 31");
  p.dims[0].zeros_after = 2;
  p.sends = false;
  EXPECT_EQ(p.fits().reason, "only a memory tile that sends can insert zeros");
  p.sends = true;
  p.engine = Engine::kCore;
  EXPECT_EQ(p.fits().reason, "only a memory tile that sends can insert zeros");
}

Design Small() {
  return {.name = "small",
          .fifos = {{.name = "A", .channel = 0, .object_bytes = 7168, .objects = 4},
                    {.name = "B", .channel = 1, .object_bytes = 14336, .objects = 4},
                    {.name = "Y", .in = false, .object_bytes = 6144, .depth = 1}},
          .locals = {{"C", 12288}},
          .program_bytes = 4000,
          .macs = 1e6,
          .core_cycles = 9000};
}

TEST(Design, AddsUp) {
  const Design d = Small();
  EXPECT_TRUE(d.fits().ok) << d.fits().reason;
  EXPECT_EQ(d.data_sum(), "2*A 7168 + 2*B 14336 + Y 6144 + C 12288 = 61440 B");
  EXPECT_EQ(d.bytes_in(), 4U * (7168 + 14336));
  EXPECT_EQ(d.bytes_out(), 6144U);
  EXPECT_DOUBLE_EQ(d.intensity(), 1e6 / (86016 + 6144));
  // Y has one buffer: the core waits for the busiest channel, B's 4 * 3584 words.
  EXPECT_DOUBLE_EQ(d.cycles(), 9000 + 14336);
  Design overlapped = d;
  overlapped.fifos[2].depth = 2;
  EXPECT_DOUBLE_EQ(overlapped.cycles(), 14336);
}

TEST(Design, SaysWhyNot) {
  const auto why = [](auto&& change) {
    Design d = Small();
    change(d);
    return d.fits().reason;
  };
  EXPECT_EQ(why([](Design& d) { d.fifos[0].object_bytes = 10240; }),
            "small: 2*A 10240 + 2*B 14336 + Y 6144 + C 12288 = 67584 B > 64512 B of tile data "
            "memory (65536 less 1024 of stack)");
  EXPECT_EQ(why([](Design& d) { d.program_bytes = 16385; }),
            "small: program of about 16385 B > 16384 B of program memory");
  EXPECT_EQ(why([](Design& d) { d.fifos[2].channel = 2; }),
            "small: FIFO Y: channel 2 of 2 outgoing channels");
  EXPECT_EQ(why([](Design& d) { d.fifos[2].depth = 0; }),
            "small: FIFO Y: depth 0 is not in 1..63 (a 6-bit lock)");
  EXPECT_EQ(why([](Design& d) { d.fifos[2].object_bytes = 6; }),
            "small: FIFO Y: objects of 6 bytes are no whole 32-bit words");
  EXPECT_EQ(why([](Design& d) {
              for (Fifo& f : d.fifos) f.object_bytes = 64, f.depth = 6;
            }),
            "small: 18 buffer descriptors > 16");
  EXPECT_EQ(
      why([](Design& d) { d.fifos.assign(9, {.name = "F", .object_bytes = 64, .depth = 1}); }),
      "small: 18 locks > 16");
  EXPECT_EQ(why([](Design& d) {
              d.fifos[0].patterns = {{.element_bytes = 2, .dims = {{8, 1}, {8, 8}}}};
            }),
            "small: FIFO A: the innermost step is 8 elements of 2 bytes, and the DMA moves 32-bit "
            "words");
}

// Data memory: filling it byte by byte, at any stack.
TEST(Design, DataMemoryEndsWhereTheStackBegins) {
  std::mt19937 random(2);
  for (int round = 0; round < 5000; ++round) {
    Design d;
    d.stack_bytes = 32 * (random() % 200);
    std::size_t used = 0;
    for (std::size_t i = 0, n = random() % 6; i < n; ++i) {
      const std::size_t bytes = 4 * (1 + random() % 4500);
      const unsigned depth = 1 + random() % 2;
      for (unsigned copy = 0; copy < depth; ++copy) {
        for (std::size_t b = 0; b < bytes; b += 32) used += 32;
      }
      d.fifos.push_back({.name = "F", .object_bytes = bytes, .depth = depth});
    }
    ASSERT_EQ(d.data_bytes(), used);
    ASSERT_EQ(d.fits().ok, used + d.stack_bytes <= 65536) << d.fits().reason;
  }
}

}  // namespace
}  // namespace xdna::kernels
