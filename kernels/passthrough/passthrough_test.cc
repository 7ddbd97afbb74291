// Every length around the vectors, every word in its place, none elsewhere.
#include "kernels/passthrough/passthrough.h"

#include <gtest/gtest.h>

#include <cstddef>

#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

class Passthrough : public TileTest {};

TEST_F(Passthrough, EveryLength) {
  for (const int32 n : {0, 1, 7, 8, 9, 15, 16, 17, 31, 97, 1024, 4099}) {
    Guarded<int32> x(static_cast<std::size_t>(n)), y(static_cast<std::size_t>(n));
    for (int32 i = 0; i < n; ++i) x[static_cast<std::size_t>(i)] = i * 0x01010101 ^ 0x7FC00001;
    Run(y, [&] { passthrough_words(x.data(), y.data(), n); });
    for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(y[i], x[i]) << i << " of " << n;
  }
}

}  // namespace
}  // namespace xdna::kernels::testing
