// The files that the rule makes run on the simulated NPU and give the right results.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/bf16.h"
#include "base/error.h"
#include "base/program.h"
#include "device/container/container.h"
#include "device/measure.h"
#include "device/session.h"
#include "kernels/npu/kernels.h"
#include "tools/overlay/designs.h"

namespace xdna::overlay {
namespace {

using device::DeviceBuffer;
using device::Session;
using ::testing::HasSubstr;

std::vector<char> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::uint32_t> ReadWords(const std::string& path) {
  const std::vector<char> bytes = ReadFile(path);
  std::vector<std::uint32_t> words(bytes.size() / sizeof(std::uint32_t));
  std::memcpy(words.data(), bytes.data(), words.size() * sizeof(std::uint32_t));
  return words;
}

// A few values of both signs, exact in bf16.
float ValueAt(std::size_t i, std::size_t seed) {
  return static_cast<float>(static_cast<int>((i * 7919 + seed * 104729) % 17) - 8) / 4;
}

void Fill(DeviceBuffer& buffer, std::size_t seed) {
  const std::span<Bf16> values = buffer.As<Bf16>();
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = Bf16::FromFloat(ValueAt(i, seed));
  buffer.ToDevice();
}

// Runs NAME.xclbin with NAME.insts.bin on buffers of `bytes`: all but the last are inputs.
std::vector<Bf16> RunFile(const std::string& name, const std::vector<std::size_t>& bytes) {
  kernels::RegisterNpuKernels();
  device::ConfigureDevice({.threads = 1});
  const Session session = Session::FromFile(RunfilePath("tools/overlay/" + name + ".xclbin"));
  const DeviceBuffer instructions =
      session.MakeInstructions(ReadWords(RunfilePath("tools/overlay/" + name + ".insts.bin")));
  std::vector<DeviceBuffer> buffers;
  std::vector<const DeviceBuffer*> data;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    buffers.push_back(session.MakeData(static_cast<int>(i), bytes[i]));
  }
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) Fill(buffers[i], i + 1);
  for (const DeviceBuffer& buffer : buffers) data.push_back(&buffer);
  buffers.back().Poison();
  session.MakeRun(instructions, data).Execute();
  buffers.back().FromDevice();
  buffers.back().CheckWritten();
  const std::span<Bf16> result = buffers.back().As<Bf16>();
  return {result.begin(), result.end()};
}

TEST(OverlayFileTest, GemmRuns) {
  constexpr std::size_t kSize = 64;
  constexpr std::size_t kBytes = 2 * kSize * kSize;
  const std::vector<Bf16> c = RunFile("gemm", {kBytes, kBytes, kBytes});
  for (std::size_t i = 0; i < kSize; ++i) {
    for (std::size_t j = 0; j < kSize; ++j) {
      float sum = 0;
      for (std::size_t k = 0; k < kSize; ++k) {
        sum += ValueAt(i * kSize + k, 1) * ValueAt(k * kSize + j, 2);
      }
      // Sums of sixteenths below 2^8: exact in f32, and rounded once.
      ASSERT_EQ(c[i * kSize + j].ToFloat(), Bf16::FromFloat(sum).ToFloat()) << i << "," << j;
    }
  }
  EXPECT_TRUE(device::Violations().empty());
}

TEST(OverlayFileTest, LayerNormRuns) {
  constexpr std::size_t kRows = 48, kWidth = 64;
  const std::vector<Bf16> y =
      RunFile("layer_norm", {2 * kRows * kWidth, 4 * kWidth, 2 * kRows * kWidth});
  for (std::size_t row = 0; row < kRows; ++row) {
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < kWidth; ++i) mean += ValueAt(row * kWidth + i, 1) / kWidth;
    for (std::size_t i = 0; i < kWidth; ++i) {
      variance += std::pow(ValueAt(row * kWidth + i, 1) - mean, 2) / kWidth;
    }
    for (std::size_t i = 0; i < kWidth; ++i) {
      const double gamma = ValueAt(i, 2), beta = ValueAt(kWidth + i, 2);
      const double want =
          (ValueAt(row * kWidth + i, 1) - mean) / std::sqrt(variance + 1e-5) * gamma + beta;
      // Three roundings to bf16 (2^-9 each) of terms of at most 4 and 2.
      ASSERT_NEAR(y[row * kWidth + i].ToFloat(), want, 0.03) << row << "," << i;
    }
  }
}

TEST(OverlayFileTest, HoldsItsStreamAndIsTheSameAgain) {
  const std::vector<char> bytes = ReadFile(RunfilePath("tools/overlay/gemm.xclbin"));
  const device::XclbinFile file = device::ParseXclbin(bytes);
  EXPECT_EQ(device::ContainerInstructions(file),
            ReadWords(RunfilePath("tools/overlay/gemm.insts.bin")));
  const Made made = Make({.design = "gemm", .problem = "64x64x64", .m = 16, .k = 16, .n = 16});
  EXPECT_EQ(device::EncodeContainer(made.overlay, made.instructions), bytes);
}

TEST(DesignsTest, SayWhatIsWrong) {
  const auto message = [](const Options& options) -> std::string {
    try {
      Make(options);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return error.what();
    }
    return "(nothing was thrown)";
  };
  EXPECT_THAT(message({.design = "gem"}), HasSubstr("--design: 'gem', where there are gemm"));
  for (const char* problem :
       {"", "64", "64x64", "64x64x64x64", "64x64x", "64x0x64", "-1x2x3", "64x64x9999999"}) {
    EXPECT_THAT(message({.design = "gemm", .problem = problem}), HasSubstr("is not MxKxN"))
        << problem;
  }
  EXPECT_THAT(message({.design = "gemm", .problem = "64x64x64", .in = "f16"}),
              HasSubstr("--in: 'f16'"));
  EXPECT_THAT(message({.design = "gemm", .problem = "64x64x64", .result = "int8"}),
              HasSubstr("--result: 'int8' of --in=bf16, where there are bf16, f32"));
  EXPECT_THAT(message({.design = "gemm", .problem = "64x64x64", .m = 512}), HasSubstr("512"));
  EXPECT_THAT(message({.design = "layer_norm", .problem = "4", .width = 60}),
              HasSubstr("--width: 60"));
  EXPECT_THAT(message({.design = "layer_norm", .problem = "4x4"}), HasSubstr("is not ROWS"));
  EXPECT_THAT(message({.design = "layer_norm", .problem = "4", .width = 1 << 16}),
              HasSubstr("layer_norm"));
}

TEST(DesignsTest, OtherTypesAndRows) {
  const Made int8 = Make({.design = "gemm", .problem = "10x20x30", .in = "int8", .result = "int8"});
  EXPECT_EQ(int8.buffers[2].bytes, 256U * 256U);
  const Made rows = Make({.design = "layer_norm", .problem = "1500"});
  EXPECT_EQ(rows.buffers[1].bytes, 2048U);
  EXPECT_GE(rows.buffers[0].bytes, 1500U * 1024U);
}

}  // namespace
}  // namespace xdna::overlay
