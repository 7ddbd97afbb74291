#include "ops/attention/npu/attention_array.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "kernels/array/attention.h"
#include "kernels/cost/cost.h"
#include "ops/attention/npu/attention_tile.h"
#include "ops/internal/instance.h"
#include "ops/internal/profile.h"
#include "ops/linear/npu/linear_array.h"

namespace xdna::ops {
namespace {

using kernels::AttentionArrayConfig;

// Of the heads: "64x48", queries x keys.
std::string TileName(const AttentionArrayConfig& config) {
  return fmt::format("{}x{}", config.queries, config.keys);
}

// Every block of queries and of keys that a core may hold, the largest first.
std::vector<AttentionArrayConfig> Configs(std::int64_t head, std::size_t columns) {
  std::vector<AttentionArrayConfig> configs;
  for (const std::size_t queries : {64U, 48U, 32U, 16U, 8U, 4U}) {
    for (const std::size_t keys : {64U, 48U, 32U, 16U, 8U}) {
      configs.push_back({.queries = queries,
                         .keys = keys,
                         .d = static_cast<std::size_t>(head),
                         .columns = columns});
    }
  }
  return configs;
}

// Most of a group of four cores' queries would be padding.
bool Wasteful(const AttentionArrayConfig& config, std::int64_t m) {
  return config.queries > 4 && 4 * config.queries >= 2 * static_cast<std::size_t>(m);
}

// The one named, or the largest block of queries that a core holds and that m positions fill.
AttentionArrayConfig ConfigOf(std::int64_t m, std::int64_t head, std::size_t columns,
                              const std::string& tile) {
  const std::vector<AttentionArrayConfig> configs = Configs(head, columns);
  for (const AttentionArrayConfig& config : configs) {
    if (tile.empty() ? Wasteful(config, m) : TileName(config) != tile) continue;
    if (kernels::AttentionArrayFits(config)) return config;
  }
  if (!tile.empty()) {
    Throw(ErrorCode::kInvalidArgument,
          "tile '{}': no queries x keys of heads of {} on the array; --sweep='tile=*' lists them",
          tile, head);
  }
  Throw(ErrorCode::kUnsupported, "{}", kernels::AttentionArrayFits(configs.back()).reason);
}

// "64x64x64+64x48" has the projections' tile and the heads'; either may be empty: the best.
std::pair<std::string, std::string> PartsOf(const std::string& tile) {
  const std::size_t plus = tile.find('+');
  if (plus == std::string::npos) return {tile, ""};
  return {tile.substr(0, plus), tile.substr(plus + 1)};
}

// A run of the heads, to rank by: units of a head and four blocks of queries go round the columns;
// each is as long as the slower of computing and of bringing K and V, whose channel takes 4 bytes a
// cycle and host memory some 16 for all columns.
ArrayTile HeadsEstimate(const AttentionArrayConfig& c, std::int64_t m, std::int64_t heads) {
  constexpr auto kChess = kernels::CodeGenerator::kChess;
  constexpr double kChannel = 4, kHost = 16;
  const auto queries = static_cast<std::int64_t>(c.queries), d = static_cast<std::int64_t>(c.d),
             keys = static_cast<std::int64_t>(c.keys),
             columns = static_cast<std::int64_t>(c.columns);
  const std::int64_t blocks = (m + keys - 1) / keys;
  const std::int64_t passes = (m + 4 * queries - 1) / (4 * queries);
  const std::int64_t rounds = (heads * passes + columns - 1) / columns;
  const auto times = static_cast<double>(blocks);
  const double core =
      times * kernels::CoreCycles("attention_block_bf16", {queries, d, keys, 0}, kChess) +
      kernels::CoreCycles("attention_finish_bf16", {queries, d}, kChess);
  const double bytes = times * static_cast<double>(2 * keys * d) * sizeof(bfloat16);
  const double dma = bytes / kChannel, host = bytes * static_cast<double>(columns) / kHost;
  return {TileName(c), static_cast<double>(rounds) * std::max({core, dma, host}),
          core >= std::max(dma, host) ? "compute" : (dma >= host ? "dma" : "ddr")};
}

ArrayDesign HeadsDesign(const AttentionArrayConfig& config, std::size_t heads) {
  const std::size_t row = heads * config.d * sizeof(bfloat16);
  const auto qkv = [config, row](std::int64_t rows) {
    return kernels::PaddedPositions(config, static_cast<std::size_t>(rows)) * 3 * row;
  };
  // Whole blocks of queries; where those of keys are longer, nothing is written beyond.
  const auto mixed = [row, block = config.queries * device::kCoreRows](std::int64_t rows) {
    return (static_cast<std::size_t>(rows) + block - 1) / block * block * row;
  };
  ArrayDesign design;
  design.name = fmt::format("attention {}x{}x{} {} columns", config.queries, config.keys, config.d,
                            config.columns);
  design.overlay = [config] { return kernels::AttentionOverlay(config); };
  design.instructions = [config, heads](std::int64_t rows) {
    return kernels::AttentionInstructions(config, {static_cast<std::size_t>(rows), heads});
  };
  design.buffers = {{ArrayBuffer::Role::kIn, qkv}, {ArrayBuffer::Role::kOut, mixed}};
  return design;
}

class ArrayAttention {
 public:
  ArrayAttention(const std::shared_ptr<ArrayDevice>& device, const TensorMap& weights,
                 std::int64_t m, std::int64_t heads)
      : qkv_(DType::kBf16, {m, 3 * weights.at("wq").dim(0)}),
        mixed_(DType::kBf16, {m, weights.at("wq").dim(0)}),
        in_(device, StackedWeights(weights, FusedFactor(weights.at("wq").dim(0), heads)),
            StackedBiases(weights, FusedFactor(weights.at("wq").dim(0), heads)), m,
            {.tile = PartsOf(device->options().tile).first}),
        heads_(
            device,
            HeadsDesign(ConfigOf(m, HeadWidth(weights.at("wq").dim(0), heads),
                                 device->options().columns, PartsOf(device->options().tile).second),
                        static_cast<std::size_t>(heads)),
            m, m),
        out_(device, weights.at("wo"), weights.at("bo"), m,
             {.tile = PartsOf(device->options().tile).first}) {}

  void Run(const TensorView& x, const TensorView& y, Profile* profile) {
    {
      const ScopedSpan span(profile, "attention.qkv");
      in_.Run(x, qkv_);
    }
    {
      const ScopedSpan span(profile, "attention.core");
      heads_.Run(
          [&](std::size_t, std::int64_t, std::int64_t, std::span<std::byte> to) {
            std::memcpy(to.data(), qkv_.view().raw(), qkv_.bytes());
            std::fill(to.begin() + static_cast<std::ptrdiff_t>(qkv_.bytes()), to.end(),
                      std::byte{});
          },
          [&](std::size_t, std::int64_t, std::int64_t, std::span<const std::byte> from) {
            std::memcpy(mixed_.view().raw(), from.data(), mixed_.bytes());
          });
    }
    const ScopedSpan span(profile, "attention.out");
    out_.Run(mixed_, y);
  }

 private:
  Tensor qkv_, mixed_;
  ArrayLinear in_;
  ArrayStage heads_;
  ArrayLinear out_;
};

}  // namespace

std::unique_ptr<Instance> MakeAttentionArray(const Dims& dims, const TensorMap& in,
                                             Variant /*variant*/, const CpuContext& context) {
  const std::int64_t m = dims.at("m");
  const std::shared_ptr<ArrayDevice> device = DeviceFor(context);
  const auto attention = std::make_shared<ArrayAttention>(device, in, m, dims.at("heads"));
  const auto operands = CloneAs(in, {{"x", DType::kBf16}});
  return std::make_unique<ArrayInstance>(
      device, Tensor(DType::kBf16, {m, dims.at("d")}),
      [attention, operands, profile = context.profile](const TensorView& y) {
        attention->Run(operands->at("x"), y, profile);
      });
}

// The projections' best with every one of the heads.
ArrayTiles AttentionArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                               std::size_t columns) {
  constexpr std::size_t kMostProducts = 24;
  const std::int64_t m = dims.at("m"), heads = dims.at("heads");
  const auto d = static_cast<std::size_t>(dims.at("d")), rows = static_cast<std::size_t>(batch);
  ArrayTiles tiles =
      TilesOfBoth(GemmTiles(ArrayProductOf(variant.precision, false, {rows, d, 3 * d}, columns)),
                  GemmTiles(ArrayProductOf(variant.precision, false, {rows, d, d}, columns)));
  std::vector<ArrayTile> products = std::exchange(tiles.legal, {});
  if (products.size() > kMostProducts) {
    tiles.refused["slower projections"] =
        static_cast<std::int64_t>(products.size() - kMostProducts);
    products.resize(kMostProducts);
  }
  for (const AttentionArrayConfig& config : Configs(HeadWidth(dims.at("d"), heads), columns)) {
    if (const device::Fit fit = kernels::AttentionArrayFits(config); !fit) {
      ++tiles.refused[std::string(BrokenLimit(fit.reason))];
      continue;
    }
    if (Wasteful(config, m)) {
      ++tiles.refused["padding"];
      continue;
    }
    const ArrayTile of_heads = HeadsEstimate(config, m, heads);
    for (const ArrayTile& product : products) {
      tiles.legal.push_back({product.name + "+" + of_heads.name, product.cycles + of_heads.cycles,
                             product.cycles > of_heads.cycles ? product.bound : of_heads.bound});
    }
  }
  std::ranges::stable_sort(tiles.legal, {}, [](const ArrayTile& tile) { return tile.cycles; });
  return tiles;
}

}  // namespace xdna::ops
