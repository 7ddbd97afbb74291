// The vectorised lanes against numerics.hpp, one lane at a time, for each instruction set of this
// machine.
#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "kernels/aie/exact_matmul.h"
#include "kernels/aie/reference.h"

namespace xdna::kernels {
namespace {

constexpr std::size_t kCount = 4096 + 7;  // whole vectors and a rest

// Bits of f32 that exercise a different part of the datapath each.
enum class Kind { kModel, kNarrow, kTies, kArbitrary, kTiny, kHuge, kSpecials, kBoundaries };
constexpr Kind kKinds[] = {Kind::kModel, Kind::kNarrow, Kind::kTies,     Kind::kArbitrary,
                           Kind::kTiny,  Kind::kHuge,   Kind::kSpecials, Kind::kBoundaries};

class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : random_(seed) {}

  std::uint32_t F32(Kind kind) {
    const auto r = static_cast<std::uint32_t>(random_());
    const auto s = static_cast<std::uint32_t>(random_() >> 32);
    const auto with_exponent = [r](std::uint32_t exponent) {
      return (r & 0x807FFFFF) | exponent << 23;
    };
    switch (kind) {
      case Kind::kModel:  // activations; now and then a zero
        return s % 16 == 0 ? r & 0x80000000 : with_exponent(110 + s % 20);
      case Kind::kNarrow:  // so close that sums cancel, and carry
        return with_exponent(127 + s % 2);
      case Kind::kTies:  // few bits set, anywhere: exact halves, zero parts, carries into exponents
        return (r & 0x80000000) | (110 + s % 34) << 23 |
               (((1U << (r % 24)) - (s >> 8) % 2 * (1U << ((s >> 16) % 24))) & 0x7FFFFF);
      case Kind::kArbitrary:
        return r;
      case Kind::kTiny:
        return with_exponent(s % 80);
      case Kind::kHuge:
        return with_exponent(170 + s % 85);
      case Kind::kSpecials: {
        constexpr std::uint32_t kValues[] = {0x00000000, 0x80000000, 0x7F800000, 0xFF800000,
                                             0x7F800001, 0xFFFFFFFF, 0x00000001, 0x807FFFFF,
                                             0x00800000, 0x7F7FFFFF, 0x7FC00000, 0x3F800000,
                                             0x7F808000, 0x3F7FFFFF, 0xBFFFFFFF, 0x3F808000};
        return s % 4 == 0 ? kValues[(s >> 8) % std::size(kValues)]
                          : with_exponent(100 + (s >> 8) % 50);
      }
      case Kind::kBoundaries: {  // where the vector's way ends
        constexpr std::uint32_t kExponents[] = {0,  1,  2,   23,  24,  25,  26,  51,  52,
                                                53, 89, 127, 200, 249, 250, 251, 252, 254};
        return with_exponent(kExponents[s % std::size(kExponents)]);
      }
    }
    return 0;
  }
  std::vector<float> Floats(Kind kind) {
    std::vector<float> floats(kCount);
    for (float& v : floats) v = std::bit_cast<float>(F32(kind));
    return floats;
  }
  std::vector<bfloat16> Bf16s(Kind kind) {
    std::vector<bfloat16> values(kCount);
    for (bfloat16& v : values) {
      v = bfloat16::from_bits(static_cast<std::uint16_t>(F32(kind) >> 16));
    }
    return values;
  }

 private:
  std::mt19937_64 random_;
};

std::uint32_t Bits(float x) { return std::bit_cast<std::uint32_t>(x); }

class ExactLanes : public ::testing::Test {
 protected:
  void SetUp() override { aie::host::core() = {}; }
  void TearDown() override {
    aie::host::core() = {};
    UseExactMatmulTarget("");
  }

  // For all instruction sets, pairs of kinds, and both signs.
  static void ForAll(const std::function<void(Numbers&, Kind, Kind, bool)>& check) {
    for (const std::string& target : ExactMatmulTargets()) {
      SCOPED_TRACE(target);
      UseExactMatmulTarget(target);
      Numbers numbers(1);
      for (const Kind a : kKinds) {
        for (const Kind b : kKinds) {
          for (const bool subtract : {false, true}) check(numbers, a, b, subtract);
          if (HasFatalFailure()) return;
        }
      }
    }
  }
};

void ExpectSame(const std::vector<float>& got, const std::vector<float>& want, Kind a, Kind b) {
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(Bits(got[i]), Bits(want[i]))
        << i << " of kinds " << static_cast<int>(a) << " " << static_cast<int>(b);
  }
}

void CheckBf16(Numbers& numbers, Kind a, Kind b, bool subtract) {
  const std::vector<bfloat16> x = numbers.Bf16s(a), y = numbers.Bf16s(b);
  for (const Kind c : {Kind::kModel, a, b}) {
    std::vector<float> sum = numbers.Floats(c), want = sum;
    for (std::size_t i = 0; i < kCount; ++i) {
      want[i] = aie::detail::MacLane(want[i], x[i], y[i], subtract);
    }
    aie::host::mac_lanes(kCount, sum.data(), x.data(), y.data(), subtract);
    ASSERT_NO_FATAL_FAILURE(ExpectSame(sum, want, a, b));
  }
}

TEST_F(ExactLanes, MacOfBf16) { ForAll(CheckBf16); }

TEST_F(ExactLanes, MacOfBf16WithSignedZeros) {
  aie::host::core().options.mac_underflow = aie::host::mac_underflow::signed_zero;
  Numbers numbers(2);
  CheckBf16(numbers, Kind::kTiny, Kind::kTiny, false);
}

TEST_F(ExactLanes, SumsOfF32) {
  const auto check = [](Numbers& numbers, Kind a, Kind b, bool subtract) {
    const std::vector<float> x = numbers.Floats(a), y = numbers.Floats(b);
    std::vector<float> sum = x, want(kCount);
    for (std::size_t i = 0; i < kCount; ++i) {
      want[i] = subtract ? aie::lane::SubFloat(x[i], y[i]) : aie::lane::AddFloat(x[i], y[i]);
    }
    aie::host::add_lanes(kCount, sum.data(), y.data(), sum.data(), subtract);
    ASSERT_NO_FATAL_FAILURE(ExpectSame(sum, want, a, b));
  };
  ForAll(check);
  aie::host::core().options.add_denormals = aie::host::add_denormals::flush;
  Numbers numbers(3);
  check(numbers, Kind::kTiny, Kind::kSpecials, true);
}

void CheckF32(Numbers& numbers, Kind a, Kind b, bool subtract) {
  const std::vector<float> x = numbers.Floats(a), y = numbers.Floats(b);
  for (const Kind c : {Kind::kModel, a}) {
    std::vector<float> sum = numbers.Floats(c), want = sum;
    if (c == Kind::kModel && subtract) sum.assign(kCount, 0), want = sum;
    for (std::size_t i = 0; i < kCount; ++i) {
      want[i] = aie::detail::Fp32Mac(want[i], x[i], y[i], subtract);
    }
    aie::host::mac_lanes(kCount, sum.data(), x.data(), y.data(), subtract);
    ASSERT_NO_FATAL_FAILURE(ExpectSame(sum, want, a, b));
  }
}

TEST_F(ExactLanes, MacOfF32) {
  aie::set_rounding(aie::rounding_mode::conv_even);
  ForAll(CheckF32);
}

TEST_F(ExactLanes, MacOfF32InOtherModes) {
  Numbers numbers(4);
  for (const aie::rounding_mode mode : reference::kModes) {
    aie::set_rounding(mode);
    CheckF32(numbers, Kind::kModel, Kind::kTies, false);
  }
  aie::set_rounding(aie::rounding_mode::conv_even);
  aie::host::options& options = aie::host::core().options;
  options.fp32_split = aie::host::fp32_split::floor;
  CheckF32(numbers, Kind::kModel, Kind::kModel, true);
  options = {};
  options.fp32_product = aie::host::fp32_product::fast;
  CheckF32(numbers, Kind::kModel, Kind::kModel, false);
  options = {};
  options.mac_underflow = aie::host::mac_underflow::signed_zero;
  CheckF32(numbers, Kind::kTiny, Kind::kTiny, false);
}

TEST_F(ExactLanes, Narrowing) {
  const auto check = [](Numbers& numbers, Kind a, Kind /*b*/, bool /*subtract*/) {
    std::vector<float> x = numbers.Floats(a);
    for (std::size_t i = 0; i < kCount; i += 5) {  // halves, and what needs no rounding
      x[i] = std::bit_cast<float>((Bits(x[i]) & 0xFFFF0000) | (i % 2 == 0 ? 0x8000 : 0));
    }
    std::vector<bfloat16> y(kCount);
    for (const aie::rounding_mode mode : reference::kModes) {
      aie::set_rounding(mode);
      aie::host::narrow_lanes(kCount, x.data(), y.data());
      for (std::size_t i = 0; i < kCount; ++i) {
        ASSERT_EQ(y[i].bits(), aie::lane::Bf16FromF32(Bits(x[i]), mode))
            << Bits(x[i]) << " in mode " << static_cast<int>(mode);
      }
    }
  };
  ForAll(check);
}

}  // namespace
}  // namespace xdna::kernels
