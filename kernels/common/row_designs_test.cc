// Designs of the row kernels: their arithmetic against a brute-force oracle, and their issue slots
// against what the kernels really issue (the API counts it in this build).
#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "kernels/add/add.h"
#include "kernels/add/add_design.h"
#include "kernels/convert/convert.h"
#include "kernels/convert/convert_design.h"
#include "kernels/dequantize/dequantize.h"
#include "kernels/dequantize/dequantize_design.h"
#include "kernels/gelu/gelu.h"
#include "kernels/gelu/gelu_design.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/layer_norm/layer_norm_design.h"
#include "kernels/passthrough/passthrough.h"
#include "kernels/passthrough/passthrough_design.h"
#include "kernels/quantize/quantize.h"
#include "kernels/quantize/quantize_design.h"
#include "kernels/scale/scale.h"
#include "kernels/scale/scale_design.h"
#include "kernels/softmax/softmax.h"
#include "kernels/softmax/softmax_design.h"

namespace xdna::kernels {
namespace {

// Operands of any type, zero.
struct Memory {
  alignas(32) unsigned char bytes[65536] = {};
  template <typename T>
  operator T*() {  // NOLINT(google-explicit-constructor): stands for any operand
    return reinterpret_cast<T*>(bytes);
  }
};

struct Case {
  std::function<Design(std::size_t, std::size_t)> design;
  std::function<void(int32, int32)> call;
  // Bytes of tile data memory for [rows, width], counted by hand.
  std::function<std::size_t(std::size_t, std::size_t)> bytes;
};

Memory a, b, c, y;

std::size_t Up(std::size_t bytes) { return (bytes + 31) / 32 * 32; }

std::vector<Case> Cases() {
  using std::size_t;
  return {
      {LayerNormDesign, [](int32 m, int32 n) { layer_norm_bf16(a, b, c, y, m, n); },
       [](size_t m, size_t n) { return 8 * m * n + 4 * n; }},
      {LayerNormFoldedDesign, [](int32 m, int32 n) { layer_norm_folded_bf16(a, y, m, n); },
       [](size_t m, size_t n) { return 8 * m * n; }},
      {SoftmaxDesign, [](int32 m, int32 n) { softmax_bf16(a, y, m, n, n); },
       [](size_t m, size_t n) { return 8 * m * n + 4096; }},
      {SoftmaxStockDesign, [](int32 m, int32 n) { softmax_stock_bf16(a, y, m, n, n); },
       [](size_t m, size_t n) { return 8 * m * n + 4096; }},
      {[](size_t m, size_t n) { return GeluDesign(m * n); },
       [](int32 m, int32 n) { gelu_bf16(a, y, m * n); },
       [](size_t m, size_t n) { return 8 * m * n; }},
      {[](size_t m, size_t n) { return GeluStockDesign(m * n); },
       [](int32 m, int32 n) { gelu_stock_bf16(a, y, m * n); },
       [](size_t m, size_t n) { return 8 * m * n + 1024; }},
      {[](size_t m, size_t n) { return AddDesign(m * n); },
       [](int32 m, int32 n) { add_bf16(a, b, y, m * n); },
       [](size_t m, size_t n) { return 12 * m * n; }},
      {[](size_t m, size_t n) { return AddResidualDesign(m * n); },
       [](int32 m, int32 n) { add_residual_f32(a, b, y, m * n); },
       [](size_t m, size_t n) { return 20 * m * n; }},
      {[](size_t m, size_t n) { return ScaleDesign(m * n); },
       [](int32 m, int32 n) { scale_bf16(a, y, 0.3F, m * n); },
       [](size_t m, size_t n) { return 8 * m * n; }},
      {[](size_t m, size_t n) { return ConvertToBf16Design(m * n); },
       [](int32 m, int32 n) { convert_f32_bf16(a, y, m * n, 12); },
       [](size_t m, size_t n) { return 12 * m * n; }},
      {[](size_t m, size_t n) { return ConvertToF32Design(m * n); },
       [](int32 m, int32 n) { convert_bf16_f32(a, y, m * n); },
       [](size_t m, size_t n) { return 12 * m * n; }},
      {QuantizeRowsDesign, [](int32 m, int32 n) { quantize_rows_bf16(a, y, b, m, n); },
       [](size_t m, size_t n) { return 6 * m * n + 2 * Up(4 * m); }},
      {DequantizeDesign, [](int32 m, int32 n) { dequantize_bf16(a, b, c, y, m, n); },
       [](size_t m, size_t n) { return 12 * m * n + 2 * Up(4 * (m + n)); }},
      {[](size_t m, size_t n) { return PassthroughDesign(m * n); },
       [](int32 m, int32 n) { passthrough_words(a, y, m * n); },
       [](size_t m, size_t n) { return 16 * m * n; }},
  };
}

TEST(RowDesigns, CyclesAreWhatTheKernelsIssue) {
  for (const Case& k : Cases()) {
    for (const std::size_t rows : {1U, 3U, 7U}) {
      for (const std::size_t width : {16U, 208U, 512U}) {
        aie::host::core() = {};
        k.call(static_cast<int32>(rows), static_cast<int32>(width));
        const aie::host::issue_counts& counts = aie::host::core().counts;
        const std::uint64_t ops = counts.vmac + counts.valu + counts.shuffle + counts.convert;
        const double cycles =
            std::max(static_cast<double>(ops), static_cast<double>(counts.load_unplaced) / 2);
        const Design design = k.design(rows, width);
        EXPECT_EQ(design.core_cycles, cycles) << design.name << " " << rows << " x " << width;
        EXPECT_EQ(counts.misaligned, 0U) << design.name;
      }
    }
  }
  aie::host::core() = {};
}

TEST(RowDesigns, FitsAgreesWithBytesCountedByHand) {
  for (const Case& k : Cases()) {
    int fitting = 0, refused = 0;
    for (std::size_t width = 16; width <= 3008; width += 16) {
      for (std::size_t rows = 1; rows <= 33; ++rows) {
        const Design design = k.design(rows, width);
        const bool fits = k.bytes(rows, width) <= kTileDataBytes - kDefaultStackBytes;
        ASSERT_EQ(static_cast<bool>(design.fits()), fits)
            << design.name << " " << rows << " x " << width << ": " << design.fits().reason;
        ++(fits ? fitting : refused);
      }
    }
    EXPECT_GT(fitting, 0);
    EXPECT_GT(refused, 0);
  }
}

TEST(RowDesigns, SayWhyNot) {
  EXPECT_TRUE(LayerNormDesign(15, 512).fits());
  EXPECT_EQ(LayerNormDesign(16, 512).fits().reason,
            "layer_norm: 2*x 16384 + gamma, beta 2048 + 2*y 16384 = 67584 B > 64512 B of tile data "
            "memory (65536 less 1024 of stack)");
  // A row of 1500 scores, padded, and one of 3001.
  EXPECT_TRUE(SoftmaxDesign(5, 1504).fits());
  EXPECT_FALSE(SoftmaxDesign(6, 1504).fits());
  EXPECT_TRUE(SoftmaxDesign(2, 3008).fits());
  EXPECT_FALSE(SoftmaxDesign(3, 3008).fits());
}

}  // namespace
}  // namespace xdna::kernels
