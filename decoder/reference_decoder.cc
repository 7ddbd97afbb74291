#include "decoder/reference_decoder.h"

#include <fmt/format.h>

#include <Eigen/Core>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>

#include "encoder/weights/geometry.h"

namespace xdna::decoder {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Row = Eigen::RowVectorXd;

Matrix MatrixOf(const TensorView& view) {
  const Tensor wide = Convert(view, DType::kF64);
  return Eigen::Map<const Matrix>(wide.data<double>(), view.dim(0), view.dim(1));
}

class Reference {
 public:
  Reference(const encoder::Model& model, const TensorView& encoded)
      : model_(model), audio_(MatrixOf(encoded)) {}

  Matrix Logits(std::span<const int> tokens) const {
    const Matrix embedding = MatrixOf(model_.Load("decoder.token_embedding.weight"));
    Matrix x = MatrixOf(model_.Load("decoder.positional_embedding")).topRows(tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      x.row(static_cast<std::int64_t>(i)) += embedding.row(tokens[i]);
    }
    for (std::int64_t layer = 0; layer < model_.geometry().n_decoder_layers; ++layer) {
      const std::string name = fmt::format("decoder.blocks.{}", layer);
      const Matrix normed = Normalized(x, name + ".attn_ln");
      x += Attention(normed, normed, name + ".attn", true);
      x += Attention(Normalized(x, name + ".cross_attn_ln"), audio_, name + ".cross_attn", false);
      const Matrix hidden =
          Linear(Normalized(x, name + ".mlp_ln"), name + ".mlp.0").unaryExpr([](double v) {
            return 0.5 * v * std::erfc(-v * M_SQRT1_2);
          });
      x += Linear(hidden, name + ".mlp.2");
    }
    return Normalized(x, "decoder.ln") * embedding.transpose();
  }

 private:
  Row RowOf(const std::string& name) const {
    const Tensor wide = model_.Load(name).To(DType::kF64);
    return Eigen::Map<const Row>(wide.data<double>(), wide.size());
  }

  Matrix Linear(const Matrix& x, const std::string& name, bool bias = true) const {
    Matrix y = x * MatrixOf(model_.Load(name + ".weight")).transpose();
    if (bias) y.rowwise() += RowOf(name + ".bias");
    return y;
  }

  Matrix Normalized(const Matrix& x, const std::string& name) const {
    constexpr double kEpsilon = 1e-5;
    const Row gamma = RowOf(name + ".weight");
    const Row beta = RowOf(name + ".bias");
    Matrix y = x.colwise() - x.rowwise().mean();
    for (std::int64_t i = 0; i < y.rows(); ++i) {
      const double variance = y.row(i).squaredNorm() / static_cast<double>(y.cols());
      y.row(i) = (y.row(i) / std::sqrt(variance + kEpsilon)).cwiseProduct(gamma) + beta;
    }
    return y;
  }

  Matrix Attention(const Matrix& x, const Matrix& memory, const std::string& name,
                   bool causal) const {
    const Matrix q = Linear(x, name + ".query");
    const Matrix k = Linear(memory, name + ".key", false);
    const Matrix v = Linear(memory, name + ".value");
    constexpr std::int64_t kWidth = encoder::kHeadWidth;
    Matrix mixed(x.rows(), x.cols());
    for (std::int64_t h = 0; h < x.cols(); h += kWidth) {
      for (std::int64_t i = 0; i < x.rows(); ++i) {
        const std::int64_t seen = causal ? i + 1 : memory.rows();
        Row p = q.row(i).segment(h, kWidth) * k.block(0, h, seen, kWidth).transpose() /
                std::sqrt(static_cast<double>(kWidth));
        p = (p.array() - p.maxCoeff()).exp();
        mixed.row(i).segment(h, kWidth) = p * v.block(0, h, seen, kWidth) / p.sum();
      }
    }
    return Linear(mixed, name + ".out");
  }

  const encoder::Model& model_;
  Matrix audio_;
};

}  // namespace

Tensor ReferenceLogits(const encoder::Model& model, const TensorView& encoded,
                       std::span<const int> tokens) {
  const Matrix logits = Reference(model, encoded).Logits(tokens);
  Tensor tensor(DType::kF64, {logits.rows(), logits.cols()});
  Eigen::Map<Matrix>(tensor.data<double>(), logits.rows(), logits.cols()) = logits;
  return tensor;
}

}  // namespace xdna::decoder
