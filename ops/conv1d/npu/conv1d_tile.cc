#include "ops/conv1d/npu/conv1d_tile.h"

#include <aie_api/aie.hpp>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernels/im2col/im2col.h"
#include "kernels/transpose/transpose.h"
#include "ops/internal/instance.h"
#include "ops/internal/tile.h"

namespace xdna::ops {
namespace {

constexpr std::int64_t kTaps = 3;

}  // namespace

Tensor WeightByTap(const TensorView& weight, std::int64_t channels) {
  const std::int64_t d = weight.dim(0), c = weight.dim(1);
  Tensor by_tap(DType::kF32, {d, kTaps * channels});
  const auto* from = weight.data<const float>();
  auto* to = by_tap.data<float>();
  for (std::int64_t i = 0; i < d * c * kTaps; ++i) {
    const std::int64_t row = i / (c * kTaps), channel = i / kTaps % c, tap = i % kTaps;
    to[(row * kTaps + tap) * channels + channel] = from[i];
  }
  return by_tap;
}

TileConv1d::TileConv1d(const TensorView& weight, const TensorView& bias, std::int64_t t, int stride,
                       bool gelu, const TileOptions& options, const CpuContext& context)
    : frames_(t),
      rows_((t - 1) / stride + 1),
      channels_(PaddedWidth(weight.dim(1))),
      stride_(stride),
      linear_(std::make_unique<TileLinear>(WeightByTap(weight, channels_), bias, rows_, gelu,
                                           options, context)) {}

void TileConv1d::Run(const TensorView& x, const TensorView& y) const {
  linear_->RunGathered(
      [&](std::int64_t first, std::int64_t rows, bfloat16* scratch) {
        const kernels::Im2colWindow window = {
            .channels = static_cast<int32>(channels_),
            .outputs = static_cast<int32>(rows),
            .stride = stride_,
            .first = static_cast<int32>(first),
            .offset = 0,
            .total = static_cast<int32>(frames_),
        };
        im2col_bf16(Bf16Data(x), scratch, &window);
      },
      y);
}

Tensor TimeMajor(const TensorView& x) {
  const std::int64_t c = x.dim(0), t = x.dim(1);
  const std::int64_t channels = PaddedWidth(c), frames = PaddedWidth(t);
  const Tensor narrow = Convert(x, DType::kBf16);
  const Tensor padded(DType::kBf16, {channels, frames});
  for (std::int64_t i = 0; i < c; ++i) {
    std::memcpy(Bf16Data(padded) + i * frames, Bf16Data(narrow) + i * t, t * sizeof(bfloat16));
  }
  Tensor turned(DType::kBf16, {frames, channels});
  transpose_bf16(Bf16Data(padded), Bf16Data(turned), static_cast<int32>(channels),
                 static_cast<int32>(frames));
  return turned;
}

std::unique_ptr<Instance> MakeConv1dTile(const Dims& dims, const TensorMap& in, Variant variant,
                                         const CpuContext& context) {
  const TileOptions options = TileOptionsOf(variant);
  if (options.precision != Precision::kBf16) {
    Throw(ErrorCode::kUnsupported, "conv1d on a tile is bf16 only, not {}",
          PrecisionName(options.precision));
  }
  const auto conv = std::make_shared<TileConv1d>(in.at("weight"), in.at("bias"), dims.at("t"),
                                                 static_cast<int>(dims.at("stride")),
                                                 dims.at("gelu") != 0, options, context);
  const auto x = std::make_shared<Tensor>(TimeMajor(in.at("x")));
  return std::make_unique<ClosureInstance>(Tensor(DType::kBf16, {dims.at("u"), dims.at("d")}),
                                           [conv, x](const TensorView& y) { conv->Run(*x, y); });
}

golden::Tolerance Conv1dTileTolerance(const Dims& dims, Variant variant, std::string_view data) {
  golden::Tolerance t =
      TileProductTolerance(variant.precision, kTaps * PaddedWidth(dims.at("c")), data);
  return data == "exact" || dims.at("gelu") == 0 ? t : WithTileGelu(std::move(t));
}

std::vector<TileShape> Conv1dTiles(const Dims& dims, Variant variant) {
  return ProductTiles(TileConfigOf(variant, dims.at("gelu") != 0),
                      kTaps * PaddedWidth(dims.at("c")));
}

}  // namespace xdna::ops
