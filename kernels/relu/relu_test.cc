// Every bf16, at odd numbers of vectors.
#include "kernels/relu/relu.h"

#include <cstdint>

#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

class Relu : public TileTest {};

TEST_F(Relu, OfEveryBf16) {
  for (const std::size_t n : {16U, 48U, 65536U}) {
    Guarded<bfloat16> x(n), y(n);
    for (std::size_t i = 0; i < n; ++i) {
      x[i] = bfloat16::from_bits(static_cast<std::uint16_t>(i * 40503));
    }
    Run(y, [&] { relu_bf16(x.data(), y.data(), static_cast<int32>(n)); });
    for (std::size_t i = 0; i < n; ++i) {
      EXPECT_EQ(y[i].bits(), x[i] > 0.0F ? x[i].bits() : 0) << x[i];
    }
  }
}

}  // namespace
}  // namespace xdna::kernels::testing
