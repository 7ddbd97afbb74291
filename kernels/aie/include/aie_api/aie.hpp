// A host implementation of the part of AMD's AIE API (aie_api/aie.hpp) that the kernels use, with
// the numbers of an AIE2 core of a Phoenix NPU (XDNA1, npu1). A kernel that includes this header
// compiles unchanged with the vendor's toolchains; the names and shapes are theirs, the code is
// not.
//
// Contract
// * Numbers are those of the tile, bit for bit, as far as sources say: lane arithmetic is in
//   detail/numerics.hpp with the source of each rule; golden/silicon holds captures of a Phoenix
//   that the tests match in every bit, NaN payloads included. Where sources disagree there is a
//   named option in aie::host::options (core.hpp).
// * Registers of a core are sticky: aie::set_rounding and aie::set_saturation hold until the next
//   call, across kernels. A thread plays one core; aie::host::core() is its state, which starts as
//   after reset: rounding floor, saturation none.
//     - The rounding register rules f32 -> bf16, SRS of integers, the address of parallel_lookup
//       and the emulated f32 products. It does not rule products of bf16, adds (both nearest even)
//       and bf16 -> integer (floor).
//     - The saturation register rules SRS and UPS of integers.
// * f32 has no multiplier: mul and mac of f32 are the toolchain's emulation by bf16 products.
// * Vectors that a kernel leaves uninitialised are zero here and anything on the tile.
// * The host's floating-point mode must be the default one (nearest even, no flush to zero).
// * Built with AIE_HOST_COUNT=1, operations add to aie::host::core().counts what they issue, and
//   marked loops note theirs in aie::host::core().loops; otherwise no trace of that is in the code.
// * Headers need no more than a freestanding C++20 library. A library (kernels/aie:aie_api) has the
//   float lanes and the bf16 tile of mmul, vectorised, and the tables of lut_based_ops.h.
//
// Here: vector, accum (acc32, acc64, accfloat), mask, load_v/store_v and unaligned forms,
// begin_vector & co., add, sub, mul, negmul, mac, msc, neg, abs, max, min, lt..neq, select,
// reduce_add/max/min, broadcast, zeros, concat, shuffles, reverse, transpose, interleave_zip/unzip,
// filter_even/odd, mmul, inv, invsqrt, to_fixed, to_float, lut, parallel_lookup, linear_approx.
#ifndef KERNELS_AIE_INCLUDE_AIE_API_AIE_HPP_
#define KERNELS_AIE_INCLUDE_AIE_API_AIE_HPP_

#include "aie_api/detail/accum.hpp"
#include "aie_api/detail/bfloat16.hpp"
#include "aie_api/detail/core.hpp"
#include "aie_api/detail/counting.hpp"
#include "aie_api/detail/elementary.hpp"
#include "aie_api/detail/lanes.hpp"
#include "aie_api/detail/lut.hpp"
#include "aie_api/detail/mmul.hpp"
#include "aie_api/detail/numerics.hpp"
#include "aie_api/detail/ops.hpp"
#include "aie_api/detail/reduce.hpp"
#include "aie_api/detail/shuffle.hpp"
#include "aie_api/detail/vector.hpp"

// Register types of the compilers, as far as kernels name them.
using v16bfloat16 = aie::vector<bfloat16, 16>;
using v32bfloat16 = aie::vector<bfloat16, 32>;
using v16float = aie::vector<float, 16>;
using v16int32 = aie::vector<int32, 16>;
using v16accfloat = aie::accum<accfloat, 16>;

inline v16bfloat16 to_v16bfloat16(const v16accfloat& acc) { return acc.to_vector<bfloat16>(); }
inline v16int32 bfloat16_to_int(const v16bfloat16& v, int shift) {
  return aie::to_fixed<int32>(v, shift);
}

// Trace events and hints to the tile's compiler: nothing on the host.
inline void event0() {}
inline void event1() {}
#define chess_flatten_loop
// Where the API counts, these two mark loops (see counting.hpp); a loop takes one of them.
#if AIE_HOST_COUNT
#define chess_prepare_for_pipelining                                                              \
  if (const ::aie::detail::LoopIteration aie_host_iteration(::aie::detail::LoopId([] {})); false) \
    ;                                                                                             \
  else
#define chess_loop_range(...)                                          \
  if (const ::aie::detail::OuterIteration aie_host_iteration{}; false) \
    ;                                                                  \
  else
#else
#define chess_prepare_for_pipelining
#define chess_loop_range(...)
#endif

#endif  // KERNELS_AIE_INCLUDE_AIE_API_AIE_HPP_
