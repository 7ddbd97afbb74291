#include "ops/ffn/npu/ffn_array.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ops/internal/instance.h"
#include "ops/internal/profile.h"
#include "ops/linear/npu/linear_array.h"

namespace xdna::ops {
namespace {

struct ArrayFfn {
  Tensor hidden;  // [m,f]
  ArrayLinear fc1, fc2;
};

}  // namespace

std::unique_ptr<Instance> MakeFfnArray(const Dims& dims, const TensorMap& in, Variant variant,
                                       const CpuContext& context) {
  const std::int64_t m = dims.at("m");
  const Precision precision = variant.precision;
  const std::shared_ptr<ArrayDevice> device = DeviceFor(context);
  const std::shared_ptr<ArrayFfn> ffn(
      new ArrayFfn{Tensor(DType::kBf16, {m, dims.at("f")}),
                   {device, in.at("w1"), in.at("b1"), m, {.precision = precision, .gelu = true}},
                   {device, in.at("w2"), in.at("b2"), m, {.precision = precision}}});
  const auto operands = CloneAs(in, {{"x", DType::kBf16}});
  return std::make_unique<ArrayInstance>(
      device, Tensor(DType::kBf16, {m, dims.at("d")}),
      [ffn, operands, profile = context.profile](const TensorView& y) {
        {
          const ScopedSpan span(profile, "ffn.fc1");
          ffn->fc1.Run(operands->at("x"), ffn->hidden);
        }
        const ScopedSpan span(profile, "ffn.fc2");
        ffn->fc2.Run(ffn->hidden, y);
      });
}

// Both products have the same.
ArrayTiles FfnArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                         std::size_t columns) {
  const auto rows = static_cast<std::size_t>(batch), d = static_cast<std::size_t>(dims.at("d")),
             f = static_cast<std::size_t>(dims.at("f"));
  return TilesOfBoth(GemmTiles(ArrayProductOf(variant.precision, true, {rows, d, f}, columns)),
                     GemmTiles(ArrayProductOf(variant.precision, false, {rows, f, d}, columns)));
}

}  // namespace xdna::ops
