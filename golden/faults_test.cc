#include "golden/faults.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <tuple>

#include "base/bf16.h"
#include "base/error.h"
#include "base/tensor.h"
#include "golden/compare.h"

namespace xdna::golden {
namespace {

// Numbers like a layer's output: all sizes, both signs, no two alike.
Tensor Activations(const Shape& shape) {
  Tensor tensor(DType::kF32, shape);
  for (std::int64_t i = 0; i < tensor.size(); ++i) {
    const double x = std::sin(0.7 * static_cast<double>(i * i + 1));
    tensor.data<float>()[i] = static_cast<float>(3 * x * x * x + 0.01 * x);
  }
  return tensor;
}

bool Same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::memcmp(a.view().raw(), b.view().raw(), a.bytes()) == 0;
}

// Limits as an op in f32 has them: some units in the last place of the sum's magnitude.
Tolerance F32Tolerance() {
  Tolerance tolerance;
  tolerance.absolute = 1e-6;
  tolerance.relative = 1e-5;
  tolerance.rel_l2 = 1e-6;
  return tolerance;
}

// As an op with bf16 results has them: half a unit in the last place and what summing adds.
Tolerance Bf16Tolerance() {
  Tolerance tolerance;
  tolerance.absolute = 0.02;
  tolerance.relative = 0x1p-7;
  tolerance.rel_l2 = 0.01;
  tolerance.cosine = 0.9999;
  tolerance.bias = 5e-4;
  return tolerance;
}

class EveryFault : public testing::TestWithParam<std::tuple<Fault, Shape>> {
 protected:
  Fault fault() const { return std::get<0>(GetParam()); }
  Shape shape() const { return std::get<1>(GetParam()); }
};

TEST_P(EveryFault, IsCaught) {
  const Tensor want = Activations(shape());
  Tensor rounded = want.Clone();
  for (std::int64_t i = 0; i < want.size(); ++i) {
    rounded.data<float>()[i] = Bf16::FromFloat(want.data<float>()[i]).ToFloat();
  }
  const Verdict sound = Compare(rounded, want, Bf16Tolerance());
  ASSERT_TRUE(sound.passed()) << Describe(sound);
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const Tensor faulty = Inject(want, fault(), seed);
    ASSERT_FALSE(Same(faulty, want)) << "seed " << seed;
    EXPECT_EQ(Compare(faulty, want, F32Tolerance()).status, Status::kFailed) << "seed " << seed;
    EXPECT_EQ(Compare(faulty, want, Bf16Tolerance()).status, Status::kFailed) << "seed " << seed;
  }
}

TEST_P(EveryFault, DependsOnTheSeedAlone) {
  const Tensor want = Activations(shape());
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    EXPECT_TRUE(Same(Inject(want, fault(), seed), Inject(want, fault(), seed)));
  }
}

TEST_P(EveryFault, LeavesItsInputAlone) {
  const Tensor want = Activations(shape());
  Inject(want, fault(), 1);
  EXPECT_TRUE(Same(want, Activations(shape())));
}

INSTANTIATE_TEST_SUITE_P(Shapes, EveryFault,
                         testing::Combine(testing::ValuesIn(kAllFaults),
                                          testing::Values(Shape{64, 48}, Shape{37, 53},
                                                          Shape{15, 33}, Shape{2, 3, 101})),
                         [](const auto& info) {
                           std::string name = FaultName(std::get<0>(info.param));
                           for (const std::int64_t d : std::get<1>(info.param))
                             name += "_" + std::to_string(d);
                           return name;
                         });

TEST(Faults, SmallTensorsAreNoProblem) {
  for (const Shape& shape : {Shape{}, Shape{1}, Shape{2}, Shape{1, 1}, Shape{1, 5}, Shape{5, 1},
                             Shape{0}, Shape{0, 3}, Shape{3, 0}}) {
    const Tensor want = Activations(shape);
    for (const Fault fault : kAllFaults) EXPECT_EQ(Inject(want, fault, 3).shape(), shape);
  }
}

TEST(Faults, WhereAFaultChangesNothingTheCopyIsEqual) {
  Tensor constant(DType::kF32, {32, 32});
  for (std::int64_t i = 0; i < constant.size(); ++i) constant.data<float>()[i] = 2;
  for (const Fault fault :
       {Fault::kTransposed, Fault::kWrongTile, Fault::kOffByOneRow, Fault::kTruncated}) {
    EXPECT_TRUE(Same(Inject(constant, fault, 1), constant)) << FaultName(fault);
  }
}

TEST(Faults, OneWrongTileIsOneTile) {
  const Tensor want = Activations({64, 48});
  const Tensor faulty = Inject(want, Fault::kWrongTile, 9);
  std::int64_t changed = 0;
  for (std::int64_t i = 0; i < want.size(); ++i) {
    changed += want.data<float>()[i] != faulty.data<float>()[i] ? 1 : 0;
  }
  EXPECT_EQ(changed, 16 * 16);
}

TEST(Faults, OnlyF32HasFaults) {
  EXPECT_THROW(Inject(Tensor(DType::kF64, {2, 2}), Fault::kNan, 1), Error);
}

}  // namespace
}  // namespace xdna::golden
