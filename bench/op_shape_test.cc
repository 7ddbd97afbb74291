#include "bench/op_shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "ops/registry.h"

namespace xdna::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string ErrorOf(const char* op, const SweepPoint& point) {
  try {
    DimsOf(ops::FindOp(op), point);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.message();
  }
  return "no error";
}

TEST(OpShape, NamesFollowTheOperands) {
  EXPECT_THAT(DimNames(ops::FindOp("linear")), ElementsAre("m", "k", "n"));
  EXPECT_THAT(DimNames(ops::FindOp("attention")), ElementsAre("m", "d", "heads"));
  EXPECT_THAT(DimNames(ops::FindOp("conv1d")), ElementsAre("c", "t", "d", "u", "gelu", "stride"));
}

TEST(OpShape, AxesAreSizesPrecisionsAndBackends) {
  const std::vector<SweepAxis> axes = AxesOf(ops::FindOp("linear"), ops::Device::kCpu);
  ASSERT_EQ(axes.size(), 5U);
  EXPECT_EQ(axes[3].name, "precision");
  EXPECT_THAT(axes[3].words, ElementsAre("f32", "bf16", "int8"));
  EXPECT_EQ(axes[4].name, "backend");
  EXPECT_THAT(axes[4].words, ElementsAre("fast", "eigen"));
  const std::vector<SweepAxis> npu = AxesOf(ops::FindOp("gelu"), ops::Device::kNpu);
  ASSERT_EQ(npu.size(), 8U);
  EXPECT_THAT(npu[2].words, ElementsAre("bf16"));
  EXPECT_EQ(npu[4].name, "batch");
  EXPECT_EQ(npu[5].name, "reuse");
  EXPECT_EQ(npu[6].name, "tile");
  EXPECT_EQ(npu[7].name, "columns");
  EXPECT_THAT(npu[3].words, ElementsAre("tile", "array", "tile_table", "tile_stock", "tile_floor"));
}

TEST(OpShape, PointsReplaceDefaults) {
  const ops::Contract& op = ops::FindOp("linear");
  const ops::Dims dims = DimsOf(op, {{"n", "512"}, {"precision", "f32"}});
  EXPECT_EQ(ShapeName(op, dims), "m=1500,k=512,n=512");
}

TEST(OpShape, WhatFollowsIsWorkedOut) {
  const ops::Contract& op = ops::FindOp("conv1d");
  const ops::Dims dims = DimsOf(op, {{"t", "17"}, {"stride", "2"}});
  EXPECT_EQ(dims.at("u"), 9);
  EXPECT_THAT(ShapeName(op, dims), ::testing::Not(HasSubstr(",u=")));
  EXPECT_EQ(DimsOf(op, {{"t", "17"}, {"stride", "1"}, {"u", "17"}}).at("u"), 17);
  EXPECT_THAT(ErrorOf("conv1d", {{"t", "17"}, {"stride", "2"}, {"u", "17"}}),
              HasSubstr("u=17 contradicts the other sizes, which make it 9"));
}

TEST(OpShape, SizesThatCanNotBe) {
  EXPECT_THAT(ErrorOf("attention", {{"d", "512"}, {"heads", "7"}}),
              HasSubstr("heads=7 does not divide d=512"));
  EXPECT_THAT(ErrorOf("linear", {{"m", "1000000000"}, {"k", "1000000000"}}), HasSubstr("GFLOP"));
  EXPECT_THAT(ErrorOf("add", {{"m", "1000000"}, {"n", "400000"}}), HasSubstr("GiB"));
}

}  // namespace
}  // namespace xdna::bench
