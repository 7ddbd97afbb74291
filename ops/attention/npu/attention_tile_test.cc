// Lengths and heads that no golden has, what pads hold, and the verdict on floor.
#include "ops/attention/npu/attention_tile.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "base/tensor.h"
#include "base/thread_pool.h"
#include "golden/compare.h"
#include "ops/attention/attention.h"
#include "ops/attention/npu/fused_attention.h"

namespace xdna::ops {
namespace {

Dims Size(std::int64_t m, std::int64_t d, std::int64_t heads) {
  return {{"m", m}, {"d", d}, {"heads", heads}};
}

golden::Verdict Judge(const Dims& dims, const Variant& variant, const TensorMap& in) {
  const Contract op = AttentionContract();
  ThreadPool pool(2);
  const std::unique_ptr<Instance> instance = op.make(dims, in, variant, {&pool});
  instance->Poison();
  instance->Run();
  return golden::Compare(instance->Output(), op.reference(dims, in),
                         op.tolerance(dims, variant, "random"), op.scale(dims, in));
}

golden::Verdict Judge(const Dims& dims, const Variant& variant) {
  return Judge(dims, variant, RandomInputs(AttentionContract(), dims, 9));
}

// One position, less than a vector of them, one more than a block of queries; heads of 16 and not;
// the longest window, of which a tile holds few rows of scores.
TEST(AttentionTile, RaggedShapes) {
  for (const Dims& dims : {Size(1, 16, 1), Size(7, 32, 1), Size(97, 40, 2), Size(331, 64, 2)}) {
    for (const auto precision : {Precision::kBf16, Precision::kInt8}) {
      const golden::Verdict verdict = Judge(dims, {precision, Backend::kTile});
      EXPECT_TRUE(verdict.passed())
          << dims.at("m") << " " << PrecisionName(precision) << " " << golden::Describe(verdict);
    }
  }
  for (const char* kernel : {"", "fused"}) {
    const golden::Verdict longest =
        Judge(Size(3001, 16, 1), {Precision::kBf16, Backend::kTile, kernel});
    EXPECT_TRUE(longest.passed()) << kernel << " " << golden::Describe(longest);
  }
}

TEST(AttentionTile, FusedRaggedShapes) {
  for (const Dims& dims : {Size(1, 16, 1), Size(7, 32, 1), Size(97, 96, 2), Size(331, 64, 2)}) {
    const golden::Verdict verdict = Judge(dims, {Precision::kBf16, Backend::kTile, "fused"});
    EXPECT_TRUE(verdict.passed()) << dims.at("m") << " " << golden::Describe(verdict);
  }
}

// More keys than a block has, the last one ragged; more queries than a task.
TEST(AttentionTile, FusedBulkHasTheBitsOfTheTile) {
  const std::int64_t m = 521, d = 48, heads = 3;
  ThreadPool pool(2);
  const Tensor wide(DType::kF32, {m, 3 * d});
  FillSeededNormal(3, 0, 1, 0, {wide.data<float>(), static_cast<std::size_t>(wide.size())});
  const Tensor qkv = wide.To(DType::kBf16);
  const Tensor tiles(DType::kBf16, {m, d}), bulk(DType::kBf16, {m, d});
  FusedScaledDotProduct(m, d, heads, TileHost::kTiles, {&pool}).Run(qkv, tiles);
  FusedScaledDotProduct(m, d, heads, TileHost::kBulk, {&pool}).Run(qkv, bulk);
  EXPECT_EQ(std::memcmp(tiles.view().raw(), bulk.view().raw(), bulk.bytes()), 0);
}

// All scores are far below 0, which is what padded positions score: were they not masked, they
// would take all of the weight.
TEST(AttentionTile, PaddedPositionsWeighNothing) {
  const Dims dims = Size(13, 16, 1);
  TensorMap in = RandomInputs(AttentionContract(), dims, 9);
  for (std::int64_t i = 0; i < in.at("x").size(); ++i) in.at("x").data<float>()[i] += 2;
  for (std::int64_t i = 0; i < 16; ++i) {
    for (std::int64_t j = 0; j < 16; ++j) {
      in.at("wk").data<float>()[i * 16 + j] = i == j ? 1 : 0;
      in.at("wq").data<float>()[i * 16 + j] = i == j ? -1 : 0;
    }
  }
  const golden::Verdict verdict = Judge(dims, {Precision::kBf16, Backend::kTile}, in);
  // Scores of -16 and more are rounded by up to 2^-5: a looser verdict than that of the op.
  EXPECT_LT(verdict.rel_l2, 0.03) << golden::Describe(verdict);
}

TEST(AttentionTile, FloorFails) {
  for (const auto precision : {Precision::kBf16, Precision::kInt8}) {
    const golden::Verdict verdict = Judge(Size(97, 64, 2), {precision, Backend::kTile, "floor"});
    EXPECT_EQ(verdict.status, golden::Status::kFailed);
    EXPECT_EQ(verdict.bad, 0) << golden::Describe(verdict);
    EXPECT_GT(verdict.bias, 1.5e-3) << golden::Describe(verdict);
  }
}

TEST(AttentionTile, ListsTilesOfEitherKernel) {
  for (const char* kernel : {"", "fused"}) {
    const std::vector<TileShape> shapes =
        AttentionTiles(Size(1500, 512, 8), {Precision::kBf16, Backend::kTile, kernel});
    EXPECT_GT(shapes.size(), 50U) << kernel;
    EXPECT_TRUE(shapes.front().design.fits()) << kernel;
    EXPECT_FALSE(shapes.back().design.fits()) << kernel;
  }
}

TEST(AttentionTile, SaysWhatDoesNotFit) {
  const auto code = [](const Dims& dims) {
    ThreadPool pool(1);
    try {
      TileScaledDotProduct(dims.at("m"), dims.at("d"), dims.at("heads"), {}, {&pool});
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  };
  EXPECT_EQ(code(Size(20000, 16, 1)), ErrorCode::kUnsupported);
  EXPECT_EQ(code(Size(16, 16, 3)), ErrorCode::kInvalidArgument);
  const auto fused = [](const Dims& dims) {
    ThreadPool pool(1);
    try {
      FusedScaledDotProduct(dims.at("m"), dims.at("d"), dims.at("heads"), {}, {&pool});
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  };
  EXPECT_EQ(fused(Size(16, 16, 3)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(fused(Size(16, 40, 2)), ErrorCode::kUnsupported);
  EXPECT_EQ(fused(Size(16, 4096, 1)), ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace xdna::ops
