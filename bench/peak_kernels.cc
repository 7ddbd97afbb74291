#include "bench/peak_kernels.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/cpu.h"

namespace xdna::bench {
namespace {

// Assembly, because a compiler may drop, merge or spill what has no use. Enough
// accumulators that the longest latency is covered: vdpbf16ps takes 6 cycles, two
// start in each (Agner Fog, "Instruction tables", Zen 4 and later): 12 at least.
#define XDNA_12(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11)
#define XDNA_24(M) \
  XDNA_12(M) M(12) M(13) M(14) M(15) M(16) M(17) M(18) M(19) M(20) M(21) M(22) M(23)

#define XDNA_CLEAR_ZMM(i) "vpxord %%zmm" #i ",%%zmm" #i ",%%zmm" #i "\n"
#define XDNA_CLEAR_YMM(i) "vxorps %%ymm" #i ",%%ymm" #i ",%%ymm" #i "\n"

#define XDNA_ZMM_CLOBBERS                                                                       \
  "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7", "zmm8", "zmm9", "zmm10",      \
      "zmm11", "zmm12", "zmm13", "zmm14", "zmm15", "zmm16", "zmm17", "zmm18", "zmm19", "zmm20", \
      "zmm21", "zmm22", "zmm23", "zmm30", "zmm31"

// 48 instructions an iteration on 24 accumulators of 512 bits.
#define XDNA_ZMM_KERNEL(name, features, instruction)                            \
  __attribute__((target(features))) void name(std::int64_t iterations) {        \
    asm volatile(XDNA_24(XDNA_CLEAR_ZMM) XDNA_CLEAR_ZMM(30)                     \
                     XDNA_CLEAR_ZMM(31) ".p2align 5\n1:\n" XDNA_24(instruction) \
                         XDNA_24(instruction) "dec %0\njnz 1b\nvzeroupper\n"    \
                 : "+r"(iterations)                                             \
                 :                                                              \
                 : XDNA_ZMM_CLOBBERS, "cc");                                    \
  }

#define XDNA_FMA(i) "vfmadd231ps %%zmm30,%%zmm31,%%zmm" #i "\n"
#define XDNA_DPBF16(i) "vdpbf16ps %%zmm30,%%zmm31,%%zmm" #i "\n"
#define XDNA_DPBUSD(i) "vpdpbusd %%zmm30,%%zmm31,%%zmm" #i "\n"
XDNA_ZMM_KERNEL(FmaZmm, "avx512f", XDNA_FMA)
XDNA_ZMM_KERNEL(DotBf16Zmm, "avx512f,avx512bf16", XDNA_DPBF16)
XDNA_ZMM_KERNEL(DotInt8Zmm, "avx512f,avx512vnni", XDNA_DPBUSD)

#define XDNA_FMA_YMM(i) "vfmadd231ps %%ymm14,%%ymm15,%%ymm" #i "\n"

// 24 instructions an iteration on 12 accumulators of 256 bits.
__attribute__((target("avx2,fma"))) void FmaYmm(std::int64_t iterations) {
  asm volatile(XDNA_12(XDNA_CLEAR_YMM) XDNA_CLEAR_YMM(14)
                   XDNA_CLEAR_YMM(15) ".p2align 5\n1:\n" XDNA_12(XDNA_FMA_YMM)
                       XDNA_12(XDNA_FMA_YMM) "dec %0\njnz 1b\nvzeroupper\n"
               : "+r"(iterations)
               :
               : "ymm0", "ymm1", "ymm2", "ymm3", "ymm4", "ymm5", "ymm6", "ymm7", "ymm8", "ymm9",
                 "ymm10", "ymm11", "ymm14", "ymm15", "cc");
}

// What any compiler makes of it: 32 multiplications and additions.
void MultiplyAdd(std::int64_t iterations) {
  constexpr int kLanes = 32;
  std::array<float, kLanes> sums{};
  float factor = 1;
  for (std::int64_t i = 0; i < iterations; ++i) {
    asm volatile("" : "+x"(factor));  // not known to be 1: the work can't be folded
    for (float& sum : sums) sum = sum * factor + factor;
  }
  for (float& sum : sums) asm volatile("" : "+x"(sum));
}

// Operand of LDTILECFG (Intel SDM volume 2A): all eight tiles 16 rows of 64 bytes.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::array<std::uint8_t, 14> reserved{};
  std::array<std::uint16_t, 16> row_bytes{64, 64, 64, 64, 64, 64, 64, 64};
  std::array<std::uint8_t, 16> rows{16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfig) == 64);

#define XDNA_CLEAR_TILE(i) "tilezero %%tmm" #i "\n"
#define XDNA_CLEAR_TILES \
  XDNA_CLEAR_TILE(0)     \
  XDNA_CLEAR_TILE(1)     \
  XDNA_CLEAR_TILE(2)     \
  XDNA_CLEAR_TILE(3) XDNA_CLEAR_TILE(4) XDNA_CLEAR_TILE(5) XDNA_CLEAR_TILE(6) XDNA_CLEAR_TILE(7)

// Four accumulators, as a kernel with two tiles of either operand has them.
#define XDNA_FOUR_TILES(instruction)                                                      \
  instruction " %%tmm6,%%tmm4,%%tmm0\n" instruction " %%tmm7,%%tmm4,%%tmm1\n" instruction \
              " %%tmm6,%%tmm5,%%tmm2\n" instruction " %%tmm7,%%tmm5,%%tmm3\n"

// 8 instructions an iteration.
#define XDNA_TILE_KERNEL(name, features, instruction)                                              \
  __attribute__((target(features))) void name(std::int64_t iterations) {                           \
    const TileConfig config;                                                                       \
    asm volatile("ldtilecfg %1\n" XDNA_CLEAR_TILES ".p2align 5\n1:\n" XDNA_FOUR_TILES(instruction) \
                     XDNA_FOUR_TILES(instruction) "dec %0\njnz 1b\ntilerelease\n"                  \
                 : "+r"(iterations)                                                                \
                 : "m"(config)                                                                     \
                 : "cc");                                                                          \
  }
XDNA_TILE_KERNEL(TileBf16, "amx-tile,amx-bf16", "tdpbf16ps")
XDNA_TILE_KERNEL(TileInt8, "amx-tile,amx-int8", "tdpbssd")

std::vector<PeakKernel> Detect() {
  using ops::Precision;
  const CpuFeatures& cpu = Cpu();
  std::vector<PeakKernel> kernels;
  if (cpu.avx512) kernels.push_back({Precision::kF32, "vfmadd231ps zmm", 48 * 32, FmaZmm});
  if (cpu.avx2) kernels.push_back({Precision::kF32, "vfmadd231ps ymm", 24 * 16, FmaYmm});
  if (!cpu.avx2) kernels.push_back({Precision::kF32, "mulps, addps xmm", 64, MultiplyAdd});
  if (cpu.amx_bf16) kernels.push_back({Precision::kBf16, "tdpbf16ps tmm", 8 * 16384, TileBf16});
  if (cpu.avx512_bf16) kernels.push_back({Precision::kBf16, "vdpbf16ps zmm", 48 * 64, DotBf16Zmm});
  if (cpu.amx_int8) kernels.push_back({Precision::kInt8, "tdpbssd tmm", 8 * 32768, TileInt8});
  if (cpu.avx512_vnni) kernels.push_back({Precision::kInt8, "vpdpbusd zmm", 48 * 128, DotInt8Zmm});
  return kernels;
}

// Loops over 1024 bytes at a time; `load` is given offset and register.
#define XDNA_LOADS_512(r)                                                                \
  "vmovups (%0),%%zmm" #r "\nvmovups 64(%0),%%zmm" #r "\nvmovups 128(%0),%%zmm" #r       \
  "\nvmovups 192(%0),%%zmm" #r "\nvmovups 256(%0),%%zmm" #r "\nvmovups 320(%0),%%zmm" #r \
  "\nvmovups 384(%0),%%zmm" #r "\nvmovups 448(%0),%%zmm" #r "\n"

__attribute__((target("avx512f"))) void ReadZmm(const std::byte* data, std::size_t bytes) {
  std::size_t blocks = bytes / 512;
  asm volatile(".p2align 5\n1:\n" XDNA_LOADS_512(0) "add $512,%0\ndec %1\njnz 1b\nvzeroupper\n"
               : "+r"(data), "+r"(blocks)
               :
               : "zmm0", "cc", "memory");
}

#define XDNA_LOADS_256                                                      \
  "vmovups (%0),%%ymm0\nvmovups 32(%0),%%ymm0\nvmovups 64(%0),%%ymm0\n"     \
  "vmovups 96(%0),%%ymm0\nvmovups 128(%0),%%ymm0\nvmovups 160(%0),%%ymm0\n" \
  "vmovups 192(%0),%%ymm0\nvmovups 224(%0),%%ymm0\n"

__attribute__((target("avx2"))) void ReadYmm(const std::byte* data, std::size_t bytes) {
  std::size_t blocks = bytes / 256;
  asm volatile(".p2align 5\n1:\n" XDNA_LOADS_256 "add $256,%0\ndec %1\njnz 1b\nvzeroupper\n"
               : "+r"(data), "+r"(blocks)
               :
               : "ymm0", "cc", "memory");
}

void ReadXmm(const std::byte* data, std::size_t bytes) {
  std::size_t blocks = bytes / 64;
  asm volatile(
      "1:\nmovups (%0),%%xmm0\nmovups 16(%0),%%xmm0\nmovups 32(%0),%%xmm0\n"
      "movups 48(%0),%%xmm0\nadd $64,%0\ndec %1\njnz 1b\n"
      : "+r"(data), "+r"(blocks)
      :
      : "xmm0", "cc", "memory");
}

}  // namespace

const std::vector<PeakKernel>& PeakKernels() {
  static const std::vector<PeakKernel> kernels = Detect();
  return kernels;
}

void ReadMemory(const std::byte* data, std::size_t bytes, std::int64_t passes) {
  const auto read = Cpu().avx512 ? ReadZmm : Cpu().avx2 ? ReadYmm : ReadXmm;
  for (std::int64_t i = 0; i < passes; ++i) read(data, bytes);
}

}  // namespace xdna::bench
