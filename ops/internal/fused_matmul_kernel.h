// The code behind FusedMatmul for one instruction set: sums of tiles, and what is done to them.
#ifndef OPS_INTERNAL_FUSED_MATMUL_KERNEL_H_
#define OPS_INTERNAL_FUSED_MATMUL_KERNEL_H_

#include <cstddef>
#include <cstdint>

#include "base/cpu.h"
#include "base/tensor.h"

namespace xdna::ops {

inline constexpr int kPanel = 64;         // columns of W that lie together, and of a tile of sums
inline constexpr int kMostTileRows = 32;  // of any kernel
inline constexpr std::int64_t kUnit = 4;  // bytes of W that one lane of an instruction takes

// Makes tiles of sums, f32 or i32. A panel of W is packed in strips of `width` columns, a strip in
// units: [strip][depth / unit][width][unit], 0 where W has nothing.
struct FusedMatmulKernel {
  const char* name;    // its instruction: "vdpbf16ps"
  int rows;            // of a tile
  int width;           // of a strip
  std::int64_t unit;   // elements of W in a unit: as many as fit, or 2 of i8, then as i16
  std::int64_t depth;  // k is rounded up to a multiple of it
  bool whole_tiles;    // rather earlier rows once more than a tile of fewer rows
  bool by_table;       // known to be faster than oneDNN's; else that has to be measured
  // Sums of rows 0 to `rows` of x (`pitch` bytes apart, k elements) by a panel, to `sums`
  // [rows][kPanel], aligned to 64. It may write all the rows of a tile there.
  void (*multiply)(const std::byte* x, std::int64_t pitch, int rows, std::int64_t k,
                   const std::byte* panel, float* sums);
  // Around all tiles of a call. Null: nothing.
  void (*begin)();
  void (*end)();
};

// The fastest of ours for x of `in` (f32, bf16 or u8) on a processor with these features, which
// this one has; without AVX-512, of Highway's best target. Null where oneDNN is known to be faster.
const FusedMatmulKernel* FindFusedMatmulKernel(DType in, std::int64_t k, const CpuFeatures& cpu);

// What a panel's columns add to the sums, 0 beyond the last.
struct alignas(64) PanelColumns {
  float bias[kPanel] = {};
  float scales[kPanel] = {};
  std::int32_t sums[kPanel] = {};
};

// Where a tile of sums goes, all of its columns.
struct TileTarget {
  const PanelColumns* columns;
  const float* row_scales;  // of the tile's rows, for u8
  const std::int32_t* row_zeros;
  std::byte* y;
  std::int64_t pitch;
  int rows;
};
using StoreTileFn = void (*)(const float* sums, const TileTarget& target);

// y = sums (dequantised for u8) + bias, as `out`; GELU with bf16 only, y += with f32 only.
StoreTileFn FindStoreTile(DType in, DType out, bool gelu, bool accumulate, const CpuFeatures& cpu);

}  // namespace xdna::ops

#endif  // OPS_INTERNAL_FUSED_MATMUL_KERNEL_H_
