// The names and shapes of AMD's aie_api/aie.hpp that kernels use, declared and no more: kernels
// compile against it (tile_kernel's NAME_freestanding), so none leans on what only the host's
// implementation has. Signatures follow the AIE API's manual (UG1529).
#ifndef KERNELS_AIE_VENDOR_LAYOUT_AIE_API_AIE_HPP_
#define KERNELS_AIE_VENDOR_LAYOUT_AIE_API_AIE_HPP_

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>

using int8 = std::int8_t;
using uint8 = std::uint8_t;
using int16 = std::int16_t;
using uint16 = std::uint16_t;
using int32 = std::int32_t;
using uint32 = std::uint32_t;

// A type of the compiler's own there.
class bfloat16 {
 public:
  bfloat16() = default;
  constexpr bfloat16(float v)  // NOLINT(google-explicit-constructor)
      : bits_(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(v) >> 16)) {}
  constexpr operator float() const {  // NOLINT(google-explicit-constructor)
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits_) << 16);
  }

 private:
  std::uint16_t bits_;
};

struct acc32;
struct acc64;
struct accfloat;
struct accauto;

#define chess_prepare_for_pipelining
#define chess_loop_range(...)
#define chess_flatten_loop
void event0();
void event1();

namespace aie {

enum class rounding_mode : unsigned {
  floor = 0,
  ceil = 1,
  symmetric_floor = 2,
  symmetric_ceil = 3,
  negative_inf = 8,
  positive_inf = 9,
  symmetric_zero = 10,
  symmetric_inf = 11,
  conv_even = 12,
  conv_odd = 13,
};
enum class saturation_mode : unsigned { none = 0, saturate = 1, symmetric = 3 };
void set_rounding(rounding_mode mode);
void set_saturation(saturation_mode mode);

template <typename T, unsigned N>
class vector {
 public:
  using value_type = T;
  vector();
  T operator[](unsigned i) const;
  void set(T value, unsigned i);
  template <unsigned M>
  vector<T, M> extract(unsigned index) const;
  template <unsigned M>
  vector& insert(unsigned index, const vector<T, M>& part);
  template <unsigned M>
  vector<T, M> grow(unsigned index = 0) const;
  template <unsigned M>
  vector<T, M> grow_replicate() const;
  template <typename U>
  vector<U, N * sizeof(T) / sizeof(U)> cast_to() const;

 private:
  T lanes_[N];
};

template <typename Tag, unsigned N>
class accum {
 public:
  accum();
  template <typename T>
  explicit accum(const vector<T, N>& v, int shift = 0);
  template <typename T>
  vector<T, N> to_vector(int shift = 0) const;
  template <unsigned M>
  accum<Tag, M> extract(unsigned index) const;
  template <unsigned M>
  accum& insert(unsigned index, const accum<Tag, M>& part);
  template <typename U>
  accum<U, N> cast_to() const;

 private:
  float lanes_[N];
};

template <unsigned N>
class mask {
 public:
  static mask from_uint32(uint32 bits);
  static mask from_uint64(std::uint64_t bits);
  bool test(unsigned i) const;
  bool empty() const;
  unsigned count() const;
  mask operator~() const;
  mask operator&(const mask& other) const;
  mask operator|(const mask& other) const;

 private:
  std::uint64_t bits_;
};

template <typename T>
inline constexpr bool kIsAccum =
    std::is_same_v<T, acc32> || std::is_same_v<T, acc64> || std::is_same_v<T, accfloat>;
template <typename T>
inline constexpr bool kIsFloat = std::is_same_v<T, float> || std::is_same_v<T, bfloat16>;
template <typename Tag, typename A, typename B>
using AccumOf = std::conditional_t<
    kIsFloat<A> || kIsFloat<B>, accfloat,
    std::conditional_t<!std::is_same_v<Tag, accauto>, Tag,
                       std::conditional_t<sizeof(A) + sizeof(B) <= 4, acc32, acc64>>>;

template <unsigned N, typename T>
vector<T, N> load_v(const T* p);
template <unsigned N, typename T>
vector<T, N> load_unaligned_v(const T* p, unsigned aligned_elems = 1);
template <typename T, unsigned N>
void store_v(T* p, const vector<T, N>& v);
template <typename T, unsigned N>
void store_unaligned_v(T* p, const vector<T, N>& v, unsigned aligned_elems = 1);

template <typename T, unsigned N, typename V>
vector<T, N> broadcast(V value);
template <typename T, unsigned N>
requires(!kIsAccum<T>) vector<T, N> zeros();
template <typename T, unsigned N>
requires kIsAccum<T> accum<T, N> zeros();

// Lane by lane, of two vectors or of a vector and a value.
#define AIE_VENDOR_BINARY(name)                                        \
  template <typename T, unsigned N>                                    \
  vector<T, N> name(const vector<T, N>& a, const vector<T, N>& b);     \
  template <typename T, unsigned N>                                    \
  vector<T, N> name(const vector<T, N>& a, std::type_identity_t<T> b); \
  template <typename T, unsigned N>                                    \
  vector<T, N> name(std::type_identity_t<T> a, const vector<T, N>& b)
AIE_VENDOR_BINARY(add);
AIE_VENDOR_BINARY(sub);
AIE_VENDOR_BINARY(max);
AIE_VENDOR_BINARY(min);
#undef AIE_VENDOR_BINARY
#define AIE_VENDOR_ACCUMULATE(name)                                         \
  template <typename Tag, unsigned N>                                       \
  accum<Tag, N> name(const accum<Tag, N>& acc, const accum<Tag, N>& other); \
  template <typename Tag, typename T, unsigned N>                           \
  accum<Tag, N> name(const accum<Tag, N>& acc, const vector<T, N>& v)
AIE_VENDOR_ACCUMULATE(add);
AIE_VENDOR_ACCUMULATE(sub);
#undef AIE_VENDOR_ACCUMULATE
template <typename Tag = accauto, typename A, typename B, unsigned N>
accum<AccumOf<Tag, A, B>, N> mul(const vector<A, N>& a, const vector<B, N>& b);
template <typename Tag = accauto, typename T, unsigned N>
accum<AccumOf<Tag, T, T>, N> mul(const vector<T, N>& a, std::type_identity_t<T> b);
template <typename Tag, typename A, typename B, unsigned N>
accum<Tag, N> mac(const accum<Tag, N>& acc, const vector<A, N>& a, const vector<B, N>& b);
template <typename Tag, typename T, unsigned N>
accum<Tag, N> mac(const accum<Tag, N>& acc, const vector<T, N>& a, std::type_identity_t<T> b);
template <typename Tag, typename A, typename B, unsigned N>
accum<Tag, N> msc(const accum<Tag, N>& acc, const vector<A, N>& a, const vector<B, N>& b);
template <typename T, unsigned N>
vector<T, N> neg(const vector<T, N>& v);
template <typename T, unsigned N>
vector<T, N> abs(const vector<T, N>& v);

#define AIE_VENDOR_COMPARE(name)    \
  template <typename T, unsigned N> \
  mask<N> name(const vector<T, N>& a, const vector<T, N>& b)
AIE_VENDOR_COMPARE(lt);
AIE_VENDOR_COMPARE(le);
AIE_VENDOR_COMPARE(gt);
AIE_VENDOR_COMPARE(ge);
AIE_VENDOR_COMPARE(eq);
AIE_VENDOR_COMPARE(neq);
#undef AIE_VENDOR_COMPARE
template <typename T, unsigned N>
vector<T, N> select(const vector<T, N>& a, const vector<T, N>& b, const mask<N>& m);

template <typename T, unsigned N>
T reduce_add(const vector<T, N>& v);
template <typename T, unsigned N>
T reduce_max(const vector<T, N>& v);
template <typename T, unsigned N>
T reduce_min(const vector<T, N>& v);

template <typename T, unsigned N>
struct VectorPair {
  vector<T, N> first, second;
};
template <typename T, unsigned N>
vector<T, N> shuffle_down(const vector<T, N>& v, unsigned n);
template <typename T, unsigned N>
vector<T, N> shuffle_down_rotate(const vector<T, N>& v, unsigned n);
template <typename T, unsigned N>
vector<T, N> shuffle_up(const vector<T, N>& v, unsigned n);
template <typename T, unsigned N>
vector<T, N> reverse(const vector<T, N>& v);
template <typename T, unsigned N>
vector<T, N> transpose(const vector<T, N>& v, unsigned rows, unsigned cols);
template <typename T, unsigned N>
VectorPair<T, N> interleave_zip(const vector<T, N>& a, const vector<T, N>& b, unsigned step = 1);
template <typename T, unsigned N>
VectorPair<T, N> interleave_unzip(const vector<T, N>& a, const vector<T, N>& b, unsigned step = 1);
template <typename T, unsigned N, typename... More>
vector<T, N*(1 + sizeof...(More))> concat(const vector<T, N>& first, const More&... more);

template <typename T, unsigned N>
vector<T, N> inv(const vector<T, N>& v);
template <typename T, unsigned N>
vector<T, N> invsqrt(const vector<T, N>& v);
float inv(float x);
float invsqrt(float x);
template <typename T, unsigned N>
vector<T, N> to_fixed(const vector<bfloat16, N>& v, int shift = 0);
template <typename T = float, typename Int, unsigned N>
vector<T, N> to_float(const vector<Int, N>& v, int shift = 0);

template <unsigned ParallelAccesses, typename OffsetType, typename SlopeType = OffsetType>
class lut {
 public:
  lut(unsigned elems, const void* ab, const void* cd);
  lut(unsigned elems, const void* ab);
};
template <typename T, typename Lut>
class linear_approx {
 public:
  linear_approx(const Lut& table, int step_bits, int bias = 0, int shift_offset = 0);
  template <unsigned N>
  accum<accfloat, N> compute(const vector<T, N>& x) const;
};

template <unsigned M_, unsigned K_, unsigned N_, typename A, typename B = A, typename Tag = accauto>
class mmul {
 public:
  static constexpr unsigned M = M_, K = K_, N = N_;
  static constexpr unsigned size_A = M * K, size_B = K * N, size_C = M * N;
  using accum_type = accum<AccumOf<Tag, A, B>, size_C>;
  mmul();
  mmul(const accum_type& acc);  // NOLINT(google-explicit-constructor)
  template <typename T>
  mmul(const vector<T, size_C>& v, int shift = 0);  // NOLINT(google-explicit-constructor)
  void mac(const vector<A, size_A>& a, const vector<B, size_B>& b);
  void mul(const vector<A, size_A>& a, const vector<B, size_B>& b);
  template <typename T>
  vector<T, size_C> to_vector(int shift = 0) const;
  accum_type to_accum() const;

 private:
  accum_type data_;
};

}  // namespace aie

using v16bfloat16 = aie::vector<bfloat16, 16>;
using v32bfloat16 = aie::vector<bfloat16, 32>;
using v16float = aie::vector<float, 16>;
using v16int32 = aie::vector<int32, 16>;
using v16accfloat = aie::accum<accfloat, 16>;
v16bfloat16 to_v16bfloat16(const v16accfloat& acc);
v16int32 bfloat16_to_int(const v16bfloat16& v, int shift);

#endif  // KERNELS_AIE_VENDOR_LAYOUT_AIE_API_AIE_HPP_
