// The rows element by element, and with the product kernel the convolution itself against float64.
#include "kernels/im2col/im2col.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/matmul/matmul_tiles.h"
#include "kernels/testing/tile_test.h"

namespace xdna::kernels::testing {
namespace {

constexpr std::size_t kChannels = 16;

class Im2col : public TileTest {};

// Every output of a sequence in blocks of up to `block`; x holds no more frames than a block needs,
// and NaN follows it.
TEST_F(Im2col, GathersThreeFramesAndZeros) {
  for (const int32 total : {1, 2, 7, 20}) {
    for (const int32 stride : {1, 2}) {
      for (const int32 block : {1, 3, 20}) {
        const int32 all = (total - 1) / stride + 1;
        for (int32 first = 0; first < all; first += block) {
          const int32 outputs = std::min(block, all - first);
          const int32 begin = std::max(0, stride * first - 1);
          const int32 end = std::min(total, stride * (first + outputs - 1) + 2);
          Guarded<bfloat16> x(static_cast<std::uint32_t>(end - begin) * kChannels);
          for (std::size_t i = 0; i < x.size(); ++i) {
            const auto frame = static_cast<std::size_t>(begin) + i / kChannels;
            x[i] = static_cast<float>(1 + frame + i % kChannels * 8);  // exact: below 256
          }
          Guarded<bfloat16> y(static_cast<std::uint32_t>(outputs) * 3 * kChannels);
          const Im2colWindow window = {kChannels, outputs, stride, first, begin, total};
          Run(y, [&] { im2col_bf16(x.data(), y.data(), &window); });
          for (std::size_t i = 0; i < y.size(); ++i) {
            const auto u = static_cast<int32>(i / (3 * kChannels));
            const int32 frame = stride * (first + u) + static_cast<int32>(i / kChannels % 3) - 1;
            const bool inside = frame >= 0 && frame < total;
            const auto channel = static_cast<int32>(i % kChannels);
            ASSERT_EQ(static_cast<float>(y[i]),
                      inside ? static_cast<float>(1 + frame + channel * 8) : 0.0F)
                << total << " frames, stride " << stride << ", first " << first << ", at " << i;
          }
        }
      }
    }
  }
}

TEST_F(Im2col, WithTheProductItIsTheConvolution) {
  constexpr int32 kFrames = 23, kOut = 20, kDepth = 3 * static_cast<int32>(kChannels);
  for (const int32 stride : {1, 2}) {
    const int32 outputs = (kFrames - 1) / stride + 1;
    Guarded<bfloat16> x(kFrames * kChannels), weight(kOut * kDepth), b(kOut * kDepth);
    FillNormal(x.span(), 1);
    FillNormal(weight.span(), 2, 0.2);  // [d][c][3]
    for (std::size_t d = 0; d < kOut; ++d) {
      for (std::size_t c = 0; c < kChannels; ++c) {
        for (std::size_t tap = 0; tap < 3; ++tap) {
          b[(tap * kChannels + c) * kOut + d] = weight[(d * kChannels + c) * 3 + tap];
        }
      }
    }
    Guarded<bfloat16> rows(static_cast<std::uint32_t>(outputs * kDepth));
    const Im2colWindow window = {kChannels, outputs, stride, 0, 0, kFrames};
    im2col_bf16(x.data(), rows.data(), &window);
    std::vector<float> y(static_cast<std::uint32_t>(outputs * kOut));
    const MatmulTile tile = {8, 24, 20};
    Guarded<unsigned char> memory(static_cast<std::uint32_t>(MatmulMemoryBytes(tile, 2, 4, false)));
    RunMatmul<float>({outputs, kDepth, kOut}, tile, rows.data(), b.data(), {}, y.data(),
                     memory.data());
    std::vector<double> want, bound;
    for (int32 u = 0; u < outputs; ++u) {
      for (std::size_t d = 0; d < kOut; ++d) {
        double sum = 0, magnitude = 0;
        for (int32 tap = 0; tap < 3; ++tap) {
          const int32 frame = stride * u + tap - 1;
          if (frame < 0 || frame >= kFrames) continue;
          for (std::size_t c = 0; c < kChannels; ++c) {
            const double v = double{x[static_cast<std::size_t>(frame) * kChannels + c]} *
                             weight[(d * kChannels + c) * 3 + static_cast<std::size_t>(tap)];
            sum += v;
            magnitude += std::abs(v);
          }
        }
        want.push_back(sum);
        const int32 products = kDepth / 8;
        bound.push_back(static_cast<double>(products) * 10 * 0x1p-24 * magnitude);
      }
    }
    Check("conv stride " + std::to_string(stride), y, want, bound,
          static_cast<std::size_t>(outputs), 1e-5, "10 * 2^-24 * sum |a b| for each MAC of 8");
  }
}

}  // namespace
}  // namespace xdna::kernels::testing
