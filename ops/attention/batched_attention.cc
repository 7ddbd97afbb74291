#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ops/attention/scaled_dot_product.h"
#include "ops/internal/matmul.h"
#include "ops/internal/profile.h"
#include "ops/internal/row_kernels.h"

namespace xdna::ops {
namespace {

// Rows of queries at a time: their scores (f32) and probabilities, with the packed
// K and V of a head (768 KB for 1500 positions), stay in the outer caches.
constexpr std::int64_t kQueryRows = 64;

class BatchedAttention : public ScaledDotProduct {
 public:
  BatchedAttention(const ScaledDotProductShape& shape, Backend backend, const CpuContext& context);
  void Run(const void* q, const void* k, const void* v, const TensorView& y) override;
  std::string description() const override { return "batched, " + qk_->description(); }

 private:
  struct Scratch {
    Tensor scores, probabilities, sums;
  };

  void Pack(const void* k, const void* v);
  void Block(const std::byte* q, std::int64_t head, std::int64_t first, Scratch& scratch,
             const TensorView& y);

  CpuContext context_;
  std::int64_t m_, d_, heads_, head_, stride_, block_;
  DType dtype_;
  std::unique_ptr<Matmul> qk_, pv_;
  Tensor packed_k_, packed_v_;  // one after the other for each head
  std::vector<Scratch> scratch_;
};

BatchedAttention::BatchedAttention(const ScaledDotProductShape& shape, Backend backend,
                                   const CpuContext& context)
    : context_(context),
      m_(shape.m),
      d_(shape.d),
      heads_(shape.heads),
      head_(shape.d / shape.heads),
      stride_(shape.stride),
      block_(std::min(kQueryRows, shape.m)),
      dtype_(shape.dtype) {
  MatmulSpec qk;
  qk.k = head_;
  qk.n = m_;
  qk.in = dtype_;
  qk.out = DType::kF32;
  qk.in_stride = stride_;
  qk.rows = PieceSizes(m_, block_);
  qk_ = Matmul::Create(backend, qk);
  MatmulSpec pv;
  pv.k = m_;
  pv.n = head_;
  pv.in = dtype_;
  pv.out = DType::kF32;
  pv.rows = qk.rows;
  pv_ = Matmul::Create(backend, pv);
  const auto bytes = [this](const Matmul& matmul) {
    return static_cast<std::int64_t>((matmul.packed_bytes() + 63) / 64 * 64) * heads_;
  };
  packed_k_ = Tensor(DType::kU8, {bytes(*qk_)});
  packed_v_ = Tensor(DType::kU8, {bytes(*pv_)});
  scratch_.resize(context.pool->threads());
  for (Scratch& scratch : scratch_) {
    scratch.scores = Tensor(DType::kF32, {block_, m_});
    scratch.probabilities = Tensor(dtype_, {block_, m_});
    scratch.sums = Tensor(DType::kF32, {block_, head_});
  }
}

void BatchedAttention::Pack(const void* k, const void* v) {
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

void BatchedAttention::Block(const std::byte* q, std::int64_t head, std::int64_t first,
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

void BatchedAttention::Run(const void* q, const void* k, const void* v, const TensorView& y) {
  Pack(k, v);
  const ScopedSpan span(context_.profile, "attention.core");
  const std::int64_t blocks = (m_ + block_ - 1) / block_;
  context_.pool->ParallelFor(heads_ * blocks, [&](std::int64_t i, int thread) {
    Block(static_cast<const std::byte*>(q), i / blocks, i % blocks * block_, scratch_[thread], y);
  });
}

}  // namespace

namespace internal {

std::unique_ptr<ScaledDotProduct> MakeBatchedAttention(const ScaledDotProductShape& shape,
                                                       Backend backend, const CpuContext& context) {
  return std::make_unique<BatchedAttention>(shape, backend, context);
}

}  // namespace internal
}  // namespace xdna::ops
