#include "ops/attention/dot_attention.h"

#include <cstddef>
#include <cstdint>

#include "ops/attention/attention_kernel.h"
#include "ops/attention/dot_pack.h"
#include "ops/attention/dot_run.h"
#include "ops/attention/dot_scores.h"
#include "ops/attention/dot_values.h"

// Flags of the compiler promise no instruction set: these do, for what the caller has asked for.
HWY_PUSH_ATTRIBUTES("avx2,fma,avx512f,avx512bw,avx512dq,avx512vl,avx512vbmi,avx512bf16,avx512vnni")
namespace xdna::ops {
namespace {

using namespace dot;  // NOLINT(google-build-using-namespace): parts of this kernel

// Queries of a group: 6 x 4 vectors of sums, 4 of K or V and one of a row in 32 registers.
constexpr std::size_t kRows = 6;
// Keys of a block: 32 KB of K or V in bf16, which all groups find in the first-level cache.
constexpr std::size_t kKeys = 256;

template <class Scores_, class Values_>
struct Dots {
  using Scores = Scores_;
  using Values = Values_;
  static constexpr std::size_t kGroups = 10;

  static void Begin() {}
  static void End() {}
  static HWY_INLINE void SumPanel(const std::uint32_t* q, const PackedK& packed, std::size_t panel,
                                  typename Scores::Sum (&sum)[kRows][kVectors]) {
    dot::SumPanel<Scores>(q, packed, panel, sum);
  }
  static void Mix(const typename Values::Block& block, const std::uint32_t* v, std::size_t units,
                  float* sums) {
    Values::Mix(block, v, units, sums);
  }
};

}  // namespace
}  // namespace xdna::ops
HWY_POP_ATTRIBUTES

namespace xdna::ops {

const AttentionKernel& DotAttention(Integers integers) {
  return KernelWith<Dots, Bf16Values<kRows, kKeys>, Int8Values<kRows, kKeys>>(
      integers,
      {"fused vdpbf16ps zmm", "fused vpdpbusd scores, vdpbf16ps zmm", "fused vpdpbusd zmm"});
}

}  // namespace xdna::ops
