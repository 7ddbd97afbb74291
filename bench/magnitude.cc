#include "bench/magnitude.h"

#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "ops/registry.h"

namespace xdna::bench {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Array = Eigen::Array<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Row = Eigen::Array<double, 1, Eigen::Dynamic>;
using ops::Dims;

template <typename Kind = Matrix>
Kind MatrixOf(const Tensor& tensor) {
  const Tensor f64 = tensor.To(DType::kF64);
  return Eigen::Map<const Kind>(f64.data<double>(), tensor.dim(0), tensor.size() / tensor.dim(0));
}

Row RowOf(const Tensor& tensor) {
  const Tensor f64 = tensor.To(DType::kF64);
  return Eigen::Map<const Row>(f64.data<double>(), tensor.size());
}

template <typename Derived>
Tensor TensorOf(const Eigen::DenseBase<Derived>& values) {
  Tensor tensor(DType::kF64, {values.rows(), values.cols()});
  Eigen::Map<Array>(tensor.data<double>(), values.rows(), values.cols()) = values.derived().array();
  return tensor;
}

Tensor Absolute(const Tensor& tensor) {
  Tensor result = tensor.To(DType::kF64);
  for (std::int64_t i = 0; i < result.size(); ++i) {
    result.data<double>()[i] = std::abs(result.data<double>()[i]);
  }
  return result;
}

Matrix Linear(const Matrix& x, const Tensor& weight, const Tensor& bias) {
  Matrix y = x * MatrixOf(weight).transpose();
  y.array().rowwise() += RowOf(bias);
  return y;
}

// |w| |x| + |b|: all terms of a product with the magnitudes that they have.
Tensor LinearTerms(const Matrix& x, const Tensor& weight, const Tensor& bias) {
  return TensorOf(Linear(x.cwiseAbs(), Absolute(weight), Absolute(bias)));
}

Tensor AddScale(const Dims&, const TensorMap& in) {
  return TensorOf(MatrixOf(in.at("a")).cwiseAbs() + MatrixOf(in.at("b")).cwiseAbs());
}

// The last two products' terms, taking the probabilities for exact.
Tensor AttentionScale(const Dims& dims, const TensorMap& in) {
  const Matrix x = MatrixOf(in.at("x"));
  const std::int64_t d = dims.at("d");
  const std::int64_t width = d / dims.at("heads");
  const Matrix q = Linear(x, in.at("wq"), in.at("bq")) / std::sqrt(static_cast<double>(width));
  // A bias of the key would add the same to all scores of a row: softmax drops it.
  const Matrix k = x * MatrixOf(in.at("wk")).transpose();
  const Matrix v = Linear(x, in.at("wv"), in.at("bv")).cwiseAbs();
  Matrix mixed(x.rows(), d);
  for (std::int64_t h = 0; h < d; h += width) {
    Matrix p = q.middleCols(h, width) * k.middleCols(h, width).transpose();
    p = (p.colwise() - p.rowwise().maxCoeff()).array().exp();
    const Eigen::VectorXd sums = p.rowwise().sum();
    mixed.middleCols(h, width) = sums.cwiseInverse().asDiagonal() * (p * v.middleCols(h, width));
  }
  return LinearTerms(mixed, in.at("wo"), in.at("bo"));
}

Tensor Conv1dScale(const Dims& dims, const TensorMap& in) {
  TensorMap magnitudes;
  for (const auto& [name, tensor] : in) magnitudes.emplace(name, Absolute(tensor));
  Dims linear = dims;
  linear["gelu"] = 0;  // its slope is in the tolerance
  return ops::FindOp("conv1d").reference(linear, magnitudes);
}

Tensor FfnScale(const Dims& dims, const TensorMap& in) {
  TensorMap hidden;
  hidden.emplace("x", TensorOf(Linear(MatrixOf(in.at("x")), in.at("w1"), in.at("b1"))));
  const Dims shape = {{"m", dims.at("m")}, {"n", dims.at("f")}};
  const Tensor activated = ops::FindOp("gelu").reference(shape, hidden);
  return LinearTerms(MatrixOf(activated), in.at("w2"), in.at("b2"));
}

Tensor GeluScale(const Dims&, const TensorMap& in) { return Absolute(in.at("x")); }

// x - mean cancels: errors are relative to |x| + |mean|.
Tensor LayerNormScale(const Dims&, const TensorMap& in) {
  constexpr double kEpsilon = 1e-5;
  const auto x = MatrixOf<Array>(in.at("x"));
  const Row gamma = RowOf(in.at("gamma")).abs();
  const Row beta = RowOf(in.at("beta")).abs();
  Array scale(x.rows(), x.cols());
  for (std::int64_t i = 0; i < x.rows(); ++i) {
    const double mean = x.row(i).mean();
    const double deviation = std::sqrt((x.row(i) - mean).square().mean() + kEpsilon);
    scale.row(i) = gamma * (x.row(i).abs() + std::abs(mean)) / deviation + beta;
  }
  return TensorOf(scale);
}

Tensor LinearScale(const Dims&, const TensorMap& in) {
  return LinearTerms(MatrixOf(in.at("x")), in.at("weight"), in.at("bias"));
}

// The error of x - max is relative to itself, and comes out relative to the result.
Tensor SoftmaxScale(const Dims& dims, const TensorMap& in) {
  const auto x = MatrixOf<Array>(in.at("x"));
  const auto y = MatrixOf<Array>(ops::FindOp("softmax").reference(dims, in));
  const Eigen::ArrayXd most = x.rowwise().maxCoeff();
  return TensorOf(y * (1 - (x.colwise() - most)));
}

}  // namespace

Tensor Magnitudes(const ops::Contract& op, const ops::Dims& dims, const TensorMap& in) {
  using Scale = Tensor (*)(const Dims&, const TensorMap&);
  static const std::map<std::string_view, Scale> scales = {
      {"add", AddScale},       {"attention", AttentionScale}, {"conv1d", Conv1dScale},
      {"ffn", FfnScale},       {"gelu", GeluScale},           {"layer_norm", LayerNormScale},
      {"linear", LinearScale}, {"softmax", SoftmaxScale},
  };
  const auto it = scales.find(op.name);
  if (it == scales.end()) Throw(ErrorCode::kInternal, "no magnitudes for the op '{}'", op.name);
  return it->second(dims, in);
}

}  // namespace xdna::bench
