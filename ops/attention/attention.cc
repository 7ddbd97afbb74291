#include "ops/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "ops/internal/instance.h"
#include "ops/internal/profile.h"
#include "ops/internal/row_kernels.h"

namespace xdna::ops {
namespace {

// Rows of queries at a time: their scores (f32) and probabilities, with the packed
// K and V of a head (384 KB in bf16 for 1500 positions), fit a 1 MiB cache.
constexpr std::int64_t kQueryRows = 64;

}  // namespace

ScaledDotProduct::ScaledDotProduct(std::int64_t m, std::int64_t d, std::int64_t heads,
                                   std::int64_t stride, DType dtype, Backend backend,
                                   const CpuContext& context)
    : context_(context), m_(m), d_(d), heads_(heads), stride_(stride), dtype_(dtype) {
  if (heads < 1 || d % heads != 0) {
    Throw(ErrorCode::kInvalidArgument, "{} heads do not divide a width of {}", heads, d);
  }
  head_ = d / heads;
  block_ = std::min(kQueryRows, m);
  MatmulSpec qk;
  qk.k = head_;
  qk.n = m;
  qk.in = dtype;
  qk.out = DType::kF32;
  qk.in_stride = stride;
  qk.rows = PieceSizes(m, block_);
  qk_ = Matmul::Create(backend, qk);
  MatmulSpec pv;
  pv.k = m;
  pv.n = head_;
  pv.in = dtype;
  pv.out = DType::kF32;
  pv.rows = qk.rows;
  pv_ = Matmul::Create(backend, pv);
  const auto bytes = [heads](const Matmul& matmul) {
    return static_cast<std::int64_t>((matmul.packed_bytes() + 63) / 64 * 64) * heads;
  };
  packed_k_ = Tensor(DType::kU8, {bytes(*qk_)});
  packed_v_ = Tensor(DType::kU8, {bytes(*pv_)});
  scratch_.resize(context.pool->threads());
  for (Scratch& scratch : scratch_) {
    scratch.scores = Tensor(DType::kF32, {block_, m});
    scratch.probabilities = Tensor(dtype, {block_, m});
    scratch.sums = Tensor(DType::kF32, {block_, head_});
  }
}

void ScaledDotProduct::Pack(const void* k, const void* v) {
  const ScopedSpan span(context_.profile, "attention.pack");
  const std::size_t size = SizeOf(dtype_);
  context_.pool->ParallelFor(2 * heads_, [&](std::int64_t i, int) {
    const std::int64_t head = i / 2;
    const bool is_k = i % 2 == 0;
    auto* from =
        const_cast<std::byte*>(static_cast<const std::byte*>(is_k ? k : v)) + head * head_ * size;
    const Tensor& to = is_k ? packed_k_ : packed_v_;
    std::byte* packed =
        reinterpret_cast<std::byte*>(to.data<std::uint8_t>()) + head * (to.size() / heads_);
    if (is_k) {
      qk_->Pack(TensorView(from, dtype_, {head_, m_}, {1, stride_}), packed);
    } else {
      pv_->Pack(TensorView(from, dtype_, {m_, head_}, {stride_, 1}), packed);
    }
  });
}

void ScaledDotProduct::Block(const std::byte* q, std::int64_t head, std::int64_t first,
                             Scratch& scratch, const TensorView& y) {
  const std::int64_t rows = std::min(block_, m_ - first);
  const std::size_t size = SizeOf(dtype_);
  const auto packed = [&](const Tensor& t) {
    return t.data<std::uint8_t>() + head * (t.size() / heads_);
  };
  qk_->Run(q + (first * stride_ + head * head_) * size, rows, packed(packed_k_), nullptr,
           scratch.scores.data<float>());
  const float scale = 1 / std::sqrt(static_cast<float>(head_));
  auto* probabilities = static_cast<std::byte*>(scratch.probabilities.view().raw());
  float inverse[kQueryRows];
  for (std::int64_t i = 0; i < rows; ++i) {
    inverse[i] = 1 / ExpRow(scratch.scores.data<float>() + i * m_, scale, m_,
                            probabilities + i * m_ * size, dtype_);
  }
  pv_->Run(probabilities, rows, packed(packed_v_), nullptr, scratch.sums.data<float>());
  for (std::int64_t i = 0; i < rows; ++i) {
    RowMap map;
    map.in = scratch.sums.data<float>() + i * head_;
    map.scale = inverse[i];
    map.out = static_cast<std::byte*>(y.raw()) + ((first + i) * d_ + head * head_) * size;
    map.out_dtype = dtype_;
    MapRow(map, head_);
  }
}

void ScaledDotProduct::Run(const void* q, const void* k, const void* v, const TensorView& y) {
  Pack(k, v);
  const ScopedSpan span(context_.profile, "attention.core");
  const std::int64_t blocks = (m_ + block_ - 1) / block_;
  context_.pool->ParallelFor(heads_ * blocks, [&](std::int64_t i, int thread) {
    Block(static_cast<const std::byte*>(q), i / blocks, i % blocks * block_, scratch_[thread], y);
  });
}

Attention::Attention(const Weights& weights, std::int64_t m, const Options& options,
                     const CpuContext& context)
    : context_(context), d_(weights.wq.dim(0)) {
  const DType dtype = ActivationType(options.variant.precision);
  qkv_ = Tensor(dtype, {m, 3 * d_});
  heads_out_ = Tensor(dtype, {m, d_});
  const Tensor stacked(DType::kF32, {3 * d_, d_});
  const Tensor bias(DType::kF32, {3 * d_});
  const auto put = [&](std::int64_t part, const TensorView& w, const TensorView& b) {
    std::memcpy(stacked.data<float>() + part * d_ * d_, w.data<const float>(), w.bytes());
    if (!b.empty()) std::memcpy(bias.data<float>() + part * d_, b.data<const float>(), b.bytes());
  };
  put(0, weights.wq, weights.bq);
  put(1, weights.wk, {});
  put(2, weights.wv, weights.bv);
  Linear::Options in;
  in.variant = options.variant;
  in.x_dtype = in.y_dtype = dtype;
  in_ = std::make_unique<Linear>(stacked, bias, m, in, context);
  core_ = std::make_unique<ScaledDotProduct>(m, d_, options.heads, 3 * d_, dtype,
                                             options.variant.backend, context);
  Linear::Options out;
  out.variant = options.variant;
  out.x_dtype = dtype;
  out.accumulate = options.accumulate;
  out.y_dtype = options.y_dtype;
  out_ = std::make_unique<Linear>(weights.wo, weights.bo, m, out, context);
}

void Attention::Run(const TensorView& x, const TensorView& y) {
  {
    const ScopedSpan span(context_.profile, "attention.qkv");
    in_->Run(x, qkv_);
  }
  const auto* q = static_cast<const std::byte*>(qkv_.view().raw());
  const std::size_t part = d_ * SizeOf(qkv_.dtype());
  core_->Run(q, q + part, q + 2 * part, heads_out_);
  const ScopedSpan span(context_.profile, "attention.out");
  out_->Run(heads_out_, y);
}

}  // namespace xdna::ops
