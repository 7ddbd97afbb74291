// Shapes that no golden has, and the verdict on floor.
#include "ops/conv1d/npu/conv1d_tile.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "base/error.h"
#include "base/tensor.h"
#include "base/thread_pool.h"
#include "golden/compare.h"
#include "ops/conv1d/conv1d.h"

namespace xdna::ops {
namespace {

Dims Size(std::int64_t c, std::int64_t t, std::int64_t d, std::int64_t stride, std::int64_t gelu) {
  Dims dims = {{"c", c}, {"t", t}, {"d", d}, {"stride", stride}, {"gelu", gelu}};
  Conv1dContract().complete(dims);
  return dims;
}

golden::Verdict Judge(const Dims& dims, const Variant& variant) {
  const Contract op = Conv1dContract();
  ThreadPool pool(2);
  const TensorMap in = RandomInputs(op, dims, 5);
  const std::unique_ptr<Instance> instance = op.make(dims, in, variant, {&pool});
  instance->Poison();
  instance->Run();
  return golden::Compare(instance->Output(), op.reference(dims, in),
                         op.tolerance(dims, variant, "random"), op.scale(dims, in));
}

// One frame, one channel, channels beyond and short of 16, both strides over even and odd lengths,
// more rows than a piece has.
TEST(Conv1dTile, RaggedShapes) {
  for (const Dims& dims :
       {Size(1, 1, 2, 1, 0), Size(16, 1, 300, 2, 1), Size(17, 8, 45, 2, 0), Size(31, 9, 33, 2, 1),
        Size(48, 140, 19, 1, 0), Size(80, 301, 13, 2, 1)}) {
    const golden::Verdict verdict = Judge(dims, {Precision::kBf16, Backend::kTile});
    EXPECT_TRUE(verdict.passed()) << "c=" << dims.at("c") << " t=" << dims.at("t") << " "
                                  << golden::Describe(verdict);
  }
}

TEST(Conv1dTile, FloorFails) {
  const golden::Verdict verdict =
      Judge(Size(80, 67, 41, 2, 1), {Precision::kBf16, Backend::kTile, "floor"});
  EXPECT_EQ(verdict.status, golden::Status::kFailed);
  EXPECT_EQ(verdict.bad, 0) << golden::Describe(verdict);
  EXPECT_GT(verdict.bias, 2e-3) << golden::Describe(verdict);
}

TEST(Conv1dTile, TimeMajorPadsWithZeros) {
  const Tensor x = Tensor::FromValues<float>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor y = TimeMajor(x).To(DType::kF32);
  ASSERT_EQ(y.shape(), (Shape{16, 16}));
  for (std::int64_t i = 0; i < 16; ++i) {
    for (std::int64_t j = 0; j < 16; ++j) {
      const float want = i < 3 && j < 2 ? static_cast<float>(1 + i + 3 * j) : 0;
      EXPECT_EQ(y.data<float>()[i * 16 + j], want) << i << "," << j;
    }
  }
}

TEST(Conv1dTile, RefusesInt8) {
  try {
    Judge(Size(16, 8, 16, 1, 0), {Precision::kInt8, Backend::kTile});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  }
}

}  // namespace
}  // namespace xdna::ops
