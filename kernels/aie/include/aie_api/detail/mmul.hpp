// aie::mmul: a block matrix product in accumulators.
#ifndef KERNELS_AIE_INCLUDE_AIE_API_DETAIL_MMUL_HPP_
#define KERNELS_AIE_INCLUDE_AIE_API_DETAIL_MMUL_HPP_

#include <cstdint>
#include <type_traits>

#include "aie_api/detail/ops.hpp"

namespace aie {
namespace host {

// c[m,n] = (zero ? 0 : c) + a[m,k] b[k,n], row-major and dense, k of 1 or 8: one bf16 MAC a lane
// with the calling core's options. Vectorised; in kernels/aie/exact_matmul.cc.
void mac_tile_bf16(unsigned m, unsigned k, unsigned n, const std::uint16_t* a,
                   const std::uint16_t* b, float* c, bool zero);

}  // namespace host

inline namespace AIE_HOST_VARIANT {
namespace detail {

constexpr bool Shape(unsigned m, unsigned k, unsigned n, unsigned m2, unsigned k2, unsigned n2) {
  return m == m2 && k == k2 && n == n2;
}

// The shapes of aie_api's detail/aie2/mmul_{bf16_bf16,8_8,16_16}.hpp; not the sparse ones.
constexpr bool Bf16Shape(unsigned m, unsigned k, unsigned n) {
  return Shape(m, k, n, 4, 8, 4) || Shape(m, k, n, 4, 8, 8) || Shape(m, k, n, 8, 8, 4) ||
         Shape(m, k, n, 8, 8, 8) || Shape(m, k, n, 8, 1, 8);
}
constexpr bool Int8Shape(unsigned m, unsigned k, unsigned n) {
  return Shape(m, k, n, 4, 8, 8) || Shape(m, k, n, 4, 8, 4) || Shape(m, k, n, 8, 8, 4) ||
         Shape(m, k, n, 2, 8, 8) || Shape(m, k, n, 8, 8, 8) || Shape(m, k, n, 1, 16, 8) ||
         Shape(m, k, n, 2, 16, 8) || Shape(m, k, n, 4, 16, 4) || Shape(m, k, n, 4, 16, 8);
}
constexpr bool Int16Shape(unsigned m, unsigned k, unsigned n) {
  return Shape(m, k, n, 4, 4, 4) || Shape(m, k, n, 2, 4, 8) || Shape(m, k, n, 4, 4, 8) ||
         Shape(m, k, n, 4, 2, 8) || Shape(m, k, n, 8, 2, 8) || Shape(m, k, n, 2, 8, 8);
}

template <typename A, typename B>
constexpr bool LegalShape(unsigned m, unsigned k, unsigned n) {
  if (std::is_same_v<A, bfloat16> && std::is_same_v<B, bfloat16>) return Bf16Shape(m, k, n);
  if (kIsFloat<A> || kIsFloat<B>) return false;
  if (sizeof(A) == 1 && sizeof(B) == 1) return Int8Shape(m, k, n);
  return sizeof(A) == 2 && sizeof(B) == 2 && Int16Shape(m, k, n);
}

}  // namespace detail

// C[M,N] += A[M,K] B[K,N], all row-major in vectors. One object is one tile of C.
// bf16: every mac() adds the K products and the accumulator as lane::MacBf16 says, so the order of
// the mac() calls shows in the bits. Integers are exact and wrap at the accumulator's width, which
// is 32 bits for int8 and 64 for int16 unless AccumTag says otherwise (accfloat is ignored for
// integers: mlir-aie's mm.cc passes it).
template <unsigned M_, unsigned K_, unsigned N_, typename TypeA, typename TypeB = TypeA,
          typename AccumTag = accauto>
class mmul {
  static_assert(detail::LegalShape<TypeA, TypeB>(M_, K_, N_), "not a shape of AIE2's mmul");
  static constexpr bool kFloat = std::is_same_v<TypeA, bfloat16>;
  static constexpr bool kGiven = std::is_same_v<AccumTag, acc32> || std::is_same_v<AccumTag, acc64>;

 public:
  using accum_tag = std::conditional_t<
      kFloat, accfloat,
      std::conditional_t<kGiven, AccumTag, std::conditional_t<sizeof(TypeA) == 1, acc32, acc64>>>;

  static constexpr unsigned M = M_, K = K_, N = N_;
  static constexpr unsigned size_A = M * K, size_B = K * N, size_C = M * N;

  using vector_A_type = vector<TypeA, size_A>;
  using vector_B_type = vector<TypeB, size_B>;
  using accum_type = accum<accum_tag, size_C>;

  mmul() = default;                            // C is zero
  mmul(const accum_type& acc) : data_(acc) {}  // NOLINT: implicit as in aie_api
  template <typename T>
  mmul(const vector<T, size_C>& v, int shift = 0) : data_(v, shift) {}  // NOLINT: likewise

  void mac(const vector_A_type& a, const vector_B_type& b) { Multiply(a, b, false); }
  void mul(const vector_A_type& a, const vector_B_type& b) { Multiply(a, b, true); }

  template <typename T>
  vector<T, size_C> to_vector(int shift = 0) const {
    return data_.template to_vector<T>(shift);
  }
  accum_type to_accum() const { return data_; }
  operator accum_type() const { return data_; }  // NOLINT: implicit as in aie_api

 private:
  // Native products, and the shuffles that bring the columns of a wide B into order.
  static constexpr unsigned kRows = M < 4 ? 1 : M / 4;
  static constexpr unsigned kVmacs = kFloat               ? (size_C + 15) / 16
                                     : sizeof(TypeA) == 1 ? kRows * (K / 8)
                                                          : (M * K * N + 63) / 64;
  static constexpr unsigned kShuffles = kFloat && N == 8 && K == 8 ? 2 : 0;

  void Multiply(const vector_A_type& a, const vector_B_type& b, bool zero) {
    detail::CountMac(kVmacs);
    detail::CountShuffle(kShuffles);
    if constexpr (kFloat) {
      const auto a_bits = a.template cast_to<uint16>();
      const auto b_bits = b.template cast_to<uint16>();
      host::mac_tile_bf16(M, K, N, a_bits.data(), b_bits.data(), &data_[0], zero);
    } else {
      using Lane = typename accum_type::lane_type;
      using Sum = std::make_unsigned_t<Lane>;
      for (unsigned i = 0; i < M; ++i) {
        for (unsigned j = 0; j < N; ++j) {
          Sum sum = zero ? 0 : static_cast<Sum>(data_[i * N + j]);
          for (unsigned k = 0; k < K; ++k) {
            const std::int64_t product = std::int64_t{a[i * K + k]} * b[k * N + j];
            sum += static_cast<Sum>(product);
          }
          data_[i * N + j] = static_cast<Lane>(sum);
        }
      }
    }
  }

  accum_type data_;
};

}  // namespace AIE_HOST_VARIANT
}  // namespace aie

#endif  // KERNELS_AIE_INCLUDE_AIE_API_DETAIL_MMUL_HPP_
