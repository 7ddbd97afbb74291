#include "ops/linear/linear.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <string>

#include "ops/internal/fused_matmul.h"
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
    case Precision::kMixed:
      return DType::kU8;
  }
  return DType::kF32;
}

}  // namespace

Linear::Linear(const TensorView& weight, const TensorView& bias, std::int64_t m,
               const Options& options, const CpuContext& context)
    : options_(options), context_(context), m_(m), n_(weight.dim(0)), k_(weight.dim(1)) {
  const DType type = ProductType(options.variant.precision);
  if (!bias.empty()) bias_ = Convert(bias, DType::kF32);
  const bool own = TakesOwn(weight, bias);
  direct_ = !own && type != DType::kU8 && !options.gelu;
  const bool sums_stay = !own && !direct_;
  const std::int64_t rows =
      sums_stay ? std::clamp<std::int64_t>(kSumBytes / (4 * n_), 32, kMostRows) : kMostRows;
  piece_ = PieceRows(m, rows, context.pool->threads());

  const Tensor product_weight = ProductWeight(weight);
  if (own) {
    own_ = std::make_unique<FusedMatmul>(
        product_weight,
        FusedMatmulSpec{k_, n_, type, options.y_dtype, options.gelu, options.accumulate});
  } else {
    MakeLibraryProduct(product_weight);
  }
  PlanScratch(sums_stay);
}

bool Linear::TakesOwn(const TensorView& weight, const TensorView& bias) {
  using Standing = FusedMatmul::Standing;
  const DType type = ProductType(options_.variant.precision);
  const Standing standing = FusedMatmul::StandingOf(type, k_);
  if (options_.variant.backend != Backend::kFast || standing == Standing::kSlower) return false;
  if (options_.product == Product::kOwn || options_.product == Product::kLibrary) {
    return options_.product == Product::kOwn;
  }
  if (options_.product == Product::kFaster && standing == Standing::kFaster) return true;
  const std::string shape =
      fmt::format("{} m{} n{} k{} {}{} x {} {} y {}", PrecisionName(options_.variant.precision),
                  std::min(m_, kMostRows), n_, k_, options_.gelu ? "gelu" : "",
                  options_.accumulate ? "accumulate" : "", DTypeName(options_.x_dtype),
                  static_cast<int>(options_.x_range), DTypeName(options_.y_dtype));
  measured_ = ChooseProduct(shape, [&](bool own) { return Trial(weight, bias, own); });
  return measured_->own;
}

std::function<void()> Linear::Trial(const TensorView& weight, const TensorView& bias,
                                    bool own) const {
  // Of one thread, and rows that any machine's piece has.
  struct Parts {
    explicit Parts(std::int64_t rows, std::int64_t k, std::int64_t n, const Options& options)
        : x(options.x_dtype, {rows, k}), y(options.y_dtype, {rows, n}) {}
    ThreadPool pool{1};
    Tensor x, y;
    std::unique_ptr<Linear> linear;
  };
  const std::int64_t rows = std::min(m_, kMostRows);
  const auto parts = std::make_shared<Parts>(rows, k_, n_, options_);
  Options options = options_;
  options.product = own ? Product::kOwn : Product::kLibrary;
  parts->linear =
      std::make_unique<Linear>(weight, bias, rows, options, CpuContext{.pool = &parts->pool});
  return [parts] { parts->linear->Run(parts->x, parts->y); };
}

void Linear::PlanScratch(bool sums_stay) {
  const bool int8 = options_.variant.precision == Precision::kInt8;
  std::size_t end = 0;
  const auto place = [&end](std::size_t bytes) {
    const std::size_t at = end;
    end += (bytes + 63) / 64 * 64;
    return at;
  };
  const auto rows = static_cast<std::size_t>(piece_);
  place(sums_stay ? rows * n_ * sizeof(float) : 0);
  quantized_at_ = place(int8 ? rows * k_ : 0);
  scales_at_ = place(int8 ? rows * sizeof(float) : 0);
  zeros_at_ = place(int8 ? rows * sizeof(std::int32_t) : 0);
  gathered_at_ = place(rows * k_ * SizeOf(options_.x_dtype));
  if (context_.workspace == nullptr) {
    own_workspace_ = std::make_unique<Workspace>(context_.pool->threads());
    context_.workspace = own_workspace_.get();
  }
  context_.workspace->Reserve(0, end);
}

Linear::Scratch Linear::ScratchOf(int thread) const {
  std::byte* base = context_.workspace->of_thread(thread);
  return {base, reinterpret_cast<std::uint8_t*>(base + quantized_at_),
          reinterpret_cast<float*>(base + scales_at_),
          reinterpret_cast<std::int32_t*>(base + zeros_at_), base + gathered_at_};
}

Tensor Linear::ProductWeight(const TensorView& weight) {
  switch (options_.variant.precision) {
    case Precision::kF32:
      return Convert(weight, DType::kF32);
    case Precision::kBf16:
      return Convert(weight, DType::kBf16);
    case Precision::kInt8:
    case Precision::kMixed:
      break;
  }
  Tensor quantized(DType::kI8, {n_, k_});
  column_scales_.resize(n_);
  column_sums_.resize(n_);
  for (std::int64_t j = 0; j < n_; ++j) {
    std::int8_t* row = quantized.data<std::int8_t>() + j * k_;
    column_scales_[j] = QuantizeRow(weight.data<const float>() + j * k_, DType::kF32, k_, row);
    column_sums_[j] = std::accumulate(row, row + k_, std::int32_t{0});
  }
  return quantized;
}

void Linear::MakeLibraryProduct(const TensorView& weight) {
  MatmulSpec spec;
  spec.k = k_;
  spec.n = n_;
  spec.in = ProductType(options_.variant.precision);
  spec.out = direct_ ? options_.y_dtype : (spec.in == DType::kU8 ? DType::kI32 : DType::kF32);
  spec.bias = direct_ && !bias_.empty();
  spec.accumulate = direct_ && options_.accumulate;
  spec.rows = PieceSizes(m_, piece_);
  matmul_ = Matmul::Create(options_.variant.backend, spec);
  packed_ = Tensor(DType::kU8, {static_cast<std::int64_t>(matmul_->packed_bytes())});
  matmul_->Pack(TensorView(weight.raw(), weight.dtype(), {k_, n_}, {1, k_}), packed_.view().raw());
}

void Linear::Run(const void* x, void* y) const {
  const auto* base = static_cast<const std::byte*>(x);
  const std::size_t pitch = k_ * SizeOf(options_.x_dtype);
  context_.pool->ParallelFor((m_ + piece_ - 1) / piece_, [&](std::int64_t p, int thread) {
    Piece(p * piece_, base + p * piece_ * pitch, ScratchOf(thread), y);
  });
}

void Linear::RunGathered(const Gather& gather, void* y) const {
  context_.pool->ParallelFor((m_ + piece_ - 1) / piece_, [&](std::int64_t p, int thread) {
    const Scratch scratch = ScratchOf(thread);
    const std::int64_t first = p * piece_;
    const void* x = gather(first, std::min(piece_, m_ - first), scratch.gathered);
    Piece(first, x, scratch, y);
  });
}

void Linear::Piece(std::int64_t first, const void* x, const Scratch& scratch, void* y) const {
  const std::int64_t rows = std::min(piece_, m_ - first);
  const float* bias = bias_.empty() ? nullptr : bias_.data<float>();
  auto* out = static_cast<std::byte*>(y) + first * n_ * SizeOf(options_.y_dtype);
  const bool int8 = options_.variant.precision == Precision::kInt8;
  if (int8) {
    Quantize(x, rows, scratch);
    x = scratch.quantized;
  }
  if (own_ != nullptr) {
    const Dequantization dequantization = {scratch.row_scales, scratch.row_zeros,
                                           column_scales_.data(), column_sums_.data()};
    return own_->Run(x, rows, bias, dequantization, out);
  }
  const void* packed = packed_.view().raw();
  if (direct_) return matmul_->Run(x, rows, packed, bias, out);
  matmul_->Run(x, rows, packed, nullptr, scratch.sums);
  Epilogue(rows, scratch, out);
}

void Linear::Quantize(const void* x, std::int64_t rows, const Scratch& scratch) const {
  const std::size_t pitch = k_ * SizeOf(options_.x_dtype);
  const float least = options_.x_range == XRange::kGelu     ? kGeluLeast
                      : options_.x_range == XRange::kSkewed ? kLeastOfRow
                                                            : kNoLeast;
  for (std::int64_t i = 0; i < rows; ++i) {
    const RowScale row = QuantizeRowU8(static_cast<const std::byte*>(x) + i * pitch,
                                       options_.x_dtype, k_, least, scratch.quantized + i * k_);
    scratch.row_scales[i] = row.scale;
    scratch.row_zeros[i] = row.zero;
  }
}

void Linear::Epilogue(std::int64_t rows, const Scratch& scratch, std::byte* out) const {
  for (std::int64_t i = 0; i < rows; ++i) {
    RowMap map;
    map.in = static_cast<const std::byte*>(scratch.sums) + i * n_ * 4;
    if (options_.variant.precision == Precision::kInt8) {
      map.in_dtype = DType::kI32;
      map.zero = scratch.row_zeros[i];
      map.column_sum = column_sums_.data();
      map.scale = scratch.row_scales[i];
      map.column_scale = column_scales_.data();
    }
    map.bias = bias_.empty() ? nullptr : bias_.data<float>();
    map.gelu = options_.gelu;
    map.out = out + i * n_ * SizeOf(options_.y_dtype);
    map.out_dtype = options_.y_dtype;
    if (options_.accumulate) {
      map.addend = map.out;
      map.addend_dtype = options_.y_dtype;
    }
    MapRow(map, n_);
  }
}

std::string Linear::description() const {
  const std::string product = own_ != nullptr ? own_->description() : matmul_->description();
  const std::string measured =
      measured_ ? fmt::format(" ({:.1f}x the speed of {} at start-up)", measured_->ratio,
                              own_ != nullptr ? "oneDNN" : "our own")
                : "";
  return fmt::format("{}{}, {} pieces of {} rows", product, measured, (m_ + piece_ - 1) / piece_,
                     piece_);
}

}  // namespace xdna::ops
