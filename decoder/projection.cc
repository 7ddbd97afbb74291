#include "decoder/projection.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "decoder/gemv_kernels.h"
#include "ops/internal/row_kernels.h"

namespace xdna::decoder {
namespace {

// Large enough to keep the hand-over of work cheap, small enough for its results to stay in the
// first cache and for threads to end at the same time.
constexpr std::int64_t kChunkBytes = 128 << 10;
constexpr std::int64_t kChunksPerThread = 4;

std::int64_t Blocks(std::int64_t n) { return (n + kBlockRows - 1) / kBlockRows; }

}  // namespace

DType WeightType(ops::Precision precision) {
  switch (precision) {
    case ops::Precision::kBf16:
      return DType::kBf16;
    case ops::Precision::kInt8:
    case ops::Precision::kMixed:
      return DType::kI8;
    case ops::Precision::kF32:
      break;
  }
  return DType::kF32;
}

std::size_t Projection::Bytes(ops::Precision precision, std::int64_t n, std::int64_t k) {
  return Arena::Rounded(Blocks(n) * BlockBytes(WeightType(precision), k));
}

Projection::Projection(const TensorView& weight, const TensorView& bias, ops::Precision precision,
                       Arena& arena, ThreadPool& pool)
    : pool_(&pool),
      dtype_(WeightType(precision)),
      n_(weight.dim(0)),
      k_(weight.dim(1)),
      blocks_(arena.Take(Bytes(precision, n_, k_))) {
  const auto block_bytes = static_cast<std::int64_t>(BlockBytes(dtype_, k_));
  chunk_ = std::clamp<std::int64_t>(Blocks(n_) / (kChunksPerThread * pool.threads()), 1,
                                    std::max<std::int64_t>(1, kChunkBytes / block_bytes));
  if (!bias.empty()) bias_ = Convert(bias, DType::kF32);
  PackArgs pack;
  pack.rows = weight.data<const float>();
  pack.n = n_;
  pack.k = pack.stride = k_;
  pack.dtype = dtype_;
  pack.blocks = blocks_;
  const Tensor inverse(DType::kF32, {n_});
  if (dtype_ == DType::kI8) {
    scales_ = Tensor(DType::kF32, {n_});
    for (std::int64_t row = 0; row < n_; ++row) {
      float max = 0;
      for (std::int64_t j = 0; j < k_; ++j) max = std::max(max, std::abs(pack.rows[row * k_ + j]));
      scales_.data<float>()[row] = max / 127;
      inverse.data<float>()[row] = max > 0 ? 127 / max : 0;
    }
    pack.inverse = inverse.data<float>();
  }
  pool.ParallelFor(Blocks(n_), [&](std::int64_t b, int) { PackBlocks(pack, b, b + 1); });
}

void Projection::Run(const float* x, std::int64_t rows, float* y, bool gelu,
                     Scratch& scratch) const {
  GemvArgs args;
  args.blocks = blocks_;
  args.dtype = dtype_;
  args.n = n_;
  args.k = args.x_stride = k_;
  args.x = x;
  args.vectors = static_cast<int>(rows);
  args.out = y;
  args.out_stride = n_;
  const bool int8 = dtype_ == DType::kI8;
  if (int8) {
    for (std::int64_t i = 0; i < rows; ++i) {
      scratch.scales[i] = QuantizeRow16(x + i * k_, k_, scratch.quantized.data() + i * k_);
    }
    args.x = scratch.quantized.data();
  }
  const bool map = int8 || gelu || !bias_.empty();
  const std::int64_t blocks = Blocks(n_);
  pool_->ParallelFor((blocks + chunk_ - 1) / chunk_, [&](std::int64_t c, int) {
    const std::int64_t first = c * chunk_;
    const std::int64_t last = std::min(blocks, first + chunk_);
    Gemv(args, first, last);
    if (!map) return;
    const std::int64_t row = first * kBlockRows;
    for (std::int64_t i = 0; i < rows; ++i) {
      ops::RowMap epilogue;
      epilogue.in = epilogue.out = y + i * n_ + row;
      if (int8) {
        epilogue.scale = scratch.scales[i];
        epilogue.column_scale = scales_.data<float>() + row;
      }
      if (!bias_.empty()) epilogue.bias = bias_.data<float>() + row;
      epilogue.gelu = gelu;
      ops::MapRow(epilogue, std::min(n_, last * kBlockRows) - row);
    }
  });
}

void Projection::Row(std::int64_t index, float* out) const {
  const auto* block =
      static_cast<const std::byte*>(blocks_) + index / kBlockRows * BlockBytes(dtype_, k_);
  const std::int64_t row = index % kBlockRows;
  for (std::int64_t j = 0; j < k_; ++j) {
    if (dtype_ == DType::kF32) {
      out[j] = reinterpret_cast<const float*>(block)[j * kBlockRows + row];
      continue;
    }
    const std::int64_t at = (j / 2 * kBlockRows + row) * 2 + j % 2;
    if (dtype_ == DType::kBf16) {
      out[j] = reinterpret_cast<const Bf16*>(block)[at].ToFloat();
    } else {
      out[j] = scales_.data<float>()[index] * reinterpret_cast<const std::int8_t*>(block)[at];
    }
  }
}

}  // namespace xdna::decoder
