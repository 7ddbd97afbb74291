// The two products that a Linear may be made of, ours and the library's, against each other, with
// all that is done to their sums: the golden tests see the one that this machine prefers.
#include "ops/linear/linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "base/thread_pool.h"

namespace xdna::ops {
namespace {

constexpr std::int64_t kM = 70;
constexpr std::int64_t kK = 96;
constexpr std::int64_t kN = 150;

Tensor Normal(Shape shape, std::uint64_t seed, double scale) {
  Tensor t(DType::kF32, std::move(shape));
  FillSeededNormal(seed, 0, scale, 0, {t.data<float>(), static_cast<std::size_t>(t.size())});
  return t;
}

double RelativeL2(const Tensor& got, const Tensor& want) {
  const Tensor a = got.To(DType::kF32);
  const Tensor b = want.To(DType::kF32);
  double error = 0;
  double norm = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) {
    error += std::pow(double{a.data<float>()[i]} - b.data<float>()[i], 2);
    norm += std::pow(double{b.data<float>()[i]}, 2);
  }
  return std::sqrt(error / norm);
}

enum class Epilogue : std::uint8_t { kNone, kGelu, kAccumulate };

class LinearProducts : public testing::TestWithParam<std::tuple<Precision, Epilogue>> {
 protected:
  Linear::Options OptionsOf() const {
    const auto [precision, epilogue] = GetParam();
    Linear::Options options;
    options.variant = {precision, Backend::kFast};
    options.gelu = epilogue == Epilogue::kGelu;
    options.accumulate = epilogue == Epilogue::kAccumulate;
    options.x_dtype = precision == Precision::kF32 ? DType::kF32 : DType::kBf16;
    options.y_dtype = options.accumulate ? DType::kF32 : options.x_dtype;
    return options;
  }

  // The result on `threads` threads; empty where the machine can't.
  Tensor Run(const Linear::Options& options, int threads, std::string& description) const {
    const Tensor x = Normal({kM, kK}, 1, 1).To(options.x_dtype);
    const Tensor weight = Normal({kN, kK}, 2, 0.2);
    const Tensor bias = Normal({kN}, 3, 1);
    Tensor y = Normal({kM, kN}, 4, 1).To(options.y_dtype);
    ThreadPool pool(threads);
    try {
      const Linear linear(weight, bias, kM, options, {&pool, nullptr});
      linear.Run(x, y);
      description = linear.description();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kUnsupported) throw;
      return {};
    }
    return y;
  }
};

TEST_P(LinearProducts, Agree) {
  Linear::Options options = OptionsOf();
  for (Linear::XRange range : {Linear::XRange::kEven, Linear::XRange::kSkewed}) {
    options.x_range = range;
    std::string ours;
    std::string theirs;
    options.own_product = true;
    const Tensor own = Run(options, 2, ours);
    options.own_product = false;
    const Tensor library = Run(options, 2, theirs);
    if (library.empty() || ours == theirs) GTEST_SKIP() << "one of them is not for this machine";
    // Sums in another order; in bf16 another rounding of a few values, and another GELU.
    const bool f32 = options.variant.precision == Precision::kF32;
    EXPECT_LT(RelativeL2(own, library), f32 ? 1e-6 : 5e-4) << ours << " and " << theirs;
  }
}

TEST_P(LinearProducts, GiveTheSameBitsOnAnyNumberOfThreads) {
  Linear::Options options = OptionsOf();
  options.x_range = Linear::XRange::kSkewed;
  std::string description;
  const Tensor one = Run(options, 1, description);
  if (one.empty()) GTEST_SKIP() << "not for this machine";
  EXPECT_EQ(RelativeL2(Run(options, 3, description), one), 0);
}

INSTANTIATE_TEST_SUITE_P(All, LinearProducts,
                         testing::Combine(testing::ValuesIn(kAllPrecisions),
                                          testing::Values(Epilogue::kNone, Epilogue::kGelu,
                                                          Epilogue::kAccumulate)));

}  // namespace
}  // namespace xdna::ops
