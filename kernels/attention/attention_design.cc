#include "kernels/attention/attention_design.h"

#include <fmt/core.h>

#include <cstdint>
#include <vector>

#include "base/error.h"

namespace xdna::kernels {
namespace {

constexpr std::size_t kGroup = 16;  // queries at a time
constexpr double kPeak = 128;       // bf16 MACs a cycle

void CheckConfig(const AttentionConfig& c) {
  if (c.queries == 0 || c.keys == 0 || c.d == 0 || c.blocks == 0 || c.depth == 0 ||
      c.queries % 4 != 0 || c.keys % 8 != 0 || c.d % 16 != 0) {
    Throw(ErrorCode::kInvalidArgument,
          "attention: {} queries, {} blocks of {} keys, d {}, depth {}; want multiples of 4 "
          "queries, 8 keys and d of 16, a block and a buffer or more",
          c.queries, c.blocks, c.keys, c.d, c.depth);
  }
}

// A row-major panel of rows x cols in blocks of r x t, as the memory tile sends or takes it.
Pattern Blocks(std::size_t rows, std::size_t cols, std::size_t r, std::size_t t, bool sends) {
  return {.engine = Engine::kMem,
          .sends = sends,
          .element_bytes = 2,
          .dims = {{rows / r, r * cols}, {cols / t, t}, {r, cols}, {t, 1}}};
}

// The loops of a block of keys for `tiles` tiles of 4 queries: what attention.cc issues, without
// what it issues once a call. Accesses are of 256 bits, half an operand or accumulator.

// Scores and weights of `pairs` * 8 keys: products over d, then 3 vector operations for 16 scores.
LoopWork Weigh(std::size_t pairs, std::size_t tiles, std::size_t d, std::size_t entries) {
  LoopWork w;
  const std::uint64_t steps = entries * d / 8, weights = entries * pairs * tiles;
  w.entries = entries;
  w.iterations = static_cast<double>(d) / 8;
  w.body.vmac = steps * 2 * pairs * tiles;
  w.body.load_unplaced = steps * 2 * (2 * pairs + tiles);
  w.body.shuffle = steps * tiles;
  w.around.load_unplaced = entries * 2 * tiles;
  w.around.vmac = weights * 2;
  w.around.valu = weights * 4;
  w.around.shuffle = weights * 2;
  w.around.convert = weights * 6 + entries * tiles;
  w.around.store_unplaced = weights * 2;
  return w;
}

// O^T += V^T P^T, 4 tiles of d at a time: products over keys between loads and stores of the sums.
LoopWork SumValues(std::size_t keys, std::size_t tiles, std::size_t d) {
  LoopWork w;
  w.entries = d / 16;
  w.iterations = static_cast<double>(keys) / 8;
  const std::uint64_t steps = w.entries * keys / 8, sums = w.entries * 4 * tiles;
  w.body.vmac = steps * 4 * tiles;
  w.body.load_unplaced = steps * 2 * (4 + tiles);
  w.body.shuffle = steps * 4;
  w.around.load_unplaced = w.around.store_unplaced = w.around.convert = 2 * sums;
  return w;
}

// The sums of the weights: products with ones.
LoopWork SumWeights(std::size_t keys, std::size_t tiles) {
  LoopWork w;
  w.iterations = static_cast<double>(keys) / 8;
  w.body.vmac = keys / 8 * tiles;
  w.body.load_unplaced = 2 * w.body.vmac;
  w.around.load_unplaced = w.around.store_unplaced = w.around.convert = 2 * tiles;
  return w;
}

// y of 4 queries: 1/sum (5 emulated products of 13 VMACs), then 3 products of pairs of bf16.
LoopWork Finish(std::size_t queries, std::size_t d) {
  LoopWork w;
  w.entries = queries / 4;
  w.iterations = static_cast<double>(d) / 4;
  const std::uint64_t steps = w.entries * d / 4;
  w.body.vmac = 3 * steps;
  w.body.valu = steps;
  w.body.load_unplaced = 2 * steps;
  w.body.store_unplaced = w.body.shuffle = steps;
  w.body.convert = 5 * steps;
  w.around.vmac = 65 * w.entries;
  w.around.valu = 3 * w.entries;
  w.around.load_unplaced = 2 * w.entries;
  w.around.convert = 4 * w.entries;
  return w;
}

double BlockCycles(const AttentionConfig& c, CodeGenerator generator) {
  const auto group = [&](std::size_t tiles) {
    double cycles = Cycles(generator, SumValues(c.keys, tiles, c.d)) +
                    Cycles(generator, SumWeights(c.keys, tiles));
    if (c.keys >= 16) cycles += Cycles(generator, Weigh(2, tiles, c.d, c.keys / 16));
    if (c.keys % 16 != 0) cycles += Cycles(generator, Weigh(1, tiles, c.d, 1));
    return cycles;
  };
  double cycles = CallCycles();
  if (const std::size_t groups = c.queries / kGroup; groups != 0) {
    cycles += static_cast<double>(groups) * group(4);
  }
  if (const std::size_t rest = c.queries % kGroup / 4; rest != 0) {
    cycles += static_cast<double>(rest) * group(1);
  }
  return cycles;
}

}  // namespace

Design AttentionDesign(const AttentionConfig& c, CodeGenerator generator) {
  CheckConfig(c);
  const std::size_t q_bytes = c.queries * c.d * 2, key_bytes = c.keys * c.d * 2;
  Design design;
  design.name = fmt::format("attention {} x {} x {}", c.queries, c.keys, c.d);
  design.fifos = {{.name = "Q",
                   .channel = 0,
                   .object_bytes = q_bytes,
                   .depth = c.depth,
                   .patterns = {Blocks(c.queries, c.d, 4, 8, true)}},
                  {.name = "K",
                   .channel = 0,
                   .object_bytes = key_bytes,
                   .objects = c.blocks,
                   .patterns = {Blocks(c.keys, c.d, 4, 8, true)}},
                  {.name = "V",
                   .channel = 1,
                   .object_bytes = key_bytes,
                   .objects = c.blocks,
                   .patterns = {Blocks(c.keys, c.d, 8, 4, true)}},
                  {.name = "Y",
                   .in = false,
                   .channel = 0,
                   .object_bytes = q_bytes,
                   .depth = c.depth,
                   .patterns = {Blocks(c.queries, c.d, 4, 4, false)}}};
  design.locals = {
      {"weights", c.keys * kGroup * 2}, {"state", c.queries * 32}, {"sums", c.queries * c.d * 4}};
  // Three loops over d (two pairs of tiles of keys, one, a ragged one), one over keys with its
  // ragged step, the sums', each for 16 queries and for 4; the change of references; the end.
  design.program_bytes = 10240;
  design.macs = static_cast<double>(c.blocks * c.queries * c.keys * c.d * 2);
  design.core_cycles = static_cast<double>(c.blocks) * BlockCycles(c, generator) + CallCycles() +
                       Cycles(generator, Finish(c.queries, c.d));
  return design;
}

double MacUtilization(const Design& design) { return design.macs / design.core_cycles / kPeak; }

std::vector<AttentionConfig> LegalAttentionTiles(const AttentionConfig& like, std::size_t most) {
  std::vector<AttentionConfig> legal;
  AttentionConfig c = like;
  for (c.queries = 4; c.queries <= most; c.queries += 4) {
    for (c.keys = 8; c.keys <= most; c.keys += 8) {
      if (AttentionDesign(c).fits()) legal.push_back(c);
    }
  }
  return legal;
}

}  // namespace xdna::kernels
