#include "ops/internal/array_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/error.h"

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

// Time of a run in rows of one core: its groups, a call's start as a third of a row, and a group to
// fill and one to drain, which nothing overlaps.
double Estimate(std::size_t rows, std::int64_t batch, std::size_t columns) {
  constexpr double kCall = 0.3;
  const std::size_t group = rows * kCoreRows * columns;
  const std::size_t groups = (static_cast<std::size_t>(batch) + group - 1) / group;
  const auto r = static_cast<double>(rows);
  return static_cast<double>(groups) * (r + kCall) + 2 * r;
}

std::vector<std::size_t> Ranked(const ArrayRowsOp& op, std::int64_t batch, std::size_t columns) {
  std::vector<std::size_t> rows(MostRows(op, columns));
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = i + 1;
  std::ranges::stable_sort(rows, {}, [&](std::size_t r) { return Estimate(r, batch, columns); });
  return rows;
}

std::size_t ChooseRows(const ArrayRowsOp& op, const ArrayOptions& options, std::int64_t m) {
  const std::int64_t batch = options.batch == 0 ? m : std::min(options.batch, m);
  const std::vector<std::size_t> rows = Ranked(op, batch, options.columns);
  if (rows.empty()) {
    Throw(ErrorCode::kUnsupported, "{}",
          kernels::RowsFit(RowsConfigOf(op, 1, options.columns)).reason);
  }
  if (options.tile.empty()) return rows.front();
  for (const std::size_t r : rows) {
    if (TileName(r, op.width) == options.tile) return r;
  }
  Throw(ErrorCode::kInvalidArgument, "tile '{}': {} takes 1x{} to {}x{}", options.tile, op.kernel,
        op.width, rows.size(), op.width);
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

std::vector<std::string> ArrayRowTiles(const ArrayRowsOp& op, std::int64_t batch,
                                       std::size_t columns) {
  std::vector<std::string> names;
  for (const std::size_t rows : Ranked(op, batch, columns)) {
    names.push_back(TileName(rows, op.width));
  }
  return names;
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
