// Every element at its place, with all its bits.
#include "kernels/transpose/transpose.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <random>

#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

class Transpose : public TileTest {
 protected:
  template <typename T, typename Kernel>
  static void CheckAll(Kernel kernel) {
    constexpr int32 kShapes[][2] = {{16, 16}, {16, 64}, {64, 16}, {32, 48}, {80, 112}};
    std::mt19937 random(3);
    for (const auto& shape : kShapes) {
      const int32 rows = shape[0], cols = shape[1];
      const auto m = static_cast<std::size_t>(rows), n = static_cast<std::size_t>(cols);
      Guarded<T> x(m * n), y(m * n);
      // Any bits: NaN payloads and denormals too.
      auto* bytes = reinterpret_cast<unsigned char*>(x.data());
      for (std::size_t i = 0; i < m * n * sizeof(T); ++i) {
        bytes[i] = static_cast<unsigned char>(random());
      }
      Run(y, [&] { kernel(x.data(), y.data(), rows, cols); });
      for (std::size_t i = 0; i < m; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
          ASSERT_EQ(std::memcmp(&y[j * m + i], &x[i * n + j], sizeof(T)), 0)
              << m << "x" << n << " [" << i << "," << j << "]";
        }
      }
    }
  }
};

TEST_F(Transpose, Bf16) { CheckAll<bfloat16>(transpose_bf16); }
TEST_F(Transpose, Int8) { CheckAll<int8>(transpose_int8); }

}  // namespace
}  // namespace xdna::kernels::testing
