// Designs of the row kernels: their memory against a brute-force oracle, their cycles, and what
// they say where something does not fit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <vector>

#include "base/error.h"
#include "kernels/add/add_design.h"
#include "kernels/convert/convert_design.h"
#include "kernels/dequantize/dequantize_design.h"
#include "kernels/gelu/gelu_design.h"
#include "kernels/im2col/im2col_design.h"
#include "kernels/layer_norm/layer_norm_design.h"
#include "kernels/passthrough/passthrough_design.h"
#include "kernels/quantize/quantize_design.h"
#include "kernels/scale/scale_design.h"
#include "kernels/softmax/softmax_design.h"
#include "kernels/transpose/transpose_design.h"

namespace xdna::kernels {
namespace {

struct Case {
  std::function<Design(std::size_t, std::size_t, CodeGenerator)> design;
  // Bytes of tile data memory for [rows, width], counted by hand.
  std::function<std::size_t(std::size_t, std::size_t)> bytes;
};

std::size_t Up(std::size_t bytes) { return (bytes + 31) / 32 * 32; }

// A design of m * n values as one of rows.
auto Flat(Design (*design)(std::size_t, CodeGenerator)) {
  return [design](std::size_t m, std::size_t n, CodeGenerator g) { return design(m * n, g); };
}

std::vector<Case> Cases() {
  using std::size_t;
  return {
      {LayerNormDesign, [](size_t m, size_t n) { return 8 * m * n + 4 * n; }},
      {LayerNormFoldedDesign, [](size_t m, size_t n) { return 8 * m * n; }},
      {SoftmaxDesign, [](size_t m, size_t n) { return 8 * m * n + 4096; }},
      {SoftmaxStockDesign, [](size_t m, size_t n) { return 8 * m * n + 4096; }},
      {Flat(GeluDesign), [](size_t m, size_t n) { return 8 * m * n; }},
      {Flat(GeluTableDesign), [](size_t m, size_t n) { return 8 * m * n + 5120; }},
      {Flat(GeluStockDesign), [](size_t m, size_t n) { return 8 * m * n + 1024; }},
      {Flat(AddDesign), [](size_t m, size_t n) { return 12 * m * n; }},
      {Flat(AddResidualDesign), [](size_t m, size_t n) { return 20 * m * n; }},
      {Flat(ScaleDesign), [](size_t m, size_t n) { return 8 * m * n; }},
      {Flat(ConvertToBf16Design), [](size_t m, size_t n) { return 12 * m * n; }},
      {Flat(ConvertToF32Design), [](size_t m, size_t n) { return 12 * m * n; }},
      {QuantizeRowsDesign, [](size_t m, size_t n) { return 6 * m * n + 2 * Up(4 * m); }},
      {DequantizeDesign, [](size_t m, size_t n) { return 12 * m * n + 2 * Up(4 * (m + n)); }},
      {Flat(PassthroughDesign), [](size_t m, size_t n) { return 16 * m * n; }},
      {[](size_t m, size_t n, CodeGenerator g) { return Im2colDesign(n, m, 1, g); },
       [](size_t m, size_t n) { return 4 * (m + 2) * n + 12 * m * n + 32; }},
      {[](size_t m, size_t n, CodeGenerator g) { return Im2colDesign(n, m, 2, g); },
       [](size_t m, size_t n) { return 4 * (2 * m + 1) * n + 12 * m * n + 32; }},
      {[](size_t m, size_t n, CodeGenerator g) {
         return TransposeDesign({16 * m, n, 16 * m, n, 2}, g);
       },
       [](size_t m, size_t n) { return 8 * 16 * m * n; }},
      {[](size_t m, size_t n, CodeGenerator g) {
         return TransposeDesign({16 * m, n, 16 * m, n, 1}, g);
       },
       [](size_t m, size_t n) { return 4 * 16 * m * n; }},
  };
}

TEST(RowDesigns, CyclesAreTheLongerOfTheCoreAndItsChannels) {
  for (const Case& k : Cases()) {
    double before = 0;
    for (const std::size_t rows : {1U, 3U, 7U}) {
      const Design chess = k.design(rows, 208, CodeGenerator::kChess);
      const Design peano = k.design(rows, 208, CodeGenerator::kPeano);
      EXPECT_GT(chess.core_cycles, before) << chess.name;
      EXPECT_GE(peano.core_cycles, chess.core_cycles) << chess.name;
      before = chess.core_cycles;
      double longest = chess.core_cycles, in[2] = {}, out[2] = {};
      bool ping_pong = true;
      for (const Fifo& fifo : chess.fifos) {
        (fifo.in ? in : out)[fifo.channel] += static_cast<double>(fifo.object_bytes) / 4;
        ping_pong = ping_pong && fifo.depth == 2;
      }
      const double busiest = std::max({in[0], in[1], out[0], out[1]});
      longest = ping_pong ? std::max(longest, busiest) : longest + busiest;
      EXPECT_EQ(chess.cycles(), longest) << chess.name;
      EXPECT_GT(chess.program_bytes, 1000U) << chess.name;
    }
  }
}

TEST(RowDesigns, FitsAgreesWithBytesCountedByHand) {
  for (const Case& k : Cases()) {
    int fitting = 0, refused = 0;
    for (std::size_t width = 16; width <= 3008; width += 16) {
      for (std::size_t rows = 1; rows <= 33; rows += rows < 8 ? 1 : 5) {
        const Design design = k.design(rows, width, CodeGenerator::kChess);
        const bool fits = k.bytes(rows, width) <= kTileDataBytes - kDefaultStackBytes;
        const Fit answer = design.fits();
        ASSERT_EQ(answer.ok, fits)
            << design.name << " " << rows << " x " << width << ": " << answer.reason;
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
  // The stem's second convolution, 512 channels and stride 2.
  EXPECT_TRUE(Im2colDesign(512, 6, 2).fits());
  EXPECT_EQ(Im2colDesign(512, 7, 2).fits().reason,
            "im2col: 2*frames 15360 + 2*rows 21504 + window 32 = 73760 B > 64512 B of tile data "
            "memory (65536 less 1024 of stack)");
}

TEST(RowDesigns, RefuseSizesThatTheKernelsDoNotTake) {
  EXPECT_THROW(LayerNormDesign(4, 500), Error);
  EXPECT_THROW(AddDesign(1500 * 3), Error);
  EXPECT_THROW(TransposeDesign({.rows = 8, .cols = 16, .matrix_rows = 8, .matrix_cols = 16}),
               Error);
}

// Blocks of a wide matrix: what the memory tile's descriptors can say.
TEST(TransposeDesign, SaysWhatItsDescriptorsCannotDo) {
  const TransposeConfig block = {.rows = 64, .cols = 64, .matrix_rows = 3008, .matrix_cols = 5120};
  EXPECT_TRUE(TransposeDesign(block).fits()) << TransposeDesign(block).fits().reason;
  TransposeConfig odd = block;
  odd.matrix_rows = 3001;  // y's rows would start in the middle of a word
  EXPECT_EQ(TransposeDesign(odd).fits().reason,
            "transpose: FIFO y: step 3001 * 2 = 6002 bytes is no multiple of 4");
  TransposeConfig far = block;
  far.matrix_cols = 524288;
  EXPECT_EQ(TransposeDesign(far).fits().reason,
            "transpose: FIFO x: step 262144 words of dimension 1 > 131072 (17 bits)");
}

}  // namespace
}  // namespace xdna::kernels
