#include "ops/linear/npu/linear_tile.h"

#include <aie_api/aie.hpp>
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernels/dequantize/dequantize.h"
#include "kernels/quantize/quantize.h"
#include "ops/internal/instance.h"
#include "ops/internal/tile.h"

namespace xdna::ops {
namespace {

// Of a piece: enough that decoding the weights for it, which each piece does, costs little.
constexpr std::int64_t kPieceRows = 128;

kernels::MatmulProblem Problem(std::int64_t m, std::int64_t k, std::int64_t n) {
  return {static_cast<int32>(m), static_cast<int32>(k), static_cast<int32>(n)};
}

TileProduct Product(std::int64_t m, std::int64_t k, std::int64_t n, bool bias, bool gelu,
                    const TileOptions& options) {
  TileProduct::Options o;
  o.int8 = options.precision == Precision::kInt8;
  o.bias = bias && !o.int8;
  o.gelu = gelu && !o.int8;
  o.reload = options.reload;
  o.host = options.host;
  return {Problem(m, o.int8 ? PaddedWidth(k) : k, o.int8 ? PaddedWidth(n) : n), o};
}

}  // namespace

TileOptions TileOptionsOf(const Variant& variant) {
  if (variant.precision == Precision::kF32) {
    Throw(ErrorCode::kUnsupported, "a tile multiplies bf16 and int8, not f32");
  }
  TileOptions options;
  options.precision = variant.precision;
  const bool reload = variant.kernel == "reload" && variant.precision == Precision::kBf16;
  if (!variant.kernel.empty() && variant.kernel != "floor" && !reload) {
    Throw(ErrorCode::kInvalidArgument, "no kernel '{}' for products in {}", variant.kernel,
          PrecisionName(variant.precision));
  }
  options.reload = reload;
  if (!variant.kernel.empty()) options.rounding = aie::rounding_mode::floor;
  return options;
}

bfloat16* Bf16Data(const TensorView& tensor) {
  return reinterpret_cast<bfloat16*>(tensor.data<Bf16>());
}

Tensor TransposedBf16(const TensorView& weight) {
  const std::int64_t n = weight.dim(0), k = weight.dim(1);
  return Convert(TensorView(weight.raw(), weight.dtype(), {k, n}, {1, k}), DType::kBf16);
}

TileLinear::TileLinear(const TensorView& weight, const TensorView& bias, std::int64_t m, bool gelu,
                       const TileOptions& options, const CpuContext& context)
    : options_(options),
      context_(context),
      m_(m),
      n_(weight.dim(0)),
      k_(weight.dim(1)),
      n_padded_(PaddedWidth(n_)),
      k_padded_(PaddedWidth(k_)),
      gelu_(gelu),
      product_(Product(m, k_, n_, !bias.empty(), gelu, options)) {
  const std::int64_t tile = product_.tile().m;
  piece_ = std::max<std::int64_t>(kPieceRows / tile, 1) * tile;
  if (options.precision == Precision::kInt8) {
    PackInt8(weight);
  } else {
    weight_ = TransposedBf16(weight);
  }
  if (bias.empty()) return;
  bias_ = Tensor(DType::kF32, {n_padded_});
  std::memcpy(bias_.data<float>(), bias.data<const float>(), bias.bytes());
}

void TileLinear::PackInt8(const TensorView& weight) {
  column_scales_ = Tensor(DType::kF32, {n_padded_});
  weight_ = Tensor(DType::kI8, {k_padded_, n_padded_});
  const Tensor row(DType::kF32, {k_padded_});
  const Tensor quantized(DType::kI8, {k_padded_});
  for (std::int64_t j = 0; j < n_; ++j) {
    std::memcpy(row.data<float>(), weight.data<const float>() + j * k_, k_ * sizeof(float));
    quantize_rows_f32(row.data<float>(), quantized.data<int8>(), column_scales_.data<float>() + j,
                      1, static_cast<int32>(k_padded_));
    for (std::int64_t z = 0; z < k_; ++z) {
      weight_.data<int8>()[z * n_padded_ + j] = quantized.data<int8>()[z];
    }
  }
}

void TileLinear::Run(const TensorView& x, const TensorView& y) const {
  context_.pool->ParallelFor((m_ + piece_ - 1) / piece_, [&](std::int64_t p, int) {
    const std::int64_t first = p * piece_;
    Piece(std::min(piece_, m_ - first), Bf16Data(x) + first * k_, Bf16Data(y) + first * n_);
  });
}

void TileLinear::RunGathered(const Gather& gather, const TensorView& y) const {
  context_.pool->ParallelFor((m_ + piece_ - 1) / piece_, [&](std::int64_t p, int) {
    const std::int64_t first = p * piece_;
    const std::int64_t rows = std::min(piece_, m_ - first);
    const Tensor x(DType::kBf16, {rows, k_});
    gather(first, rows, Bf16Data(x));
    Piece(rows, Bf16Data(x), Bf16Data(y) + first * n_);
  });
}

void TileLinear::Piece(std::int64_t rows, const bfloat16* x, bfloat16* y) const {
  if (options_.precision == Precision::kInt8) return PieceInt8(rows, x, y);
  kernels::MatmulEpilogue epilogue;
  epilogue.bias = bias_.empty() ? nullptr : bias_.data<float>();
  epilogue.gelu = gelu_;
  epilogue.rounding = options_.rounding;
  product_.Run(rows, x, Bf16Data(weight_), epilogue, y);
}

void TileLinear::PieceInt8(std::int64_t rows, const bfloat16* x, bfloat16* y) const {
  const Tensor wide(DType::kBf16, {rows, k_padded_});
  for (std::int64_t i = 0; i < rows; ++i) {
    std::memcpy(Bf16Data(wide) + i * k_padded_, x + i * k_, k_ * sizeof(bfloat16));
  }
  const Tensor quantized(DType::kI8, {rows, k_padded_});
  const Tensor row_scales(DType::kF32, {rows});
  const auto height = static_cast<int32>(rows);
  quantize_rows_bf16(Bf16Data(wide), quantized.data<int8>(), row_scales.data<float>(), height,
                     static_cast<int32>(k_padded_));
  const Tensor sums(DType::kI32, {rows, n_padded_});
  product_.Run(rows, quantized.data<int8>(), weight_.data<int8>(), sums.data<int32>());
  const Tensor c(DType::kF32, {rows, n_padded_});
  dequantize_f32(sums.data<int32>(), row_scales.data<float>(), column_scales_.data<float>(),
                 c.data<float>(), height, static_cast<int32>(n_padded_));
  kernels::MatmulEpilogue epilogue;
  epilogue.bias = bias_.empty() ? nullptr : bias_.data<float>();
  epilogue.gelu = gelu_;
  epilogue.rounding = options_.rounding;
  FinishRows(c.data<float>(), n_padded_, rows, n_, epilogue, y);
}

golden::Tolerance TileProductTolerance(Precision precision, std::int64_t k, std::string_view data) {
  golden::Tolerance t = ProductTolerance(precision, k, data);
  if (data == "exact") return t;
  if (precision == Precision::kInt8) {
    t.provenance += "; on a tile as on the CPU: its quantisation differs by 2^-20";
    return t;
  }
  const std::int64_t macs = (k + 7) / 8;
  const double sum = static_cast<double>(10 * macs + 3) * kUnitF32;
  const double operands = (1 + kUnitBf16) * (1 + kUnitBf16);
  t.magnitude = (1 + kUnitBf16) * (operands * (1 + sum) - 1);
  t.provenance =
      "x, w and y rounded to bf16 (2^-8 each); 10 * 2^-24 of sum |x w| for each MAC of 8 and 3 for "
      "the bias; rel-L2: sqrt(3) rms of 1.6e-3, and 1.4x room; bias: floor has 2.7e-3";
  return t;
}

golden::Tolerance WithTileGelu(golden::Tolerance product) {
  product.magnitude *= 1.13;
  product.absolute += 3e-5;
  product.rel_l2 *= 1.5;
  product.provenance += "; GELU on top: slope at most 1.13, 3e-5 for its polynomial in f32";
  return product;
}

kernels::MatmulConfig TileConfigOf(const Variant& variant, bool gelu) {
  kernels::MatmulConfig config;
  const bool int8 = variant.precision == Precision::kInt8;
  config.in_bytes = int8 ? 1 : 2;
  config.out_bytes = int8 ? 4 : 2;
  config.reload = variant.kernel == "reload";
  config.bias = !int8 && !config.reload;
  config.gelu = config.bias && gelu;
  return config;
}

std::unique_ptr<Instance> MakeLinearTile(const Dims& dims, const TensorMap& in, Variant variant,
                                         const CpuContext& context) {
  const auto linear = std::make_shared<TileLinear>(in.at("weight"), in.at("bias"), dims.at("m"),
                                                   false, TileOptionsOf(variant), context);
  const auto operands = CloneAs(in, {{"x", DType::kBf16}});
  return std::make_unique<ClosureInstance>(
      Tensor(DType::kBf16, {dims.at("m"), dims.at("n")}),
      [linear, operands](const TensorView& y) { linear->Run(operands->at("x"), y); });
}

golden::Tolerance LinearTileTolerance(const Dims& dims, Variant variant, std::string_view data) {
  return TileProductTolerance(variant.precision, dims.at("k"), data);
}

std::vector<TileShape> LinearTiles(const Dims& dims, Variant variant) {
  return ProductTiles(TileConfigOf(variant, /*gelu=*/false), dims.at("k"));
}

}  // namespace xdna::ops
