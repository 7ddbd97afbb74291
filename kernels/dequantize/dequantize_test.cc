// Both outputs against float64, sums of all sizes.
#include "kernels/dequantize/dequantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

constexpr double kProducts = 0x1p-20;  // two emulated f32 products and one int32 -> f32

class Dequantize : public TileTest {
 protected:
  template <typename Y>
  static void CheckKernel(const std::string& name,
                          void (*kernel)(const int32*, const float*, const float*, Y*, int32,
                                         int32),
                          std::size_t rows, std::size_t width, double half) {
    Guarded<int32> x(rows * width);
    Guarded<float> row_scale(rows), column_scale(width);
    Guarded<Y> y(rows * width);
    std::mt19937 random(static_cast<unsigned>(rows * width));
    // As many small sums as large ones.
    for (int32& v : x.span()) v = static_cast<int32>(random()) >> (random() % 31);
    x[0] = std::numeric_limits<int32>::min();
    x[1] = std::numeric_limits<int32>::max();
    x[2] = 0;
    FillNormal(row_scale.span(), 1, 1e-3, 4e-3);
    FillNormal(column_scale.span(), 2, 1e-3, 3e-3);
    Run(y, [&] {
      kernel(x.data(), row_scale.data(), column_scale.data(), y.data(), static_cast<int32>(rows),
             static_cast<int32>(width));
    });
    std::vector<double> want, bound;
    for (std::size_t i = 0; i < x.size(); ++i) {
      want.push_back(static_cast<double>(x[i]) * row_scale[i / width] * column_scale[i % width]);
      bound.push_back((half + kProducts) * std::abs(want.back()));
    }
    const std::vector<float> got(y.span().begin(), y.span().end());
    // Few sums are large: the bias is judged by each value's own size below.
    Check(name + " " + std::to_string(rows) + " x " + std::to_string(width), got, want, bound, rows,
          golden::kNoLimit, "two f32 products (2^-20), one rounding of the result");
    double shift = 0;
    std::size_t n = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (x[i] == 0) continue;
      shift += (got[i] - want[i]) / std::abs(want[i]);
      ++n;
    }
    EXPECT_LE(std::abs(shift) / static_cast<double>(n),
              RoundingBias(n) * half / kBf16Half + kProducts)
        << "not rounded to nearest";
  }
};

TEST_F(Dequantize, Bf16OfRaggedShapes) {
  for (const std::size_t rows : {1U, 13U, 64U}) {
    for (const std::size_t width : {16U, 208U, 512U}) {
      CheckKernel("dequantize bf16", dequantize_bf16, rows, width, kBf16Half);
    }
  }
}
TEST_F(Dequantize, F32OfRaggedShapes) {
  for (const std::size_t rows : {1U, 13U, 64U}) {
    for (const std::size_t width : {16U, 208U, 512U}) {
      CheckKernel("dequantize f32", dequantize_f32, rows, width, 0);
    }
  }
}

}  // namespace
}  // namespace xdna::kernels::testing
