// How dot_attention.cc and tile_attention.cc lay out their operands, and what they know of them.
//
// A unit is 32 bits: 2 bf16 or 4 integers that follow each other along the sum. Keys of K and
// channels of V lie in panels of 64; a panel has a row of 64 units for each step of the sum, in
// whole tiles of 16 rows, as AMX takes them (as a head of 64 channels has them anyway). What is
// missing is 0. The keys of a panel of K are in the order that vpackssdw undoes.
#ifndef OPS_ATTENTION_DOT_PACK_H_
#define OPS_ATTENTION_DOT_PACK_H_

#include <cstddef>
#include <cstdint>

#include "base/bf16.h"
#include "ops/attention/attention_kernel.h"

namespace xdna::ops::dot {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kVectors = 4;
constexpr std::size_t kHalves = 2;  // of a panel: 32 probabilities in bf16 fill a vector
constexpr std::size_t kPanel = kVectors * kLanes;
constexpr std::size_t kTile = 16;  // rows, and units in a row

constexpr std::size_t RoundUp(std::size_t n, std::size_t step) {
  return (n + step - 1) / step * step;
}
constexpr std::size_t Panels(std::size_t n) { return (n + kPanel - 1) / kPanel; }

// Into the cache, ahead of use; the row may be beyond the last one.
inline void PrefetchRow(const Bf16* row, std::size_t width) {
  constexpr std::size_t kLine = 64 / sizeof(Bf16);
  for (std::size_t j = 0; j < width; j += kLine) __builtin_prefetch(row + j);
}

// Which columns of a panel are keys, by vectors of scores and by vectors of probabilities.
struct Mask {
  std::uint16_t vectors[kVectors];
  std::uint32_t halves[kHalves];
};

struct PackedK {
  const std::uint32_t* units;  // [panel][depth][64]
  std::size_t depth;           // units of a head's channels
  std::size_t keys;
  // int8: what the scores begin with, by column: -128 times the sum of its integers.
  const std::int32_t* starts;
  float scale;  // of a unit of K: 1 in bf16
  float most;   // the greatest magnitude; not finite where a value is not
  Mask last;    // of the last panel
};

struct PackedV {
  const std::uint32_t* units;  // [panel][unit of keys][64 channels]
  std::size_t panels;
  std::size_t depth;  // units of all keys, with those that fill the last panel
  // int8, by channel: V is unit * scale + mean.
  const float* scales;
  const float* means;
  float most;  // bf16: as above
};

// A row of Q, packed.
struct Query {
  float scale;       // of a score: of Q and K
  float most_score;  // no score's magnitude is greater; not finite where an operand is not
  bool lost;         // no scores can be made
};

struct KeysBf16 {
  static std::size_t Depth(std::size_t width) { return RoundUp(width, 2 * kTile) / 2; }
  static std::size_t Bytes(const AttentionHead& head);
  static void Pack(const AttentionHead& head, const void* k, void* packed);
  static PackedK View(const AttentionHead& head, const void* packed);
  // `row` to `units` [depth].
  static Query PackQuery(const Bf16* row, const AttentionHead& head, const PackedK& k,
                         std::uint32_t* units);
};

// Q by row in u8 with 128 for 0, K less its mean over the keys in i8; scales max / 127.
struct KeysInt8 {
  static std::size_t Depth(std::size_t width) { return RoundUp(width, 4 * kTile) / 4; }
  static std::size_t Bytes(const AttentionHead& head);
  static void Pack(const AttentionHead& head, const void* k, void* packed);
  static PackedK View(const AttentionHead& head, const void* packed);
  static Query PackQuery(const Bf16* row, const AttentionHead& head, const PackedK& k,
                         std::uint32_t* units);
};

struct ValuesBf16 {
  static constexpr std::size_t kKeysPerUnit = 2;
  // That keys from the first of a panel on are in.
  static std::size_t Units(std::size_t keys) { return (keys + 1) / kKeysPerUnit; }
  static std::size_t Bytes(const AttentionHead& head);
  static void Pack(const AttentionHead& head, const void* v, void* packed);
  static PackedV View(const AttentionHead& head, const void* packed);
};

// V less its mean over the keys in i8, by channel; scales max / 127. The keys of a panel are in
// the order that vpackuswb gives them.
struct ValuesInt8 {
  static constexpr std::size_t kKeysPerUnit = 4;
  static std::size_t Units(std::size_t keys) { return Panels(keys) * kPanel / kKeysPerUnit; }
  static std::size_t Bytes(const AttentionHead& head);
  static void Pack(const AttentionHead& head, const void* v, void* packed);
  static PackedV View(const AttentionHead& head, const void* packed);
};

}  // namespace xdna::ops::dot

#endif  // OPS_ATTENTION_DOT_PACK_H_
