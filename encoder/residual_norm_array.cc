#include "encoder/residual_norm_array.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "device/array/overlay_builder.h"

namespace xdna::encoder {
namespace {

using device::kCoreRows;
using device::Tile;

constexpr std::size_t kRows = kCoreRows;
constexpr std::size_t kProgramBytes = 2048;
constexpr unsigned kGoLock = 4;  // a core's two FIFOs have the locks before
// Of a shim's task: what one descriptor's length and the queue's latency allow.
constexpr std::size_t kTaskBytes = std::size_t{1} << 20;

std::size_t Wide(const ResidualNormConfig& c) { return 4 * c.rows * c.width; }    // f32
std::size_t Narrow(const ResidualNormConfig& c) { return 2 * c.rows * c.width; }  // bf16

// Four regions of f32 rows, one a core, and four of bf16 rows.
std::vector<std::size_t> Regions(const ResidualNormConfig& c) {
  std::vector<std::size_t> bytes(kRows, Wide(c));
  bytes.resize(2 * kRows, Narrow(c));
  return bytes;
}

const std::vector<int> kWideRegions = {0, 1, 2, 3}, kNarrowRegions = {4, 5, 6, 7};

void AddColumn(device::OverlayBuilder& b, const ResidualNormConfig& c, int col) {
  const Tile shim{col, device::kShimRow}, mem{col, device::kMemRow};
  const auto in = b.MemObject(mem, "in", Regions(c), 2),
             out = b.MemObject(mem, "out", Regions(c), 1);
  const auto end = [&](device::MemObjectId object, std::vector<int> regions) {
    return device::FifoEnd{.tile = mem, .object = object, .regions = std::move(regions)};
  };
  b.Fifo({.name = "x", .from = {.tile = shim}, .to = {end(in, kWideRegions)}});
  b.Fifo({.name = "delta", .from = {.tile = shim}, .to = {end(in, kNarrowRegions)}});
  std::vector<device::FifoId> ins, outs;
  const std::size_t bytes = Wide(c) + Narrow(c);
  for (int row = 0; row < kCoreRows; ++row) {
    ins.push_back(b.Fifo({.name = "in",
                          .object_bytes = bytes,
                          .from = end(in, {row, kCoreRows + row}),
                          .to = {{.tile = {col, device::kFirstCoreRow + row}}}}));
  }
  for (int row = 0; row < kCoreRows; ++row) {
    outs.push_back(b.Fifo({.name = "out",
                           .object_bytes = bytes,
                           .from = {.tile = {col, device::kFirstCoreRow + row}},
                           .to = {end(out, {row, kCoreRows + row})}}));
  }
  b.Fifo({.name = "sum", .from = end(out, kWideRegions), .to = {{.tile = shim}}});
  b.Fifo({.name = "y", .from = end(out, kNarrowRegions), .to = {{.tile = shim}}});
  for (int row = 0; row < kCoreRows; ++row) {
    const Tile core{col, device::kFirstCoreRow + row};
    const int x = b.In(ins[static_cast<std::size_t>(row)]);
    const int y = b.Out(outs[static_cast<std::size_t>(row)]);
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

std::size_t PaddedRows(const ResidualNormConfig& c, std::size_t rows) {
  const std::size_t group = c.rows * kRows * c.columns;
  return (rows + group - 1) / group * group;
}

device::Overlay ResidualNormOverlay(const ResidualNormConfig& c) {
  if (c.rows == 0 || c.columns == 0 || c.columns > static_cast<std::size_t>(device::kColumns)) {
    Throw(ErrorCode::kInvalidArgument,
          "residual norm: {} rows a call on {} columns; want 1 or more on 1 to {}", c.rows,
          c.columns, device::kColumns);
  }
  device::OverlayBuilder b(fmt::format("add_norm {}x{} x{}", c.rows, c.width, c.columns));
  for (std::size_t col = 0; col < c.columns; ++col) AddColumn(b, c, static_cast<int>(col));
  return b.Finish();
}

std::vector<device::Instruction> ResidualNormInstructions(const ResidualNormConfig& c,
                                                          std::size_t rows) {
  std::vector<device::Instruction> out;
  const std::size_t groups = PaddedRows(c, rows) / (c.rows * kRows * c.columns);
  const auto for_columns = [&](auto&& body) {
    for (std::size_t col = 0; col < c.columns; ++col) body(static_cast<int>(col));
  };
  const auto wait = [&] {
    for_columns([&](int col) {
      out.emplace_back(device::WaitToken{col, false, 0});
      out.emplace_back(device::WaitToken{col, false, 1});
    });
  };
  for_columns([&](int col) {
    for (int row = 0; row < kCoreRows; ++row) {
      const Tile core{col, device::kFirstCoreRow + row};
      out.emplace_back(device::WriteRtp{core, 0, static_cast<std::int32_t>(groups)});
      out.emplace_back(device::SetLock{core, kGoLock, 1});
    }
  });
  const std::size_t per_task = std::max<std::size_t>(1, kTaskBytes / (kRows * Wide(c)));
  std::size_t tasks = 0;
  for (std::size_t done = 0; done < groups; done += per_task, ++tasks) {
    if (tasks >= 2) wait();
    const std::size_t count = std::min(per_task, groups - done);
    for_columns([&](int col) {
      for (unsigned argument = 0; argument < 4; ++argument) {
        const bool sends = argument < 2;
        const std::size_t group = kRows * (argument % 2 == 0 ? Wide(c) : Narrow(c));
        const unsigned id = argument + (tasks % 2 == 0 ? 0 : 4);
        out.emplace_back(
            device::WriteDescriptor{col,
                                    id,
                                    argument,
                                    (static_cast<std::size_t>(col) * groups + done) * group,
                                    count * group,
                                    {.engine = device::Engine::kShim, .sends = sends}});
        out.emplace_back(device::PushTask{col, sends, argument % 2, id, 1, !sends});
      }
    });
  }
  for (std::size_t i = 0; i < std::min<std::size_t>(tasks, 2); ++i) wait();
  return out;
}

}  // namespace xdna::encoder
