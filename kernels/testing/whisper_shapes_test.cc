// Whisper's largest shapes, all widths from tiny to large, one row and a prime number of rows.
// Tests of each kernel judge its numbers at small sizes; here a row of a large call has the bits
// that it has alone, and nothing is written elsewhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "kernels/add/add.h"
#include "kernels/aie/exact_matmul.h"
#include "kernels/convert/convert.h"
#include "kernels/dequantize/dequantize.h"
#include "kernels/gelu/gelu.h"
#include "kernels/im2col/im2col.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/matmul/matmul_tiles.h"
#include "kernels/passthrough/passthrough.h"
#include "kernels/quantize/quantize.h"
#include "kernels/scale/scale.h"
#include "kernels/softmax/softmax.h"
#include "kernels/testing/tile_test.h"
#include "kernels/transpose/transpose.h"

namespace xdna::kernels::testing {
namespace {

// Positions and model widths of all sizes, the hidden width of large, and keys (padded).
struct Shape {
  std::size_t rows, width;
};
constexpr Shape kShapes[] = {{3001, 384}, {1500, 512}, {499, 768}, {337, 1024},
                             {293, 1280}, {101, 5120}, {1, 5120},  {1, 384}};
// Any finite bf16 of moderate size; normal numbers of that many would take longer than the kernels.
void FillCheaply(std::span<bfloat16> out, unsigned seed) {
  std::minstd_rand random(seed + 1);
  for (bfloat16& v : out) {
    const auto r = static_cast<unsigned>(random());
    v = bfloat16::from_bits(
        static_cast<std::uint16_t>((r & 0x8000) | (0x3F00 + (r >> 16) % 0x140)));
  }
}

class WhisperShapes : public TileTest {
 protected:
  // `kernel(x, y, rows)`: each of some rows of the large call is that of a call with the row alone.
  template <typename Y, typename F>
  static void CheckRows(const std::string& name, const Shape& s, std::size_t width_out,
                        F&& kernel) {
    Guarded<bfloat16> x(s.rows * s.width), row_x(s.width);
    Guarded<Y> y(s.rows * width_out), row_y(width_out);
    FillCheaply(x.span(), static_cast<unsigned>(s.rows + s.width));
    kernel(x.data(), y.data(), static_cast<int32>(s.rows));
    ASSERT_TRUE(y.Intact()) << name;
    for (std::size_t row = 0; row < s.rows;
         row = row + 1 == s.rows ? s.rows : std::min(s.rows - 1, row + 97)) {
      std::copy_n(&x[row * s.width], s.width, row_x.data());
      kernel(row_x.data(), row_y.data(), 1);
      ASSERT_EQ(std::memcmp(&y[row * width_out], row_y.data(), width_out * sizeof(Y)), 0)
          << name << " " << s.rows << " x " << s.width << " row " << row;
    }
  }
};

TEST_F(WhisperShapes, LayerNorm) {
  for (const Shape& s : kShapes) {
    const auto n = static_cast<int32>(s.width);
    Guarded<bfloat16> gamma(s.width), beta(s.width);
    FillCheaply(gamma.span(), 1);
    FillCheaply(beta.span(), 2);
    CheckRows<bfloat16>("layer_norm", s, s.width, [&](const bfloat16* x, bfloat16* y, int32 rows) {
      layer_norm_bf16(x, gamma.data(), beta.data(), y, rows, n);
    });
  }
}

TEST_F(WhisperShapes, SoftmaxOfAllKeys) {
  for (const auto& [shape, valid] :
       {std::pair{Shape{1500, 1504}, 1500}, {Shape{301, 3008}, 3001}, {Shape{1, 1504}, 1500}}) {
    const auto n = static_cast<int32>(shape.width);
    CheckRows<bfloat16>("softmax", shape, shape.width,
                        [n, v = valid](const bfloat16* x, bfloat16* y, int32 rows) {
                          softmax_bf16(x, y, rows, n, v);
                          for (int32 i = v; i < n; ++i) ASSERT_EQ(y[i].bits(), 0);
                        });
  }
}

TEST_F(WhisperShapes, QuantizeAndDequantize) {
  for (const Shape& s : {Shape{1500, 384}, Shape{3001, 128}, Shape{53, 5120}, Shape{1, 1280}}) {
    const auto n = static_cast<int32>(s.width);
    CheckRows<int8>("quantize", s, s.width, [&](const bfloat16* x, int8* q, int32 rows) {
      Guarded<float> scale(static_cast<std::size_t>(rows));
      quantize_rows_bf16(x, q, scale.data(), rows, n);
      ASSERT_TRUE(scale.Intact());
    });
  }
  // Sums come as pairs of bf16 here: any bits.
  for (const Shape& s : {Shape{1500, 2 * 128}, Shape{37, 2 * 5120}}) {
    const std::size_t width = s.width / 2;
    const std::vector<float> ones(std::max(s.rows, width) + 8, 0.5F);
    Guarded<float> columns(width);
    std::copy_n(ones.begin(), width, columns.data());
    CheckRows<bfloat16>("dequantize", s, width, [&](const bfloat16* x, bfloat16* y, int32 rows) {
      dequantize_bf16(reinterpret_cast<const int32*>(x), ones.data(), columns.data(), y, rows,
                      static_cast<int32>(width));
    });
  }
}

TEST_F(WhisperShapes, LaneByLane) {
  for (const Shape& s : {Shape{1500, 512}, Shape{3001, 384}, Shape{1, 5120}}) {
    const auto w = static_cast<int32>(s.width);
    const auto check = [&](const char* name, auto&& kernel) {
      CheckRows<bfloat16>(name, s, s.width, kernel);
    };
    check("gelu stock",
          [w](const bfloat16* x, bfloat16* y, int32 m) { gelu_stock_bf16(x, y, m * w); });
    check("add", [w](const bfloat16* x, bfloat16* y, int32 m) { add_bf16(x, x, y, m * w); });
    check("scale",
          [w](const bfloat16* x, bfloat16* y, int32 m) { scale_bf16(x, y, 0.125F, m * w); });
    check("passthrough", [w](const bfloat16* x, bfloat16* y, int32 m) {
      passthrough_words(reinterpret_cast<const int32*>(x), reinterpret_cast<int32*>(y), m * w / 2);
    });
    CheckRows<float>("convert", s, s.width,
                     [w](const bfloat16* x, float* y, int32 m) { convert_bf16_f32(x, y, m * w); });
  }
  CheckRows<bfloat16>("gelu", {31, 5120}, 5120,
                      [](const bfloat16* x, bfloat16* y, int32 m) { gelu_bf16(x, y, m * 5120); });
}

TEST_F(WhisperShapes, Transpose) {
  constexpr std::size_t kRows = 1504, kCols = 1280;
  Guarded<bfloat16> x(kRows * kCols), y(kRows * kCols);
  FillCheaply(x.span(), 3);
  transpose_bf16(x.data(), y.data(), kRows, kCols);
  ASSERT_TRUE(y.Intact());
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t j = 0; j < kCols; ++j)
      ASSERT_EQ(y[j * kRows + i].bits(), x[i * kCols + j].bits());
  }
}

TEST_F(WhisperShapes, Im2colOfTheStem) {
  // The second convolution of large: 3000 frames of 1280 channels, every second of them.
  constexpr int32 kChannels = 1280, kFrames = 3000, kOutputs = 1500;
  Guarded<bfloat16> x(std::size_t{kFrames} * kChannels), y(std::size_t{kOutputs} * 3 * kChannels);
  FillCheaply(x.span(), 4);
  const Im2colWindow window = {kChannels, kOutputs, 2, 0, 0, kFrames};
  im2col_bf16(x.data(), y.data(), &window);
  ASSERT_TRUE(y.Intact());
  for (std::size_t i = 0; i < y.size(); ++i) {
    const auto row = static_cast<int32>(i / kChannels);
    const int32 frame = 2 * (row / 3) + row % 3 - 1;
    const int bits =
        frame < 0 ? 0 : x[static_cast<std::size_t>(frame) * kChannels + i % kChannels].bits();
    ASSERT_EQ(y[i].bits(), bits) << i;
  }
}

// Whole products, bit for bit: a convolution's, a projection's, scores, both products of the
// largest feed-forward network, one row.
TEST_F(WhisperShapes, Matmul) {
  const MatmulProblem problems[] = {{3001, 240, 40}, {1500, 384, 40}, {1500, 64, 301},
                                    {31, 1280, 640}, {13, 5120, 131}, {1, 1280, 5120}};
  for (const MatmulProblem& p : problems) {
    const auto m = static_cast<std::size_t>(p.m), k = static_cast<std::size_t>(p.k),
               n = static_cast<std::size_t>(p.n);
    std::vector<bfloat16> a(m * k), b(k * n);
    FillCheaply(a, 5);
    FillCheaply(b, 6);
    std::vector<float> want(m * n), got(m * n);
    MacMatrixBf16({m, k, n, k, n, n}, reinterpret_cast<const std::uint16_t*>(a.data()),
                  reinterpret_cast<const std::uint16_t*>(b.data()), want.data());
    const MatmulTile tile = {64, 64, 48};
    Guarded<unsigned char> memory(static_cast<std::size_t>(MatmulMemoryBytes(tile, 2, 4, false)));
    RunMatmul<float>(p, tile, a.data(), b.data(), {}, got.data(), memory.data());
    ASSERT_TRUE(memory.Intact());
    ASSERT_EQ(std::memcmp(got.data(), want.data(), want.size() * sizeof(float)), 0)
        << p.m << "x" << p.k << "x" << p.n;
  }
}

}  // namespace
}  // namespace xdna::kernels::testing
