#include "ops/linear/npu/linear_array.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <span>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "kernels/array/scaled_gemm.h"
#include "kernels/cost/cost.h"
#include "kernels/matmul/matmul.h"
#include "kernels/quantize/quantize.h"
#include "ops/linear/npu/linear_tile.h"

namespace xdna::ops {
namespace {

using kernels::GemmConfig;
using kernels::GemmType;

constexpr std::size_t kRows = device::kCoreRows;
constexpr std::size_t kQuantizedColumns = 32;  // parts are multiples of

std::size_t UpTo(std::size_t value, std::size_t step) { return (value + step - 1) / step * step; }

std::string TileName(const GemmConfig& c) { return fmt::format("{}x{}x{}", c.m, c.k, c.n); }

std::size_t InBytes(const GemmConfig& c) { return c.in == GemmType::kBf16 ? 2 : 1; }

std::size_t PartBytes(const GemmConfig& c) {
  return static_cast<std::size_t>(kernels::QuantizedPart(static_cast<std::int32_t>(c.k)));
}

// Of a step.
std::size_t ABytes(const GemmConfig& c) {
  return c.scaled ? c.m / 4 * PartBytes(c) : c.m * c.k * InBytes(c);
}
std::size_t BBytes(const GemmConfig& c) {
  return c.k * c.n * InBytes(c) + (c.scaled ? 6 : 4) * c.n;
}

// Of a core, without what rounding to 32 bytes adds.
std::size_t CoreBytes(const GemmConfig& c) {
  return device::kDefaultStackBytes + 2 * (ABytes(c) + BBytes(c)) + c.m * c.n * (4 + c.out_bytes);
}

std::size_t MemTileBytes(const GemmConfig& c) {
  const std::size_t steps = c.k_mem / c.k;
  return 2 * (kRows / c.columns * steps * ABytes(c) + steps * BBytes(c) +
              kRows * c.m * c.n * c.out_bytes);
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
    return times * kernels::CoreCycles("matmul_scaled_int8", {m, k, n, 0}, kChess) +
           kernels::CoreCycles("matmul_finish_scaled_bf16", {m, n, c.gelu ? 1 : 0}, kChess);
  }
  return times * kernels::CoreCycles("matmul_bf16", {m, k, n, 0}, kChess) +
         kernels::CoreCycles("matmul_finish_bf16", {m, n, 1, 0, 0, c.gelu ? 1 : 0}, kChess);
}

// A run, to rank tiles by: the cycles of a core, or those of the shims, whose channels take 4 bytes
// a cycle each and host memory some 16 for all of them, whichever are more. The first block's way
// in and the last one's way out come on top.
ArrayTile Estimate(const GemmConfig& c, const kernels::GemmProblem& problem) {
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
  const double dma = std::max({a, b, y}) / channels, host = (a + b) / 16;
  return {TileName(c), std::max({cores, dma, host}) + ends,
          cores >= std::max(dma, host) ? "compute" : (dma >= host ? "dma" : "ddr")};
}

GemmConfig Like(const ArrayProduct& product) {
  GemmConfig c;
  c.in = product.in;
  c.scaled = product.in == GemmType::kInt8;
  if (c.scaled) {
    c.int_shift =
        static_cast<unsigned>(kernels::ScaledShift(static_cast<std::int32_t>(product.problem.k)));
  }
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

// What keeps the array from it; empty: nothing.
std::string_view BrokenBy(const GemmConfig& c, const kernels::GemmProblem& problem) {
  if (const device::Fit fit = kernels::GemmFits(c); !fit) return BrokenLimit(fit.reason);
  try {
    static_cast<void>(kernels::GemmInstructions(c, problem));
  } catch (const Error& error) {
    return BrokenLimit(error.message());
  }
  return {};
}

struct Candidate {
  GemmConfig config;
  ArrayTile tile;
};

// Configurations with tiles in steps of 16 up to 128 (m from 4, n from 8, k to 256) that the cores'
// and memory tiles' memory holds, those that should be the fastest first. BrokenBy() has the last
// word on them.
std::vector<Candidate> Candidates(const ArrayProduct& product,
                                  std::map<std::string, std::int64_t>& refused) {
  std::vector<Candidate> ranked;
  GemmConfig c = Like(product);
  for (const std::size_t m : Sizes({4, 8}, 128)) {
    for (const std::size_t n : Sizes({8}, 128)) {
      for (const std::size_t k : Sizes({8}, 256)) {
        c.m = m, c.n = n, c.k = k;
        if (c.scaled && k % kQuantizedColumns != 0) continue;
        if (CoreBytes(c) > device::kTileDataBytes) {
          ++refused["core memory"];
        } else if (!SetPanel(c, product.problem.k)) {
          ++refused["memory tile"];
        } else {
          ranked.push_back({c, Estimate(c, product.problem)});
        }
      }
    }
  }
  std::ranges::stable_sort(ranked, {}, [](const Candidate& r) { return r.tile.cycles; });
  return ranked;
}

}  // namespace

ArrayProduct ArrayProductOf(Precision precision, bool gelu, const kernels::GemmProblem& problem,
                            std::size_t columns) {
  return {precision == Precision::kBf16 ? GemmType::kBf16 : GemmType::kInt8, gelu, columns,
          problem};
}

ArrayTiles GemmTiles(const ArrayProduct& product) {
  constexpr double kMostPadding = 1.125;
  constexpr std::size_t kLeastMacs = std::size_t{1} << 15;
  constexpr double kManyMacs = 0x1p28;
  ArrayTiles tiles;
  if (product.columns == 3) return tiles;
  const std::vector<Candidate> candidates = Candidates(product, tiles.refused);
  double least = std::numeric_limits<double>::infinity();
  for (const Candidate& c : candidates) least = std::min(least, Volume(c.config, product.problem));
  for (const auto& [c, tile] : candidates) {
    const bool tiny = c.m * c.k * c.n < kLeastMacs;
    const bool padded = Volume(c, product.problem) > kMostPadding * least;
    std::string_view broken;
    if (least > kManyMacs && (tiny || padded)) {
      broken = tiny ? "calls too small" : "padding";
    } else {
      broken = BrokenBy(c, product.problem);
    }
    if (broken.empty()) {
      tiles.legal.push_back(tile);
    } else {
      ++tiles.refused[std::string(broken)];
    }
  }
  return tiles;
}

ArrayTiles TilesOfBoth(const ArrayTiles& first, const ArrayTiles& second) {
  std::map<std::string_view, const ArrayTile*> others;
  for (const ArrayTile& tile : second.legal) others[tile.name] = &tile;
  ArrayTiles both;
  both.refused = first.refused;
  for (const ArrayTile& tile : first.legal) {
    const auto other = others.find(tile.name);
    if (other == others.end()) {
      ++both.refused["the other product"];
      continue;
    }
    const bool longer = tile.cycles >= other->second->cycles;
    both.legal.push_back({tile.name, tile.cycles + other->second->cycles,
                          longer ? tile.bound : other->second->bound});
  }
  std::ranges::stable_sort(both.legal, {}, [](const ArrayTile& tile) { return tile.cycles; });
  return both;
}

GemmConfig ChooseGemm(const ArrayProduct& product, const std::string& tile) {
  std::map<std::string, std::int64_t> refused;
  for (const Candidate& c : Candidates(product, refused)) {
    if (!tile.empty() && c.tile.name != tile) continue;
    if (BrokenBy(c.config, product.problem).empty()) return c.config;
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

ArrayLinear::ArrayLinear(std::shared_ptr<ArrayDevice> device, const TensorView& weight,
                         const TensorView& bias, std::int64_t m, const Options& options)
    : device_(std::move(device)), options_(options), m_(m), n_(weight.dim(0)), k_(weight.dim(1)) {
  const ArrayOptions& array = device_->options();
  if (options.precision == Precision::kF32) {
    Throw(ErrorCode::kUnsupported, "the array multiplies bf16 and int8, not f32");
  }
  if (array.columns == 3) {
    Throw(ErrorCode::kUnsupported, "products run on 1, 2 or 4 columns, not on 3");
  }
  if (options.precision == Precision::kInt8 && options.x_stride != 0) {
    Throw(ErrorCode::kUnsupported, "rows that are quantised do not overlap");
  }
  const std::int64_t batch = array.batch == 0 ? m : std::min(array.batch, m);
  config_ =
      ChooseGemm(ArrayProductOf(options.precision, options.gelu, Problem(batch), array.columns),
                 options.tile.value_or(array.tile));
  const bool int8 = options.precision == Precision::kInt8;
  stage_ = std::make_unique<ArrayStage>(device_,
                                        int8 ? Int8Design(weight, bias) : Design(weight, bias), m);
}

ArrayLinear::~ArrayLinear() = default;

kernels::GemmProblem ArrayLinear::Problem(std::int64_t rows) const {
  return {static_cast<std::size_t>(rows), static_cast<std::size_t>(k_),
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
  if (config_.scaled) {
    return kernels::PackScaledWeights(config_, problem, weight.data<const float>(),
                                      bias.empty() ? nullptr : bias.data<const float>());
  }
  const Tensor turned = TransposedBf16(weight);
  return kernels::PackGemmB(config_, problem, turned.view().raw(), bias.raw());
}

void ArrayLinear::Run(const TensorView& x, const TensorView& y) {
  stage_->Run([&](std::size_t, std::int64_t first, std::int64_t rows,
                  std::span<std::byte> to) { Fill(x, first, rows, to); },
              [&](std::size_t, std::int64_t first, std::int64_t rows,
                  std::span<const std::byte> from) { Drain(y, first, rows, from); });
}

void ArrayLinear::Fill(const TensorView& x, std::int64_t first, std::int64_t rows,
                       std::span<std::byte> to) const {
  std::memset(to.data(), 0, to.size());
  constexpr std::size_t kSize = sizeof(bfloat16);
  const auto* base = static_cast<const std::byte*>(x.raw());
  if (options_.x_stride != 0) {
    const auto begin = static_cast<std::size_t>(first * options_.x_stride) * kSize;
    const auto bytes = static_cast<std::size_t>((rows - 1) * options_.x_stride + k_) * kSize;
    std::memcpy(to.data(), base + begin, std::min(bytes, x.bytes() - begin));
    return;
  }
  const auto row = static_cast<std::size_t>(k_) * kSize;
  const std::size_t pitch = kernels::Padded(config_, Problem(1)).k * kSize;
  for (std::int64_t i = 0; i < rows; ++i) {
    std::memcpy(to.data() + static_cast<std::size_t>(i) * pitch,
                base + static_cast<std::size_t>(first + i) * row, row);
  }
}

void ArrayLinear::Drain(const TensorView& y, std::int64_t first, std::int64_t rows,
                        std::span<const std::byte> from) const {
  const auto pitch = static_cast<std::int64_t>(kernels::Padded(config_, Problem(1)).n);
  bfloat16* to = Bf16Data(y) + first * n_;
  const auto* results = reinterpret_cast<const bfloat16*>(from.data());
  for (std::int64_t i = 0; i < rows; ++i) std::copy_n(results + i * pitch, n_, to + i * n_);
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

ArrayTiles LinearArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                            std::size_t columns) {
  return GemmTiles(
      ArrayProductOf(variant.precision, false,
                     {static_cast<std::size_t>(batch), static_cast<std::size_t>(dims.at("k")),
                      static_cast<std::size_t>(dims.at("n"))},
                     columns));
}

}  // namespace xdna::ops
