#include "ops/linear/linear.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/error.h"
#include "ops/internal/row_kernels.h"

namespace xdna::ops {
namespace {

// Sums of a piece stay in a core's own cache: half of the 1 MiB that is usual.
constexpr std::int64_t kSumBytes = 512 << 10;
constexpr std::int64_t kMostRows = 128;

DType ProductType(Precision precision) {
  switch (precision) {
    case Precision::kF32:
      return DType::kF32;
    case Precision::kBf16:
      return DType::kBf16;
    case Precision::kInt8:
      return DType::kI8;
  }
  return DType::kF32;
}

}  // namespace

Linear::Linear(const TensorView& weight, const TensorView& bias, std::int64_t m,
               const Options& options, const CpuContext& context)
    : options_(options), context_(context), m_(m), n_(weight.dim(0)), k_(weight.dim(1)) {
  const Precision precision = options.variant.precision;
  direct_ = precision != Precision::kInt8 && !options.gelu;
  const std::int64_t rows =
      direct_ ? kMostRows : std::clamp<std::int64_t>(kSumBytes / (4 * n_), 32, kMostRows);
  piece_ = PieceRows(m, rows, context.pool->threads());

  MatmulSpec spec;
  spec.k = k_;
  spec.n = n_;
  spec.in = ProductType(precision);
  spec.out =
      direct_ ? options.y_dtype : (precision == Precision::kInt8 ? DType::kI32 : DType::kF32);
  spec.bias = direct_ && !bias.empty();
  spec.accumulate = direct_ && options.accumulate;
  spec.rows = PieceSizes(m, piece_);
  matmul_ = Matmul::Create(options.variant.backend, spec);
  PackWeight(weight);
  if (!bias.empty()) bias_ = Convert(bias, DType::kF32);

  scratch_.resize(context.pool->threads());
  for (Scratch& scratch : scratch_) {
    if (precision == Precision::kInt8) {
      scratch.quantized = Tensor(DType::kI8, {piece_, k_});
      scratch.row_scales.resize(piece_);
    }
    if (!direct_) scratch.sums = Tensor(spec.out, {piece_, n_});
  }
}

void Linear::PackWeight(const TensorView& weight) {
  packed_ = Tensor(DType::kU8, {static_cast<std::int64_t>(matmul_->packed_bytes())});
  const auto pack = [this](const TensorView& w) {
    matmul_->Pack(TensorView(w.raw(), w.dtype(), {k_, n_}, {1, k_}), packed_.view().raw());
  };
  switch (options_.variant.precision) {
    case Precision::kF32:
      return pack(weight);
    case Precision::kBf16:
      return pack(Convert(weight, DType::kBf16));
    case Precision::kInt8:
      break;
  }
  const Tensor quantized(DType::kI8, {n_, k_});
  column_scales_ = Tensor(DType::kF32, {n_});
  for (std::int64_t j = 0; j < n_; ++j) {
    column_scales_.data<float>()[j] = QuantizeRow(weight.data<const float>() + j * k_, DType::kF32,
                                                  k_, quantized.data<std::int8_t>() + j * k_);
  }
  pack(quantized);
}

void Linear::Run(const TensorView& x, const TensorView& y) {
  const auto* base = static_cast<const std::byte*>(x.raw());
  const std::size_t pitch = k_ * SizeOf(options_.x_dtype);
  context_.pool->ParallelFor((m_ + piece_ - 1) / piece_, [&](std::int64_t p, int thread) {
    Piece(p * piece_, base + p * piece_ * pitch, scratch_[thread], y);
  });
}

void Linear::RunGathered(const Gather& gather, const TensorView& y) {
  context_.pool->ParallelFor((m_ + piece_ - 1) / piece_, [&](std::int64_t p, int thread) {
    Scratch& scratch = scratch_[thread];
    if (scratch.gathered.empty()) scratch.gathered = Tensor(options_.x_dtype, {piece_, k_});
    const std::int64_t first = p * piece_;
    const void* x = gather(first, std::min(piece_, m_ - first), scratch.gathered.view().raw());
    Piece(first, x, scratch, y);
  });
}

void Linear::Piece(std::int64_t first, const void* x, Scratch& scratch, const TensorView& y) {
  const std::int64_t rows = std::min(piece_, m_ - first);
  const float* bias = bias_.empty() ? nullptr : bias_.data<float>();
  auto* out = static_cast<std::byte*>(y.raw()) + first * n_ * SizeOf(y.dtype());
  if (direct_) return matmul_->Run(x, rows, packed_.view().raw(), bias, out);

  const bool int8 = options_.variant.precision == Precision::kInt8;
  const void* in = x;
  if (int8) {
    auto* q = scratch.quantized.data<std::int8_t>();
    const std::size_t pitch = k_ * SizeOf(options_.x_dtype);
    for (std::int64_t i = 0; i < rows; ++i) {
      scratch.row_scales[i] = QuantizeRow(static_cast<const std::byte*>(x) + i * pitch,
                                          options_.x_dtype, k_, q + i * k_);
    }
    in = q;
  }
  matmul_->Run(in, rows, packed_.view().raw(), nullptr, scratch.sums.view().raw());
  for (std::int64_t i = 0; i < rows; ++i) {
    RowMap map;
    map.in = static_cast<const std::byte*>(scratch.sums.view().raw()) + i * n_ * 4;
    map.in_dtype = scratch.sums.dtype();
    if (int8) {
      map.scale = scratch.row_scales[i];
      map.column_scale = column_scales_.data<float>();
    }
    map.bias = bias;
    map.gelu = options_.gelu;
    map.out = out + i * n_ * SizeOf(y.dtype());
    map.out_dtype = y.dtype();
    if (options_.accumulate) {
      map.addend = map.out;
      map.addend_dtype = y.dtype();
    }
    MapRow(map, n_);
  }
}

std::string Linear::description() const {
  return fmt::format("{}, {} pieces of {} rows", matmul_->description(), (m_ + piece_ - 1) / piece_,
                     piece_);
}

}  // namespace xdna::ops
