#include "ops/internal/array_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "kernels/cost/cost.h"

namespace xdna::ops {
namespace {

constexpr std::size_t kCoreRows = device::kCoreRows;

std::string TileName(std::size_t rows, std::int64_t width) {
  return fmt::format("{}x{}", rows, width);
}

bool Fits(const ArrayRowsOp& op, std::size_t rows, std::size_t columns) {
  return static_cast<bool>(kernels::RowsFit(RowsConfigOf(op, rows, columns)));
}

// The most rows of a call; 0: none fits.
std::size_t MostRows(const ArrayRowsOp& op, std::size_t columns) {
  if (!Fits(op, 1, columns)) return 0;
  std::size_t fitting = 1, beyond = 2;
  for (; Fits(op, beyond, columns); beyond *= 2) fitting = beyond;
  while (beyond - fitting > 1) {
    const std::size_t middle = (fitting + beyond) / 2;
    (Fits(op, middle, columns) ? fitting : beyond) = middle;
  }
  return fitting;
}

// Of a call, with what acquiring and releasing its objects takes.
double CallCycles(const ArrayRowsOp& op, std::size_t rows) {
  constexpr double kStart = 40;
  std::vector<std::int64_t> sizes;
  for (const kernels::RowArgument& argument : op.arguments(rows)) {
    if (argument.kind == kernels::RowArgument::Kind::kRows) {
      sizes.push_back(static_cast<std::int64_t>(rows));
    } else if (argument.kind == kernels::RowArgument::Kind::kNumber) {
      sizes.push_back(argument.index);
    }
  }
  return kStart + kernels::CoreCycles(op.kernel, sizes, kernels::CodeGenerator::kChess);
}

// A run: groups of all cores, each as long as the slowest of computing, of a shim's channel (4
// bytes a cycle) and of host memory (16 for all of them); a group to fill and one to drain, which
// nothing overlaps.
ArrayTile Estimate(const ArrayRowsOp& op, std::size_t rows, std::int64_t batch,
                   std::size_t columns) {
  constexpr double kChannel = 4, kHost = 16;
  const std::size_t group = rows * kCoreRows * columns;
  const std::size_t groups = (static_cast<std::size_t>(batch) + group - 1) / group;
  const auto bytes_of = [&](const std::vector<std::size_t>& elements, bool widest) {
    std::size_t sum = 0, most = 0;
    for (const std::size_t size : elements) sum += size, most = std::max(most, size);
    return static_cast<double>((widest ? most : sum) * static_cast<std::size_t>(op.width) * group);
  };
  const auto c = static_cast<double>(columns);
  const double in = bytes_of(op.in, true) / c / kChannel;
  const double out = bytes_of(op.out, true) / c / kChannel;
  const double host = std::max(bytes_of(op.in, false), bytes_of(op.out, false)) / kHost;
  const double core = CallCycles(op, rows);
  const double dma = std::max(in, out);
  const double period = std::max({core, dma, host});
  return {TileName(rows, op.width), static_cast<double>(groups) * period + in + core + out,
          core >= std::max(dma, host) ? "compute" : (dma >= host ? "dma" : "ddr")};
}

struct RankedRows {
  std::size_t rows = 0;
  ArrayTile tile;
};

std::vector<RankedRows> Ranked(const ArrayRowsOp& op, std::int64_t batch, std::size_t columns) {
  std::vector<RankedRows> ranked;
  const std::size_t most = MostRows(op, columns);
  for (std::size_t rows = 1; rows <= most; ++rows) {
    ranked.push_back({rows, Estimate(op, rows, batch, columns)});
  }
  std::ranges::stable_sort(ranked, {}, [](const RankedRows& r) { return r.tile.cycles; });
  return ranked;
}

std::size_t ChooseRows(const ArrayRowsOp& op, const ArrayOptions& options, std::int64_t m) {
  const std::int64_t batch = options.batch == 0 ? m : std::min(options.batch, m);
  const std::vector<RankedRows> ranked = Ranked(op, batch, options.columns);
  if (ranked.empty()) {
    Throw(ErrorCode::kUnsupported, "{}",
          kernels::RowsFit(RowsConfigOf(op, 1, options.columns)).reason);
  }
  if (options.tile.empty()) return ranked.front().rows;
  for (const RankedRows& r : ranked) {
    if (r.tile.name == options.tile) return r.rows;
  }
  Throw(ErrorCode::kInvalidArgument, "tile '{}': {} takes 1x{} to {}x{}", options.tile, op.kernel,
        op.width, ranked.size(), op.width);
}

ArrayDesign DesignOf(const ArrayRowsOp& op, const ArrayOptions& options, std::int64_t m) {
  const kernels::RowsConfig config = RowsConfigOf(op, ChooseRows(op, options, m), options.columns);
  const auto dense = [&config](std::size_t row_bytes) {
    return [config, row_bytes](std::int64_t rows) {
      return kernels::PaddedRows(config, static_cast<std::size_t>(rows)) * row_bytes;
    };
  };
  ArrayDesign design;
  design.name = fmt::format("{} {} columns", op.kernel, config.columns);
  for (const kernels::RowArgument& argument : config.arguments) {
    design.name += fmt::format(" {}:{}", static_cast<int>(argument.kind), argument.index);
  }
  design.name += fmt::format(" rows {}x{}", config.rows, op.width);
  design.overlay = [config] { return kernels::RowsOverlay(config); };
  design.instructions = [config](std::int64_t rows) {
    return kernels::RowsInstructions(config, static_cast<std::size_t>(rows));
  };
  for (const std::size_t bytes : config.in) {
    design.buffers.push_back({ArrayBuffer::Role::kIn, dense(bytes)});
  }
  if (config.constant_bytes != 0) {
    design.buffers.push_back({ArrayBuffer::Role::kConstant,
                              [n = config.constant_bytes](std::int64_t) { return n; },
                              op.constants});
  }
  for (const std::size_t bytes : config.out) {
    design.buffers.push_back({ArrayBuffer::Role::kOut, dense(bytes)});
  }
  return design;
}

}  // namespace

kernels::RowsConfig RowsConfigOf(const ArrayRowsOp& op, std::size_t rows, std::size_t columns) {
  kernels::RowsConfig config;
  config.kernel = op.kernel;
  config.rows = rows;
  for (const std::size_t size : op.in) {
    config.in.push_back(size * static_cast<std::size_t>(op.width));
  }
  for (const std::size_t size : op.out) {
    config.out.push_back(size * static_cast<std::size_t>(op.width));
  }
  config.constant_bytes = op.constants.size();
  config.arguments = op.arguments(rows);
  config.columns = columns;
  return config;
}

ArrayTiles ArrayRowTiles(const ArrayRowsOp& op, std::int64_t batch, std::size_t columns) {
  ArrayTiles tiles;
  for (RankedRows& ranked : Ranked(op, batch, columns)) {
    tiles.legal.push_back(std::move(ranked.tile));
  }
  // The first that does not fit; none with more rows does.
  const std::size_t beyond = tiles.legal.size() + 1;
  const device::Fit fit = kernels::RowsFit(RowsConfigOf(op, beyond, columns));
  ++tiles.refused[std::string(BrokenLimit(fit.reason))];
  return tiles;
}

ArrayRows::ArrayRows(const std::shared_ptr<ArrayDevice>& device, const ArrayRowsOp& op,
                     std::int64_t m)
    : width_(op.width), stage_(device, DesignOf(op, device->options(), m), m) {}

void ArrayRows::Run(const std::vector<TensorView>& in, const TensorView& out) {
  stage_.Run(
      [&](std::size_t index, std::int64_t first, std::int64_t rows, std::span<std::byte> to) {
        const TensorView& from = in.at(index);
        const std::size_t size = SizeOf(from.dtype());
        const std::size_t bytes = static_cast<std::size_t>(from.dim(1)) * size;
        const std::size_t pitch = static_cast<std::size_t>(width_) * size;
        std::memset(to.data(), 0, to.size());
        for (std::int64_t i = 0; i < rows; ++i) {
          std::memcpy(to.data() + static_cast<std::size_t>(i) * pitch,
                      static_cast<const std::byte*>(from.raw()) +
                          static_cast<std::size_t>(first + i) * bytes,
                      bytes);
        }
      },
      [&](std::size_t, std::int64_t first, std::int64_t rows, std::span<const std::byte> from) {
        const std::size_t size = SizeOf(out.dtype());
        const std::size_t bytes = static_cast<std::size_t>(out.dim(1)) * size;
        const std::size_t pitch = static_cast<std::size_t>(width_) * size;
        for (std::int64_t i = 0; i < rows; ++i) {
          std::memcpy(
              static_cast<std::byte*>(out.raw()) + static_cast<std::size_t>(first + i) * bytes,
              from.data() + static_cast<std::size_t>(i) * pitch, bytes);
        }
      });
}

}  // namespace xdna::ops
