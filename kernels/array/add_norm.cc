#include "kernels/array/add_norm.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "device/array/overlay_builder.h"
#include "kernels/array/tiles.h"

namespace xdna::kernels {
namespace {

using device::Tile;

constexpr std::size_t kProgramBytes = 2048;
constexpr unsigned kGoLock = 4;  // a core's two FIFOs have the locks before
// Of a shim's task: what one descriptor's length and the queue's latency allow.
constexpr std::size_t kTaskBytes = std::size_t{1} << 20;

std::size_t Wide(const AddNormConfig& c) { return 4 * c.rows * c.width; }    // f32
std::size_t Narrow(const AddNormConfig& c) { return 2 * c.rows * c.width; }  // bf16

// Four regions of f32 rows, one a core, and four of bf16 rows.
std::vector<std::size_t> Regions(const AddNormConfig& c) {
  std::vector<std::size_t> bytes(kRows, Wide(c));
  bytes.resize(2 * kRows, Narrow(c));
  return bytes;
}

const std::vector<int> kWideRegions = {0, 1, 2, 3}, kNarrowRegions = {4, 5, 6, 7};

void AddColumn(device::OverlayBuilder& b, const AddNormConfig& c, std::size_t col) {
  const Tile shim = Shim(col), mem = Mem(col);
  const auto in = b.MemObject(mem, "in", Regions(c), 2),
             out = b.MemObject(mem, "out", Regions(c), 1);
  const auto end = [&](device::MemObjectId object, std::vector<int> regions) {
    return device::FifoEnd{.tile = mem, .object = object, .regions = std::move(regions)};
  };
  b.Fifo({.name = "x", .from = {.tile = shim}, .to = {end(in, kWideRegions)}});
  b.Fifo({.name = "delta", .from = {.tile = shim}, .to = {end(in, kNarrowRegions)}});
  std::vector<device::FifoId> ins, outs;
  const std::size_t bytes = Wide(c) + Narrow(c);
  const auto regions = [](std::size_t row) {
    return std::vector<int>{kWideRegions[row], kNarrowRegions[row]};
  };
  for (std::size_t row = 0; row < kRows; ++row) {
    ins.push_back(b.Fifo({.name = "in",
                          .object_bytes = bytes,
                          .from = end(in, regions(row)),
                          .to = {{.tile = Core(col, row)}}}));
  }
  for (std::size_t row = 0; row < kRows; ++row) {
    outs.push_back(b.Fifo({.name = "out",
                           .object_bytes = bytes,
                           .from = {.tile = Core(col, row)},
                           .to = {end(out, regions(row))}}));
  }
  b.Fifo({.name = "sum", .from = end(out, kWideRegions), .to = {{.tile = shim}}});
  b.Fifo({.name = "y", .from = end(out, kNarrowRegions), .to = {{.tile = shim}}});
  for (std::size_t row = 0; row < kRows; ++row) {
    const Tile core = Core(col, row);
    const int x = b.In(ins[row]), y = b.Out(outs[row]);
    const int go = b.AddLock(core, "go");
    b.Run(core,
          {device::AcquireLock(go),
           device::Loop(
               device::Rtp(0),
               {device::Acquire(x), device::Acquire(y),
                device::Call("add_norm_f32", {device::Object(x), device::Object(x, 0, Wide(c)),
                                              device::Object(y), device::Object(y, 0, Wide(c)),
                                              device::Number(static_cast<std::int32_t>(c.rows)),
                                              device::Number(static_cast<std::int32_t>(c.width))}),
                device::Release(x), device::Release(y)})},
          1, kProgramBytes);
  }
}

}  // namespace

std::size_t PaddedRows(const AddNormConfig& c, std::size_t rows) {
  return UpTo(rows, c.rows * kRows * c.columns);
}

device::Overlay AddNormOverlay(const AddNormConfig& c) {
  if (c.rows == 0 || c.columns == 0 || c.columns > static_cast<std::size_t>(device::kColumns)) {
    Throw(ErrorCode::kInvalidArgument,
          "add_norm: {} rows a call on {} columns; want 1 or more on 1 to {}", c.rows, c.columns,
          device::kColumns);
  }
  device::OverlayBuilder b(fmt::format("add_norm {}x{} x{}", c.rows, c.width, c.columns));
  for (std::size_t col = 0; col < c.columns; ++col) AddColumn(b, c, col);
  return b.Finish();
}

std::vector<device::Instruction> AddNormInstructions(const AddNormConfig& c, std::size_t rows) {
  std::vector<device::Instruction> out;
  const std::size_t groups = PaddedRows(c, rows) / (c.rows * kRows * c.columns);
  const auto for_columns = [&](auto&& body) {
    for (std::size_t col = 0; col < c.columns; ++col) body(col);
  };
  const auto wait = [&] {
    for_columns([&](std::size_t col) {
      for (unsigned channel = 0; channel < 2; ++channel) {
        out.emplace_back(device::WaitToken{static_cast<int>(col), false, channel});
      }
    });
  };
  for_columns([&](std::size_t col) {
    for (std::size_t row = 0; row < kRows; ++row) {
      out.emplace_back(device::WriteRtp{Core(col, row), 0, static_cast<std::int32_t>(groups)});
      out.emplace_back(device::SetLock{Core(col, row), kGoLock, 1});
    }
  });
  const std::size_t per_task = std::max<std::size_t>(1, kTaskBytes / (kRows * Wide(c)));
  std::size_t tasks = 0;
  for (std::size_t done = 0; done < groups; done += per_task, ++tasks) {
    if (tasks >= 2) wait();
    const std::size_t count = std::min(per_task, groups - done);
    for_columns([&](std::size_t col) {
      for (unsigned argument = 0; argument < 4; ++argument) {
        const bool sends = argument < 2;
        const std::size_t group = kRows * (argument % 2 == 0 ? Wide(c) : Narrow(c));
        Push(out, "add_norm", {col, sends, argument % 2},
             {.id = argument + (tasks % 2 == 0 ? 0 : 4),
              .argument = argument,
              .offset = (col * groups + done) * group,
              .bytes = count * group});
      }
    });
  }
  for (std::size_t i = 0; i < std::min<std::size_t>(tasks, 2); ++i) wait();
  return out;
}

}  // namespace xdna::kernels
