// Element types, the modes of a core and its state on the host. Kernels see it through aie.hpp.
#ifndef KERNELS_AIE_INCLUDE_AIE_API_DETAIL_CORE_HPP_
#define KERNELS_AIE_INCLUDE_AIE_API_DETAIL_CORE_HPP_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

// The element types are global in AMD's headers, too.
using int8 = std::int8_t;
using uint8 = std::uint8_t;
using int16 = std::int16_t;
using uint16 = std::uint16_t;
using int32 = std::int32_t;
using uint32 = std::uint32_t;
using int64 = std::int64_t;
using uint64 = std::uint64_t;

// Tags of accumulator lanes: 32 or 64 bits of integer, or binary32.
struct acc32 {};
struct acc64 {};
struct accfloat {};

// Build with AIE_HOST_COUNT=1 to count what is issued (aie::host::core().counts). The two builds
// have different symbols, so a program can hold both; without it no counting code exists.
#ifndef AIE_HOST_COUNT
#define AIE_HOST_COUNT 0
#endif
#if AIE_HOST_COUNT
#define AIE_HOST_VARIANT counted
#else
#define AIE_HOST_VARIANT plain
#endif

namespace aie {

// Values of the rounding register (crRnd): llvm-aie's compiler header (rnd_floor 0 ... rnd_sym_zero
// 10, rnd_sym_inf 11, rnd_conv_even 12, rnd_conv_odd 13) and the emulator's RoundingMode agree.
enum class rounding_mode : unsigned {
  floor = 0,            // towards -infinity; what the register holds after reset
  ceil = 1,             // towards +infinity
  symmetric_floor = 2,  // towards zero
  symmetric_ceil = 3,   // away from zero
  negative_inf = 8,     // nearest, ties towards -infinity
  positive_inf = 9,     // nearest, ties towards +infinity
  symmetric_zero = 10,  // nearest, ties towards zero
  symmetric_inf = 11,   // nearest, ties away from zero
  conv_even = 12,       // nearest, ties to even
  conv_odd = 13,        // nearest, ties to odd
};

// Values of the saturation register (crSat), for narrowing of integers only.
enum class saturation_mode : unsigned {
  none = 0,       // wraps
  saturate = 1,   // to [-2^(n-1), 2^(n-1) - 1]
  symmetric = 3,  // to [-(2^(n-1) - 1), 2^(n-1) - 1]
};

namespace host {

// Where sources say different things, or silicon does: the default is the better supported one.
enum class nan_payload {
  datapath,   // what the mantissa datapath sums (seen more often)
  canonical,  // 1 where an infinity takes part
};
enum class mac_underflow {
  positive_zero,  // the emulator's MAC, which agreed with silicon on thousands of fuzzed tiles
  signed_zero,    // as the normaliser does after add and sub
};
enum class add_denormals {
  datapath,  // take part with the bits they have; silicon: 0x80520000 + 0x807E0000 = 0x80D00000
  flush,     // become a zero of the same sign first (AM020: "not supported"; older emulators)
};
enum class fp32_product {
  safe,  // 9 products of 3-way bf16 splits: the toolchain's default
  fast,  // 6 (AIE2_FP32_EMULATION_ACCURACY_FAST)
  low,   // 3 products of 2-way splits (AIE2_FP32_EMULATION_ACCURACY_LOW)
};
enum class fp32_split {
  register_mode,  // the splits round as the register says: the toolchain's default
  floor,          // AIE2_FP32_EMULATION_SET_RND_MODE: floor during the split
};

struct options {
  host::nan_payload nan_payload = host::nan_payload::datapath;
  host::mac_underflow mac_underflow = host::mac_underflow::positive_zero;
  host::add_denormals add_denormals = host::add_denormals::datapath;
  host::fp32_product fp32_product = host::fp32_product::safe;
  host::fp32_split fp32_split = host::fp32_split::register_mode;
};

inline constexpr unsigned memory_banks = 4;  // of a tile's 64 KiB, as software sees them
inline constexpr std::size_t memory_bank_bytes = 1 << 14;

// Instructions issued, by the slot that they take. Loads and stores by bank of the tile's memory;
// `unplaced` are those outside it (core::memory unset or elsewhere).
// `scalar` are the scalar operations that the API itself stands for: values that go from scalar to
// vector registers (broadcast) and back (reductions, scalar inv and invsqrt: one each, although the
// float forms are calls into a library), and writes of the rounding and saturation registers.
// `branch` are the ends of loops: an iteration of a loop that the kernel marks by
// chess_prepare_for_pipelining or chess_loop_range. Not seen, since they are plain C++: arithmetic
// on scalars, conditions, addresses (which loads and stores advance for free), unmarked loops.
struct issue_counts {
  std::uint64_t vmac = 0;
  std::uint64_t load[memory_banks] = {};
  std::uint64_t load_unplaced = 0;
  std::uint64_t store[memory_banks] = {};
  std::uint64_t store_unplaced = 0;
  std::uint64_t shuffle = 0;
  std::uint64_t valu = 0;
  std::uint64_t convert = 0;  // narrowing and widening (SRS, UPS, VCONV, VFLOOR)
  std::uint64_t scalar = 0;
  std::uint64_t branch = 0;
  std::uint64_t misaligned = 0;  // aligned loads and stores of addresses that aren't

  friend bool operator==(const issue_counts&, const issue_counts&) = default;
};

// f(a, b) of each count.
template <typename F>
issue_counts combine(const issue_counts& a, const issue_counts& b, F&& f) {
  constexpr std::uint64_t issue_counts::*members[] = {
      &issue_counts::vmac,    &issue_counts::load_unplaced, &issue_counts::store_unplaced,
      &issue_counts::shuffle, &issue_counts::valu,          &issue_counts::convert,
      &issue_counts::scalar,  &issue_counts::branch,        &issue_counts::misaligned,
  };
  issue_counts out;
  for (const auto member : members) {
    out.*member = f(a.*member, b.*member);
  }
  for (unsigned bank = 0; bank < memory_banks; ++bank) {
    out.load[bank] = f(a.load[bank], b.load[bank]);
    out.store[bank] = f(a.store[bank], b.store[bank]);
  }
  return out;
}
inline issue_counts operator+(const issue_counts& a, const issue_counts& b) {
  return combine(a, b, [](std::uint64_t x, std::uint64_t y) { return x + y; });
}
inline issue_counts operator-(const issue_counts& a, const issue_counts& b) {
  return combine(a, b, [](std::uint64_t x, std::uint64_t y) { return x - y; });
}

struct loop_log;  // counting.hpp

// One core's state. Registers are sticky: they keep their value from kernel to kernel.
struct core_state {
  rounding_mode rounding = rounding_mode::floor;
  saturation_mode saturation = saturation_mode::none;
  host::options options;
  issue_counts counts;
  loop_log* loops = nullptr;     // where a counting build notes marked loops; not owned
  const void* memory = nullptr;  // where the tile's 64 KiB lie on the host
};

// The core that the calling thread plays.
inline core_state& core() {
  static thread_local core_state state;
  return state;
}

}  // namespace host

inline namespace AIE_HOST_VARIANT {

inline void set_rounding(rounding_mode mode) {
  if constexpr (AIE_HOST_COUNT != 0) ++host::core().counts.scalar;
  host::core().rounding = mode;
}
inline rounding_mode get_rounding() { return host::core().rounding; }
inline void set_saturation(saturation_mode mode) {
  if constexpr (AIE_HOST_COUNT != 0) ++host::core().counts.scalar;
  host::core().saturation = mode;
}
inline saturation_mode get_saturation() { return host::core().saturation; }

}  // namespace AIE_HOST_VARIANT

}  // namespace aie

#endif  // KERNELS_AIE_INCLUDE_AIE_API_DETAIL_CORE_HPP_
