// aie:: as a kernel uses it: vectors, accumulators, sticky registers, shuffles, products,
// reductions.
#include <gtest/gtest.h>

#include <aie_api/aie.hpp>
#include <bit>
#include <cstdint>
#include <random>
#include <thread>

namespace xdna::kernels {
namespace {

using aie::rounding_mode;
using aie::saturation_mode;

// Leaves the core as after reset, whatever a test did.
class Api : public testing::Test {
 protected:
  void SetUp() override { aie::host::core() = {}; }
  void TearDown() override { aie::host::core() = {}; }
};

template <typename T, unsigned N>
aie::vector<T, N> Iota(int first = 0) {
  aie::vector<T, N> v;
  for (unsigned i = 0; i < N; ++i) v[i] = static_cast<T>(static_cast<int>(i) + first);
  return v;
}

TEST_F(Api, RegistersAreStickyAndPerCore) {
  EXPECT_EQ(aie::get_rounding(), rounding_mode::floor);
  EXPECT_EQ(aie::get_saturation(), saturation_mode::none);
  aie::set_rounding(rounding_mode::conv_even);
  aie::set_saturation(saturation_mode::saturate);
  std::thread([] {
    EXPECT_EQ(aie::get_rounding(), rounding_mode::floor);
    aie::set_rounding(rounding_mode::ceil);
  }).join();
  EXPECT_EQ(aie::get_rounding(), rounding_mode::conv_even);
  EXPECT_EQ(aie::get_saturation(), saturation_mode::saturate);
}

TEST_F(Api, NarrowingFollowsTheRegister) {
  const auto narrow = [](float x) {
    aie::accum<accfloat, 16> acc;
    acc[3] = x;
    return static_cast<float>(acc.to_vector<bfloat16>()[3]);
  };
  EXPECT_EQ(narrow(1.005F), 1.0F);          // floor after reset
  EXPECT_EQ(narrow(-1.001F), -1.0078125F);  // towards -infinity, not towards zero
  aie::set_rounding(rounding_mode::conv_even);
  EXPECT_EQ(narrow(1.005F), 1.0078125F);
  EXPECT_EQ(narrow(-1.001F), -1.0F);
}

TEST_F(Api, ScalarBf16RoundsLikeTheVectorsAndConstantsToNearest) {
  constexpr bfloat16 kConstant = 1.005F;
  EXPECT_EQ(static_cast<float>(kConstant), 1.0078125F);
  volatile float x = 1.005F;
  EXPECT_EQ(static_cast<float>(bfloat16(x)), 1.0F);
  aie::set_rounding(rounding_mode::ceil);
  EXPECT_EQ(static_cast<float>(bfloat16(x)), 1.0078125F);
}

TEST_F(Api, IntegersNarrowByShiftRoundingAndSaturation) {
  aie::accum<acc32, 32> acc;
  acc[0] = 1000;
  acc[1] = -1000;
  acc[2] = 6;
  acc[3] = -6;
  auto v = acc.to_vector<int8>(2);
  EXPECT_EQ(v[0], static_cast<int8>(250));  // wraps
  EXPECT_EQ(v[1], static_cast<int8>(-250));
  EXPECT_EQ(v[2], 1);
  EXPECT_EQ(v[3], -2);  // floor
  aie::set_saturation(saturation_mode::saturate);
  aie::set_rounding(rounding_mode::symmetric_inf);
  v = acc.to_vector<int8>(2);
  EXPECT_EQ(v[0], 127);
  EXPECT_EQ(v[1], -128);
  EXPECT_EQ(v[2], 2);
  EXPECT_EQ(v[3], -2);
  aie::set_saturation(saturation_mode::symmetric);
  EXPECT_EQ(acc.to_vector<int8>(2)[1], -127);
  EXPECT_EQ(acc.to_vector<uint8>(2)[1], 0);
  const aie::accum<acc64, 16> wide(Iota<int16, 16>(), 20);
  EXPECT_EQ(wide[5], 5 << 20);
  EXPECT_EQ(wide.to_vector<int32>(20)[5], 5);
}

TEST_F(Api, LoadsStoresAndIterators) {
  alignas(32) float in[32], out[32] = {};
  for (int i = 0; i < 32; ++i) in[i] = static_cast<float>(i);
  auto from = aie::cbegin_vector<8>(in);
  auto to = aie::begin_restrict_vector<8>(out);
  for (int i = 0; i < 4; ++i) *to++ = *from++;
  EXPECT_EQ(out[31], 31.0F);
  EXPECT_EQ(aie::load_v<8>(in + 8)[1], 9.0F);
  EXPECT_EQ(aie::load_unaligned_v<8>(in + 3)[0], 3.0F);
  aie::store_unaligned_v(out + 1, aie::load_v<8>(in));
  EXPECT_EQ(out[8], 7.0F);
  aie::store_v(out, aie::zeros<float, 8>());
  EXPECT_EQ(out[7], 0.0F);
  EXPECT_EQ(from - aie::cbegin_vector<8>(in), 4);
  EXPECT_EQ((aie::vector<float, 8>(from[-1])[0]), 24.0F);
}

TEST_F(Api, PartsOfVectors) {
  const auto v = Iota<int16, 32>();
  EXPECT_EQ(v.extract<8>(2)[1], 17);
  auto w = v;
  w.insert(1, aie::broadcast<int16, 16>(-1));
  EXPECT_EQ(w[15], 15);
  EXPECT_EQ(w[16], -1);
  EXPECT_EQ((v.extract<8>(0).grow_replicate<32>()[30]), 6);
  EXPECT_EQ((v.extract<8>(0).grow<16>()[9]), 0);
  EXPECT_EQ((v.cast_to<int32>()[1]), 3 << 16 | 2);
  EXPECT_EQ((Iota<int8, 32>(-3).unpack()[0]), -3);
  w.push(7);
  EXPECT_EQ(w[0], 7);
  EXPECT_EQ(w[1], 0);
  const auto both = aie::concat(v.extract<16>(0), v.extract<16>(1));
  EXPECT_EQ(both[20], 20);
  EXPECT_EQ((aie::accum<acc32, 16>(v.extract<16>(0)).extract<8>(1)[0]), 8);
  EXPECT_EQ((aie::accum<accfloat, 16>(Iota<float, 16>()).cast_to<acc32>()[1]), 0x3F800000);
}

TEST_F(Api, Shuffles) {
  const auto v = Iota<int32, 16>();
  EXPECT_EQ(aie::shuffle_down(v, 3)[0], 3);
  EXPECT_EQ(aie::shuffle_down(v, 3)[13], 0);
  EXPECT_EQ(aie::shuffle_up(v, 3)[3], 0);
  EXPECT_EQ(aie::shuffle_down_rotate(v, 3)[15], 2);
  EXPECT_EQ(aie::shuffle_up_rotate(v, 3)[0], 13);
  const auto fill = Iota<int32, 16>(100);
  EXPECT_EQ(aie::shuffle_down_fill(v, fill, 3)[13], 100);
  EXPECT_EQ(aie::shuffle_up_fill(v, fill, 3)[0], 113);
  EXPECT_EQ(aie::reverse(v)[0], 15);
  const auto t = aie::transpose(v, 2, 8);  // 2 x 8 -> 8 x 2
  EXPECT_EQ(t[0], 0);
  EXPECT_EQ(t[1], 8);
  EXPECT_EQ(t[2], 1);
  const auto [lo, hi] = aie::interleave_zip(v, fill, 2);
  EXPECT_EQ(lo[1], 1);
  EXPECT_EQ(lo[2], 100);
  EXPECT_EQ(lo[4], 2);
  EXPECT_EQ(hi[0], 8);
  const auto [even, odd] = aie::interleave_unzip(lo, hi, 2);
  for (unsigned i = 0; i < 16; ++i) {
    EXPECT_EQ(even[i], v[i]);
    EXPECT_EQ(odd[i], fill[i]);
  }
  EXPECT_EQ(aie::filter_even(v, 2)[2], 4);
  EXPECT_EQ(aie::filter_odd(v)[2], 5);
}

TEST_F(Api, LanewiseArithmetic) {
  const auto a = Iota<int8, 32>(100);
  EXPECT_EQ(aie::add(a, a)[20], static_cast<int8>(240));  // wraps
  EXPECT_EQ(aie::sub(int8{0}, a)[5], -105);
  EXPECT_EQ(aie::mul(a, a).to_vector<int32>()[20], 120 * 120);
  EXPECT_EQ(aie::mac(aie::mul(a, a), a, int8{2}).to_vector<int32>()[20], 120 * 120 + 240);
  EXPECT_EQ(aie::msc(aie::mul(a, a), a, a).to_vector<int32>()[20], 0);
  const auto big = aie::broadcast<int16, 16>(30000);
  EXPECT_EQ((aie::mul<acc64>(big, big)[0]), 900000000LL);
  EXPECT_EQ((aie::mul(aie::broadcast<int32, 16>(1 << 20), aie::broadcast<int32, 16>(1 << 20))[0]),
            1LL << 40);
  EXPECT_EQ(aie::neg(a)[0], -100);
  EXPECT_EQ(aie::abs(aie::neg(a))[0], 100);
  const auto x = aie::broadcast<float, 16>(1.5F);
  EXPECT_EQ(aie::add(x, 2.0F)[3], 3.5F);
  EXPECT_EQ(aie::sub(aie::accum<accfloat, 16>(x), x)[3], 0.0F);
  EXPECT_EQ(aie::neg(x)[0], -1.5F);
}

TEST_F(Api, Bf16AddsAndProductsAreRoundedByTheRegister) {
  constexpr bfloat16 kOne = 1.0F, kSmall = 0.00390625F;  // half a unit of 1's last bit
  const auto one = aie::broadcast<bfloat16, 16>(kOne);
  const auto small = aie::broadcast<bfloat16, 16>(kSmall);
  EXPECT_EQ(static_cast<float>(aie::add(one, small)[0]), 1.0F);
  EXPECT_EQ(static_cast<float>(aie::sub(aie::neg(one), small)[0]), -1.0078125F);
  aie::set_rounding(rounding_mode::positive_inf);
  EXPECT_EQ(static_cast<float>(aie::add(one, small)[0]), 1.0078125F);
  // The product itself is exact in its accumulator, and an accumulator goes into a vector.
  constexpr bfloat16 kX = 1.0078125F;
  const auto square = aie::mul(aie::broadcast<bfloat16, 16>(kX), kX);
  EXPECT_EQ(square[0], 1.0078125F * 1.0078125F);
  const aie::vector<bfloat16, 16> rounded = square;
  EXPECT_EQ(static_cast<float>(rounded[0]), 1.015625F);
  EXPECT_EQ(aie::negmul(one, one)[0], -1.0F);
}

TEST_F(Api, EmulatedFloatProductsHaveTheirErrors) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> uniform(-4, 4);
  double worst[3] = {};
  using aie::host::fp32_product;
  for (const auto product : {fp32_product::low, fp32_product::fast, fp32_product::safe}) {
    aie::host::core().options.fp32_product = product;
    for (int i = 0; i < 20000; ++i) {
      aie::vector<float, 16> a, b;
      a[0] = uniform(random);
      b[0] = uniform(random);
      const double exact = static_cast<double>(a[0]) * b[0];
      const double error = std::abs(aie::mul(a, b)[0] - exact) / std::abs(exact);
      double& most = worst[product == fp32_product::low    ? 0
                           : product == fp32_product::fast ? 1
                                                           : 2];
      most = std::max(most, error);
    }
  }
  EXPECT_LT(worst[2], 0x1p-22);
  EXPECT_LT(worst[1], 0x1p-20);
  EXPECT_LT(worst[0], 0x1p-13);
  EXPECT_LT(worst[2], worst[0]);
  aie::host::core().options.fp32_product = fp32_product::safe;
  const auto two = aie::broadcast<float, 16>(2.0F), three = aie::broadcast<float, 16>(3.0F);
  EXPECT_EQ(aie::mac(aie::mul(two, three), two, three)[0], 12.0F);
  EXPECT_EQ(aie::msc(aie::mul(two, three), two, 4.0F)[0], -2.0F);
}

TEST_F(Api, SplitsOfFloatsRoundByTheRegisterUnlessAskedOtherwise) {
  // Under ceil the high part is above x; with the option it is below it.
  using aie::detail::SplitFloat;
  aie::set_rounding(rounding_mode::ceil);
  EXPECT_GT(static_cast<float>(SplitFloat(1.001F).high), 1.001F);
  aie::host::core().options.fp32_split = aie::host::fp32_split::floor;
  EXPECT_LT(static_cast<float>(SplitFloat(1.001F).high), 1.001F);
}

TEST_F(Api, ComparisonsAndSelect) {
  const auto a = Iota<int16, 16>(), b = aie::broadcast<int16, 16>(8);
  EXPECT_EQ(aie::max(a, b)[3], 8);
  EXPECT_EQ(aie::min(a, int16{8})[3], 3);
  EXPECT_EQ(aie::lt(a, b).count(), 8U);
  EXPECT_EQ(aie::ge(a, b).count(), 8U);
  EXPECT_EQ(aie::gt(a, b).count(), 7U);
  EXPECT_EQ(aie::le(a, b).count(), 9U);
  EXPECT_TRUE(aie::eq(a, b).test(8));
  EXPECT_EQ(aie::neq(a, b), ~aie::eq(a, b));
  EXPECT_EQ(aie::select(a, b, aie::lt(a, b))[3], 8);
  EXPECT_EQ(aie::select(a, b, aie::mask<16>::from_uint32(2))[0], 0);
  EXPECT_EQ(aie::reduce_max(a), 15);
  EXPECT_EQ(aie::reduce_min(a), 0);
  const auto x = Iota<bfloat16, 32>(-7);
  EXPECT_EQ(static_cast<float>(aie::reduce_max(x)), 24.0F);
  EXPECT_TRUE((aie::mask<8>() | ~aie::mask<8>()).full());
  EXPECT_TRUE((aie::mask<8>() & ~aie::mask<8>()).empty());
}

TEST_F(Api, ReduceAddSumsAndRoundsOnce) {
  EXPECT_EQ(aie::reduce_add(Iota<int32, 16>()), 120);
  EXPECT_EQ(aie::reduce_add(Iota<int16, 32>()), 496);
  EXPECT_EQ(aie::reduce_add(aie::broadcast<int8, 64>(1)), 64);
  EXPECT_EQ(aie::reduce_add(Iota<float, 16>()), 120.0F);
  EXPECT_EQ(static_cast<float>(aie::reduce_add(aie::broadcast<bfloat16, 64>(1.0F))), 64.0F);
  EXPECT_EQ(static_cast<float>(aie::reduce_add(Iota<bfloat16, 32>())), 496.0F);
  EXPECT_EQ(static_cast<float>(aie::reduce_add(Iota<bfloat16, 8>())), 28.0F);
  // The last lanes of int8 meet in an accumulator: 127 * 2 leaves int8.
  aie::vector<int8, 32> v;
  v[0] = v[1] = 127;
  EXPECT_EQ(aie::reduce_add(v), static_cast<int8>(254));
  aie::set_saturation(saturation_mode::saturate);
  EXPECT_EQ(aie::reduce_add(v), 127);
}

template <unsigned M, unsigned K, unsigned N, typename T>
void CheckIntegerTile() {
  std::mt19937 random(M * 100 + K * 10 + N);
  aie::vector<T, M * K> a;
  aie::vector<T, K * N> b;
  for (unsigned i = 0; i < M * K; ++i) a[i] = static_cast<T>(random());
  for (unsigned i = 0; i < K * N; ++i) b[i] = static_cast<T>(random());
  aie::mmul<M, K, N, T> product;
  product.mac(a, b);
  product.mac(a, b);
  const auto c = product.to_accum();
  for (unsigned i = 0; i < M; ++i) {
    for (unsigned j = 0; j < N; ++j) {
      std::int64_t sum = 0;
      for (unsigned k = 0; k < K; ++k) sum += std::int64_t{a[i * K + k]} * b[k * N + j];
      EXPECT_EQ(c[i * N + j], 2 * sum);
    }
  }
}

TEST_F(Api, IntegerTilesOfEveryShapeAreExact) {
  CheckIntegerTile<4, 8, 8, int8>();
  CheckIntegerTile<4, 8, 4, int8>();
  CheckIntegerTile<8, 8, 4, int8>();
  CheckIntegerTile<2, 8, 8, int8>();
  CheckIntegerTile<8, 8, 8, int8>();
  CheckIntegerTile<1, 16, 8, int8>();
  CheckIntegerTile<2, 16, 8, int8>();
  CheckIntegerTile<4, 16, 4, int8>();
  CheckIntegerTile<4, 16, 8, int8>();
  CheckIntegerTile<4, 8, 8, uint8>();
  CheckIntegerTile<4, 4, 4, int16>();
  CheckIntegerTile<2, 4, 8, int16>();
  CheckIntegerTile<4, 4, 8, int16>();
  CheckIntegerTile<4, 2, 8, int16>();
  CheckIntegerTile<8, 2, 8, int16>();
  CheckIntegerTile<2, 8, 8, int16>();
}

TEST_F(Api, MmulStartsFromAVectorOrAnAccumulator) {
  using MMUL = aie::mmul<4, 8, 4, bfloat16, bfloat16, accfloat>;
  const auto ones = aie::broadcast<bfloat16, 32>(1.0F);
  MMUL from_vector(aie::broadcast<bfloat16, MMUL::size_C>(2.0F));
  from_vector.mac(ones, ones);
  EXPECT_EQ(from_vector.to_vector<float>()[7], 10.0F);
  MMUL from_accum(from_vector.to_accum());
  from_accum.mac(ones, ones);
  EXPECT_EQ(static_cast<float>(from_accum.to_vector<bfloat16>()[7]), 18.0F);
  from_accum.mul(ones, ones);
  EXPECT_EQ(from_accum.to_vector<float>()[7], 8.0F);
  aie::mmul<4, 8, 8, int8, int8> from_int(aie::broadcast<int16, 32>(3), 2);
  from_int.mac(aie::broadcast<int8, 32>(1), aie::broadcast<int8, 64>(1));
  EXPECT_EQ(from_int.to_vector<int16>(0)[0], 20);
}

}  // namespace
}  // namespace xdna::kernels
