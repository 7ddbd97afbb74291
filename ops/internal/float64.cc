#include "ops/internal/float64.h"

#include <cmath>
#include <cstdint>

namespace xdna::ops::f64 {

Matrix MatrixOf(const Tensor& tensor) {
  const Tensor wide = tensor.To(DType::kF64);
  return Eigen::Map<const Matrix>(wide.data<double>(), tensor.dim(0),
                                  tensor.size() / tensor.dim(0));
}

Row RowOf(const Tensor& tensor) {
  const Tensor wide = tensor.To(DType::kF64);
  return Eigen::Map<const Row>(wide.data<double>(), tensor.size());
}

Tensor TensorOf(const Matrix& values) {
  Tensor tensor(DType::kF64, {values.rows(), values.cols()});
  Eigen::Map<Matrix>(tensor.data<double>(), values.rows(), values.cols()) = values;
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

Tensor LinearTerms(const Matrix& x, const Tensor& weight, const Tensor& bias) {
  return TensorOf(Linear(x.cwiseAbs(), Absolute(weight), Absolute(bias)));
}

Matrix MixHeads(const Matrix& q, const Matrix& k, const Matrix& v, std::int64_t heads) {
  const std::int64_t width = q.cols() / heads;
  Matrix mixed(q.rows(), q.cols());
  for (std::int64_t h = 0; h < q.cols(); h += width) {
    Matrix p = q.middleCols(h, width) * k.middleCols(h, width).transpose();
    p = (p.colwise() - p.rowwise().maxCoeff()).array().exp();
    const Eigen::VectorXd sums = p.rowwise().sum();
    mixed.middleCols(h, width).noalias() =
        sums.cwiseInverse().asDiagonal() * (p * v.middleCols(h, width));
  }
  return mixed;
}

}  // namespace xdna::ops::f64
