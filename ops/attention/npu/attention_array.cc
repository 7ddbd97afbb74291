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
#include "ops/attention/npu/attention_tile.h"
#include "ops/internal/instance.h"
#include "ops/internal/profile.h"
#include "ops/linear/npu/linear_array.h"

namespace xdna::ops {
namespace {

using kernels::AttentionArrayConfig;

// The largest block of queries that a core holds and that m positions fill.
AttentionArrayConfig ConfigOf(std::int64_t m, std::int64_t head, std::size_t columns) {
  AttentionArrayConfig config;
  config.d = static_cast<std::size_t>(head);
  config.columns = columns;
  for (const std::size_t queries : {64U, 48U, 32U, 16U, 8U, 4U}) {
    for (const std::size_t keys : {64U, 48U, 32U, 16U, 8U}) {
      config.queries = queries;
      config.keys = keys;
      const bool waste = queries > 4 && 4 * queries >= 2 * static_cast<std::size_t>(m);
      if (!waste && kernels::AttentionArrayFits(config)) return config;
    }
  }
  Throw(ErrorCode::kUnsupported, "{}", kernels::AttentionArrayFits(config).reason);
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
            StackedBiases(weights, FusedFactor(weights.at("wq").dim(0), heads)), m, {}),
        heads_(device,
               HeadsDesign(ConfigOf(m, HeadWidth(weights.at("wq").dim(0), heads),
                                    device->options().columns),
                           static_cast<std::size_t>(heads)),
               m, m),
        out_(device, weights.at("wo"), weights.at("bo"), m, {}) {}

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

// Of the projections.
std::vector<std::string> AttentionArrayTiles(const Dims& dims, Variant variant, std::int64_t batch,
                                             std::size_t columns) {
  const auto d = static_cast<std::size_t>(dims.at("d"));
  return GemmTiles(ArrayProductOf(variant.precision, false,
                                  {static_cast<std::size_t>(batch), d, 3 * d}, columns));
}

}  // namespace xdna::ops
