// aie::vector, aie::mask, loads, stores and iterators.
#ifndef KERNELS_AIE_INCLUDE_AIE_API_DETAIL_VECTOR_HPP_
#define KERNELS_AIE_INCLUDE_AIE_API_DETAIL_VECTOR_HPP_

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "aie_api/detail/bfloat16.hpp"
#include "aie_api/detail/core.hpp"
#include "aie_api/detail/numerics.hpp"

namespace aie {

// Alignment in bytes that aligned loads and stores of whole registers ask for (256 bits).
inline constexpr unsigned vector_decl_align = 32;

inline namespace AIE_HOST_VARIANT {

template <typename T>
concept ElemBaseType = std::same_as<T, int8> || std::same_as<T, uint8> || std::same_as<T, int16> ||
    std::same_as<T, uint16> || std::same_as<T, int32> || std::same_as<T, uint32> ||
    std::same_as<T, bfloat16> || std::same_as<T, float>;

template <typename Tag, unsigned Elems>
class accum;

namespace detail {

inline constexpr bool kCounting = AIE_HOST_COUNT != 0;

template <typename T>
inline constexpr bool kIsFloat = std::is_same_v<T, float> || std::is_same_v<T, bfloat16>;

// Operations of 512 bits that a vector of `bits` bits takes.
constexpr unsigned Registers(unsigned bits) { return bits <= 512 ? 1 : bits / 512; }

inline void CountAlu(unsigned n) {
  if constexpr (kCounting) host::core().counts.valu += n;
}
inline void CountShuffle(unsigned n) {
  if constexpr (kCounting) host::core().counts.shuffle += n;
}
inline void CountMac(unsigned n) {
  if constexpr (kCounting) host::core().counts.vmac += n;
}
inline void CountScalar(unsigned n) {
  if constexpr (kCounting) host::core().counts.scalar += n;
}
inline void CountConvert(unsigned n) {
  if constexpr (kCounting) host::core().counts.convert += n;
}

// One load or store of `bytes` at `p`: 256 bits each (AM020: two loads and a store of 256 bits a
// cycle), by the bank of each.
inline void CountAccess(const void* p, std::size_t bytes, bool store, bool aligned) {
  if constexpr (kCounting) {
    host::core_state& core = host::core();
    const auto address = reinterpret_cast<std::uintptr_t>(p);
    const std::size_t boundary = bytes < vector_decl_align ? bytes : vector_decl_align;
    if (aligned && address % boundary != 0) ++core.counts.misaligned;
    for (std::size_t done = 0; done < bytes; done += 32) {
      const std::uintptr_t offset = address + done - reinterpret_cast<std::uintptr_t>(core.memory);
      const std::size_t bank = offset / host::memory_bank_bytes;
      const bool placed = core.memory != nullptr && bank < host::memory_banks;
      if (store) {
        ++(placed ? core.counts.store[bank] : core.counts.store_unplaced);
      } else {
        ++(placed ? core.counts.load[bank] : core.counts.load_unplaced);
      }
    }
  } else {
    (void)p, (void)bytes, (void)store, (void)aligned;
  }
}

}  // namespace detail

// Lanes of T. Lane 0 is the one at the lowest address. A default vector holds zeros here and
// anything on the tile; a kernel that reads it is wrong.
template <ElemBaseType T, unsigned Elems>
class vector {
  static_assert(Elems > 0 && (Elems & (Elems - 1)) == 0, "a power of two");

 public:
  using value_type = T;

  static constexpr unsigned size() { return Elems; }
  static constexpr unsigned type_bits() { return 8 * sizeof(T); }
  static constexpr unsigned bits() { return type_bits() * Elems; }
  static constexpr bool is_signed() { return std::is_signed_v<T> || detail::kIsFloat<T>; }
  static constexpr bool is_floating_point() { return detail::kIsFloat<T>; }

  vector() = default;
  // What a product or sum is in a vector's type: gelu.cc of mlir-aie relies on it.
  template <typename Tag>
  vector(const accum<Tag, Elems>& acc, int shift = 0)  // NOLINT: implicit as in aie_api
      : vector(acc.template to_vector<T>(shift)) {}

  T operator[](unsigned i) const { return lane_[i]; }
  T& operator[](unsigned i) { return lane_[i]; }
  T get(unsigned i) const { return lane_[i]; }
  void set(T value, unsigned i) { lane_[i] = value; }

  // Moves every lane up by one and puts `value` into lane 0.
  void push(T value) {
    detail::CountShuffle(detail::Registers(bits()));
    for (unsigned i = Elems - 1; i > 0; --i) lane_[i] = lane_[i - 1];
    lane_[0] = value;
  }

  // The `index`-th part of N lanes. Parts of registers: free, or a move.
  template <unsigned N>
  vector<T, N> extract(unsigned index) const {
    static_assert(N <= Elems);
    vector<T, N> part;
    for (unsigned i = 0; i < N; ++i) part[i] = lane_[index * N + i];
    return part;
  }
  template <unsigned N>
  vector& insert(unsigned index, const vector<T, N>& part) {
    static_assert(N <= Elems);
    for (unsigned i = 0; i < N; ++i) lane_[index * N + i] = part[i];
    return *this;
  }
  // The same lanes in a longer vector; the others are zero here and anything on the tile.
  template <unsigned N>
  vector<T, N> grow(unsigned index = 0) const {
    vector<T, N> longer;
    longer.insert(index, *this);
    return longer;
  }
  template <unsigned N>
  vector<T, N> grow_replicate() const {
    detail::CountShuffle(detail::Registers(8 * sizeof(T) * N));
    vector<T, N> longer;
    for (unsigned i = 0; i < N / Elems; ++i) longer.insert(i, *this);
    return longer;
  }
  // The same bits as lanes of another type.
  template <typename U>
  vector<U, Elems * sizeof(T) / sizeof(U)> cast_to() const {
    vector<U, Elems * sizeof(T) / sizeof(U)> result;
    __builtin_memcpy(&result[0], lane_, sizeof lane_);
    return result;
  }
  // int8 -> int16 (VUNPACK), exact.
  auto unpack() const requires(sizeof(T) == 1) {
    using Wide = std::conditional_t<std::is_signed_v<T>, int16, uint16>;
    detail::CountShuffle(detail::Registers(2 * bits()));
    vector<Wide, Elems> wide;
    for (unsigned i = 0; i < Elems; ++i) wide[i] = lane_[i];
    return wide;
  }

  void load(const T* p) {
    detail::CountAccess(p, sizeof lane_, false, true);
    __builtin_memcpy(lane_, p, sizeof lane_);
  }
  void store(T* p) const {
    detail::CountAccess(p, sizeof lane_, true, true);
    __builtin_memcpy(p, lane_, sizeof lane_);
  }

  const T* data() const { return lane_; }

 private:
  T lane_[Elems] = {};
};

// One bit a lane, from comparisons.
template <unsigned Elems>
class mask {
 public:
  static constexpr unsigned size() { return Elems; }

  mask() = default;
  static mask from_uint32(std::uint32_t bits) { return from_uint64(bits); }
  static mask from_uint64(std::uint64_t bits) {
    mask m;
    for (unsigned i = 0; i < Elems && i < 64; ++i) m.lane_[i] = ((bits >> i) & 1) != 0;
    return m;
  }
  bool test(unsigned i) const { return lane_[i]; }
  void set(unsigned i) { lane_[i] = true; }
  void clear(unsigned i) { lane_[i] = false; }
  unsigned count() const {
    unsigned n = 0;
    for (const bool lane : lane_) n += lane ? 1 : 0;
    return n;
  }
  bool empty() const { return count() == 0; }
  bool full() const { return count() == Elems; }

  mask operator~() const {
    return Map([this](unsigned i) { return !lane_[i]; });
  }
  mask operator&(const mask& o) const {
    return Map([&](unsigned i) { return lane_[i] && o.lane_[i]; });
  }
  mask operator|(const mask& o) const {
    return Map([&](unsigned i) { return lane_[i] || o.lane_[i]; });
  }
  bool operator==(const mask&) const = default;

 private:
  template <typename F>
  static mask Map(F&& f) {
    mask m;
    for (unsigned i = 0; i < Elems; ++i) m.lane_[i] = f(i);
    return m;
  }
  bool lane_[Elems] = {};
};

// Loads and stores of N lanes. The aligned forms need min(32, vector bytes) alignment on the tile,
// where low address bits are dropped; here they work anyway, and a counting build counts them.
template <unsigned N, ElemBaseType T>
vector<T, N> load_v(const T* p) {
  vector<T, N> v;
  v.load(p);
  return v;
}
template <ElemBaseType T, unsigned N>
void store_v(T* p, const vector<T, N>& v) {
  v.store(p);
}
template <unsigned N, ElemBaseType T>
vector<T, N> load_unaligned_v(const T* p, unsigned /*aligned_elems*/ = 1) {
  vector<T, N> v;
  detail::CountAccess(p, sizeof v, false, false);
  __builtin_memcpy(&v[0], p, sizeof v);
  return v;
}
template <ElemBaseType T, unsigned N>
void store_unaligned_v(T* p, const vector<T, N>& v, unsigned /*aligned_elems*/ = 1) {
  detail::CountAccess(p, sizeof v, true, false);
  __builtin_memcpy(p, v.data(), sizeof v);
}

namespace detail {

// *it reads or writes N lanes at the iterator's place.
template <typename T, unsigned N>
class VectorReference {
  using Element = std::remove_const_t<T>;

 public:
  explicit VectorReference(T* p) : p_(p) {}
  // NOLINTNEXTLINE(google-explicit-constructor): it stands for a vector, as AMD's does
  operator vector<Element, N>() const { return load_v<N>(static_cast<const Element*>(p_)); }
  template <typename Value>
  requires(!std::is_const_v<T> &&
           std::convertible_to<Value, vector<Element, N>>) const VectorReference&
  operator=(const Value& value) const {
    store_v(p_, static_cast<vector<Element, N>>(value));
    return *this;
  }

 private:
  T* p_;
};

template <typename T, unsigned N>
class VectorIterator {
 public:
  using value_type = vector<std::remove_const_t<T>, N>;
  using difference_type = std::ptrdiff_t;

  VectorIterator() = default;
  explicit VectorIterator(T* p) : p_(p) {}
  VectorReference<T, N> operator*() const { return VectorReference<T, N>(p_); }
  VectorReference<T, N> operator[](difference_type i) const {
    return VectorReference<T, N>(p_ + i * difference_type{N});
  }
  VectorIterator& operator++() { return *this += 1; }
  VectorIterator& operator--() { return *this += -1; }
  VectorIterator operator++(int) {
    const VectorIterator old = *this;
    ++*this;
    return old;
  }
  VectorIterator operator--(int) {
    const VectorIterator old = *this;
    --*this;
    return old;
  }
  VectorIterator& operator+=(difference_type n) {
    p_ += n * difference_type{N};
    return *this;
  }
  VectorIterator& operator-=(difference_type n) { return *this += -n; }
  friend VectorIterator operator+(VectorIterator it, difference_type n) { return it += n; }
  friend VectorIterator operator-(VectorIterator it, difference_type n) { return it += -n; }
  friend difference_type operator-(VectorIterator a, VectorIterator b) {
    return (a.p_ - b.p_) / difference_type{N};
  }
  bool operator==(const VectorIterator&) const = default;

 private:
  T* p_ = nullptr;
};

}  // namespace detail

// Iterators over N lanes at a time. The restrict forms promise the tile's compiler no aliasing.
template <unsigned N, typename T>
auto begin_vector(T* p) {
  return detail::VectorIterator<T, N>(p);
}
template <unsigned N, typename T>
auto cbegin_vector(const T* p) {
  return detail::VectorIterator<const T, N>(p);
}
template <unsigned N, typename T>
auto begin_restrict_vector(T* p) {
  return begin_vector<N>(p);
}
template <unsigned N, typename T>
auto cbegin_restrict_vector(const T* p) {
  return cbegin_vector<N>(p);
}

}  // namespace AIE_HOST_VARIANT
}  // namespace aie

#endif  // KERNELS_AIE_INCLUDE_AIE_API_DETAIL_VECTOR_HPP_
