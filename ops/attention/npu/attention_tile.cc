#include "ops/attention/npu/attention_tile.h"

#include <aie_api/aie.hpp>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "kernels/attention/attention.h"
#include "kernels/softmax/softmax.h"
#include "kernels/softmax/softmax_design.h"
#include "kernels/transpose/transpose.h"
#include "ops/internal/instance.h"
#include "ops/internal/profile.h"
#include "ops/internal/tile.h"

namespace xdna::ops {
namespace {

// Queries of a block: enough that decoding K and V for it, which each does, costs little.
constexpr std::int64_t kBlockRows = 96;

kernels::Design SoftmaxDesign(std::int64_t rows, std::int64_t width) {
  return kernels::SoftmaxDesign(static_cast<std::size_t>(rows), static_cast<std::size_t>(width));
}

TileProduct Product(std::int64_t m, std::int64_t k, std::int64_t n, bool scaled,
                    const TileOptions& options) {
  TileProduct::Options o;
  o.scaled = scaled;
  o.reload = options.reload;
  o.host = options.host;
  return {{static_cast<int32>(m), static_cast<int32>(k), static_cast<int32>(n)}, o};
}

// Rows of `cols` elements, `stride` apart, to rows of `width`, zeros in what is new.
void CopyRows(const bfloat16* from, std::int64_t stride, std::int64_t rows, std::int64_t cols,
              std::int64_t width, bfloat16* to) {
  for (std::int64_t i = 0; i < rows; ++i) {
    std::copy_n(from + i * stride, cols, to + i * width);
    std::fill_n(to + i * width + cols, width - cols, bfloat16::from_bits(0));
  }
}

}  // namespace

std::int64_t HeadWidth(std::int64_t d, std::int64_t heads) {
  if (heads < 1 || d % heads != 0) {
    Throw(ErrorCode::kInvalidArgument, "{} heads do not divide a width of {}", heads, d);
  }
  return d / heads;
}

float FusedFactor(std::int64_t d, std::int64_t heads) {
  const auto width = static_cast<double>(HeadWidth(d, heads));
  return static_cast<float>(kernels::AttentionScale(std::sqrt(width)));
}

Tensor StackedWeights(const TensorMap& weights, float q_factor) {
  const std::int64_t d = weights.at("wq").dim(0);
  Tensor stacked(DType::kF32, {3 * d, d});
  float* to = stacked.data<float>();
  for (const char* name : {"wq", "wk", "wv"}) {
    to = std::copy_n(weights.at(name).data<float>(), d * d, to);
  }
  for (std::int64_t i = 0; i < d * d; ++i) stacked.data<float>()[i] *= q_factor;
  return stacked;
}

Tensor StackedBiases(const TensorMap& weights, float q_factor) {
  const std::int64_t d = weights.at("wq").dim(0);
  Tensor stacked(DType::kF32, {3 * d});
  for (std::int64_t i = 0; i < d; ++i) {
    stacked.data<float>()[i] = weights.at("bq").data<float>()[i] * q_factor;
  }
  std::copy_n(weights.at("bv").data<float>(), d, stacked.data<float>() + 2 * d);
  return stacked;
}

TileScaledDotProduct::TileScaledDotProduct(std::int64_t m, std::int64_t d, std::int64_t heads,
                                           const TileOptions& options, const CpuContext& context)
    : context_(context),
      m_(m),
      d_(d),
      heads_(heads),
      head_(HeadWidth(d, heads)),
      m_padded_(PaddedWidth(m)),
      head_padded_(PaddedWidth(head_)),
      softmax_rows_(MostRows(SoftmaxDesign, m_padded_)),
      rounding_(options.rounding),
      qk_(Product(std::min(m, kBlockRows), head_padded_, m_padded_, true, options)),
      pv_(Product(std::min(m, kBlockRows), m_padded_, head_padded_, false, options)),
      keys_(DType::kBf16, {heads, head_padded_, m_padded_}),
      values_(DType::kBf16, {heads, m_padded_, head_padded_}) {}

void TileScaledDotProduct::Pack(const bfloat16* qkv, std::int64_t head) {
  const std::int64_t size = m_padded_ * head_padded_;
  const bfloat16* k = qkv + d_ + head * head_;
  const Tensor keys(DType::kBf16, {m_padded_, head_padded_});
  CopyRows(k, 3 * d_, m_, head_, head_padded_, Bf16Data(keys));
  transpose_bf16(Bf16Data(keys), Bf16Data(keys_) + head * size, static_cast<int32>(m_padded_),
                 static_cast<int32>(head_padded_));
  CopyRows(k + d_, 3 * d_, m_, head_, head_padded_, Bf16Data(values_) + head * size);
}

void TileScaledDotProduct::Block(const bfloat16* qkv, std::int64_t head, std::int64_t first,
                                 bfloat16* y) const {
  const std::int64_t rows = std::min(kBlockRows, m_ - first);
  const std::int64_t size = m_padded_ * head_padded_;
  const Tensor q(DType::kBf16, {rows, head_padded_});
  CopyRows(qkv + first * 3 * d_ + head * head_, 3 * d_, rows, head_, head_padded_, Bf16Data(q));
  const Tensor scores(DType::kBf16, {rows, m_padded_});
  kernels::MatmulEpilogue epilogue;
  epilogue.rounding = rounding_;
  epilogue.scale = 1 / std::sqrt(static_cast<float>(head_));
  qk_.Run(rows, Bf16Data(q), Bf16Data(keys_) + head * size, epilogue, Bf16Data(scores));
  for (std::int64_t row = 0; row < rows; row += softmax_rows_) {
    bfloat16* at = Bf16Data(scores) + row * m_padded_;
    softmax_bf16(at, at, static_cast<int32>(std::min(softmax_rows_, rows - row)),
                 static_cast<int32>(m_padded_), static_cast<int32>(m_));
  }
  const Tensor mixed(DType::kBf16, {rows, head_padded_});
  epilogue.scale = 1;
  pv_.Run(rows, Bf16Data(scores), Bf16Data(values_) + head * size, epilogue, Bf16Data(mixed));
  for (std::int64_t i = 0; i < rows; ++i) {
    std::copy_n(Bf16Data(mixed) + i * head_padded_, head_, y + (first + i) * d_ + head * head_);
  }
}

void TileScaledDotProduct::Run(const TensorView& qkv, const TensorView& y) {
  {
    const ScopedSpan span(context_.profile, "attention.pack");
    context_.pool->ParallelFor(heads_, [&](std::int64_t head, int) { Pack(Bf16Data(qkv), head); });
  }
  const ScopedSpan span(context_.profile, "attention.core");
  const std::int64_t blocks = (m_ + kBlockRows - 1) / kBlockRows;
  context_.pool->ParallelFor(heads_ * blocks, [&](std::int64_t i, int) {
    Block(Bf16Data(qkv), i / blocks, i % blocks * kBlockRows, Bf16Data(y));
  });
}

TileAttention::TileAttention(const TensorMap& weights, std::int64_t m, std::int64_t heads,
                             bool fused, const TileOptions& options, const CpuContext& context)
    : context_(context),
      qkv_(DType::kBf16, {m, 3 * weights.at("wq").dim(0)}),
      heads_out_(DType::kBf16, {m, weights.at("wq").dim(0)}),
      in_(StackedWeights(weights, fused ? FusedFactor(weights.at("wq").dim(0), heads) : 1),
          StackedBiases(weights, fused ? FusedFactor(weights.at("wq").dim(0), heads) : 1), m,
          /*gelu=*/false, options, context),
      out_(weights.at("wo"), weights.at("bo"), m, /*gelu=*/false, options, context) {
  const std::int64_t d = weights.at("wq").dim(0);
  if (fused) {
    fused_ = std::make_unique<FusedScaledDotProduct>(m, d, heads, options.host, context);
  } else {
    core_ = std::make_unique<TileScaledDotProduct>(m, d, heads, options, context);
  }
}

void TileAttention::Run(const TensorView& x, const TensorView& y) {
  {
    const ScopedSpan span(context_.profile, "attention.qkv");
    in_.Run(x, qkv_);
  }
  fused_ ? fused_->Run(qkv_, heads_out_) : core_->Run(qkv_, heads_out_);
  const ScopedSpan span(context_.profile, "attention.out");
  out_.Run(heads_out_, y);
}

std::unique_ptr<Instance> MakeAttentionTile(const Dims& dims, const TensorMap& in, Variant variant,
                                            const CpuContext& context) {
  const bool fused = variant.kernel == "fused";
  if (fused) variant.kernel = {};
  const auto attention = std::make_shared<TileAttention>(in, dims.at("m"), dims.at("heads"), fused,
                                                         TileOptionsOf(variant), context);
  const auto operands = CloneAs(in, {{"x", DType::kBf16}});
  return std::make_unique<ClosureInstance>(
      Tensor(DType::kBf16, {dims.at("m"), dims.at("d")}),
      [attention, operands](const TensorView& y) { attention->Run(operands->at("x"), y); });
}

golden::Tolerance AttentionTileTolerance(const Dims& dims, Variant variant, std::string_view data) {
  golden::Tolerance t = TileProductTolerance(variant.precision, dims.at("d"), data);
  if (data == "exact") return t;
  if (variant.precision == Precision::kInt8) {
    t.magnitude *= 2;
    t.rel_l2 *= 2;
    t.provenance += "; twice that for V and the output in a row";
    return t;
  }
  constexpr double kExpTable = 0.012;  // lut_based_ops.h
  const std::int64_t macs = (dims.at("d") + dims.at("m") + 7) / 8;
  t.magnitude = 6 * kUnitBf16 + kExpTable + static_cast<double>(20 * macs) * kUnitF32;
  t.rel_l2 = 1e-2;
  t.bias = 1.2e-3;
  t.provenance =
      "x, wv, v, p, heads and wo rounded to bf16 (2^-8 each), exp by tables (1.2 %), MACs as a "
      "product's; what the rounding of scores does to p averages out over keys; rel-L2: sqrt(6) "
      "rms of 1.6e-3, and 2.5x room for it; bias: twice a product's, floor has 2.7e-3";
  return t;
}

std::vector<TileShape> AttentionTiles(const Dims& dims, Variant variant) {
  const std::int64_t head = HeadWidth(dims.at("d"), dims.at("heads"));
  if (variant.kernel == "fused") return FusedTiles(dims.at("m"), head);
  kernels::MatmulConfig like;
  like.reload = variant.kernel == "reload";
  like.scaled = !like.reload;
  return ProductTiles(like, PaddedWidth(head));
}

}  // namespace xdna::ops
