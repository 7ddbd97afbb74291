#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string_view>

#include "ops/internal/instance.h"
#include "ops/linear/linear.h"

namespace xdna::ops {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Tensor Reference(const Dims& dims, const TensorMap& in) {
  const Tensor x = AsF64(in, "x");
  const Tensor w = AsF64(in, "weight");
  const Tensor b = AsF64(in, "bias");
  const std::int64_t m = dims.at("m");
  const std::int64_t n = dims.at("n");
  const std::int64_t k = dims.at("k");
  Tensor y(DType::kF64, {m, n});
  Eigen::Map<Matrix> out(y.data<double>(), m, n);
  out.noalias() = Eigen::Map<const Matrix>(x.data<double>(), m, k) *
                  Eigen::Map<const Matrix>(w.data<double>(), n, k).transpose();
  out.rowwise() += Eigen::Map<const Eigen::RowVectorXd>(b.data<double>(), n);
  return y;
}

std::unique_ptr<Instance> Make(const Dims& dims, const TensorMap& in, Variant variant,
                               const CpuContext& context) {
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
  c.variants = {{Precision::kF32, Backend::kFast},
                {Precision::kBf16, Backend::kFast},
                {Precision::kInt8, Backend::kFast},
                {Precision::kF32, Backend::kEigen}};
  c.flops = [](const Dims& dims) { return 2.0 * dims.at("m") * dims.at("k") * dims.at("n"); };
  c.bytes = [](const Dims& dims, Precision p) {
    const double weight =
        p == Precision::kInt8 ? 1 : static_cast<double>(SizeOf(ActivationType(p)));
    const double activation = static_cast<double>(SizeOf(ActivationType(p)));
    return activation * dims.at("m") * (dims.at("k") + dims.at("n")) +
           weight * dims.at("k") * dims.at("n");
  };
  c.tolerance = [](const Dims& dims, Variant variant, std::string_view data) {
    return ProductTolerance(variant.precision, dims.at("k"), data);
  };
  c.reference = Reference;
  c.make = Make;
  return c;
}

}  // namespace xdna::ops
