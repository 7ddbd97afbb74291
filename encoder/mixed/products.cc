#include "encoder/mixed/products.h"

#include <dnnl.h>

#include <utility>

#include "base/error.h"
#include "device/session.h"
#include "encoder/int8_designs.h"
#include "encoder/npu_designs.h"
#include "kernels/array/gemm.h"
#include "ops/internal/row_kernels.h"

namespace xdna::encoder::mixed {
namespace {

// y [m,n] = x [m,k] w^T, w [n,k].
void Sgemm(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, const float* w,
           float* y) {
  const dnnl_status_t status = dnnl_sgemm('N', 'T', m, n, k, 1.0F, x, k, w, k, 0.0F, y, n);
  if (status != dnnl_success) Throw(ErrorCode::kInternal, "dnnl_sgemm: status {}", int{status});
}

}  // namespace

LinearWeights& Products::Weights(const std::string& name,
                                 const std::function<LinearWeights()>& make) {
  const auto found = weights_.find(name);
  if (found != weights_.end()) return found->second;
  LinearWeights w = make();
  w.name = name;
  return weights_.emplace(name, std::move(w)).first->second;
}

LinearWeights Products::LoadLinear(const std::vector<std::string>& names,
                                   const std::string& norm) const {
  LinearWeights w;
  std::vector<float> weight, bias;
  std::int64_t k = 0;
  for (const std::string& name : names) {
    const Tensor part = bench_.Load(name + ".weight");
    k = part.dim(1);
    const bool query = name.ends_with("attn.query");
    const float scale =
        !query ? 1.0F
               : static_cast<float>(QueryScale(bench_.schedule().attention == AttentionForm::kFused,
                                               bench_.shape()));
    for (std::int64_t i = 0; i < part.size(); ++i) weight.push_back(part.data<float>()[i] * scale);
    const bool none = name.ends_with("attn.key");
    const Tensor b = none ? Tensor(DType::kF32, {part.dim(0)}) : bench_.Load(name + ".bias");
    for (std::int64_t i = 0; i < b.size(); ++i) bias.push_back(b.data<float>()[i] * scale);
  }
  const auto n = static_cast<std::int64_t>(bias.size());
  w.w = Tensor::FromValues<float>({n, k}, weight);
  w.b = Tensor::FromValues<float>({n}, bias);
  if (bench_.FusesNorm() && !norm.empty()) {
    FoldNorm(bench_.Load(norm + ".weight"), bench_.Load(norm + ".bias"), w.w, w.b);
  }
  return w;
}

LinearWeights Products::LoadConvolution(const std::string& name) const {
  LinearWeights w;
  w.w = ByFrame(bench_.Load(name + ".weight"));
  w.b = bench_.Load(name + ".bias");
  return w;
}

void Products::Product(Place place, Value& x, LinearWeights& w, Value& y, bool gelu, bool int8) {
  if (place == Place::kCpu) return CpuLinear(x, w, y, gelu);
  if (int8 && bench_.schedule().precision == "int8") return Int8Linear(x, w, y, gelu);
  NpuLinear(x, x.pitch, x.rows, w, y, 0, gelu);
}

void Products::CpuLinear(Value& x, LinearWeights& w, Value& y, bool gelu) {
  const std::int64_t m = x.rows, n = w.w.dim(0), k = w.w.dim(1);
  bench_.ToHost(x);
  y.OnlyOnHost();
  bench_.CpuGemm(2.0 * static_cast<double>(m * n * k));
  if (gelu) bench_.CpuRows(static_cast<double>(m * n));
  if (!bench_.data()) return;
  Sgemm(m, n, k, x.host.data<float>(), w.w.data<float>(), y.host.data<float>());
  for (std::int64_t i = 0; i < m; ++i) {
    float* row = y.host.data<float>() + i * n;
    ops::MapRow({.in = row, .bias = w.b.data<float>(), .gelu = gelu, .out = row}, Size(n));
  }
}

void Products::NpuLinear(Value& x, std::size_t stride, std::int64_t m, LinearWeights& w, Value& y,
                         std::size_t y_offset, bool gelu) {
  const kernels::GemmProblem problem{Size(m), Size(w.w.dim(1)), Size(w.w.dim(0)), stride};
  Value& b = w.packed["bf16"];
  if (b.name.empty()) {
    bench_.SetConstant(b, w.name, PackLinear(bench_.gemm(), problem, w.w, w.b));
  }
  const kernels::GemmBytes bytes = kernels::GemmBufferBytes(bench_.gemm(), problem);
  bench_.DispatchShared(SharedDesign::kProduct, ProductInstructions(bench_.gemm(), problem, gelu),
                        {{&x, 0, bytes.a}, {&b, 0, bytes.b}, {&y, y_offset, bytes.c, true}});
  bench_.Fetch(y);
}

void Products::Convolve(Value& x, std::size_t stride, std::int64_t rows, LinearWeights& w, Value& y,
                        std::int64_t first) {
  const std::int64_t n = w.w.dim(0), k = w.w.dim(1);
  if (bench_.schedule().stem == Place::kNpu) {
    NpuLinear(x, stride, rows, w, y, Size(first) * y.pitch * 2, true);
    return;
  }
  bench_.ToHost(x);
  y.OnlyOnHost();
  bench_.CpuGemm(2.0 * static_cast<double>(rows * n * k));
  bench_.CpuRows(static_cast<double>(rows * n));
  if (!bench_.data()) return;
  float* to = y.host.data<float>() + first * n;
  std::vector<float> windows;
  for (std::int64_t i = 0; i < rows; ++i) {
    const float* from = x.host.data<float>() + Size(i) * stride;
    windows.insert(windows.end(), from, from + k);
  }
  Sgemm(rows, n, k, windows.data(), w.w.data<float>(), to);
  for (std::int64_t i = 0; i < rows; ++i) {
    ops::MapRow({.in = to + i * n, .bias = w.b.data<float>(), .gelu = true, .out = to + i * n},
                Size(n));
  }
}

}  // namespace xdna::encoder::mixed
