#include "decoder/gemv_kernels.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <tuple>
#include <vector>

#include "base/bf16.h"
#include "base/random.h"

namespace xdna::decoder {
namespace {

std::vector<float> Numbers(std::uint64_t seed, std::int64_t count) {
  std::vector<float> numbers(count);
  FillSeededNormal(seed, 0, 1, 0, numbers);
  return numbers;
}

struct Aligned {
  explicit Aligned(std::size_t bytes) : data(std::aligned_alloc(64, (bytes + 63) / 64 * 64)) {}
  ~Aligned() { std::free(data); }
  Aligned(const Aligned&) = delete;
  Aligned& operator=(const Aligned&) = delete;
  void* data;
};

// What the matrix holds after packing, and the sum that the kernel should make of it.
class Product {
 public:
  Product(DType dtype, std::int64_t n, std::int64_t k, int vectors, bool transposed)
      : n_(n),
        k_(k),
        packed_((n + kBlockRows - 1) / kBlockRows * BlockBytes(dtype, k)),
        weights_(Numbers(1, n * k)),
        x_(Numbers(2, vectors * Stride())) {
    // A scale of 1 / 30 leaves four standard deviations within 127.
    const std::vector<float> inverse(n, 30);
    PackArgs pack;
    std::vector<float> turned(n * k);
    for (std::int64_t i = 0; i < n * k; ++i) turned[i % k * n + i / k] = weights_[i];
    for (float& w : weights_) w = std::clamp(w, -4.0F, 4.0F);
    for (float& w : turned) w = std::clamp(w, -4.0F, 4.0F);
    pack.rows = transposed ? turned.data() : weights_.data();
    pack.stride = transposed ? n : k;
    pack.transposed = transposed;
    pack.n = n;
    pack.k = k;
    pack.dtype = dtype;
    pack.inverse = inverse.data();
    pack.blocks = packed_.data;
    PackBlocks(pack, 0, (n + kBlockRows - 1) / kBlockRows);
    for (float& w : weights_) {
      if (dtype == DType::kBf16) w = Bf16::FromFloat(w).ToFloat();
      if (dtype == DType::kI8) w = static_cast<float>(std::lrint(w * 30));
    }
    for (float x : x_) whole_.push_back(static_cast<std::int16_t>(std::lrint(x * 3000)));
    args_.blocks = packed_.data;
    args_.dtype = dtype;
    args_.n = n;
    args_.k = k;
    args_.x = x_.data();
    if (dtype == DType::kI8) args_.x = whole_.data();
    args_.x_stride = Stride();
    args_.vectors = vectors;
    args_.out_stride = n + 3;
  }

  std::int64_t Stride() const { return k_ + k_ % 2; }
  double X(int v, std::int64_t j) const {
    return args_.dtype == DType::kI8 ? whole_[v * Stride() + j] : x_[v * Stride() + j];
  }

  // Runs with `before` in the result's place.
  void Check(bool accumulate) {
    constexpr float kBefore = 0.5F;
    std::vector<float> out(args_.vectors * args_.out_stride, kBefore);
    args_.out = out.data();
    args_.accumulate = accumulate;
    Gemv(args_, 0, (n_ + kBlockRows - 1) / kBlockRows);
    for (int v = 0; v < args_.vectors; ++v) {
      for (std::int64_t i = 0; i < args_.out_stride; ++i) {
        const float got = out[v * args_.out_stride + i];
        if (i >= n_) {
          ASSERT_EQ(got, kBefore) << "beyond the last row";
          continue;
        }
        double want = accumulate ? kBefore : 0;
        double terms = want;
        for (std::int64_t j = 0; j < k_; ++j) {
          want += X(v, j) * weights_[i * k_ + j];
          terms += std::abs(X(v, j) * weights_[i * k_ + j]);
        }
        // Sums of k f32 terms; exact integers are rounded once.
        const double unit = args_.dtype == DType::kI8 ? 2 : static_cast<double>(k_) + 2;
        ASSERT_NEAR(got, want, unit * 0x1p-24 * terms) << "vector " << v << " row " << i;
      }
    }
  }

 private:
  std::int64_t n_, k_;
  Aligned packed_;
  std::vector<float> weights_, x_;
  std::vector<std::int16_t> whole_;
  GemvArgs args_;
};

// Every instruction set that this machine has, and the plain C++ that others get.
class Gemv : public testing::TestWithParam<std::int64_t> {
 protected:
  void SetUp() override { Choose(GetParam()); }
  void TearDown() override { Choose(0); }
  static void Choose(std::int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  }
};

TEST_P(Gemv, MatchesFloat64ForAllShapes) {
  for (DType dtype : {DType::kF32, DType::kBf16, DType::kI8}) {
    for (auto [n, k] : {std::tuple(16, 64), {64, 16}, {331, 75}, {5, 1}, {33, 512}}) {
      for (int vectors : {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17}) {
        SCOPED_TRACE(testing::Message()
                     << DTypeName(dtype) << " " << n << "x" << k << " times " << vectors);
        Product product(dtype, n, k, vectors, vectors % 2 == 0);
        product.Check(false);
        product.Check(true);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(Gemv, QuantisesToFifteenBits) {
  for (std::size_t n : {1, 15, 64, 512}) {
    const std::vector<float> x = Numbers(3, static_cast<std::int64_t>(n));
    std::vector<std::int16_t> q(n);
    const float scale = QuantizeRow16(x.data(), n, q.data());
    for (std::size_t i = 0; i < n; ++i) ASSERT_NEAR(q[i] * scale, x[i], 0.51F * scale);
    EXPECT_EQ(std::abs(*std::max_element(q.begin(), q.end(),
                                         [](int a, int b) { return std::abs(a) < std::abs(b); })),
              16383);
  }
  std::vector<std::int16_t> q(20, 7);
  EXPECT_EQ(QuantizeRow16(std::vector<float>(20).data(), 20, q.data()), 1);
  EXPECT_EQ(q, std::vector<std::int16_t>(20));
}

std::vector<std::int64_t> Targets() { return hwy::SupportedAndGeneratedTargets(); }

INSTANTIATE_TEST_SUITE_P(Targets, Gemv, testing::ValuesIn(Targets()),
                         [](const auto& info) { return hwy::TargetName(info.param); });

}  // namespace
}  // namespace xdna::decoder
