#include "ops/linear/npu/linear_array.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <span>
#include <utility>

#include "base/error.h"
#include "kernels/cost/cost.h"
#include "kernels/dequantize/dequantize.h"
#include "kernels/quantize/quantize.h"
#include "ops/internal/tile.h"
#include "ops/linear/npu/linear_tile.h"
#include "ops/linear/npu/tile_product.h"

namespace xdna::ops {
namespace {

using kernels::GemmConfig;
using kernels::GemmType;

constexpr std::size_t kRows = device::kCoreRows;

std::size_t UpTo(std::size_t value, std::size_t step) { return (value + step - 1) / step * step; }

std::string TileName(const GemmConfig& c) { return fmt::format("{}x{}x{}", c.m, c.k, c.n); }

std::size_t InBytes(const GemmConfig& c) { return c.in == GemmType::kBf16 ? 2 : 1; }

// Of a core, without what rounding to 32 bytes adds.
std::size_t CoreBytes(const GemmConfig& c) {
  const std::size_t in = InBytes(c);
  return device::kDefaultStackBytes + 2 * (c.m * c.k * in + c.k * c.n * in + 4 * c.n) +
         c.m * c.n * (4 + c.out_bytes);
}

std::size_t MemTileBytes(const GemmConfig& c) {
  const std::size_t a = kRows / c.columns * c.m * c.k_mem * InBytes(c);
  const std::size_t b = c.k_mem / c.k * (c.k * c.n * InBytes(c) + 4 * c.n);
  return 2 * (a + b + kRows * c.m * c.n * c.out_bytes);
}

// The deepest panel of up to 4 steps that fits and pads no further than the tile does.
bool SetPanel(GemmConfig& c, std::size_t k) {
  const std::size_t steps = UpTo(k, c.k) / c.k;
  for (std::size_t panel = std::min<std::size_t>(4, steps); panel >= 1; --panel) {
    c.k_mem = panel * c.k;
    if (steps % panel == 0 && MemTileBytes(c) <= device::kMemTileBytes) return true;
  }
  return false;
}

double Volume(const GemmConfig& c, const kernels::GemmProblem& problem) {
  const kernels::GemmProblem p = kernels::Padded(c, problem);
  return static_cast<double>(p.m) * static_cast<double>(p.k) * static_cast<double>(p.n);
}

// Of a core's calls for one tile of C.
double TileCycles(const GemmConfig& c, std::size_t steps) {
  constexpr auto kChess = kernels::CodeGenerator::kChess;
  const auto m = static_cast<std::int64_t>(c.m), k = static_cast<std::int64_t>(c.k),
             n = static_cast<std::int64_t>(c.n);
  const auto times = static_cast<double>(steps);
  if (c.in == GemmType::kInt8) {
    return times * kernels::CoreCycles("matmul_int8", {m, k, n, 0}, kChess) +
           kernels::CoreCycles("matmul_finish_int32", {m, n, 1}, kChess);
  }
  return times * kernels::CoreCycles("matmul_bf16", {m, k, n, 0}, kChess) +
         kernels::CoreCycles("matmul_finish_bf16", {m, n, 1, 0, 0, c.gelu ? 1 : 0}, kChess);
}

// Cycles of a run, to rank tiles by: those of a core, or those of the shims, whose channels take 4
// bytes a cycle each and host memory some 16 for all of them, whichever are more. The first block's
// way in and the last one's way out come on top.
double Estimate(const GemmConfig& c, const kernels::GemmProblem& problem) {
  const kernels::GemmProblem p = kernels::Padded(c, problem);
  const std::size_t steps = p.k / c.k, rows = p.m / (c.m * kRows), cols = p.n / (c.n * c.columns);
  const auto row_blocks = static_cast<double>(rows), column_blocks = static_cast<double>(cols);
  const double tile = TileCycles(c, steps);
  const double cores = row_blocks * column_blocks * tile;
  const auto in = static_cast<double>(InBytes(c));
  const double a = static_cast<double>(p.m * p.k) * in * column_blocks;
  const double b = static_cast<double>(p.k * p.n) * in * row_blocks;
  const auto y = static_cast<double>(p.m * p.n * c.out_bytes);
  const double channels = 4 * static_cast<double>(c.columns);
  const double ends =
      tile / static_cast<double>(steps) + static_cast<double>(kRows * c.m * c.n * c.out_bytes) / 4;
  return std::max({cores, a / channels, b / channels, y / channels, (a + b) / 16}) + ends;
}

GemmConfig Like(const ArrayProduct& product) {
  GemmConfig c;
  c.in = product.in;
  c.out_bytes = product.in == GemmType::kBf16 ? 2 : 4;
  c.columns = product.columns;
  c.packed_b = true;
  c.gelu = product.gelu;
  return c;
}

std::vector<std::size_t> Sizes(std::initializer_list<std::size_t> small, std::size_t most) {
  std::vector<std::size_t> sizes = small;
  for (std::size_t size = 16; size <= most; size += 16) sizes.push_back(size);
  return sizes;
}

bool Works(const GemmConfig& c, const kernels::GemmProblem& problem) {
  if (!kernels::GemmFits(c)) return false;
  try {
    static_cast<void>(kernels::GemmInstructions(c, problem));
  } catch (const Error&) {
    return false;
  }
  return true;
}

}  // namespace

ArrayProduct ArrayProductOf(Precision precision, bool gelu, const kernels::GemmProblem& problem,
                            std::size_t columns) {
  const bool bf16 = precision == Precision::kBf16;
  return {bf16 ? GemmType::kBf16 : GemmType::kInt8, bf16 && gelu, columns, problem};
}

std::vector<GemmConfig> GemmCandidates(const ArrayProduct& product) {
  std::vector<std::pair<double, GemmConfig>> ranked;
  GemmConfig c = Like(product);
  for (const std::size_t m : Sizes({4, 8}, 128)) {
    for (const std::size_t n : Sizes({8}, 128)) {
      for (const std::size_t k : Sizes({8}, 256)) {
        c.m = m, c.n = n, c.k = k;
        if (CoreBytes(c) > device::kTileDataBytes || !SetPanel(c, product.problem.k)) continue;
        ranked.emplace_back(Estimate(c, product.problem), c);
      }
    }
  }
  std::ranges::stable_sort(ranked, {}, [](const auto& r) { return r.first; });
  std::vector<GemmConfig> candidates;
  for (const auto& [cycles, config] : ranked) candidates.push_back(config);
  return candidates;
}

std::vector<std::string> GemmTiles(const ArrayProduct& product) {
  constexpr double kMostPadding = 1.125;
  constexpr std::size_t kLeastMacs = std::size_t{1} << 15;
  constexpr double kManyMacs = 0x1p28;
  const std::vector<GemmConfig> candidates = GemmCandidates(product);
  double least = std::numeric_limits<double>::infinity();
  for (const GemmConfig& c : candidates) least = std::min(least, Volume(c, product.problem));
  std::vector<std::string> names;
  for (const GemmConfig& c : candidates) {
    const bool tiny = c.m * c.k * c.n < kLeastMacs;
    const bool padded = Volume(c, product.problem) > kMostPadding * least;
    if (least > kManyMacs && (tiny || padded)) continue;
    if (Works(c, product.problem)) names.push_back(TileName(c));
  }
  return names;
}

GemmConfig ChooseGemm(const ArrayProduct& product, const std::string& tile) {
  for (const GemmConfig& c : GemmCandidates(product)) {
    if (!tile.empty() && TileName(c) != tile) continue;
    if (Works(c, product.problem)) return c;
  }
  if (tile.empty()) {
    Throw(ErrorCode::kUnsupported, "no tile of the array can do {} x {} x {}", product.problem.m,
          product.problem.k, product.problem.n);
  }
  Throw(ErrorCode::kInvalidArgument,
        "tile '{}': not one of the array's for {} x {} x {}; --sweep='tile=*' lists them", tile,
        product.problem.m, product.problem.k, product.problem.n);
}

// --- ArrayLinear -------------------------------------------------------------------------------

// What the host keeps for int8.
struct ArrayLinear::Int8 {
  Tensor x;              // [m, k_padded], int8
  Tensor row_scales;     // [m]
  Tensor column_scales;  // [n, to a multiple of 16]
  Tensor bias;           // likewise, or empty
};

ArrayLinear::ArrayLinear(std::shared_ptr<ArrayDevice> device, const TensorView& weight,
                         const TensorView& bias, std::int64_t m, const Options& options)
    : device_(std::move(device)),
      options_(options),
      m_(m),
      n_(weight.dim(0)),
      k_(weight.dim(1)),
      k_padded_(PaddedWidth(k_)) {
  const ArrayOptions& array = device_->options();
  if (options.precision == Precision::kF32) {
    Throw(ErrorCode::kUnsupported, "the array multiplies bf16 and int8, not f32");
  }
  if (array.columns == 3) {
    Throw(ErrorCode::kUnsupported, "products run on 1, 2 or 4 columns, not on 3");
  }
  const std::int64_t batch = array.batch == 0 ? m : std::min(array.batch, m);
  config_ = ChooseGemm(
      ArrayProductOf(options.precision, options.gelu, Problem(batch), array.columns), array.tile);
  if (options.precision == Precision::kInt8) {
    int8_ = std::make_unique<Int8>();
    int8_->x = Tensor(DType::kI8, {m, k_padded_});
    int8_->row_scales = Tensor(DType::kF32, {m});
    int8_->column_scales = Tensor(DType::kF32, {PaddedWidth(n_)});
    if (!bias.empty()) {
      int8_->bias = Tensor(DType::kF32, {PaddedWidth(n_)});
      std::memcpy(int8_->bias.data<float>(), bias.data<const float>(), bias.bytes());
    }
  }
  stage_ = std::make_unique<ArrayStage>(device_, Design(weight, bias), m);
}

ArrayLinear::~ArrayLinear() = default;

kernels::GemmProblem ArrayLinear::Problem(std::int64_t rows) const {
  const bool int8 = options_.precision == Precision::kInt8;
  return {static_cast<std::size_t>(rows), static_cast<std::size_t>(int8 ? k_padded_ : k_),
          static_cast<std::size_t>(n_), static_cast<std::size_t>(options_.x_stride)};
}

ArrayDesign ArrayLinear::Design(const TensorView& weight, const TensorView& bias) const {
  const GemmConfig config = config_;
  const auto problem = [p = Problem(0)](std::int64_t rows) {
    kernels::GemmProblem of_run = p;
    of_run.m = static_cast<std::size_t>(rows);
    return of_run;
  };
  const auto bytes = [config, problem](std::size_t kernels::GemmBytes::*part) {
    return [config, problem, part](std::int64_t rows) {
      return kernels::GemmBufferBytes(config, problem(rows)).*part;
    };
  };
  ArrayDesign design;
  design.name = fmt::format("gemm {} {} panel {}{} {} columns",
                            config.in == GemmType::kBf16 ? "bf16" : "int8", TileName(config),
                            config.k_mem, config.gelu ? " gelu" : "", config.columns);
  design.overlay = [config] { return kernels::GemmOverlay(config); };
  design.instructions = [config, problem](std::int64_t rows) {
    return kernels::GemmInstructions(config, problem(rows));
  };
  design.buffers = {
      {ArrayBuffer::Role::kIn, bytes(&kernels::GemmBytes::a)},
      {ArrayBuffer::Role::kConstant, bytes(&kernels::GemmBytes::b), PackedWeight(weight, bias)},
      {ArrayBuffer::Role::kOut, bytes(&kernels::GemmBytes::c)}};
  return design;
}

std::vector<std::byte> ArrayLinear::PackedWeight(const TensorView& weight,
                                                 const TensorView& bias) const {
  if (!device_->options().data) return {};
  const kernels::GemmProblem problem = Problem(1);
  if (!int8_) {
    const Tensor turned = TransposedBf16(weight);
    return kernels::PackGemmB(config_, problem, turned.view().raw(), bias.raw());
  }
  Tensor turned(DType::kI8, {k_padded_, n_});
  const Tensor row(DType::kF32, {k_padded_});
  const Tensor quantized(DType::kI8, {k_padded_});
  for (std::int64_t j = 0; j < n_; ++j) {
    std::memcpy(row.data<float>(), weight.data<const float>() + j * k_,
                static_cast<std::size_t>(k_) * sizeof(float));
    quantize_rows_f32(row.data<float>(), quantized.data<int8>(),
                      int8_->column_scales.data<float>() + j, 1, static_cast<int32>(k_padded_));
    for (std::int64_t z = 0; z < k_padded_; ++z) {
      turned.data<int8>()[z * n_ + j] = quantized.data<int8>()[z];
    }
  }
  return kernels::PackGemmB(config_, problem, turned.view().raw(), nullptr);
}

void ArrayLinear::Run(const TensorView& x, const TensorView& y) {
  if (int8_ && device_->options().data) {
    const Tensor wide(DType::kBf16, {m_, k_padded_});
    for (std::int64_t i = 0; i < m_; ++i) {
      std::copy_n(Bf16Data(x) + i * k_, k_, Bf16Data(wide) + i * k_padded_);
    }
    quantize_rows_bf16(Bf16Data(wide), int8_->x.data<int8>(), int8_->row_scales.data<float>(),
                       static_cast<int32>(m_), static_cast<int32>(k_padded_));
  }
  stage_->Run([&](std::size_t, std::int64_t first, std::int64_t rows,
                  std::span<std::byte> to) { Fill(x, first, rows, to); },
              [&](std::size_t, std::int64_t first, std::int64_t rows,
                  std::span<const std::byte> from) { Drain(y, first, rows, from); });
}

void ArrayLinear::Fill(const TensorView& x, std::int64_t first, std::int64_t rows,
                       std::span<std::byte> to) const {
  std::memset(to.data(), 0, to.size());
  const TensorView& from = int8_ ? int8_->x.view() : x;
  const std::size_t size = SizeOf(from.dtype());
  const auto* base = static_cast<const std::byte*>(from.raw());
  if (options_.x_stride != 0) {
    const auto begin = static_cast<std::size_t>(first * options_.x_stride) * size;
    const auto bytes = static_cast<std::size_t>((rows - 1) * options_.x_stride + k_) * size;
    std::memcpy(to.data(), base + begin, std::min(bytes, from.bytes() - begin));
    return;
  }
  const auto row = Problem(1).k * size;
  const std::size_t pitch = kernels::Padded(config_, Problem(1)).k * size;
  for (std::int64_t i = 0; i < rows; ++i) {
    std::memcpy(to.data() + static_cast<std::size_t>(i) * pitch,
                base + static_cast<std::size_t>(first + i) * row, row);
  }
}

void ArrayLinear::Drain(const TensorView& y, std::int64_t first, std::int64_t rows,
                        std::span<const std::byte> from) const {
  const auto pitch = static_cast<std::int64_t>(kernels::Padded(config_, Problem(1)).n);
  bfloat16* to = Bf16Data(y) + first * n_;
  if (!int8_) {
    const auto* sums = reinterpret_cast<const bfloat16*>(from.data());
    for (std::int64_t i = 0; i < rows; ++i) std::copy_n(sums + i * pitch, n_, to + i * n_);
    return;
  }
  const auto* sums = reinterpret_cast<const int32*>(from.data());
  const std::int64_t width = PaddedWidth(n_);
  const Tensor wide(DType::kI32, {rows, width});
  for (std::int64_t i = 0; i < rows; ++i) {
    std::copy_n(sums + i * pitch, n_, wide.data<int32>() + i * width);
  }
  const Tensor c(DType::kF32, {rows, width});
  dequantize_f32(wide.data<int32>(), int8_->row_scales.data<float>() + first,
                 int8_->column_scales.data<float>(), c.data<float>(), static_cast<int32>(rows),
                 static_cast<int32>(width));
  kernels::MatmulEpilogue epilogue;
  epilogue.bias = int8_->bias.empty() ? nullptr : int8_->bias.data<float>();
  epilogue.gelu = options_.gelu;
  FinishRows(c.data<float>(), width, rows, n_, epilogue, to);
}

std::unique_ptr<Instance> MakeLinearArray(const Dims& dims, const TensorMap& in, Variant variant,
                                          const CpuContext& context) {
  const std::shared_ptr<ArrayDevice> device = DeviceFor(context);
  const auto linear =
      std::make_shared<ArrayLinear>(device, in.at("weight"), in.at("bias"), dims.at("m"),
                                    ArrayLinear::Options{.precision = variant.precision});
  const auto operands = CloneAs(in, {{"x", DType::kBf16}});
  return std::make_unique<ArrayInstance>(
      device, Tensor(DType::kBf16, {dims.at("m"), dims.at("n")}),
      [linear, operands](const TensorView& y) { linear->Run(operands->at("x"), y); });
}

std::vector<std::string> LinearArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                                          std::size_t columns) {
  return GemmTiles(
      ArrayProductOf(variant.precision, false,
                     {static_cast<std::size_t>(batch), static_cast<std::size_t>(dims.at("k")),
                      static_cast<std::size_t>(dims.at("n"))},
                     columns));
}

}  // namespace xdna::ops
