// Every quantised value within half a step of the exact quotient, and none of them one-sided.
#include "kernels/quantize/quantize.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>

#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

// The quotient: 127 / top in f32 and an emulated f32 product (22 bits or better), of 127 at most.
constexpr double kQuotientError = 127 * 0x1p-21;

// Sees values that all lie on one side, as floor makes them: each errs evenly within half a step,
// so the mean of n by at most 5 sqrt(1/12 n). `q` against `exact`, both n long.
struct Quotients {
  double worst = 0, sum = 0;
  std::size_t n = 0;

  void Add(int8 q, double exact) {
    const double kept = std::clamp(exact, -127.0, 127.0);
    worst = std::max(worst, std::abs(q - kept));
    sum += q - kept;
    ++n;
  }
  void Check(const std::string& name) const {
    const double mean = std::abs(sum / static_cast<double>(n));
    const double limit = 5 * std::sqrt(1.0 / 12 / static_cast<double>(n));
    EXPECT_LE(worst, 0.5 + kQuotientError) << name;
    EXPECT_LE(mean, limit) << name << ": steps are not rounded to nearest";
    fmt::print("{:<36} max {:.4f} steps  mean {:.1e} of {:.1e}\n", name, worst, mean, limit);
  }
};

class Quantize : public TileTest {
 protected:
  template <typename T>
  static void CheckRows(const std::string& name,
                        void (*kernel)(const T*, int8*, float*, int32, int32), std::size_t rows,
                        std::size_t width) {
    Guarded<T> x(rows * width);
    Guarded<int8> q(rows * width);
    Guarded<float> scale(rows);
    for (std::size_t r = 0; r < rows; ++r) {
      const double size = std::exp2(static_cast<double>(r % 40) - 20);
      FillNormal(x.span().subspan(r * width, width), r + width, size, 0.1 * size);
    }
    Run(q, [&] {
      kernel(x.data(), q.data(), scale.data(), static_cast<int32>(rows), static_cast<int32>(width));
      ASSERT_TRUE(scale.Intact());
    });
    Quotients quotients;
    for (std::size_t r = 0; r < rows; ++r) {
      double top = 0;
      for (const double v : x.span().subspan(r * width, width)) top = std::max(top, std::abs(v));
      EXPECT_NEAR(scale[r], top / 127, top / 127 * 3 * kF32Half);
      for (std::size_t i = r * width; i < (r + 1) * width; ++i) {
        quotients.Add(q[i], static_cast<double>(x[i]) * 127 / top);
      }
    }
    quotients.Check(name + " " + std::to_string(rows) + " x " + std::to_string(width));
  }

  template <typename T>
  static void CheckGiven(const std::string& name, void (*kernel)(const T*, int8*, float, int32)) {
    for (const std::size_t n : {16U, 208U, 4096U}) {
      Guarded<T> x(n);
      Guarded<int8> q(n);
      FillNormal(x.span(), n, 3);
      Run(q, [&] { kernel(x.data(), q.data(), 23.7F, static_cast<int32>(n)); });
      Quotients quotients;
      for (std::size_t i = 0; i < n; ++i) {
        quotients.Add(q[i], static_cast<double>(x[i]) * static_cast<double>(23.7F));
      }
      quotients.Check(name + " " + std::to_string(n));
    }
  }
};

TEST_F(Quantize, RowsOfBf16) {
  for (const std::size_t rows : {1U, 13U, 64U}) {
    for (const std::size_t width : {16U, 208U, 512U}) {
      CheckRows("quantize rows bf16", quantize_rows_bf16, rows, width);
    }
  }
}

TEST_F(Quantize, RowsOfF32) {
  for (const std::size_t rows : {1U, 13U, 64U}) {
    for (const std::size_t width : {16U, 208U, 512U}) {
      CheckRows("quantize rows f32", quantize_rows_f32, rows, width);
    }
  }
}

// Where column `i` of row `r` lies.
std::size_t InBlocks(std::size_t r, std::size_t i, std::size_t parts, std::size_t k) {
  const auto part_bytes = static_cast<std::size_t>(QuantizedPart(static_cast<int32>(k)));
  return (r / 4 * parts + i / k) * part_bytes + i % k / 8 * 32 + r % 4 * 8 + i % 8;
}

// A row below the least that is quantised among them, and one just above it.
TEST_F(Quantize, BlocksOfBf16) {
  struct Size {
    std::size_t rows, parts, k;
  };
  for (const Size s : {Size{4, 1, 32}, Size{12, 3, 64}, Size{64, 4, 128}}) {
    const std::size_t width = s.parts * s.k;
    Guarded<bfloat16> x(s.rows * width);
    Guarded<int8> q(InBlocks(s.rows, 0, s.parts, s.k));
    for (std::size_t r = 0; r < s.rows; ++r) {
      const double size = r == 1   ? 0x1p-110
                          : r == 2 ? 0x1p-95
                                   : std::exp2(static_cast<double>(r % 40) - 20);
      FillNormal(x.span().subspan(r * width, width), r + width, size, -0.1 * size);
    }
    Run(q, [&] {
      quantize_blocks_bf16(x.data(), q.data(), static_cast<int32>(s.rows),
                           static_cast<int32>(s.parts), static_cast<int32>(s.k));
    });
    Quotients quotients;
    for (std::size_t r = 0; r < s.rows; ++r) {
      double top = 0;
      for (const double v : x.span().subspan(r * width, width)) top = std::max(top, std::abs(v));
      for (std::size_t part = 0; part < s.parts; ++part) {
        const auto* scales = reinterpret_cast<const bfloat16*>(
            &q[InBlocks(r / 4 * 4, part * s.k, s.parts, s.k) + 4 * s.k]);
        const double scale = static_cast<double>(scales[r % 4]) + scales[4 + r % 4];
        if (r == 1) {
          EXPECT_EQ(scale, 0.0);
          EXPECT_EQ(q[InBlocks(1, part * s.k, s.parts, s.k)], 0);
          continue;
        }
        EXPECT_NEAR(scale, top / 127, top / 127 * kBf16Half * kBf16Half);
        for (std::size_t i = part * s.k; i < (part + 1) * s.k; ++i) {
          quotients.Add(q[InBlocks(r, i, s.parts, s.k)],
                        static_cast<double>(x[r * width + i]) * 127 / top);
        }
      }
    }
    quotients.Check("quantize blocks bf16 " + std::to_string(s.rows) + " x " +
                    std::to_string(width));
  }
}

TEST_F(Quantize, GivenScale) {
  CheckGiven("quantize bf16", quantize_bf16);
  CheckGiven("quantize f32", quantize_f32);
}

TEST_F(Quantize, TiesGoToEvenAndEndsAreSymmetric) {
  Guarded<float> x(16);
  Guarded<int8> q(16);
  const float values[16] = {0.5F,   1.5F, 2.5F,   -0.5F,   -1.5F, -2.5F,  126.5F, -126.5F,
                            127.5F, -128, 1000.F, -1000.F, 1e30F, -1e30F, 0.0F,   -0.0F};
  const int want[16] = {0, 2, 2, 0, -2, -2, 126, -126, 127, -127, 127, -127, 127, -127, 0, 0};
  std::copy_n(values, 16, x.data());
  Run(q, [&] { quantize_f32(x.data(), q.data(), 1.0F, 16); });
  for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(q[i], want[i]) << values[i];
}

TEST_F(Quantize, ZeroRows) {
  Guarded<float> x(48), scale(3);
  Guarded<int8> q(48);
  for (std::size_t i = 0; i < 48; ++i) x[i] = i < 16 ? 0.0F : i < 32 ? 1e-36F : 2.0F;
  Run(q, [&] { quantize_rows_f32(x.data(), q.data(), scale.data(), 3, 16); });
  EXPECT_EQ(scale[0], 0.0F);
  EXPECT_EQ(scale[1], 0.0F);
  for (std::size_t i = 0; i < 48; ++i) EXPECT_EQ(q[i], i < 32 ? 0 : 127);
}

}  // namespace
}  // namespace xdna::kernels::testing
