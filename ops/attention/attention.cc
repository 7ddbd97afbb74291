#include "ops/attention/attention.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "ops/internal/instance.h"
#include "ops/internal/profile.h"

namespace xdna::ops {

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
  in.x_range = options.x_range;
  in_ = std::make_unique<Linear>(stacked, bias, m, in, context);
  core_ = ScaledDotProduct::Create({.m = m,
                                    .d = d_,
                                    .heads = options.heads,
                                    .stride = 3 * d_,
                                    .dtype = dtype,
                                    .integers = options.integers},
                                   options.variant.backend, context);
  Linear::Options out;
  out.variant = options.variant;
  out.x_dtype = dtype;
  out.x_range = options.x_range;
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
