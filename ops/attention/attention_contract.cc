#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "ops/attention/attention.h"
#include "ops/internal/instance.h"

namespace xdna::ops {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix Project(const Matrix& x, const TensorMap& in, const char* weight, const char* bias) {
  const Tensor w = AsF64(in, weight);
  Matrix y = x * Eigen::Map<const Matrix>(w.data<double>(), w.dim(0), w.dim(1)).transpose();
  if (bias == nullptr) return y;
  const Tensor b = AsF64(in, bias);
  y.rowwise() += Eigen::Map<const Eigen::RowVectorXd>(b.data<double>(), b.size());
  return y;
}

Tensor Reference(const Dims& dims, const TensorMap& in) {
  const std::int64_t m = dims.at("m");
  const std::int64_t d = dims.at("d");
  const std::int64_t head = d / dims.at("heads");
  const Tensor input = AsF64(in, "x");
  const Matrix x = Eigen::Map<const Matrix>(input.data<double>(), m, d);
  const Matrix q = Project(x, in, "wq", "bq") / std::sqrt(static_cast<double>(head));
  const Matrix k = Project(x, in, "wk", nullptr);
  const Matrix v = Project(x, in, "wv", "bv");
  Matrix heads(m, d);
  for (std::int64_t h = 0; h < d; h += head) {
    Matrix s = q.middleCols(h, head) * k.middleCols(h, head).transpose();
    s = (s.colwise() - s.rowwise().maxCoeff()).array().exp();
    const Eigen::VectorXd sum = s.rowwise().sum();
    heads.middleCols(h, head).noalias() =
        sum.cwiseInverse().asDiagonal() * (s * v.middleCols(h, head));
  }
  Tensor y(DType::kF64, {m, d});
  Eigen::Map<Matrix>(y.data<double>(), m, d) = Project(heads, in, "wo", "bo");
  return y;
}

std::unique_ptr<Instance> Make(const Dims& dims, const TensorMap& in, Variant variant,
                               const CpuContext& context) {
  Attention::Options options;
  options.variant = variant;
  options.heads = dims.at("heads");
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
  c.variants = {{Precision::kF32, Backend::kFast},
                {Precision::kBf16, Backend::kFast},
                {Precision::kInt8, Backend::kFast},
                {Precision::kF32, Backend::kEigen}};
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
  c.reference = Reference;
  c.make = Make;
  return c;
}

}  // namespace xdna::ops
