// What tests of kernels share.
#ifndef KERNELS_TESTING_TILE_TEST_H_
#define KERNELS_TESTING_TILE_TEST_H_

#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "golden/compare.h"

namespace xdna::kernels::testing {

// Half a unit in the last place of bf16, relative: what one rounding to nearest may err. (8 bits of
// precision.)
inline constexpr double kBf16Half = 0x1p-8;
// The same of f32 (24 bits); the adder rounds its terms to the largest exponent, then the sum.
inline constexpr double kF32Half = 0x1p-24;
inline constexpr double kF32Add = 3 * kF32Half;

// Bytes at a 32-byte boundary, all 0xA5, between guard bytes. These differ from one buffer to the
// next, so that a copy of one guard to another shows.
class GuardedBytes {
 public:
  explicit GuardedBytes(std::size_t size);
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;

  unsigned char* first() { return bytes_.data() + first_; }
  const unsigned char* first() const { return bytes_.data() + first_; }
  // Whether the bytes before and after the buffer are as they were.
  bool Intact() const;

 private:
  std::size_t size_;
  std::vector<unsigned char> bytes_;
  std::size_t first_ = 0;
};

// The same as `size` elements of T.
template <typename T>
class Guarded {
 public:
  explicit Guarded(std::size_t size) : size_(size), bytes_(size * sizeof(T)) {}

  T* data() { return reinterpret_cast<T*>(bytes_.first()); }
  const T* data() const { return reinterpret_cast<const T*>(bytes_.first()); }
  std::size_t size() const { return size_; }
  std::span<T> span() { return {data(), size_}; }
  std::span<const T> span() const { return {data(), size_}; }
  T& operator[](std::size_t i) { return data()[i]; }
  const T& operator[](std::size_t i) const { return data()[i]; }
  bool Intact() const { return bytes_.Intact(); }

 private:
  std::size_t size_;
  GuardedBytes bytes_;
};

// A core whose registers another kernel left in a bad state. A kernel that sets what it needs gives
// the same results as after reset.
class TileTest : public ::testing::Test {
 protected:
  void SetUp() override { MakeHostile(); }
  void TearDown() override { aie::host::core() = {}; }

  static void MakeHostile();

  // Runs `kernel` on a hostile core and on one after reset, which both must leave the same bytes in
  // `out` and none in its guards.
  template <typename T, typename F>
  static void Run(Guarded<T>& out, F&& kernel) {
    aie::host::core() = {};
    kernel();
    ASSERT_TRUE(out.Intact()) << "wrote outside its output";
    const std::vector<T> after_reset(out.span().begin(), out.span().end());
    MakeHostile();
    kernel();
    ASSERT_TRUE(out.Intact()) << "wrote outside its output";
    ASSERT_EQ(std::memcmp(after_reset.data(), out.data(), out.size() * sizeof(T)), 0)
        << "the result depends on the registers that were left by another kernel";
  }
};

// out[i] = offset + scale * n(i), normal, rounded to nearest.
void FillNormal(std::span<bfloat16> out, std::uint64_t seed, double scale = 1, double offset = 0);
void FillNormal(std::span<float> out, std::uint64_t seed, double scale = 1, double offset = 0);

std::vector<float> ToFloats(std::span<const bfloat16> values);

// How large |sum (got - want)| / sum |want| may get by `n` roundings to bf16 that are to nearest:
// five standard deviations of their sum. One of floor would give some 2.7e-3, whatever n is.
double RoundingBias(std::size_t n);

// Fails unless every |got - want| <= bound and the bias over all (256 elements or more) is within
// `bias`; both limits' `provenance` is in the message. Prints what was used of the limits under
// `name`. Rows x columns as the kernel has them.
golden::Verdict Check(const std::string& name, std::span<const float> got,
                      const std::vector<double>& want, const std::vector<double>& bound,
                      std::size_t rows, double bias, const std::string& provenance);

// The same without a failure or output, for results that are expected to be wrong.
golden::Verdict Judge(std::span<const float> got, const std::vector<double>& want,
                      const std::vector<double>& bound, std::size_t rows, double bias,
                      const std::string& provenance);

}  // namespace xdna::kernels::testing

#endif  // KERNELS_TESTING_TILE_TEST_H_
