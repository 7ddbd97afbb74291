#include "ops/internal/npu_array.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/tensor.h"
#include "base/thread_pool.h"
#include "device/measure.h"
#include "device/reuse.h"
#include "golden/compare.h"
#include "ops/registry.h"

namespace xdna::ops {
namespace {

using ::testing::HasSubstr;

constexpr std::uint64_t kSeed = 7;

struct Outcome {
  std::vector<float> y;
  double us = 0;
  ArrayTotals totals;
};

std::vector<float> Values(const Tensor& y) { return {y.data<float>(), y.data<float>() + y.size()}; }

// Two calls of an op; what the second one gives and takes.
Outcome RunArray(const Contract& op, const Dims& dims, Variant variant, const ArrayOptions& options,
                 device::DeviceOptions device = {}) {
  device.functional = options.data;
  device::ConfigureDevice(device);
  ThreadPool pool(2);
  ArrayDevice array(options);
  const auto instance =
      op.make(dims, RandomInputs(op, dims, kSeed), variant, {.pool = &pool, .array = &array});
  instance->Poison();
  instance->Run();
  const device::RunTimer timer;
  instance->Run();
  return {Values(instance->Output()), timer.ElapsedUs(), array.totals()};
}

std::vector<float> RunTile(const Contract& op, const Dims& dims, Variant variant) {
  ThreadPool pool(2);
  variant.backend = Backend::kTile;
  const auto instance = op.make(dims, RandomInputs(op, dims, kSeed), variant, {.pool = &pool});
  instance->Poison();
  instance->Run();
  return Values(instance->Output());
}

struct Shape {
  const char* op;
  Dims dims;
};

// Ragged in every size, over several batches and blocks of keys.
const Shape kShapes[] = {
    {"linear", {{"m", 70}, {"k", 72}, {"n", 200}}},
    {"layer_norm", {{"m", 70}, {"d", 96}}},
    {"gelu", {{"m", 21}, {"n", 100}}},
    {"add", {{"m", 21}, {"n", 100}}},
    {"softmax", {{"m", 21}, {"n", 100}}},
    {"conv1d", {{"c", 20}, {"t", 61}, {"d", 48}, {"stride", 2}, {"gelu", 1}, {"u", 31}}},
    {"ffn", {{"m", 21}, {"d", 48}, {"f", 96}}},
};

// Rows' scales travel as pairs of bf16 (kernels/quantize), a tile's as f32: now and then a result
// rounds to the neighbouring bf16.
void ExpectLastBitsOnly(const std::vector<float>& got, const std::vector<float>& want) {
  ASSERT_EQ(got.size(), want.size());
  std::size_t other = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], want[i], std::abs(want[i]) / 128 + 1e-4F) << "element " << i;
    other += got[i] != want[i];
  }
  EXPECT_LT(other, got.size() / 20);
}

TEST(NpuArray, HasTheBitsOfOneTile) {
  for (const Shape& shape : kShapes) {
    const Contract& op = FindOp(shape.op);
    for (const Variant& variant : op.variants) {
      if (variant.backend != Backend::kArray) continue;
      const std::vector<float> want = RunTile(op, shape.dims, variant);
      for (const std::int64_t batch : {0, 16}) {
        const Outcome got = RunArray(op, shape.dims, variant, {.batch = batch});
        if (variant.precision == Precision::kInt8) {
          ExpectLastBitsOnly(got.y, want);
        } else {
          EXPECT_EQ(got.y, want) << op.name << " " << PrecisionName(variant.precision)
                                 << BackendName(variant) << " batch " << batch;
        }
      }
    }
  }
}

TEST(NpuArray, ReuseChangesTimesAndNoBits) {
  const Contract& op = FindOp("layer_norm");
  const Dims dims = {{"m", 50}, {"d", 64}};
  const Variant variant{Precision::kBf16, Backend::kArray};
  const std::vector<float> want = RunTile(op, dims, variant);
  double before = 1e30;
  for (const char* reuse : {"fresh", "bo", "context", "runlist:2", "runlist:5"}) {
    const Outcome got =
        RunArray(op, dims, variant, {.reuse = device::ParseReuse(reuse), .batch = 8});
    EXPECT_EQ(got.y, want) << reuse;
    EXPECT_LT(got.us, before) << reuse;
    EXPECT_EQ(got.totals.runs, 2 * 7) << reuse;
    before = got.us;
  }
}

TEST(NpuArray, SameSeedSameBitsSameTimes) {
  for (const Shape& shape : kShapes) {
    const Contract& op = FindOp(shape.op);
    const Variant variant{Precision::kBf16, Backend::kArray};
    const ArrayOptions options = {.reuse = device::ParseReuse("runlist:2"), .batch = 16};
    const Outcome first = RunArray(op, shape.dims, variant, options, {.threads = 1});
    for (const int threads : {1, 2}) {
      const Outcome again = RunArray(op, shape.dims, variant, options, {.threads = threads});
      EXPECT_EQ(again.y, first.y) << op.name << " " << threads;
      EXPECT_EQ(again.us, first.us) << op.name << " " << threads;
    }
    ArrayOptions times = options;
    times.data = false;
    EXPECT_EQ(RunArray(op, shape.dims, variant, times).us, first.us) << op.name << " without data";
  }
}

TEST(NpuArray, EveryTileAndColumnsHaveTheSameBits) {
  const Contract& op = FindOp("linear");
  const Dims dims = {{"m", 30}, {"k", 40}, {"n", 50}};
  const Variant variant{Precision::kBf16, Backend::kArray};
  const std::vector<float> want = RunTile(op, dims, variant);
  for (const std::size_t columns : {1, 2, 4}) {
    const std::vector<ArrayTile> tiles = op.array_tiles(dims, variant, 30, columns).legal;
    ASSERT_GT(tiles.size(), 20U);
    for (std::size_t i = 0; i < tiles.size(); i += tiles.size() / 7) {
      const Outcome got = RunArray(op, dims, variant, {.tile = tiles[i].name, .columns = columns});
      EXPECT_EQ(got.y, want) << tiles[i].name << " on " << columns;
    }
  }
}

TEST(NpuArray, FaultsEndTheCallAndTheNextBeginsAnew) {
  const Contract& op = FindOp("add");
  const Dims dims = {{"m", 64}, {"n", 64}};
  for (const char* fault : {"timeout:1", "partial:1", "stale:1", "context_lost:1", "hang:1"}) {
    device::ConfigureDevice({.faults = fault});
    ThreadPool pool(1);
    ArrayDevice array;
    const auto instance =
        op.make(dims, RandomInputs(op, dims, kSeed), {Precision::kBf16, Backend::kArray},
                {.pool = &pool, .array = &array});
    for (int call = 0; call < 2; ++call) {
      instance->Poison();
      EXPECT_THROW(instance->Run(), Error) << fault;
    }
    EXPECT_EQ(device::InjectedFaults().size(), 2U) << fault;
  }
}

TEST(NpuArray, BreaksNoRuleOfXrt) {
  device::ClearViolations();
  for (const char* reuse : {"fresh", "bo", "context", "runlist:3"}) {
    static_cast<void>(RunArray(FindOp("ffn"), kShapes[6].dims, {Precision::kBf16, Backend::kArray},
                               {.reuse = device::ParseReuse(reuse), .batch = 8}));
    for (const device::Violation& v : device::Violations()) {
      ADD_FAILURE() << reuse << ": " << v.rule << ": " << v.message;
    }
  }
}

std::string Refusal(const char* name, const Dims& dims, const ArrayOptions& options) {
  try {
    static_cast<void>(RunArray(FindOp(name), dims, {Precision::kBf16, Backend::kArray}, options));
  } catch (const Error& error) {
    return error.what();
  }
  return "done";
}

TEST(NpuArray, RefusesWhatCantBe) {
  const Dims product = {{"m", 8}, {"k", 16}, {"n", 16}}, rows = {{"m", 8}, {"d", 16}};
  EXPECT_THAT(Refusal("linear", product, {.tile = "5x5x5"}), HasSubstr("tile '5x5x5': not one of"));
  EXPECT_THAT(Refusal("linear", product, {.columns = 3}), HasSubstr("1, 2 or 4 columns"));
  EXPECT_THAT(Refusal("linear", product, {.columns = 5}), HasSubstr("1 to 4 columns"));
  EXPECT_THAT(Refusal("linear", product, {.batch = -1}), HasSubstr("batch -1"));
  EXPECT_THAT(Refusal("layer_norm", rows, {.tile = "0x16"}), HasSubstr("takes 1x16 to"));
  EXPECT_THAT(Refusal("layer_norm", {{"m", 8}, {"d", 20}}, {}), HasSubstr("multiple of 16"));
  EXPECT_THAT(Refusal("softmax", {{"m", 1}, {"n", 20000}}, {}), HasSubstr("memory"));
}

}  // namespace
}  // namespace xdna::ops
