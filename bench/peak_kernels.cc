#include "bench/peak_kernels.h"

#include <immintrin.h>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

// 2^r for r in [0, 1), the highest power's coefficient first.
constexpr std::array kExp2OfDegree5 = {0.001867130213F, 0.009017030019F, 0.05579991332F,
                                       0.2401644501F,   0.6931513118F,   1.0F};
constexpr std::array kExp2OfDegree3 = {0.07706705118F, 0.2276449812F, 0.6951167887F, 1.0F};

// Of all lanes.
template <typename Sums>
float SumOf(const Sums& sums) {
  constexpr std::size_t kBytes = sizeof(Sums);
  float lanes[kBytes / sizeof(float)];
  std::memcpy(lanes, &sums, sizeof sums);
  float sum = 0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

#define XDNA_ZMM_EXP "avx512f,avx512dq"

template <std::size_t kTerms>
__attribute__((target(XDNA_ZMM_EXP), always_inline)) inline __m512 PowerZmm(
    __m512 x, const std::array<float, kTerms>& polynomial) {
  const __m512 r = _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  __m512 p = _mm512_set1_ps(polynomial[0]);
  for (std::size_t i = 1; i < kTerms; ++i) {
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(polynomial[i]));
  }
  return _mm512_maskz_scalef_ps(0xFFFF, p, x);  // unmasked, GCC 12 takes it for uninitialized
}

__attribute__((target(XDNA_ZMM_EXP))) float ExpZmm(const float* scores, float scale, float top,
                                                   void* out) {
  const __m512 factor = _mm512_set1_ps(scale), offset = _mm512_set1_ps(-top);
  __m512 sums[4] = {};
  for (std::int64_t i = 0; i < kExpRow; i += 64) {
    for (std::size_t j = 0; j < 4; ++j) {
      const __m512 x = _mm512_load_ps(scores + i + 16 * j);
      const __m512 y = PowerZmm(_mm512_fmadd_ps(x, factor, offset), kExp2OfDegree5);
      sums[j] = _mm512_add_ps(sums[j], y);
      _mm512_store_ps(static_cast<float*>(out) + i + 16 * j, y);
    }
  }
  return SumOf(sums);
}

__attribute__((target(XDNA_ZMM_EXP ",avx512bf16"))) float ExpBf16Zmm(const float* scores,
                                                                     float scale, float top,
                                                                     void* out) {
  const __m512 factor = _mm512_set1_ps(scale), offset = _mm512_set1_ps(-top);
  __m512 sums[4] = {};
  for (std::int64_t i = 0; i < kExpRow; i += 64) {
    __m512 y[4];
    for (std::size_t j = 0; j < 4; ++j) {
      const __m512 x = _mm512_load_ps(scores + i + 16 * j);
      y[j] = PowerZmm(_mm512_fmadd_ps(x, factor, offset), kExp2OfDegree3);
      sums[j] = _mm512_add_ps(sums[j], y[j]);
    }
    auto* to = static_cast<std::uint16_t*>(out) + i;
    _mm512_store_si512(to, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(y[1], y[0])));
    _mm512_store_si512(to + 32, reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(y[3], y[2])));
  }
  return SumOf(sums);
}

// How much less than f the mantissa of 2^f is, f and mantissa in 128ths.
constexpr std::array<std::uint8_t, 128> MantissaTable() {
  std::array<std::uint8_t, 128> table{};
  for (std::size_t f = 0; f < table.size(); ++f) {
    const float r = static_cast<float>(f) / 128;
    float p = kExp2OfDegree5[0];
    for (std::size_t c = 1; c < kExp2OfDegree5.size(); ++c) p = p * r + kExp2OfDegree5[c];
    const auto halves = static_cast<std::size_t>((p - 1) * 256);
    table[f] = static_cast<std::uint8_t>(f - (halves + 1) / 2);
  }
  return table;
}
alignas(64) constexpr std::array<std::uint8_t, 128> kMantissa = MantissaTable();

// x in steps of 2^-7 is a bf16 but for its mantissa, which the table corrects; summed by a product
// with ones.
__attribute__((target(XDNA_ZMM_EXP ",avx512bw,avx512vbmi,avx512bf16"))) float ExpTableZmm(
    const float* scores, float scale, float top, void* out) {
  constexpr float kSteps = 128, kOne = 127 * kSteps;  // bf16's bias
  constexpr __mmask64 kLowBytes = 0x5555555555555555;
  const __m512i table[2] = {_mm512_load_si512(kMantissa.data()),
                            _mm512_load_si512(kMantissa.data() + 64)};
  const __m512 factor = _mm512_set1_ps(scale * kSteps);
  const __m512 offset = _mm512_set1_ps(kOne - top * kSteps);
  const __m512i ones = _mm512_set1_epi32(0x3F803F80);
  __m512 sums[4] = {};
  for (std::int64_t i = 0; i < kExpRow; i += 128) {
    for (std::size_t j = 0; j < 4; ++j) {
      __m512i steps[2];
      for (std::size_t h = 0; h < 2; ++h) {
        const __m512 x = _mm512_load_ps(scores + i + 32 * j + 16 * h);
        steps[h] = _mm512_maskz_cvtps_epi32(0xFFFF, _mm512_fmadd_ps(x, factor, offset));
      }
      const __m512i packed =
          _mm512_max_epi16(_mm512_packs_epi32(steps[0], steps[1]), _mm512_setzero_si512());
      const __m512i y = _mm512_sub_epi16(
          packed, _mm512_maskz_permutex2var_epi8(kLowBytes, table[0], packed, table[1]));
      asm("vdpbf16ps %2, %1, %0" : "+v"(sums[j]) : "v"(y), "v"(ones));
      _mm512_store_si512(static_cast<std::uint16_t*>(out) + i + 32 * j, y);
    }
  }
  return SumOf(sums);
}

__attribute__((target("avx2,fma"))) float ExpYmm(const float* scores, float scale, float top,
                                                 void* out) {
  const __m256 factor = _mm256_set1_ps(scale), offset = _mm256_set1_ps(-top);
  __m256 sums[4] = {};
  for (std::int64_t i = 0; i < kExpRow; i += 32) {
    for (std::size_t j = 0; j < 4; ++j) {
      const __m256 x = _mm256_fmadd_ps(_mm256_load_ps(scores + i + 8 * j), factor, offset);
      const __m256 n = _mm256_floor_ps(x);
      const __m256 r = _mm256_sub_ps(x, n);
      __m256 p = _mm256_set1_ps(kExp2OfDegree5[0]);
      for (std::size_t c = 1; c < kExp2OfDegree5.size(); ++c) {
        p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(kExp2OfDegree5[c]));
      }
      const __m256i power = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
      const __m256 y = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), power));
      sums[j] = _mm256_add_ps(sums[j], y);
      _mm256_store_ps(static_cast<float*>(out) + i + 8 * j, y);
    }
  }
  return SumOf(sums);
}

// What any compiler makes of it.
float Exp(const float* scores, float scale, float top, void* out) {
  constexpr int kLanes = 16;
  std::array<float, kLanes> sums{};
  for (std::int64_t i = 0; i < kExpRow; i += kLanes) {
    for (int j = 0; j < kLanes; ++j) {
      const float x = scores[i + j] * scale - top;
      const std::int32_t up = static_cast<std::int32_t>(x);  // x <= 0
      const std::int32_t n = up - (static_cast<float>(up) > x ? 1 : 0);
      const float r = x - static_cast<float>(n);
      float p = kExp2OfDegree5[0];
      for (std::size_t c = 1; c < kExp2OfDegree5.size(); ++c) p = p * r + kExp2OfDegree5[c];
      const float y = std::bit_cast<float>(std::bit_cast<std::int32_t>(p) + n * (1 << 23));
      sums[j] += y;
      static_cast<float*>(out)[i + j] = y;
    }
  }
  return SumOf(sums);
}

std::vector<ExpKernel> DetectExp() {
  using ops::Precision;
  const CpuFeatures& cpu = Cpu();
  std::vector<ExpKernel> kernels;
  if (cpu.avx512) kernels.push_back({Precision::kF32, "vscalefps zmm", ExpZmm});
  if (cpu.avx2) kernels.push_back({Precision::kF32, "vpaddd ymm", ExpYmm});
  if (!cpu.avx2) kernels.push_back({Precision::kF32, "paddd xmm", Exp});
  if (cpu.avx512_bf16) kernels.push_back({Precision::kBf16, "vscalefps zmm", ExpBf16Zmm});
  if (cpu.avx512_bf16 && __builtin_cpu_supports("avx512vbmi")) {
    kernels.push_back({Precision::kBf16, "vpermi2b zmm", ExpTableZmm});
  }
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

const std::vector<ExpKernel>& ExpKernels() {
  static const std::vector<ExpKernel> kernels = DetectExp();
  return kernels;
}

void ReadMemory(const std::byte* data, std::size_t bytes, std::int64_t passes) {
  const auto read = Cpu().avx512 ? ReadZmm : Cpu().avx2 ? ReadYmm : ReadXmm;
  for (std::int64_t i = 0; i < passes; ++i) read(data, bytes);
}

}  // namespace xdna::bench
