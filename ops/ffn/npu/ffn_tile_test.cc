// Shapes that no golden has, the verdict on floor, and GELU between the products.
#include "ops/ffn/npu/ffn_tile.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "base/tensor.h"
#include "base/thread_pool.h"
#include "golden/compare.h"
#include "ops/ffn/ffn.h"

namespace xdna::ops {
namespace {

golden::Verdict Judge(const Dims& dims, const Variant& variant) {
  const Contract op = FfnContract();
  ThreadPool pool(2);
  const TensorMap in = RandomInputs(op, dims, 7);
  const std::unique_ptr<Instance> instance = op.make(dims, in, variant, {&pool});
  instance->Poison();
  instance->Run();
  return golden::Compare(instance->Output(), op.reference(dims, in),
                         op.tolerance(dims, variant, "random"), op.scale(dims, in));
}

TEST(FfnTile, RaggedShapes) {
  for (const Dims& dims : {Dims{{"m", 1}, {"d", 2}, {"f", 1}}, Dims{{"m", 1}, {"d", 67}, {"f", 97}},
                           Dims{{"m", 139}, {"d", 24}, {"f", 41}}}) {
    for (const auto precision : {Precision::kBf16, Precision::kInt8}) {
      const golden::Verdict verdict = Judge(dims, {precision, Backend::kTile});
      EXPECT_TRUE(verdict.passed())
          << dims.at("m") << " " << PrecisionName(precision) << " " << golden::Describe(verdict);
    }
  }
}

TEST(FfnTile, FloorFails) {
  for (const auto precision : {Precision::kBf16, Precision::kInt8}) {
    const golden::Verdict verdict =
        Judge({{"m", 61}, {"d", 64}, {"f", 131}}, {precision, Backend::kTile, "floor"});
    EXPECT_EQ(verdict.status, golden::Status::kFailed);
    EXPECT_EQ(verdict.bad, 0) << golden::Describe(verdict);
    EXPECT_GT(verdict.bias, 1.5e-3) << golden::Describe(verdict);
  }
}

// GELU of one hidden unit, seen through weights of 1.
TEST(FfnTile, GeluStandsBetweenTheProducts) {
  const Tensor one = Tensor::FromValues<float>({1, 1}, {1});
  const Tensor zero = Tensor::FromValues<float>({1}, {0});
  const Tensor x = Tensor::FromValues<float>({4, 1}, {-1, 0, 1, 8}).To(DType::kBf16);
  ThreadPool pool(1);
  TileFfn ffn(one, zero, one, zero, 4, {}, {&pool});
  const Tensor y(DType::kBf16, {4, 1});
  ffn.Run(x, y);
  for (std::int64_t i = 0; i < 4; ++i) {
    const double v = x.data<Bf16>()[i].ToFloat();
    const double want = 0.5 * v * std::erfc(-v * M_SQRT1_2);
    EXPECT_NEAR(y.data<Bf16>()[i].ToFloat(), want, 0x1p-8 * std::abs(want) + 3e-5);
  }
}

}  // namespace
}  // namespace xdna::ops
