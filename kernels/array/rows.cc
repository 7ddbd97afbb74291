#include "kernels/array/rows.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "device/array/overlay_builder.h"
#include "kernels/array/tiles.h"

namespace xdna::kernels {
namespace {

using device::Fit;
using device::Instruction;
using device::OverlayBuilder;
using device::Statement;
using device::Tile;

// A task of a shim: as many groups as one descriptor's length and the queue's latency allow.
constexpr std::size_t kTaskBytes = std::size_t{1} << 20;

Fit CheckConfig(const RowsConfig& c) {
  const auto no = [](std::string reason) { return Fit{false, std::move(reason)}; };
  if (c.rows == 0 || c.columns == 0 || c.columns > static_cast<std::size_t>(device::kColumns)) {
    return no(fmt::format("rows {}: {} rows a call on {} columns; want 1 or more on 1 to {}",
                          c.kernel, c.rows, c.columns, device::kColumns));
  }
  if (c.in.empty() || c.in.size() + (c.constant_bytes != 0 ? 1 : 0) > device::kTileChannels ||
      c.out.empty() || c.out.size() > device::kTileChannels) {
    return no(
        fmt::format("rows {}: {} inputs, {} B of constants, {} outputs; a tile has {} "
                    "channels each way",
                    c.kernel, c.in.size(), c.constant_bytes, c.out.size(), device::kTileChannels));
  }
  return {};
}

// The FIFOs at the cores of one column; results by stream and row.
struct Streams {
  std::vector<device::FifoId> in;  // by row
  std::vector<std::vector<device::FifoId>> out;
  device::FifoId constants = -1;
};

// Where input `index` begins in what a call takes; one past the last: its bytes.
std::size_t InputOffset(const RowsConfig& c, std::size_t index) {
  std::size_t offset = 0;
  for (std::size_t i = 0; i < index; ++i) offset += c.rows * c.in[i];
  return offset;
}

Streams AddColumn(OverlayBuilder& b, const RowsConfig& c, std::size_t col) {
  const Tile shim = Shim(col), mem = Mem(col);
  Streams streams;
  // What a call takes of all inputs lies together, so that a core gets it through one channel.
  std::vector<std::size_t> regions;
  for (std::size_t row = 0; row < kRows; ++row) {
    for (const std::size_t bytes : c.in) regions.push_back(c.rows * bytes);
  }
  const auto object = b.MemObject(mem, "in", std::move(regions));
  const auto region = [&c](std::size_t row, std::size_t input) {
    return static_cast<int>(row * c.in.size() + input);
  };
  for (std::size_t i = 0; i < c.in.size(); ++i) {
    std::vector<int> mine;
    for (std::size_t row = 0; row < kRows; ++row) mine.push_back(region(row, i));
    b.Fifo({.name = fmt::format("in{}", i),
            .from = {.tile = shim},
            .to = {{.tile = mem, .object = object, .regions = std::move(mine)}}});
  }
  for (std::size_t row = 0; row < kRows; ++row) {
    std::vector<int> mine;
    for (std::size_t i = 0; i < c.in.size(); ++i) mine.push_back(region(row, i));
    streams.in.push_back(
        b.Fifo({.name = "in",
                .object_bytes = InputOffset(c, c.in.size()),
                .from = {.tile = mem, .object = object, .regions = std::move(mine)},
                .to = {{.tile = Core(col, row)}}}));
  }
  if (c.constant_bytes != 0) {
    std::vector<device::FifoEnd> cores;
    for (std::size_t row = 0; row < kRows; ++row) {
      cores.push_back({.tile = Core(col, row), .depth = 1});
    }
    streams.constants = b.Fifo({.name = "constants",
                                .object_bytes = c.constant_bytes,
                                .from = {.tile = shim},
                                .to = std::move(cores)});
  }
  for (std::size_t i = 0; i < c.out.size(); ++i) {
    const std::size_t bytes = c.rows * c.out[i];
    const std::string name = fmt::format("out{}", i);
    // Two inputs leave too few descriptors for two of each.
    const auto made =
        b.MemObject(mem, name, std::vector<std::size_t>(kRows, bytes), c.in.size() > 1 ? 1 : 2);
    auto& fifos = streams.out.emplace_back();
    for (std::size_t row = 0; row < kRows; ++row) {
      fifos.push_back(
          b.Fifo({.name = name,
                  .object_bytes = bytes,
                  .from = {.tile = Core(col, row)},
                  .to = {{.tile = mem, .object = made, .regions = {static_cast<int>(row)}}}}));
    }
    b.Fifo({.name = name, .from = {.tile = mem, .object = made}, .to = {{.tile = shim}}});
  }
  return streams;
}

void AddCore(OverlayBuilder& b, const RowsConfig& c, const Streams& streams, std::size_t col,
             std::size_t row) {
  using device::Number;
  const Tile tile = Core(col, row);
  const int in = b.In(streams.in[row], tile);
  std::vector<int> out;
  for (const auto& fifos : streams.out) out.push_back(b.Out(fifos[row]));
  const int constants = streams.constants < 0 ? -1 : b.In(streams.constants, tile);
  std::vector<device::Argument> arguments;
  for (const RowArgument& a : c.arguments) {
    switch (a.kind) {
      case RowArgument::Kind::kIn:
        arguments.push_back(
            device::Object(in, 0, InputOffset(c, static_cast<std::size_t>(a.index))));
        break;
      case RowArgument::Kind::kOut:
        arguments.push_back(device::Object(out.at(static_cast<std::size_t>(a.index))));
        break;
      case RowArgument::Kind::kConstant:
        arguments.push_back(device::Object(constants, 0, static_cast<std::size_t>(a.index)));
        break;
      case RowArgument::Kind::kRows:
        arguments.push_back(Number(static_cast<std::int32_t>(c.rows)));
        break;
      case RowArgument::Kind::kNumber:
        arguments.push_back(Number(a.index));
        break;
      case RowArgument::Kind::kNull:
        arguments.push_back(device::Null());
        break;
    }
  }
  std::vector<Statement> group = {device::Acquire(in)};
  for (const int port : out) group.push_back(device::Acquire(port));
  group.push_back(device::Call(c.kernel, std::move(arguments)));
  group.push_back(device::Release(in));
  for (const int port : out) group.push_back(device::Release(port));
  const int go = b.AddLock(tile, "go");
  std::vector<Statement> body = {device::AcquireLock(go)};
  if (constants >= 0) body.push_back(device::Acquire(constants));
  body.push_back(device::Loop(device::Rtp(0), std::move(group)));
  if (constants >= 0) body.push_back(device::Release(constants));
  b.Run(tile, std::move(body), 1, c.program_bytes);
}

OverlayBuilder Build(const RowsConfig& c) {
  OverlayBuilder b(fmt::format("rows {} {}x{} B", c.kernel, c.rows, c.in.at(0)));
  for (std::size_t col = 0; col < c.columns; ++col) {
    const Streams streams = AddColumn(b, c, col);
    for (std::size_t row = 0; row < kRows; ++row) AddCore(b, c, streams, col, row);
  }
  return b;
}

// Locks that a core's FIFOs take, two each; "go" is the next.
unsigned GoLock(const RowsConfig& c) {
  return static_cast<unsigned>(2 * (1 + c.out.size() + (c.constant_bytes != 0 ? 1 : 0)));
}

class Stream {
 public:
  Stream(const RowsConfig& config, std::size_t rows)
      : c_(config), groups_(PaddedRows(config, rows) / (config.rows * kRows * config.columns)) {}

  std::vector<Instruction> Make() {
    for (std::size_t col = 0; col < c_.columns; ++col) {
      for (std::size_t row = 0; row < kRows; ++row) {
        out_.emplace_back(device::WriteRtp{Core(col, row), 0, static_cast<std::int32_t>(groups_)});
        out_.emplace_back(device::SetLock{Core(col, row), GoLock(c_), 1});
      }
      if (c_.constant_bytes != 0) PushConstants(col);
    }
    const std::size_t most = *std::max_element(c_.in.begin(), c_.in.end());
    const std::size_t per_task = std::max<std::size_t>(1, kTaskBytes / (c_.rows * kRows * most));
    std::size_t tasks = 0;
    for (std::size_t done = 0; done < groups_; done += per_task, ++tasks) {
      if (tasks >= 2) Wait();
      const std::size_t groups = std::min(per_task, groups_ - done);
      for (std::size_t col = 0; col < c_.columns; ++col) PushGroups(col, done, groups, tasks % 2);
    }
    for (std::size_t i = 0; i < std::min<std::size_t>(tasks, 2); ++i) Wait();
    return std::move(out_);
  }

 private:
  // Column c takes groups [c groups, (c + 1) groups) of all rows: its bytes are in one run.
  std::size_t Offset(std::size_t col, std::size_t group, std::size_t row_bytes) const {
    return (col * groups_ + group) * c_.rows * kRows * row_bytes;
  }

  void PushConstants(std::size_t col) {
    const auto channel = static_cast<unsigned>(c_.in.size());
    Push(out_, c_.kernel, {col, true, channel},
         {.id = kConstantId, .argument = channel, .bytes = c_.constant_bytes});
  }

  void PushGroups(std::size_t col, std::size_t group, std::size_t groups, std::size_t odd) {
    unsigned id = odd == 0 ? 0 : 4;
    const auto push = [&](bool sends, unsigned channel, unsigned argument, std::size_t row_bytes) {
      Push(out_, c_.kernel, {col, sends, channel},
           {.id = id++,
            .argument = argument,
            .offset = Offset(col, group, row_bytes),
            .bytes = groups * c_.rows * kRows * row_bytes});
    };
    unsigned argument = 0;
    for (unsigned i = 0; i < c_.in.size(); ++i) push(true, i, argument++, c_.in[i]);
    if (c_.constant_bytes != 0) ++argument;
    for (unsigned i = 0; i < c_.out.size(); ++i) push(false, i, argument++, c_.out[i]);
  }

  void Wait() {
    for (std::size_t col = 0; col < c_.columns; ++col) {
      for (unsigned i = 0; i < c_.out.size(); ++i) {
        out_.emplace_back(device::WaitToken{static_cast<int>(col), false, i});
      }
    }
  }

  static constexpr unsigned kConstantId = 8;

  RowsConfig c_;
  std::size_t groups_;  // per core
  std::vector<Instruction> out_;
};

}  // namespace

std::size_t PaddedRows(const RowsConfig& c, std::size_t rows) {
  return UpTo(rows, c.rows * kRows * c.columns);
}

Fit RowsFit(const RowsConfig& config) {
  if (Fit fit = CheckConfig(config); !fit) return fit;
  return FitOf([&] { return Build(config); });
}

std::size_t MostRows(RowsConfig config) {
  std::size_t most = 0;
  for (config.rows = 1; config.rows * config.in.at(0) <= device::kTileDataBytes; ++config.rows) {
    if (!RowsFit(config)) break;
    most = config.rows;
  }
  return most;
}

device::Overlay RowsOverlay(const RowsConfig& config) {
  if (const Fit fit = CheckConfig(config); !fit) {
    Throw(ErrorCode::kInvalidArgument, "{}", fit.reason);
  }
  return Build(config).Finish();
}

std::vector<Instruction> RowsInstructions(const RowsConfig& config, std::size_t rows) {
  return Stream(config, rows).Make();
}

}  // namespace xdna::kernels
