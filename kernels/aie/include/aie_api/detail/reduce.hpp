// aie::reduce_add, in the order of aie_api's AIE2 code: the order shows in the bits of floats.
#ifndef KERNELS_AIE_INCLUDE_AIE_API_DETAIL_REDUCE_HPP_
#define KERNELS_AIE_INCLUDE_AIE_API_DETAIL_REDUCE_HPP_

#include "aie_api/detail/mmul.hpp"
#include "aie_api/detail/ops.hpp"
#include "aie_api/detail/shuffle.hpp"

namespace aie {
inline namespace AIE_HOST_VARIANT {

// The sum of all lanes.
// f32: halves are added until one lane is left. Integers likewise, wrapping. aie_api adds the last
// lanes of 8- and 16-bit integers in an accumulator and narrows that by the saturation register.
// bf16: rows of eight by a product with ones (one rounding each), the row sums as f32, one rounding
// to bf16 by the register. aie_api, detail/aie2/add_reduce.hpp.
template <typename T, unsigned N>
T reduce_add(const vector<T, N>& v) {
  detail::CountScalar(1);
  if constexpr (std::is_same_v<T, bfloat16>) {
    static_assert(N <= 64);
    const vector<bfloat16, 32> ones = broadcast<bfloat16, 32>(bfloat16::from_bits(0x3F80));
    mmul<4, 8, 4, bfloat16, bfloat16> rows;
    if constexpr (N < 32) {
      rows.mul(v.template grow<32>(), ones);
    } else {
      rows.mul(v.template extract<32>(0), ones);
      if constexpr (N == 64) rows.mac(v.template extract<32>(1), ones);
    }
    vector<float, 16> sums = rows.to_accum().template to_vector<float>();
    if constexpr (N > 16) sums = add(sums, shuffle_down(sums, 8));
    if constexpr (N > 8) sums = add(sums, shuffle_down(sums, 4));
    return accum<accfloat, 16>(sums).template to_vector<bfloat16>()[0];
  } else if constexpr (sizeof(T) <= 2) {
    // Lanes that the accumulator adds: 16 of 8 bits, 8 of 16 bits.
    constexpr unsigned kLast = 16 / sizeof(T);
    vector<T, N> sums = v;
    for (unsigned n = N / 2; n >= kLast; n /= 2) sums = add(sums, shuffle_down(sums, n));
    accum<acc32, 1> total;
    for (unsigned i = 0; i < N && i < kLast; ++i) total[0] += sums[i];
    detail::CountMac(2);
    return total.template to_vector<T>()[0];
  } else {
    vector<T, N> sums = v;
    for (unsigned n = N / 2; n > 0; n /= 2) sums = add(sums, shuffle_down(sums, n));
    return sums[0];
  }
}

}  // namespace AIE_HOST_VARIANT
}  // namespace aie

#endif  // KERNELS_AIE_INCLUDE_AIE_API_DETAIL_REDUCE_HPP_
