#include "ops/attention/tile_attention.h"

#include <hwy/base.h>
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "ops/attention/attention_kernel.h"
#include "ops/attention/dot_pack.h"
#include "ops/attention/dot_run.h"
#include "ops/attention/dot_scores.h"
#include "ops/attention/dot_values.h"
#include "ops/internal/amx_tiles.h"

// Flags of the compiler promise no instruction set: these do, for what the caller has asked for.
HWY_PUSH_ATTRIBUTES("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512bf16,avx512vnni")
namespace xdna::ops {
namespace {

using namespace dot;  // NOLINT(google-build-using-namespace): parts of this kernel

// A block's K and V, its probabilities and a panel's scores fill 40 of the 48 KB of the first-level
// cache in bf16, 38 in int8; a group's queries and sums, 6 KB, pass by. All of a head, 400 KB for
// 1500 keys, is in the second-level cache.
using ToBf16 = Bf16Values<kTile, 128>;
using ToInt8 = Int8Values<kTile, 192>;

constexpr std::size_t kPitch = kPanel * sizeof(std::uint32_t);

HWY_INLINE void ZeroSums() {
  AmxTiles::Zero<0>();
  AmxTiles::Zero<1>();
  AmxTiles::Zero<2>();
  AmxTiles::Zero<3>();
}

// Of [16][64] units, rows `pitch` bytes apart.
HWY_INLINE void LoadSums(const void* from, std::size_t pitch) {
  const auto* column = static_cast<const std::uint32_t*>(from);
  AmxTiles::Load<0>(column, pitch);
  AmxTiles::Load<1>(column + kTile, pitch);
  AmxTiles::Load<2>(column + 2 * kTile, pitch);
  AmxTiles::Load<3>(column + 3 * kTile, pitch);
}

HWY_INLINE void StoreSums(void* to) {
  auto* column = static_cast<std::uint32_t*>(to);
  AmxTiles::Store<0>(column, kPitch);
  AmxTiles::Store<1>(column + kTile, kPitch);
  AmxTiles::Store<2>(column + 2 * kTile, kPitch);
  AmxTiles::Store<3>(column + 3 * kTile, kPitch);
}

template <bool kInt8, int kSum, int kA, int kB>
HWY_INLINE void Product() {
  if constexpr (kInt8) {
    AmxTiles::MultiplyInt8<kSum, kA, kB>();
  } else {
    AmxTiles::Multiply<kSum, kA, kB>();
  }
}

// The sums += rows [16][depth units], `pitch` bytes apart, times columns [depth][64]; `depth` is
// rounded up to whole tiles.
template <bool kInt8>
HWY_INLINE void AddProducts(const void* rows, std::size_t pitch, const std::uint32_t* columns,
                            std::size_t depth) {
  const auto* row = static_cast<const std::uint32_t*>(rows);
  for (std::size_t k = 0; k < depth; k += kTile, row += kTile, columns += kTile * kPanel) {
    AmxTiles::Load<4>(row, pitch);
    AmxTiles::Load<5>(columns, kPitch);
    Product<kInt8, 0, 4, 5>();
    AmxTiles::Load<6>(columns + kTile, kPitch);
    Product<kInt8, 1, 4, 6>();
    AmxTiles::Load<7>(columns + 2 * kTile, kPitch);
    Product<kInt8, 2, 4, 7>();
    AmxTiles::Load<5>(columns + 3 * kTile, kPitch);
    Product<kInt8, 3, 4, 5>();
  }
}

template <class Scores_, class Values_>
struct Tiles {
  using Scores = Scores_;
  using Values = Values_;
  static constexpr std::size_t kGroups = 8;

  static void Begin() { AmxTiles::Begin(); }
  static void End() { AmxTiles::End(); }

  static HWY_INLINE void SumPanel(const std::uint32_t* q, const PackedK& packed, std::size_t panel,
                                  typename Scores::Sum (&sum)[kTile][kVectors]) {
    constexpr bool kInt8 = std::is_same_v<Scores, Int8Scores>;
    if constexpr (kInt8) {
      LoadSums(packed.starts + panel * kPanel, 0);
    } else {
      ZeroSums();
    }
    AddProducts<kInt8>(q, packed.depth * sizeof *q, packed.units + panel * kPanel * packed.depth,
                       packed.depth);
    StoreSums(sum);
  }

  static HWY_NOINLINE void Mix(const typename Values::Block& block, const std::uint32_t* v,
                               std::size_t units, float* sums) {
    constexpr std::size_t kRow = sizeof block.probabilities[0];
    if constexpr (std::is_same_v<Values, ToInt8>) {
      __m512i sum[kTile][kVectors];
      ZeroSums();
      AddProducts<true>(block.probabilities, kRow, v, units);
      StoreSums(sum);
      Values::AddScaled(sum, block, sums);
    } else {
      LoadSums(sums, kPitch);
      AddProducts<false>(block.probabilities, kRow, v, units);
      StoreSums(sums);
    }
  }
};

}  // namespace
}  // namespace xdna::ops
HWY_POP_ATTRIBUTES

namespace xdna::ops {

const AttentionKernel& TileAttention(Integers integers) {
  return KernelWith<Tiles, ToBf16, ToInt8>(
      integers,
      {"fused tdpbf16ps tmm", "fused tdpbusd scores, tdpbf16ps tmm", "fused tdpbusd tmm"});
}

}  // namespace xdna::ops
