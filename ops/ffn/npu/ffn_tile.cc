#include "ops/ffn/npu/ffn_tile.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "ops/internal/instance.h"
#include "ops/internal/profile.h"

namespace xdna::ops {

TileFfn::TileFfn(const TensorView& w1, const TensorView& b1, const TensorView& w2,
                 const TensorView& b2, std::int64_t m, const TileOptions& options,
                 const CpuContext& context)
    : context_(context),
      hidden_(DType::kBf16, {m, w1.dim(0)}),
      fc1_(w1, b1, m, /*gelu=*/true, options, context),
      fc2_(w2, b2, m, /*gelu=*/false, options, context) {}

void TileFfn::Run(const TensorView& x, const TensorView& y) const {
  {
    const ScopedSpan span(context_.profile, "ffn.fc1");
    fc1_.Run(x, hidden_);
  }
  const ScopedSpan span(context_.profile, "ffn.fc2");
  fc2_.Run(hidden_, y);
}

std::unique_ptr<Instance> MakeFfnTile(const Dims& dims, const TensorMap& in, Variant variant,
                                      const CpuContext& context) {
  const auto ffn = std::make_shared<TileFfn>(in.at("w1"), in.at("b1"), in.at("w2"), in.at("b2"),
                                             dims.at("m"), TileOptionsOf(variant), context);
  const auto operands = CloneAs(in, {{"x", DType::kBf16}});
  return std::make_unique<ClosureInstance>(
      Tensor(DType::kBf16, {dims.at("m"), dims.at("d")}),
      [ffn, operands](const TensorView& y) { ffn->Run(operands->at("x"), y); });
}

golden::Tolerance FfnTileTolerance(const Dims& dims, Variant variant, std::string_view data) {
  golden::Tolerance t = TileProductTolerance(variant.precision, dims.at("d") + dims.at("f"), data);
  if (data == "exact") return t;
  // The first product's error passes the second's weights; GELU's own is far below its rounding.
  t.magnitude *= 2;
  t.rel_l2 *= 2;
  if (variant.precision != Precision::kInt8) t.bias *= 2;
  t.provenance += "; twice that for two products in a row";
  return t;
}

std::vector<TileShape> FfnTiles(const Dims& dims, Variant variant) {
  return ProductTiles(TileConfigOf(variant, /*gelu=*/true), dims.at("d"));
}

}  // namespace xdna::ops
