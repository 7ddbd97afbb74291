// The tile's products: both host paths bit for bit, padding, int8 against exact sums, and verdicts
// on floor and on a C that is reloaded as bf16.
#include "ops/linear/npu/linear_tile.h"

#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "base/tensor.h"
#include "base/thread_pool.h"
#include "golden/compare.h"
#include "kernels/quantize/quantize.h"
#include "ops/internal/float64.h"
#include "ops/linear/npu/tile_product.h"

namespace xdna::ops {
namespace {

struct Size {
  std::int64_t m, k, n;
};
// One row, primes, less than a block, multiples of nothing, whole tiles, several of them.
constexpr Size kSizes[] = {{1, 1, 1},      {1, 331, 101}, {7, 13, 11},    {3, 8, 4},
                           {64, 128, 64},  {61, 67, 29},  {157, 64, 167}, {130, 301, 134},
                           {33, 1504, 64}, {96, 64, 1504}};

std::string Name(const Size& s) {
  return std::to_string(s.m) + "x" + std::to_string(s.k) + "x" + std::to_string(s.n);
}

ThreadPool& Pool() {
  static ThreadPool pool(2);
  return pool;
}
const CpuContext& Context() {
  static const CpuContext context{&Pool()};
  return context;
}

Tensor Normal(const Shape& shape, std::uint64_t seed, double scale = 1, double offset = 0) {
  Tensor tensor(DType::kF32, shape);
  FillSeededNormal(seed, 0, scale, offset,
                   {tensor.data<float>(), static_cast<std::size_t>(tensor.size())});
  return tensor;
}

kernels::MatmulProblem ProblemOf(const Size& s) {
  return {static_cast<int32>(s.m), static_cast<int32>(s.k), static_cast<int32>(s.n)};
}

// y of a product in which whatever is not written is NaN.
Tensor Product(const Size& s, const TileProduct& product, const kernels::MatmulEpilogue& epilogue,
               const Tensor& a, const Tensor& b) {
  Tensor y(DType::kBf16, {s.m, s.n});
  std::fill_n(y.data<Bf16>(), y.size(), Bf16{0x7FC0});
  product.Run(s.m, Bf16Data(a), Bf16Data(b), epilogue, Bf16Data(y));
  return y;
}

void ExpectSameBits(const Tensor& got, const Tensor& want, const std::string& name) {
  ASSERT_EQ(got.shape(), want.shape()) << name;
  ASSERT_EQ(std::memcmp(got.view().raw(), want.view().raw(), want.bytes()), 0) << name;
}

TEST(TileProduct, BulkHasTheBitsOfTheTiles) {
  for (const Size& s : kSizes) {
    const Tensor a = Normal({s.m, s.k}, 1, 1, 0.2).To(DType::kBf16);
    const Tensor b = Normal({s.k, s.n}, 2, 1 / std::sqrt(s.k)).To(DType::kBf16);
    const Tensor bias = Normal({s.n}, 3);
    for (const bool reload : {false, true}) {
      const TileProduct tiles(ProblemOf(s),
                              {.bias = true, .reload = reload, .host = TileHost::kTiles});
      const TileProduct bulk(ProblemOf(s),
                             {.bias = true, .reload = reload, .host = TileHost::kBulk});
      for (const bool gelu : {false, true}) {
        if (gelu && s.m * s.n > 5000) continue;
        kernels::MatmulEpilogue epilogue;
        epilogue.bias = bias.data<float>();
        epilogue.gelu = gelu;
        epilogue.scale = gelu ? 1 : 0.3F;
        epilogue.rounding = reload ? aie::rounding_mode::floor : aie::rounding_mode::conv_even;
        ExpectSameBits(Product(s, bulk, epilogue, a, b), Product(s, tiles, epilogue, a, b),
                       Name(s) + (reload ? " reload" : "") + (gelu ? " gelu" : ""));
      }
    }
  }
}

TEST(TileProduct, BulkHasTheBitsOfTheTilesInInt8) {
  for (const Size& s : kSizes) {
    Tensor a(DType::kI8, {s.m, s.k}), b(DType::kI8, {s.k, s.n});
    for (std::int64_t i = 0; i < a.size(); ++i) a.data<int8>()[i] = static_cast<int8>(i * 37);
    for (std::int64_t i = 0; i < b.size(); ++i) b.data<int8>()[i] = static_cast<int8>(i * 91 + 5);
    Tensor y[2] = {{DType::kI32, {s.m, s.n}}, {DType::kI32, {s.m, s.n}}};
    for (const auto host : {TileHost::kTiles, TileHost::kBulk}) {
      const TileProduct product(ProblemOf(s), {.int8 = true, .host = host});
      product.Run(s.m, a.data<int8>(), b.data<int8>(),
                  y[host == TileHost::kBulk ? 1 : 0].data<int32>());
    }
    ExpectSameBits(y[1], y[0], Name(s));
  }
}

TEST(TileProduct, ChoosesTilesThatFit) {
  for (const Size& s : {Size{1500, 512, 2048}, Size{1500, 2048, 512}, Size{1, 1, 1}}) {
    for (const bool int8 : {false, true}) {
      const TileProduct product(ProblemOf(s), {.int8 = int8, .bias = !int8});
      const kernels::MatmulTile t = product.tile();
      const kernels::Design design = kernels::MatmulDesign({.m = static_cast<std::size_t>(t.m),
                                                            .k = static_cast<std::size_t>(t.k),
                                                            .n = static_cast<std::size_t>(t.n),
                                                            .in_bytes = int8 ? 1U : 2U,
                                                            .out_bytes = int8 ? 4U : 2U,
                                                            .bias = !int8});
      EXPECT_TRUE(design.fits()) << design.fits().reason;
      // Whisper's shapes fill a tile; a single element takes the least there is.
      EXPECT_EQ(design.data_bytes() > 32768, s.m > 1) << design.data_sum();
      EXPECT_EQ(product.bulk(), s.m > 1);
    }
  }
}

TEST(TileProduct, ListsWhatFitsTheBestFirstThenTheNearestThatDoesNot) {
  const std::vector<TileShape> shapes = ProductTiles({.bias = true}, 512);
  const auto beyond = std::find_if(shapes.begin(), shapes.end(),
                                   [](const TileShape& s) { return !s.design.fits(); });
  ASSERT_GT(beyond - shapes.begin(), 1000);
  ASSERT_EQ(shapes.end() - beyond, 8);
  for (auto s = shapes.begin() + 1; s < beyond; ++s) {
    ASSERT_GE(s->design.cycles() / s->results, (s - 1)->design.cycles() / (s - 1)->results - 1e-9);
  }
  for (auto s = beyond; s < shapes.end(); ++s) EXPECT_FALSE(s->design.fits()) << s->name;
}

// --- the op --------------------------------------------------------------------------------------

struct Operands {
  Tensor x, weight, bias;
  explicit Operands(const Size& s, double offset = 0)
      : x(Normal({s.m, s.k}, 11, 1, offset)),
        weight(Normal({s.n, s.k}, 12, 1 / std::sqrt(s.k), offset / std::sqrt(s.k))),
        bias(Normal({s.n}, 13)) {}
};

golden::Verdict Judge(const Size& s, const Operands& o, const Variant& variant) {
  TileOptions options = TileOptionsOf(variant);
  const TileLinear linear(o.weight, o.bias, s.m, false, options, Context());
  const Tensor x = o.x.To(DType::kBf16);
  Tensor y(DType::kBf16, {s.m, s.n});
  std::fill_n(y.data<Bf16>(), y.size(), Bf16{0x7FC0});
  linear.Run(x, y);
  const Tensor want = f64::TensorOf(f64::Linear(f64::MatrixOf(o.x), o.weight, o.bias));
  const Tensor scale = f64::LinearTerms(f64::MatrixOf(o.x), o.weight, o.bias);
  return golden::Compare(y, want, TileProductTolerance(variant.precision, s.k, "random"), scale);
}

constexpr Size kOp = {67, 521, 139};

TEST(LinearTile, IsWithinItsTolerance) {
  for (const Size& s : {kOp, Size{1, 331, 301}, Size{300, 40, 17}}) {
    for (const auto precision : {Precision::kBf16, Precision::kInt8}) {
      const golden::Verdict verdict = Judge(s, Operands(s), {precision, Backend::kTile});
      EXPECT_TRUE(verdict.passed()) << Name(s) << " " << golden::Describe(verdict);
    }
  }
}

// Every element stays within what rounding may cost: it is the bias that shows floor.
TEST(LinearTile, FloorAndReloadFail) {
  for (const auto precision : {Precision::kBf16, Precision::kInt8}) {
    const golden::Verdict verdict = Judge(kOp, Operands(kOp), {precision, Backend::kTile, "floor"});
    EXPECT_EQ(verdict.status, golden::Status::kFailed);
    EXPECT_EQ(verdict.bad, 0) << golden::Describe(verdict);
    EXPECT_GT(verdict.bias, 2e-3) << golden::Describe(verdict);
  }
  const golden::Verdict reload =
      Judge(kOp, Operands(kOp, 0.5), {Precision::kBf16, Backend::kTile, "reload"});
  EXPECT_EQ(reload.status, golden::Status::kFailed);
  EXPECT_GT(reload.bias, 4e-3) << golden::Describe(reload);
  EXPECT_GT(reload.bad, 0);
}

// Against the exact sums of what the kernel quantises to: no limit for the quantisation itself.
TEST(LinearTile, Int8IsExactButForTheLastRounding) {
  const Size s = {37, 75, 43};
  const std::int64_t k = 80;
  const Operands o(s);
  const auto quantize = [&](const Tensor& values, std::vector<float>& scales) {
    const Tensor padded(DType::kF32, {values.dim(0), k}), q(DType::kI8, {values.dim(0), k});
    for (std::int64_t i = 0; i < values.dim(0); ++i) {
      std::copy_n(values.data<float>() + i * s.k, s.k, padded.data<float>() + i * k);
    }
    scales.resize(static_cast<std::size_t>(values.dim(0)));
    quantize_rows_f32(padded.data<float>(), q.data<int8>(), scales.data(),
                      static_cast<int32>(values.dim(0)), static_cast<int32>(k));
    return q.Clone();
  };
  const Tensor x = o.x.To(DType::kBf16);
  std::vector<float> x_scales, w_scales;
  const Tensor qx = quantize(x.To(DType::kF32), x_scales);
  const Tensor qw = quantize(o.weight, w_scales);
  Tensor want(DType::kF64, {s.m, s.n});
  for (std::int64_t i = 0; i < s.m; ++i) {
    for (std::int64_t j = 0; j < s.n; ++j) {
      std::int64_t sum = 0;
      for (std::int64_t z = 0; z < k; ++z) {
        sum += qx.data<int8>()[i * k + z] * qw.data<int8>()[j * k + z];
      }
      want.data<double>()[i * s.n + j] = static_cast<double>(sum) *
                                             x_scales[static_cast<std::size_t>(i)] *
                                             w_scales[static_cast<std::size_t>(j)] +
                                         o.bias.data<float>()[j];
    }
  }
  TileOptions options;
  options.precision = Precision::kInt8;
  const Tensor y(DType::kBf16, {s.m, s.n});
  TileLinear(o.weight, o.bias, s.m, false, options, Context()).Run(x, y);
  golden::Tolerance t;
  t.relative = 0x1p-8 + 0x1p-18;
  t.absolute = 0x1p-18 * 8;  // of the terms, where sum and bias cancel
  t.bias = 6e-4;
  t.provenance = "exact sums, f32 scales and bias, one rounding to bf16";
  const golden::Verdict verdict = golden::Compare(y, want, t);
  EXPECT_TRUE(verdict.passed()) << golden::Describe(verdict);
}

// Whole pieces and the rest of rows.
TEST(LinearTile, RowsGatheredOrNotAreTheSame) {
  const Operands o(kOp);
  const Tensor x = o.x.To(DType::kBf16);
  for (const auto precision : {Precision::kBf16, Precision::kInt8}) {
    TileOptions options;
    options.precision = precision;
    const TileLinear linear(o.weight, o.bias, kOp.m, true, options, Context());
    const Tensor whole(DType::kBf16, {kOp.m, kOp.n}), gathered(DType::kBf16, {kOp.m, kOp.n});
    linear.Run(x, whole);
    linear.RunGathered(
        [&](std::int64_t first, std::int64_t rows, bfloat16* scratch) {
          std::copy_n(Bf16Data(x) + first * kOp.k, rows * kOp.k, scratch);
        },
        gathered);
    ExpectSameBits(gathered, whole, PrecisionName(precision));
  }
}

TEST(LinearTile, RefusesWhatATileCannotDo) {
  const auto code = [](const Variant& variant) {
    try {
      TileOptionsOf(variant);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::kInternal;
  };
  EXPECT_EQ(code({Precision::kF32, Backend::kTile}), ErrorCode::kUnsupported);
  EXPECT_EQ(code({Precision::kBf16, Backend::kTile, "unknown"}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({Precision::kInt8, Backend::kTile, "reload"}), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace xdna::ops
