#include "base/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <vector>

#include "base/error.h"

namespace xdna {
namespace {

TEST(Tensor, IsZeroedAlignedAndContiguous) {
  const Tensor t(DType::kF32, {3, 5});
  EXPECT_EQ(t.size(), 15);
  EXPECT_EQ(t.bytes(), 60u);
  EXPECT_TRUE(t.view().contiguous());
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(t.data<float>()) % 64, 0u);
  for (int i = 0; i < 15; ++i) EXPECT_EQ(t.data<float>()[i], 0.0F);
}

TEST(Tensor, WrongDTypeIsAnError) {
  const Tensor t(DType::kF32, {2});
  EXPECT_THROW(t.data<double>(), Error);
  EXPECT_THROW(Tensor(DType::kF32, {-1}), Error);
}

TEST(TensorView, RowsAndStrides) {
  const Tensor t = Tensor::FromValues<float>({3, 2}, {0, 1, 2, 3, 4, 5});
  const TensorView rows = t.view().Rows(1, 2);
  EXPECT_EQ(rows.data<float>()[0], 2.0F);
  EXPECT_THROW(t.view().Rows(2, 2), Error);

  const TensorView transposed(t.view().raw(), DType::kF32, {2, 3}, {1, 2});
  EXPECT_FALSE(transposed.contiguous());
  const Tensor copy = Convert(transposed, DType::kF64);
  const std::vector<double> want = {0, 2, 4, 1, 3, 5};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(copy.data<double>()[i], want[i]);
}

TEST(Tensor, ConvertsToBf16ByNearestEven) {
  const Tensor t = Tensor::FromValues<float>({2}, {1.00390625F, -3.0F});
  const Tensor b = t.To(DType::kBf16);
  EXPECT_EQ(b.data<Bf16>()[0].bits, 0x3F80);
  EXPECT_EQ(b.To(DType::kF32).data<float>()[1], -3.0F);
  EXPECT_THROW(t.To(DType::kI8), Error);
}

// Against ldexp for all 65,536 halves.
TEST(Half, WidensExactly) {
  for (std::uint32_t b = 0; b <= 0xFFFF; ++b) {
    const int exponent = static_cast<int>((b >> 10) & 0x1F);
    const int fraction = static_cast<int>(b & 0x3FF);
    const float got = HalfToFloat(static_cast<std::uint16_t>(b));
    EXPECT_EQ(std::signbit(got), (b & 0x8000) != 0);
    if (exponent == 31) {
      EXPECT_EQ(std::isnan(got), fraction != 0);
      EXPECT_EQ(std::isinf(got), fraction == 0);
      continue;
    }
    const double want =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    EXPECT_EQ(std::fabs(got), want) << b;
  }
}

}  // namespace
}  // namespace xdna
