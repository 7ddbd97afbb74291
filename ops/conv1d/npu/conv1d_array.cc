#include "ops/conv1d/npu/conv1d_array.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "ops/conv1d/npu/conv1d_tile.h"
#include "ops/internal/instance.h"
#include "ops/internal/tile.h"
#include "ops/linear/npu/linear_array.h"

namespace xdna::ops {
namespace {

constexpr std::int64_t kTaps = 3;

// Time-major, channels padded, with a row of zeros before and after.
Tensor Padded(const TensorView& x) {
  const std::int64_t t = x.dim(1), channels = PaddedWidth(x.dim(0));
  const Tensor turned = TimeMajor(x);
  Tensor padded(DType::kBf16, {t + 2, channels});
  const auto row = static_cast<std::size_t>(channels) * sizeof(bfloat16);
  std::memset(padded.view().raw(), 0, padded.bytes());
  std::memcpy(Bf16Data(padded) + channels, turned.view().raw(), static_cast<std::size_t>(t) * row);
  return padded;
}

}  // namespace

std::unique_ptr<Instance> MakeConv1dArray(const Dims& dims, const TensorMap& in, Variant variant,
                                          const CpuContext& context) {
  if (variant.precision != Precision::kBf16) {
    Throw(ErrorCode::kUnsupported, "conv1d on the array is bf16 only, not {}",
          PrecisionName(variant.precision));
  }
  const std::int64_t channels = PaddedWidth(dims.at("c"));
  const std::shared_ptr<ArrayDevice> device = DeviceFor(context);
  const auto linear = std::make_shared<ArrayLinear>(
      device, WeightByTap(in.at("weight"), channels), in.at("bias"), dims.at("u"),
      ArrayLinear::Options{.gelu = dims.at("gelu") != 0, .x_stride = dims.at("stride") * channels});
  const auto x = std::make_shared<Tensor>(Padded(in.at("x")));
  return std::make_unique<ArrayInstance>(device, Tensor(DType::kBf16, {dims.at("u"), dims.at("d")}),
                                         [linear, x](const TensorView& y) { linear->Run(*x, y); });
}

ArrayTiles Conv1dArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                            std::size_t columns) {
  const std::int64_t channels = PaddedWidth(dims.at("c"));
  return GemmTiles(
      ArrayProductOf(variant.precision, dims.at("gelu") != 0,
                     {static_cast<std::size_t>(batch), static_cast<std::size_t>(kTaps * channels),
                      static_cast<std::size_t>(dims.at("d")),
                      static_cast<std::size_t>(dims.at("stride") * channels)},
                     columns));
}

}  // namespace xdna::ops
