#include "ops/ffn/ffn.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "ops/ffn/npu/ffn_array.h"
#include "ops/ffn/npu/ffn_tile.h"
#include "ops/gelu/gelu.h"
#include "ops/internal/float64.h"
#include "ops/internal/instance.h"
#include "ops/internal/profile.h"

namespace xdna::ops {
namespace {

f64::Matrix Hidden(const TensorMap& in) {
  const f64::Matrix x = f64::Linear(f64::MatrixOf(in.at("x")), in.at("w1"), in.at("b1"));
  return x.unaryExpr([](double v) { return Gelu(v); });
}

Tensor Reference(const Dims&, const TensorMap& in) {
  return f64::TensorOf(f64::Linear(Hidden(in), in.at("w2"), in.at("b2")));
}

// The second product's terms, taking its input for exact.
Tensor Scale(const Dims&, const TensorMap& in) {
  return f64::LinearTerms(Hidden(in), in.at("w2"), in.at("b2"));
}

std::unique_ptr<Instance> Make(const Dims& dims, const TensorMap& in, Variant variant,
                               const CpuContext& context) {
  if (variant.backend == Backend::kTile) return MakeFfnTile(dims, in, variant, context);
  if (variant.backend == Backend::kArray) return MakeFfnArray(dims, in, variant, context);
  Ffn::Options options;
  options.variant = variant;
  options.y_dtype = ActivationType(variant.precision);
  const auto ffn = std::make_shared<Ffn>(in.at("w1"), in.at("b1"), in.at("w2"), in.at("b2"),
                                         dims.at("m"), options, context);
  const auto operands = CloneAs(in, {{"x", ActivationType(variant.precision)}});
  Tensor y(options.y_dtype, {dims.at("m"), dims.at("d")});
  return std::make_unique<ClosureInstance>(
      std::move(y), [ffn, operands](const TensorView& out) { ffn->Run(operands->at("x"), out); });
}

}  // namespace

Ffn::Ffn(const TensorView& w1, const TensorView& b1, const TensorView& w2, const TensorView& b2,
         std::int64_t m, const Options& options, const CpuContext& context)
    : context_(context) {
  if (context_.workspace == nullptr) {
    own_workspace_ = std::make_unique<Workspace>(context.pool->threads());
    context_.workspace = own_workspace_.get();
  }
  const DType hidden = ActivationType(options.variant.precision);
  context_.workspace->Reserve(m * w1.dim(0) * SizeOf(hidden), 0);
  Linear::Options fc1;
  fc1.variant = options.variant;
  fc1.gelu = true;
  fc1.x_dtype = fc1.y_dtype = hidden;
  fc1.x_range = options.x_range;
  fc1_ = std::make_unique<Linear>(w1, b1, m, fc1, context_);
  Linear::Options fc2;
  fc2.variant = options.variant;
  fc2.variant.precision = options.fc2.value_or(options.variant.precision);
  fc2.accumulate = options.accumulate;
  fc2.x_dtype = hidden;
  fc2.x_range = Linear::XRange::kGelu;
  fc2.y_dtype = options.y_dtype;
  fc2_ = std::make_unique<Linear>(w2, b2, m, fc2, context_);
}

void Ffn::Run(const TensorView& x, const TensorView& y) const {
  std::byte* hidden = context_.workspace->shared();
  {
    const ScopedSpan span(context_.profile, "ffn.fc1");
    fc1_->Run(x.raw(), hidden);
  }
  const ScopedSpan span(context_.profile, "ffn.fc2");
  fc2_->Run(hidden, y.raw());
}

Contract FfnContract() {
  Contract c;
  c.name = "ffn";
  c.summary = "feed-forward half of a layer: linear, GELU, linear";
  c.inputs = {
      {"x", "m,d"}, {"w1", "f,d", true}, {"b1", "f", true}, {"w2", "d,f", true}, {"b2", "d", true}};
  c.output = {"y", "m,d"};
  c.defaults = {{"m", 1500}, {"d", 512}, {"f", 2048}};
  c.variants = {{Precision::kF32, Backend::kFast},          {Precision::kBf16, Backend::kFast},
                {Precision::kInt8, Backend::kFast},         {Precision::kF32, Backend::kEigen},
                {Precision::kBf16, Backend::kTile},         {Precision::kBf16, Backend::kArray},
                {Precision::kInt8, Backend::kArray},        {Precision::kInt8, Backend::kTile},
                {Precision::kBf16, Backend::kTile, "floor"}};
  c.wrong_kernels = {"floor"};
  c.flops = [](const Dims& dims) { return 4.0 * dims.at("m") * dims.at("d") * dims.at("f"); };
  c.bytes = [](const Dims& dims, Precision p) {
    const double activation = static_cast<double>(SizeOf(ActivationType(p)));
    const double weight = p == Precision::kInt8 ? 1 : activation;
    return 2 * activation * dims.at("m") * dims.at("d") + 2 * weight * dims.at("d") * dims.at("f");
  };
  c.tolerance = [](const Dims& dims, Variant variant, std::string_view data) {
    if (variant.device() == Device::kNpu) return FfnTileTolerance(dims, variant, data);
    if (data == "exact") return ProductTolerance(variant.precision, dims.at("f"), data);
    // Two products in a row; the first one's error passes the second's weights.
    golden::Tolerance t = ProductTolerance(variant.precision, dims.at("d") + dims.at("f"), data);
    t.magnitude *= 2;
    t.rel_l2 *= 2;
    if (variant.precision != Precision::kInt8) t.bias *= 2;
    t.provenance += "; twice that for two products in a row";
    return t;
  };
  c.reference = Reference;
  c.scale = Scale;
  c.make = Make;
  c.tiles = FfnTiles;
  c.array_tiles = FfnArrayTiles;
  return c;
}

}  // namespace xdna::ops
