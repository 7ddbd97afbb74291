// Float64 arithmetic on operands, for references and magnitudes.
#ifndef OPS_INTERNAL_FLOAT64_H_
#define OPS_INTERNAL_FLOAT64_H_

#include <Eigen/Core>
#include <cstdint>

#include "base/tensor.h"

namespace xdna::ops::f64 {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Array = Eigen::Array<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Row = Eigen::Array<double, 1, Eigen::Dynamic>;

// [rows, everything else] as a matrix; a vector; and back.
Matrix MatrixOf(const Tensor& tensor);
Row RowOf(const Tensor& tensor);
Tensor TensorOf(const Matrix& values);

// |x| for each element, f64.
Tensor Absolute(const Tensor& tensor);

// x W^T + b; W [n,k], b [n].
Matrix Linear(const Matrix& x, const Tensor& weight, const Tensor& bias);

// |x| |W|^T + |b|: all terms of a product with the magnitudes that they have.
Tensor LinearTerms(const Matrix& x, const Tensor& weight, const Tensor& bias);

// Heads of attention after softmax: q, k, v [m,d], q already scaled; [m,d].
Matrix MixHeads(const Matrix& q, const Matrix& k, const Matrix& v, std::int64_t heads);

}  // namespace xdna::ops::f64

#endif  // OPS_INTERNAL_FLOAT64_H_
