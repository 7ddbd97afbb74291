#include "ops/attention/scaled_dot_product.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/cpu.h"
#include "base/error.h"
#include "ops/attention/attention_kernel.h"
#include "ops/internal/profile.h"

namespace xdna::ops {
namespace {

class FusedAttention : public ScaledDotProduct {
 public:
  FusedAttention(const ScaledDotProductShape& shape, const CpuContext& context)
      : context_(context),
        shape_(shape),
        kernel_(FindAttentionKernel(shape.dtype, Cpu(), shape.integers)) {
    head_.keys = shape.m;
    head_.width = shape.d / shape.heads;
    head_.stride = shape.stride;
    const auto aligned = [](std::size_t bytes) {
      return static_cast<std::int64_t>((bytes + 63) / 64 * 64);
    };
    k_ = Tensor(DType::kU8, {shape.heads, aligned(kernel_.packed_k_bytes(head_))});
    v_ = Tensor(DType::kU8, {shape.heads, aligned(kernel_.packed_v_bytes(head_))});
    scratch_ = Tensor(DType::kU8, {context.pool->threads(), aligned(kernel_.scratch_bytes(head_))});
  }

  void Run(const void* q, const void* k, const void* v, const TensorView& y) override {
    Pack(k, v);
    const ScopedSpan span(context_.profile, "attention.core");
    const auto rows = static_cast<std::int64_t>(kernel_.rows);
    const std::int64_t blocks = (shape_.m + rows - 1) / rows;
    context_.pool->ParallelFor(shape_.heads * blocks, [&](std::int64_t i, int thread) {
      const std::int64_t head = i / blocks;
      const std::int64_t first = i % blocks * rows;
      AttentionQueries queries;
      queries.q = Element(q, first * shape_.stride, head);
      queries.rows = std::min(rows, shape_.m - first);
      queries.packed_k = Row(k_, head);
      queries.packed_v = Row(v_, head);
      queries.scratch = Row(scratch_, thread);
      queries.y = const_cast<std::byte*>(Element(y.raw(), first * shape_.d, head));
      queries.y_stride = shape_.d;
      kernel_.run(head_, queries);
    });
  }

  Integers integers() const override { return kernel_.integers; }
  std::string description() const override { return kernel_.name; }

 private:
  void Pack(const void* k, const void* v) {
    const ScopedSpan span(context_.profile, "attention.pack");
    context_.pool->ParallelFor(2 * shape_.heads, [&](std::int64_t i, int) {
      const std::int64_t head = i / 2;
      if (i % 2 == 0) {
        kernel_.pack_k(head_, Element(k, 0, head), Row(k_, head));
      } else {
        kernel_.pack_v(head_, Element(v, 0, head), Row(v_, head));
      }
    });
  }

  static std::byte* Row(const Tensor& t, std::int64_t row) {
    return reinterpret_cast<std::byte*>(t.data<std::uint8_t>()) + row * t.dim(1);
  }
  const std::byte* Element(const void* base, std::int64_t row_offset, std::int64_t head) const {
    const std::int64_t index = row_offset + head * static_cast<std::int64_t>(head_.width);
    return static_cast<const std::byte*>(base) + index * SizeOf(shape_.dtype);
  }

  CpuContext context_;
  ScaledDotProductShape shape_;
  const AttentionKernel& kernel_;
  AttentionHead head_;
  Tensor k_, v_;    // [heads, bytes]
  Tensor scratch_;  // [threads, bytes]
};

}  // namespace

std::unique_ptr<ScaledDotProduct> ScaledDotProduct::Create(const ScaledDotProductShape& shape,
                                                           Backend backend,
                                                           const CpuContext& context) {
  if (shape.heads < 1 || shape.d % shape.heads != 0) {
    Throw(ErrorCode::kInvalidArgument, "{} heads do not divide a width of {}", shape.heads,
          shape.d);
  }
  // Without AVX2 oneDNN's products are faster (1.8 times, by minima on Zen 5), but not in bf16.
  const bool fused = backend == Backend::kFast && (Cpu().avx2 || shape.dtype == DType::kBf16);
  if (!fused) return internal::MakeBatchedAttention(shape, backend, context);
  return std::make_unique<FusedAttention>(shape, context);
}

}  // namespace xdna::ops
