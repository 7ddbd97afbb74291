#include <cstdint>
#include <memory>
#include <string_view>

#include "ops/internal/float64.h"
#include "ops/internal/instance.h"
#include "ops/linear/linear.h"
#include "ops/linear/npu/linear_array.h"
#include "ops/linear/npu/linear_tile.h"

namespace xdna::ops {
namespace {

Tensor Reference(const Dims&, const TensorMap& in) {
  return f64::TensorOf(f64::Linear(f64::MatrixOf(in.at("x")), in.at("weight"), in.at("bias")));
}

Tensor Scale(const Dims&, const TensorMap& in) {
  return f64::LinearTerms(f64::MatrixOf(in.at("x")), in.at("weight"), in.at("bias"));
}

std::unique_ptr<Instance> Make(const Dims& dims, const TensorMap& in, Variant variant,
                               const CpuContext& context) {
  if (variant.backend == Backend::kTile) return MakeLinearTile(dims, in, variant, context);
  if (variant.backend == Backend::kArray) return MakeLinearArray(dims, in, variant, context);
  Linear::Options options;
  options.variant = variant;
  options.x_dtype = options.y_dtype = ActivationType(variant.precision);
  const auto linear =
      std::make_shared<Linear>(in.at("weight"), in.at("bias"), dims.at("m"), options, context);
  const auto operands = CloneAs(in, {{"x", options.x_dtype}});
  Tensor y(options.y_dtype, {dims.at("m"), dims.at("n")});
  return std::make_unique<ClosureInstance>(std::move(y), [linear, operands](const TensorView& out) {
    linear->Run(operands->at("x"), out);
  });
}

}  // namespace

Contract LinearContract() {
  Contract c;
  c.name = "linear";
  c.summary = "matrix product with a fixed weight, and bias";
  c.inputs = {{"x", "m,k"}, {"weight", "n,k", true}, {"bias", "n", true}};
  c.output = {"y", "m,n"};
  c.defaults = {{"m", 1500}, {"k", 512}, {"n", 2048}};
  c.variants = {
      {Precision::kF32, Backend::kFast},           {Precision::kBf16, Backend::kFast},
      {Precision::kInt8, Backend::kFast},          {Precision::kF32, Backend::kEigen},
      {Precision::kBf16, Backend::kTile},          {Precision::kBf16, Backend::kArray},
      {Precision::kInt8, Backend::kArray},         {Precision::kInt8, Backend::kTile},
      {Precision::kBf16, Backend::kTile, "floor"}, {Precision::kBf16, Backend::kTile, "reload"}};
  c.wrong_kernels = {"floor", "reload"};
  c.flops = [](const Dims& dims) { return 2.0 * dims.at("m") * dims.at("k") * dims.at("n"); };
  c.bytes = [](const Dims& dims, Precision p) {
    const double weight =
        p == Precision::kInt8 ? 1 : static_cast<double>(SizeOf(ActivationType(p)));
    const double activation = static_cast<double>(SizeOf(ActivationType(p)));
    return activation * dims.at("m") * (dims.at("k") + dims.at("n")) +
           weight * dims.at("k") * dims.at("n");
  };
  c.tolerance = [](const Dims& dims, Variant variant, std::string_view data) {
    if (variant.device() == Device::kNpu) return LinearTileTolerance(dims, variant, data);
    return ProductTolerance(variant.precision, dims.at("k"), data);
  };
  c.reference = Reference;
  c.scale = Scale;
  c.make = Make;
  c.tiles = LinearTiles;
  c.array_tiles = LinearArrayTiles;
  return c;
}

}  // namespace xdna::ops
