// AMX's tile instructions as functions: Intel SDM volume 2.
#ifndef OPS_INTERNAL_AMX_TILES_H_
#define OPS_INTERNAL_AMX_TILES_H_

#include <cstddef>
#include <cstdint>

namespace xdna::ops {

// Assembly, because compilers have intrinsics for these only where the whole function is compiled
// for AMX. Registers 0 to 7 all hold 16 rows of 64 bytes.
struct AmxTiles {
  // Between these two the tiles of the calling thread can be used; what they held is lost.
  static void Begin() {
    struct alignas(64) {
      std::uint8_t palette = 1;
      std::uint8_t start_row = 0;
      std::uint8_t reserved[14] = {};
      std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } const config;
    asm volatile("ldtilecfg %0" : : "m"(config));
  }
  static void End() { asm volatile("tilerelease"); }

  template <int kTile>
  static void Zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(kTile));
  }
  // Rows `stride` bytes apart.
  template <int kTile>
  static void Load(const void* from, std::size_t stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(kTile) : "memory");
  }
  template <int kTile>
  static void Store(void* to, std::size_t stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(kTile) : "memory");
  }
  // sum[m][n] += a[m][2k] b[k][2n] + a[m][2k+1] b[k][2n+1], k < 16: f32 and pairs of bf16.
  template <int kSum, int kA, int kB>
  static void Multiply() {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
  }
  // sum[m][n] += a[m][4k] b[k][4n] + .. + a[m][4k+3] b[k][4n+3], k < 16: i32, u8 and i8.
  template <int kSum, int kA, int kB>
  static void MultiplyInt8() {
    asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kA), "i"(kB));
  }
};

}  // namespace xdna::ops

#endif  // OPS_INTERNAL_AMX_TILES_H_
