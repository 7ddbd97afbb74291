// The matrix product on the simulated array, with data: the bits of a product on one tile, whatever
// the columns, the padding and the way of B and C.
#include "kernels/array/gemm.h"

#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.h"
#include "device/array/instructions.h"
#include "device/sim/sim_array.h"
#include "device/sim/timing.h"
#include "kernels/array/gemm_testing.h"
#include "kernels/matmul/matmul.h"
#include "kernels/matmul/matmul_tiles.h"
#include "kernels/npu/kernels.h"

namespace xdna::kernels {
namespace {

// C of the whole array. Without bias where B is not packed.
template <typename Out, typename In, typename Bias>
std::vector<Out> OnArray(const Product& p, std::vector<In> a, const std::vector<In>& b,
                         const std::vector<Bias>& bias) {
  const GemmProblem padded = Padded(p.config, p.problem);
  const GemmBytes bytes = GemmBufferBytes(p.config, p.problem);
  if (p.problem.a_stride == 0) a = PaddedMatrix(a, p.problem.m, p.problem.k, padded.m, padded.k);
  a.resize(bytes.a / sizeof(In));
  std::vector<std::byte> b_bytes;
  if (p.config.packed_b) {
    b_bytes = PackGemmB(p.config, p.problem, b.data(), bias.data());
  } else {
    const auto rows = PaddedMatrix(b, p.problem.k, p.problem.n, padded.k, padded.n);
    b_bytes.resize(rows.size() * sizeof(In));
    std::memcpy(b_bytes.data(), rows.data(), b_bytes.size());
  }
  EXPECT_EQ(b_bytes.size(), bytes.b);
  std::vector<Out> c(bytes.c / sizeof(Out));
  const device::ArrayResult result = RunArray(p, std::vector{Bytes(a), Bytes(b_bytes), Bytes(c)});
  EXPECT_TRUE(result.completed) << result.reason;
  std::vector<Out> y(p.problem.m * p.problem.n);
  for (std::size_t i = 0; i < p.problem.m; ++i) {
    std::copy_n(c.begin() + static_cast<std::ptrdiff_t>(i * padded.n), p.problem.n,
                y.begin() + static_cast<std::ptrdiff_t>(i * p.problem.n));
  }
  return y;
}

struct alignas(32) TileBytes {
  std::byte bytes[131072];
};

template <typename Out>
std::vector<Out> OnTile(const Product& p, const std::vector<bfloat16>& a,
                        const std::vector<bfloat16>& b, const std::vector<float>& bias) {
  auto memory = std::make_unique<TileBytes>();
  std::vector<Out> y(p.problem.m * p.problem.n);
  if constexpr (std::is_same_v<Out, bfloat16>) {
    if (p.config.reload) {
      RunMatmulReload(p.small(), p.tile(), a.data(), b.data(), aie::rounding_mode::floor, y.data(),
                      memory->bytes);
      return y;
    }
  }
  const MatmulEpilogue epilogue{.bias = p.config.packed_b ? bias.data() : nullptr,
                                .gelu = p.config.gelu && (p.problem.gelu || !p.config.gelu_rtp),
                                .gelu_table = p.config.gelu_table};
  RunMatmul<Out>(p.small(), p.tile(), a.data(), b.data(), epilogue, y.data(), memory->bytes);
  return y;
}

template <typename Out>
std::vector<Out> OnTile(const Product& p, const std::vector<int8>& a, const std::vector<int8>& b,
                        const std::vector<int32>& bias) {
  auto memory = std::make_unique<TileBytes>();
  std::vector<Out> y(p.problem.m * p.problem.n);
  const MatmulIntEpilogue epilogue{.bias = p.config.packed_b ? bias.data() : nullptr,
                                   .shift = static_cast<int32>(p.config.int_shift)};
  RunMatmul<Out>(p.small(), p.tile(), a.data(), b.data(), epilogue, y.data(), memory->bytes);
  return y;
}

template <typename T>
bool SameBits(const std::vector<T>& x, const std::vector<T>& y) {
  return x.size() == y.size() && std::memcmp(x.data(), y.data(), x.size() * sizeof(T)) == 0;
}

template <typename In, typename Out>
void ExpectTheBitsOfOneTile(const Product& p) {
  using Bias = std::conditional_t<std::is_same_v<In, bfloat16>, float, int32>;
  const auto a = Random<In>(p.problem.m * p.problem.k, 1),
             b = Random<In>(p.problem.k * p.problem.n, 2);
  std::vector<Bias> bias(p.problem.n);
  for (std::size_t i = 0; i < bias.size(); ++i) {
    bias[i] = static_cast<Bias>(static_cast<int>(i * 37 % 101) - 50);
  }
  EXPECT_TRUE(SameBits(OnArray<Out>(p, a, b, bias), OnTile<Out>(p, a, b, bias)))
      << GemmOverlay(p.config).name << " of " << p.problem.m << "x" << p.problem.k << "x"
      << p.problem.n;
}

TEST(GemmArray, AnyColumnsAndRaggedSizes) {
  for (const std::size_t columns : {1, 2, 4}) {
    GemmConfig config = Tile(8, 16, 12);
    config.columns = columns;
    // One tile, several in each direction, and remainders everywhere.
    for (const GemmProblem& problem :
         {GemmProblem{1, 8, 1}, GemmProblem{96, 192, 144}, GemmProblem{101, 75, 53}}) {
      ExpectTheBitsOfOneTile<bfloat16, bfloat16>({config, problem});
    }
  }
}

TEST(GemmArray, OutputTypesOfBf16) {
  GemmConfig config = Tile(16, 24, 8);
  config.out_bytes = 4;
  ExpectTheBitsOfOneTile<bfloat16, float>({config, {130, 200, 70}});
  config.double_buffer_c = true;
  ExpectTheBitsOfOneTile<bfloat16, float>({config, {130, 200, 70}});
  config.out_bytes = 2;
  ExpectTheBitsOfOneTile<bfloat16, bfloat16>({config, {130, 200, 70}});
  config.reload = true;
  config.double_buffer_c = false;
  ExpectTheBitsOfOneTile<bfloat16, bfloat16>({config, {130, 200, 70}});
}

TEST(GemmArray, Int8) {
  for (const std::size_t columns : {1, 2, 4}) {
    GemmConfig config = Tile(8, 16, 16);
    config.in = GemmType::kInt8;
    config.columns = columns;
    config.out_bytes = 4;
    ExpectTheBitsOfOneTile<int8, int32>({config, {70, 150, 90}});
    config.out_bytes = 2;
    config.int_shift = 4;
    ExpectTheBitsOfOneTile<int8, int16>({config, {70, 150, 90}});
    config.out_bytes = 1;
    config.int_shift = 9;
    ExpectTheBitsOfOneTile<int8, int8>({config, {70, 150, 90}});
    config.packed_b = true;
    ExpectTheBitsOfOneTile<int8, int8>({config, {70, 150, 90}});
    config.out_bytes = 4;
    config.int_shift = 0;
    ExpectTheBitsOfOneTile<int8, int32>({config, {70, 150, 90}});
  }
}

TEST(GemmArray, PackedBWithBiasAndGelu) {
  for (const std::size_t columns : {1, 2, 4}) {
    GemmConfig config = Tile(8, 16, 12);
    config.columns = columns;
    config.packed_b = true;
    ExpectTheBitsOfOneTile<bfloat16, bfloat16>({config, {101, 75, 53}});
    config.gelu = true;
    ExpectTheBitsOfOneTile<bfloat16, bfloat16>({config, {101, 75, 53}});
    config.gelu_table = true;
    ExpectTheBitsOfOneTile<bfloat16, bfloat16>({config, {101, 75, 53}});
    config.out_bytes = 4;
    ExpectTheBitsOfOneTile<bfloat16, float>({config, {101, 75, 53}});
    config.gelu_table = false;
    ExpectTheBitsOfOneTile<bfloat16, float>({config, {101, 75, 53}});
  }
}

TEST(GemmArray, GeluByParameter) {
  GemmConfig config = Tile(8, 16, 12);
  config.packed_b = config.gelu = config.gelu_rtp = true;
  for (const bool table : {false, true}) {
    config.gelu_table = table;
    GemmProblem problem{101, 75, 53};
    ExpectTheBitsOfOneTile<bfloat16, bfloat16>({config, problem});
    problem.gelu = true;
    ExpectTheBitsOfOneTile<bfloat16, bfloat16>({config, problem});
  }
}

// K of 3 steps in one panel, for pairs of blocks of columns.
TEST(GemmArray, MemoryTilesKeepA) {
  for (const std::size_t columns : {1, 2, 4}) {
    GemmConfig config = Tile(8, 16, 12);
    config.columns = columns;
    config.k_mem = 48;
    config.a_times = 2;
    for (const bool packed : {false, true}) {
      config.packed_b = packed;
      ExpectTheBitsOfOneTile<bfloat16, bfloat16>({config, {101, 41, 2 * 12 * columns}});
      ExpectTheBitsOfOneTile<bfloat16, bfloat16>({config, {32, 48, 6 * 12 * columns - 5}});
    }
    EXPECT_THROW(GemmInstructions(config, {32, 49, 2 * 12 * columns}), Error);
    EXPECT_THROW(GemmInstructions(config, {32, 48, 3 * 12 * columns}), Error);
  }
}

// K of 2 panels, for three blocks of rows; M of one to two times as many.
TEST(GemmArray, MemoryTilesKeepB) {
  for (const std::size_t columns : {1, 2, 4}) {
    GemmConfig config = Tile(8, 16, 12);
    config.columns = columns;
    config.k_mem = 32;
    config.b_panels = 2;
    config.b_times = 3;
    for (const bool packed : {false, true}) {
      config.packed_b = packed;
      for (const std::size_t m : {1, 96, 101}) {
        EXPECT_EQ(Padded(config, {m, 50, 53}).m, m == 101 ? 192U : 96U);
        ExpectTheBitsOfOneTile<bfloat16, bfloat16>({config, {m, 50, 53}});
        ExpectTheBitsOfOneTile<bfloat16, bfloat16>({config, {m, 64, 150}});
      }
    }
    EXPECT_THROW(GemmInstructions(config, {32, 65, 48}), Error);
  }
}

// Rows of A that overlap: a window of 3 time steps of 16 channels, moved on by 1 or 2.
TEST(GemmArray, ConvolutionByAStride) {
  constexpr std::size_t kChannels = 16, kWindow = 3 * kChannels, kOut = 40, kSteps = 33;
  for (const std::size_t stride : {1, 2}) {
    GemmConfig config = Tile(8, 48, 12);
    config.packed_b = true;
    config.gelu = true;
    const GemmProblem problem{kSteps, kWindow, kOut, stride * kChannels};
    const auto x = Random<bfloat16>((kSteps * stride + 2) * kChannels, 3);
    const auto b = Random<bfloat16>(kWindow * kOut, 4);
    const std::vector<float> bias(kOut, 0.25F);
    std::vector<bfloat16> windows;
    for (std::size_t i = 0; i < kSteps; ++i) {
      const auto from = x.begin() + static_cast<std::ptrdiff_t>(i * stride * kChannels);
      windows.insert(windows.end(), from, from + kWindow);
    }
    const Product p{config, problem};
    EXPECT_TRUE(SameBits(OnArray<bfloat16>(p, x, b, bias), OnTile<bfloat16>(p, windows, b, bias)));
  }
}

// One overlay, and the array as the run before left it, for all sizes.
TEST(GemmArray, SizesAreRunTimeParameters) {
  RegisterNpuKernels();
  const GemmConfig config = Tile(8, 16, 12);
  device::SimArray array(GemmOverlay(config), device::FindPreset("phx-1.0").array, {});
  for (const GemmProblem& problem : {GemmProblem{40, 70, 50}, GemmProblem{8, 16, 200}}) {
    const GemmProblem padded = Padded(config, problem);
    auto a = Random<bfloat16>(padded.m * padded.k, 5), b = Random<bfloat16>(padded.k * padded.n, 6);
    std::vector<bfloat16> c(padded.m * padded.n);
    const auto result =
        array.Run(GemmInstructions(config, problem), std::vector{Bytes(a), Bytes(b), Bytes(c)});
    ASSERT_TRUE(result.completed) << result.reason;
    EXPECT_TRUE(SameBits(c, OnTile<bfloat16>({config, padded}, a, b, {})));
  }
}

TEST(GemmArray, PublishedTilesFit) {
  GemmConfig config = Tile(96, 56, 96);
  EXPECT_FALSE(GemmFits(config));  // C in f32 apart from its bf16 output
  config.reload = true;
  EXPECT_TRUE(GemmFits(config)) << GemmFits(config).reason;
}

std::string WhyNot(const GemmConfig& config) {
  EXPECT_THROW(GemmOverlay(config), Error);
  return GemmFits(config).reason;
}

TEST(GemmArray, SaysWhatDoesNotFit) {
  EXPECT_EQ(WhyNot(Tile(6, 16, 12)), "gemm: tile 6x16x12; want multiples of 4x8x4");
  GemmConfig config = Tile(8, 16, 12);
  config.columns = 3;
  EXPECT_EQ(WhyNot(config), "gemm: 3 columns; want 1, 2 or 4");
  config = Tile(8, 16, 12);
  config.out_bytes = 1;
  EXPECT_EQ(WhyNot(config), "gemm: 1 output bytes from bf16");
  config = Tile(8, 16, 12);
  config.k_mem = 24;
  EXPECT_EQ(WhyNot(config), "gemm: k_mem 24 is no multiple of k 16");
  config = Tile(8, 16, 12);
  config.gelu = true;
  EXPECT_EQ(WhyNot(config), "gemm: the GELU epilogue needs bf16 with a packed B");
  config.gelu = false;
  config.gelu_rtp = true;
  EXPECT_EQ(WhyNot(config), "gemm: a GELU table or run-time parameter without GELU");
  config = Tile(8, 16, 12);
  config.a_times = config.b_times = 2;
  EXPECT_EQ(WhyNot(config),
            "gemm: memory tiles keep A 2 times, 1 panels of B 2 times; want 1 or more, of A or B");
  config.a_times = 0;
  EXPECT_NE(WhyNot(config).find("keep A 0 times"), std::string::npos);
  config = Tile(8, 16, 12);
  config.b_panels = 2;
  EXPECT_NE(WhyNot(config).find("2 panels of B 1 times"), std::string::npos);
  config = Tile(64, 72, 64);
  config.packed_b = config.gelu = true;
  EXPECT_TRUE(GemmFits(config)) << GemmFits(config).reason;
  config.gelu_table = true;  // has no room
  EXPECT_NE(WhyNot(config).find("65536"), std::string::npos) << WhyNot(config);
  config = Tile(8, 16, 16);
  config.in = GemmType::kInt8;
  config.scaled = config.packed_b = true;
  EXPECT_EQ(WhyNot(config),
            "gemm: scales are for int8 with a packed B, k a multiple of 32, to bf16 or f32");
  EXPECT_NE(WhyNot(Tile(128, 128, 128)).find("65536"), std::string::npos)
      << WhyNot(Tile(128, 128, 128));
}

TEST(GemmArray, SaysWhatTheShimsCanNotExpress) {
  const GemmConfig config = Tile(8, 16, 12);
  EXPECT_THROW(GemmInstructions(config, {32, 64, 65 * 48}), Error);
}

}  // namespace
}  // namespace xdna::kernels
