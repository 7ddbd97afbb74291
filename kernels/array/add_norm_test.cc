// The residual stream's step on the simulated array with data: what one call on all rows gives.
#include "kernels/array/add_norm.h"

#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <cstddef>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "device/sim/sim_array.h"
#include "device/sim/timing.h"
#include "kernels/add_norm/add_norm.h"
#include "kernels/npu/kernels.h"

namespace xdna::kernels {
namespace {

constexpr std::size_t kWidth = 48, kMostRows = 192;

struct alignas(32) Operands {
  float x[kMostRows * kWidth], sum[kMostRows * kWidth];
  bfloat16 delta[kMostRows * kWidth], y[kMostRows * kWidth];
};

template <typename T>
device::DeviceMemory Bytes(T& values) {
  return {std::as_writable_bytes(std::span(values))};
}

TEST(AddNormArray, AnyColumnsAndRaggedRows) {
  RegisterNpuKernels();
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  auto array_side = std::make_unique<Operands>(), tile_side = std::make_unique<Operands>();
  for (std::size_t i = 0; i < kMostRows * kWidth; ++i) {
    array_side->x[i] = tile_side->x[i] = 3 * normal(random);
    array_side->delta[i] = tile_side->delta[i] = normal(random);
  }
  for (const std::size_t columns : {1, 3, 4}) {
    for (const std::size_t rows : {1, 37, 100}) {
      const AddNormConfig config{5, kWidth, columns};
      ASSERT_LE(PaddedRows(config, rows), kMostRows);
      std::memset(array_side->y, 0, sizeof array_side->y);
      device::SimArray array(AddNormOverlay(config), device::FindPreset("phx-1.0").array, {});
      Operands& a = *array_side;
      const auto result =
          array.Run(AddNormInstructions(config, rows),
                    std::vector{Bytes(a.x), Bytes(a.delta), Bytes(a.sum), Bytes(a.y)});
      ASSERT_TRUE(result.completed) << result.reason;
      Operands& t = *tile_side;
      add_norm_f32(t.x, t.delta, t.sum, t.y, static_cast<int32>(rows), kWidth);
      EXPECT_EQ(std::memcmp(a.sum, t.sum, rows * kWidth * sizeof(float)), 0) << rows;
      EXPECT_EQ(std::memcmp(a.y, t.y, rows * kWidth * sizeof(bfloat16)), 0) << rows;
    }
  }
}

TEST(AddNormArray, SaysWhatDoesNotFit) {
  EXPECT_THROW(AddNormOverlay({0, kWidth, 4}), Error);
  EXPECT_THROW(AddNormOverlay({4, kWidth, 5}), Error);
  try {
    AddNormOverlay({8, 512, 4});
    ADD_FAILURE() << "eight rows of 512 fit";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("> 65536 B"), std::string::npos) << error.message();
  }
}

}  // namespace
}  // namespace xdna::kernels
