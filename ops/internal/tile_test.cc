#include "ops/internal/tile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/thread_pool.h"
#include "kernels/layer_norm/layer_norm_design.h"
#include "ops/layer_norm/npu/layer_norm_tile.h"
#include "ops/softmax/npu/softmax_tile.h"

namespace xdna::ops {
namespace {

using ::testing::HasSubstr;

kernels::Design DesignOf(std::int64_t rows, std::int64_t width) {
  return kernels::LayerNormDesign(rows, width);
}

template <typename F>
Error ErrorOf(F&& body) {
  try {
    body();
  } catch (const Error& error) {
    return error;
  }
  return {ErrorCode::kInternal, "no error"};
}

TEST(TileMemoryTest, IsPoisonedAlignedAndBounded) {
  {
    TileMemory memory;
    aie::set_rounding(aie::rounding_mode::conv_even);
    std::fill_n(memory.Take<float>(3), 3, 1.0F);
  }
  TileMemory memory;
  EXPECT_EQ(aie::get_rounding(), aie::rounding_mode::floor);
  const float* first = memory.Take<float>(3);
  const bfloat16* second = memory.Take<bfloat16>(1);
  EXPECT_TRUE(std::isnan(first[0]) && std::isnan(first[2]) && std::isnan(float{second[0]}));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(second) % 32, 0U);
  memory.Take<std::int8_t>(65536 - 64);
  const Error error = ErrorOf([&] { memory.Take<std::int8_t>(1); });
  EXPECT_EQ(error.code(), ErrorCode::kInternal);
  EXPECT_EQ(error.message(), "buffers of 65568 B in a tile's 65536 B");
}

TEST(TileRows, PaddingStaysOnTheTile) {
  const Tensor from =
      Tensor::FromValues<float>({3, 5}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14});
  const Tensor to(DType::kF32, {3, 5});
  EXPECT_EQ(PaddedWidth(5), 16);
  EXPECT_EQ(PaddedWidth(16), 16);
  TileMemory memory;
  auto* tile = memory.Take<float>(2 * 16);
  RowsToTile(from, 1, 2, 16, tile);
  EXPECT_EQ(tile[4], 9);
  EXPECT_TRUE(std::isnan(tile[5]));
  EXPECT_EQ(tile[16], 10);
  RowsFromTile(tile, 1, 2, 16, to);
  for (std::int64_t i = 0; i < 15; ++i) {
    EXPECT_EQ(to.data<float>()[i], i < 5 ? 0 : static_cast<float>(i));
  }
}

TEST(TileRows, MostRowsIsWhatFits) {
  EXPECT_EQ(MostRows(DesignOf, 512), 15);
  EXPECT_EQ(MostRows(DesignOf, 16), 503);
  const Error error = ErrorOf([] { MostRows(DesignOf, 16384); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_THAT(error.message(), HasSubstr("of tile data memory"));
}

TEST(TileRows, EachRowIsInOneCall) {
  ThreadPool pool(2);
  std::vector<std::atomic<int>> seen(31);
  ForEachCall(pool, 31, 15, [&](std::int64_t first, std::int64_t rows) {
    EXPECT_LE(rows, 15);
    for (std::int64_t i = 0; i < rows; ++i) ++seen[first + i];
  });
  for (const auto& count : seen) EXPECT_EQ(count, 1);
}

TEST(TileRows, ShapesEndWithTheFirstThatDoesNotFit) {
  const std::vector<TileShape> shapes = RowTiles(DesignOf, 512);
  ASSERT_EQ(shapes.size(), 16U);
  EXPECT_EQ(shapes.front().name, "15x512");
  EXPECT_EQ(shapes.front().results, 15 * 512);
  EXPECT_EQ(shapes.back().name, "16x512");
  EXPECT_FALSE(shapes.back().design.fits());
}

// What a kernel can't do is a reason, not a wrong result.
TEST(TileOps, RefuseWhatTheyCanNot) {
  ThreadPool pool(1);
  const auto make = [&](const char* op, Dims dims, const char* kernel) {
    TensorMap in;
    const Variant variant = {Precision::kBf16, Backend::kTile, kernel};
    const std::int64_t n = dims.begin()->second;
    for (const char* name : {"x", "gamma", "beta"}) {
      in.emplace(name, Tensor(DType::kF32, name[0] == 'x' ? Shape{2, n} : Shape{n}));
    }
    return ErrorOf([&] {
      std::string(op) == "softmax" ? MakeSoftmaxTile(dims, in, variant, {&pool})
                                   : MakeLayerNormTile(dims, in, variant, {&pool});
    });
  };
  const Error ragged = make("layer_norm", {{"d", 97}, {"m", 2}}, "");
  EXPECT_EQ(ragged.code(), ErrorCode::kUnsupported);
  EXPECT_THAT(ragged.message(), HasSubstr("a row of 97 is no multiple of 16"));
  const Error wide = make("softmax", {{"a", 9000}, {"m", 2}, {"n", 9000}}, "");
  EXPECT_EQ(wide.code(), ErrorCode::kUnsupported);
  EXPECT_THAT(wide.message(), HasSubstr("of tile data memory"));
  EXPECT_EQ(make("softmax", {{"a", 9000}, {"m", 2}, {"n", 9000}}, "online").message(), "no error");
  EXPECT_THAT(make("softmax", {{"a", 16}, {"m", 2}, {"n", 16}}, "other").message(),
              HasSubstr("no softmax kernel 'other'"));
}

}  // namespace
}  // namespace xdna::ops
