// The two products that a Linear may be made of, ours and the library's, against each other, with
// all that is done to their sums: the golden tests see the one that this machine prefers.
#include "ops/linear/linear.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

#include "base/error.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "ops/linear/product_choice.h"

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
    options.product = Linear::Product::kOwn;
    const Tensor own = Run(options, 2, ours);
    options.product = Linear::Product::kLibrary;
    const Tensor library = Run(options, 2, theirs);
    if (library.empty() || ours == theirs) GTEST_SKIP() << "one of them is not for this machine";
    // Sums in another order; in bf16 another rounding of a few values, and another GELU.
    const bool f32 = options.variant.precision == Precision::kF32;
    EXPECT_LT(RelativeL2(own, library), f32 ? 1e-6 : 1e-3) << ours << " and " << theirs;
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

// What a machine with AMX does unasked: the result is that of one of the two.
TEST_P(LinearProducts, AreChosenByTheirTimesWhereNoTableKnows) {
  Linear::Options options = OptionsOf();
  std::string theirs;
  options.product = Linear::Product::kLibrary;
  const Tensor library = Run(options, 2, theirs);
  std::string ours;
  options.product = Linear::Product::kOwn;
  const Tensor own = Run(options, 2, ours);
  if (library.empty() || ours == theirs) GTEST_SKIP() << "one of them is not for this machine";
  std::string chosen;
  options.product = Linear::Product::kMeasured;
  const Tensor y = Run(options, 2, chosen);
  const bool own_chosen = chosen.starts_with("own");
  EXPECT_NE(chosen.find(own_chosen ? "x the speed of oneDNN at start-up)"
                                   : "x the speed of our own at start-up)"),
            std::string::npos)
      << chosen;
  EXPECT_EQ(RelativeL2(y, own_chosen ? own : library), 0) << chosen;
}

INSTANTIATE_TEST_SUITE_P(All, LinearProducts,
                         testing::Combine(testing::ValuesIn(kAllPrecisions),
                                          testing::Values(Epilogue::kNone, Epilogue::kGelu,
                                                          Epilogue::kAccumulate)));

// Runs that take so long each.
std::function<std::function<void()>(bool)> Takes(std::chrono::milliseconds own,
                                                 std::chrono::milliseconds library) {
  return [=](bool is_own) -> std::function<void()> {
    return [=] { std::this_thread::sleep_for(is_own ? own : library); };
  };
}

TEST(ProductChoice, IsTheFasterOne) {
  using std::chrono::milliseconds;
  const ProductChoice own = ChooseProduct("a", Takes(milliseconds(1), milliseconds(4)));
  EXPECT_TRUE(own.own);
  EXPECT_GT(own.ratio, 1.5);
  const ProductChoice library = ChooseProduct("b", Takes(milliseconds(4), milliseconds(1)));
  EXPECT_FALSE(library.own);
  EXPECT_GT(library.ratio, 1.5);
}

TEST(ProductChoice, StaysWhatItWas) {
  using std::chrono::milliseconds;
  const ProductChoice first = ChooseProduct("c", Takes(milliseconds(0), milliseconds(2)));
  EXPECT_TRUE(ChooseProduct("c", Takes(milliseconds(2), milliseconds(0))).own);
  EXPECT_EQ(ChooseProduct("c", Takes(milliseconds(2), milliseconds(0))).ratio, first.ratio);
}

}  // namespace
}  // namespace xdna::ops
