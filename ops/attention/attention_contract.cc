#include <cmath>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "ops/attention/attention.h"
#include "ops/attention/npu/attention_array.h"
#include "ops/attention/npu/attention_tile.h"
#include "ops/internal/float64.h"
#include "ops/internal/instance.h"

namespace xdna::ops {
namespace {

// q (scaled), k and v, f64 [m,d].
struct Projections {
  f64::Matrix q, k, v;
};

Projections Project(const Dims& dims, const TensorMap& in) {
  const f64::Matrix x = f64::MatrixOf(in.at("x"));
  const std::int64_t width = dims.at("d") / dims.at("heads");
  return {f64::Linear(x, in.at("wq"), in.at("bq")) / std::sqrt(static_cast<double>(width)),
          x * f64::MatrixOf(in.at("wk")).transpose(), f64::Linear(x, in.at("wv"), in.at("bv"))};
}

Tensor Reference(const Dims& dims, const TensorMap& in) {
  const Projections p = Project(dims, in);
  const f64::Matrix heads = f64::MixHeads(p.q, p.k, p.v, dims.at("heads"));
  return f64::TensorOf(f64::Linear(heads, in.at("wo"), in.at("bo")));
}

// The last two products' terms, taking the probabilities for exact.
Tensor Scale(const Dims& dims, const TensorMap& in) {
  const Projections p = Project(dims, in);
  const f64::Matrix heads = f64::MixHeads(p.q, p.k, p.v.cwiseAbs(), dims.at("heads"));
  return f64::LinearTerms(heads, in.at("wo"), in.at("bo"));
}

void Complete(Dims& dims) {
  if (dims.at("d") % dims.at("heads") == 0) return;
  Throw(ErrorCode::kInvalidArgument, "heads={} does not divide d={}", dims.at("heads"),
        dims.at("d"));
}

std::unique_ptr<Instance> Make(const Dims& dims, const TensorMap& in, Variant variant,
                               const CpuContext& context) {
  if (variant.backend == Backend::kTile) return MakeAttentionTile(dims, in, variant, context);
  if (variant.backend == Backend::kArray) return MakeAttentionArray(dims, in, variant, context);
  Attention::Options options;
  options.variant = variant;
  options.heads = dims.at("heads");
  if (variant.precision == Precision::kInt8) options.integers = Integers::kAll;
  options.y_dtype = ActivationType(variant.precision);
  const Attention::Weights weights = {in.at("wq"), in.at("bq"), in.at("wk"), in.at("wv"),
                                      in.at("bv"), in.at("wo"), in.at("bo")};
  const auto attention = std::make_shared<Attention>(weights, dims.at("m"), options, context);
  const auto operands = CloneAs(in, {{"x", ActivationType(variant.precision)}});
  Tensor y(options.y_dtype, {dims.at("m"), dims.at("d")});
  return std::make_unique<ClosureInstance>(
      std::move(y),
      [attention, operands](const TensorView& out) { attention->Run(operands->at("x"), out); });
}

// A chain of three roundings (Q and K, probabilities, heads) ahead of the output
// projection; that of Q K^T moves the exponents of softmax.
golden::Tolerance ToleranceFor(const Dims& dims, Variant variant, std::string_view data) {
  if (variant.device() == Device::kNpu) return AttentionTileTolerance(dims, variant, data);
  golden::Tolerance t = ProductTolerance(variant.precision, dims.at("d"), data);
  if (data == "exact") return t;
  t.magnitude *= 4;
  t.rel_l2 *= 4;
  if (variant.precision != Precision::kInt8) t.bias *= 4;
  t.provenance += "; four times that for the chain Q K, softmax, V, out";
  return t;
}

}  // namespace

Contract AttentionContract() {
  Contract c;
  c.name = "attention";
  c.summary = "multi-head self-attention with its four projections";
  c.inputs = {{"x", "m,d"},        {"wq", "d,d", true}, {"bq", "d", true},   {"wk", "d,d", true},
              {"wv", "d,d", true}, {"bv", "d", true},   {"wo", "d,d", true}, {"bo", "d", true}};
  c.output = {"y", "m,d"};
  c.defaults = {{"m", 1500}, {"d", 512}, {"heads", 8}};
  c.variants = {
      {Precision::kF32, Backend::kFast},          {Precision::kBf16, Backend::kFast},
      {Precision::kInt8, Backend::kFast},         {Precision::kF32, Backend::kEigen},
      {Precision::kBf16, Backend::kTile},         {Precision::kBf16, Backend::kArray},
      {Precision::kInt8, Backend::kTile},         {Precision::kBf16, Backend::kTile, "fused"},
      {Precision::kBf16, Backend::kTile, "floor"}};
  c.wrong_kernels = {"floor"};
  c.flops = [](const Dims& dims) {
    const double m = dims.at("m");
    const double d = dims.at("d");
    return 8 * m * d * d + 4 * m * m * d;
  };
  c.bytes = [](const Dims& dims, Precision p) {
    const double activation = static_cast<double>(SizeOf(ActivationType(p)));
    const double weight = p == Precision::kInt8 ? 1 : activation;
    return 2 * activation * dims.at("m") * dims.at("d") + 4 * weight * dims.at("d") * dims.at("d");
  };
  c.tolerance = ToleranceFor;
  c.complete = Complete;
  c.reference = Reference;
  c.scale = Scale;
  c.make = Make;
  c.tiles = AttentionTiles;
  c.array_tiles = AttentionArrayTiles;
  return c;
}

}  // namespace xdna::ops
