#include "ops/internal/fused_matmul.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/cpu.h"
#include "ops/internal/fused_matmul_kernel.h"
#include "ops/internal/row_kernels.h"

namespace xdna::ops {
namespace {

// One call of FusedMatmul::Run.
class TileRun {
 public:
  TileRun(const FusedMatmulSpec& spec, const FusedMatmulKernel& kernel, const std::byte* x,
          std::int64_t rows, const Dequantization& dequantization, std::byte* y)
      : spec_(spec),
        kernel_(kernel),
        store_(FindStoreTile(spec.in, spec.out, spec.gelu, spec.accumulate, Cpu())),
        x_(x),
        rows_(rows),
        dequantization_(dequantization),
        y_(y),
        x_pitch_(spec.k * static_cast<std::int64_t>(SizeOf(spec.in))),
        out_bytes_(static_cast<std::int64_t>(SizeOf(spec.out))),
        y_pitch_(spec.n * out_bytes_) {}

  // Panel after panel, which stays in the cache for all rows.
  void All(const std::byte* panels, std::int64_t panel_bytes, const float* bias) {
    if (kernel_.begin != nullptr) kernel_.begin();
    for (std::int64_t column = 0; column < spec_.n; column += kPanel, panels += panel_bytes) {
      TakeColumns(column, bias);
      Panel(column, panels);
    }
    if (kernel_.end != nullptr) kernel_.end();
  }

 private:
  void TakeColumns(std::int64_t first, const float* bias) {
    const std::int64_t count = std::min<std::int64_t>(kPanel, spec_.n - first);
    if (bias != nullptr) std::copy_n(bias + first, count, columns_.bias);
    if (spec_.in != DType::kU8) return;
    std::copy_n(dequantization_.column_scales + first, count, columns_.scales);
    std::copy_n(dequantization_.column_sums + first, count, columns_.sums);
  }

  void Panel(std::int64_t column, const std::byte* panel) {
    // Not members, which writing y might change for all that compilers know.
    const FusedMatmulKernel kernel = kernel_;
    const StoreTileFn store = store_;
    const std::int64_t rows = rows_;
    const std::int64_t x_pitch = x_pitch_;
    const std::int64_t y_pitch = y_pitch_;
    const std::int64_t out_bytes = out_bytes_;
    const std::int64_t k = spec_.k;
    const std::int64_t row_bytes = std::min<std::int64_t>(kPanel, spec_.n - column) * out_bytes;
    const bool fine_gelu = spec_.gelu && spec_.out == DType::kF32;
    const bool edge = row_bytes < kPanel * out_bytes || fine_gelu;
    const std::byte* x = x_;
    TileTarget target = {&columns_,
                         dequantization_.row_scales,
                         dequantization_.row_zeros,
                         y_ + column * out_bytes,
                         y_pitch,
                         0};
    for (std::int64_t row = 0; row < rows; row += kernel.rows) {
      target.rows = static_cast<int>(std::min<std::int64_t>(kernel.rows, rows - row));
      Prefetch(target, out_bytes);
      const int again = kernel.whole_tiles && rows >= kernel.rows ? kernel.rows - target.rows : 0;
      kernel.multiply(x - again * x_pitch, x_pitch, target.rows + again, k, panel, sums_);
      const float* sums = sums_ + again * kPanel;
      if (edge) {
        StoreThroughEdge(sums, target, row_bytes, fine_gelu);
      } else {
        store(sums, target);
      }
      x += kernel.rows * x_pitch;
      target.y += kernel.rows * y_pitch;
      if (target.row_scales == nullptr) continue;
      target.row_scales += kernel.rows;
      target.row_zeros += kernel.rows;
    }
  }

  // While the sums are made, their place comes into the cache.
  static void Prefetch(const TileTarget& target, std::int64_t out_bytes) {
    const std::byte* place = target.y;
    for (int r = 0; r < target.rows; ++r, place += target.pitch) {
      __builtin_prefetch(place, 1);
      __builtin_prefetch(place + 64, 1);
      if (out_bytes == 2) continue;
      __builtin_prefetch(place + 128, 1);
      __builtin_prefetch(place + 192, 1);
    }
  }

  void StoreThroughEdge(const float* sums, TileTarget target, std::int64_t row_bytes,
                        bool fine_gelu) {
    std::byte* out = target.y;
    target.y = reinterpret_cast<std::byte*>(edge_);
    target.pitch = kPanel * out_bytes_;
    for (int r = 0; r < target.rows && spec_.accumulate; ++r) {
      std::memcpy(target.y + r * target.pitch, out + r * y_pitch_, row_bytes);
    }
    store_(sums, target);
    if (fine_gelu) {  // that of the row kernels, as accurate as f32
      RowMap map;
      map.in = map.out = edge_;
      map.gelu = true;
      MapRow(map, target.rows * kPanel);
    }
    for (int r = 0; r < target.rows; ++r) {
      std::memcpy(out + r * y_pitch_, target.y + r * target.pitch, row_bytes);
    }
  }

  const FusedMatmulSpec& spec_;
  const FusedMatmulKernel& kernel_;
  const StoreTileFn store_;
  const std::byte* const x_;
  const std::int64_t rows_;
  const Dequantization& dequantization_;
  std::byte* const y_;
  const std::int64_t x_pitch_, out_bytes_, y_pitch_;
  PanelColumns columns_;
  alignas(64) float sums_[kMostTileRows * kPanel];
  // A tile that can't go to y at once.
  alignas(64) float edge_[kMostTileRows * kPanel];
};

std::int64_t RoundUp(std::int64_t n, std::int64_t step) { return (n + step - 1) / step * step; }

// Bytes of a packed panel.
std::int64_t PanelBytes(const FusedMatmulSpec& spec, const FusedMatmulKernel& kernel) {
  return RoundUp(spec.k, kernel.depth) / kernel.unit * kPanel * kUnit;
}

// One or two i8 as i16.
void PackWidened(const std::int8_t* from, std::int64_t count, std::byte* unit) {
  std::int16_t wide[2] = {};
  std::copy_n(from, count, wide);
  std::memcpy(unit, wide, sizeof wide);
}

}  // namespace

FusedMatmul::Standing FusedMatmul::StandingOf(DType in, std::int64_t k) {
  const FusedMatmulKernel* kernel = FindFusedMatmulKernel(in, k, Cpu());
  if (kernel == nullptr) return Standing::kSlower;
  return kernel->by_table ? Standing::kFaster : Standing::kUnknown;
}

FusedMatmul::FusedMatmul(const TensorView& weight, const FusedMatmulSpec& spec)
    : FusedMatmul(weight, spec, *FindFusedMatmulKernel(spec.in, spec.k, Cpu())) {}

FusedMatmul::FusedMatmul(const TensorView& weight, const FusedMatmulSpec& spec,
                         const FusedMatmulKernel& kernel)
    : spec_(spec), kernel_(kernel) {
  packed_ = Tensor(DType::kU8, {RoundUp(spec.n, kPanel) / kPanel * PanelBytes(spec, kernel)});
  Pack(weight);
}

void FusedMatmul::Pack(const TensorView& weight) {
  const auto size = static_cast<std::int64_t>(SizeOf(weight.dtype()));
  const std::int64_t width = kernel_.width;
  const std::int64_t units = RoundUp(spec_.k, kernel_.depth) / kernel_.unit;
  const auto* from = static_cast<const std::byte*>(weight.raw());
  auto* to = static_cast<std::byte*>(packed_.view().raw());
  for (std::int64_t j = 0; j < spec_.n; ++j, from += spec_.k * size) {
    std::byte* unit = to + (j / width * width * units + j % width) * kUnit;
    for (std::int64_t i = 0; i < spec_.k; i += kernel_.unit, unit += width * kUnit) {
      const std::int64_t count = std::min(kernel_.unit, spec_.k - i);
      if (kernel_.unit * size == kUnit) {
        std::memcpy(unit, from + i * size, count * size);
      } else {
        PackWidened(reinterpret_cast<const std::int8_t*>(from) + i, count, unit);
      }
    }
  }
}

void FusedMatmul::Run(const void* x, std::int64_t rows, const float* bias,
                      const Dequantization& dequantization, void* y) const {
  TileRun(spec_, kernel_, static_cast<const std::byte*>(x), rows, dequantization,
          static_cast<std::byte*>(y))
      .All(static_cast<const std::byte*>(packed_.view().raw()), PanelBytes(spec_, kernel_), bias);
}

std::string FusedMatmul::description() const {
  return fmt::format("own {}, {}x{}", kernel_.name, kernel_.rows, kernel_.width);
}

}  // namespace xdna::ops
