#include "kernels/array/attention.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "device/array/overlay_builder.h"
#include "kernels/array/tiles.h"

namespace xdna::kernels {
namespace {

using device::Fit;
using device::Instruction;
using device::Number;
using device::OverlayBuilder;
using device::Pattern;
using device::Rtp;
using device::Statement;
using device::Tile;

constexpr std::string_view kName = "attention";
constexpr std::size_t kBytes = 2, kSumBytes = 4;
constexpr std::size_t kStateBytes = 32;  // of a query: reference and sum of weights, four times
constexpr std::size_t kProgramBytes = 8192;
constexpr unsigned kGoLock = 6;  // a core's three FIFOs have the locks before
// Run-time parameters of a core: units of work; whole blocks of keys of a unit; whether there is a
// ragged block after them, its keys, and whether it is the only one.
enum : unsigned { kUnits, kWhole, kRagged, kRaggedKeys, kOnlyRagged, kParameters };

// A row-major [rows, d] in the memory tile as blocks of r x t.
Pattern Blocks(std::size_t rows, std::size_t d, std::size_t r, std::size_t t) {
  return {.element_bytes = kBytes, .dims = {{rows / r, r * d}, {d / t, t}, {r, d}, {t, 1}}};
}

Fit CheckConfig(const AttentionArrayConfig& c) {
  if (c.queries == 0 || c.keys == 0 || c.d == 0 || c.queries % 4 != 0 || c.keys % 8 != 0 ||
      c.d % 16 != 0) {
    return {false, fmt::format("attention: blocks of {} queries, {} keys, heads of {}; want "
                               "multiples of 4, 8 and 16",
                               c.queries, c.keys, c.d)};
  }
  if (c.columns == 0 || c.columns > static_cast<std::size_t>(device::kColumns)) {
    return {false, fmt::format("attention: {} columns; want 1 to {}", c.columns, device::kColumns)};
  }
  return {};
}

// Results leave a core by groups of queries that the kernel takes at once, so that its memory holds
// one of them and has room for more keys.
constexpr std::size_t kGroup = 16;

std::size_t ResultQueries(const AttentionArrayConfig& c) {
  return c.queries % kGroup == 0 ? kGroup : c.queries;
}

struct Streams {
  std::vector<device::FifoId> q, y;  // by row
  device::FifoId kv = -1;
};

Streams AddColumn(OverlayBuilder& b, const AttentionArrayConfig& c, std::size_t col) {
  const Tile shim = Shim(col), mem = Mem(col);
  const std::size_t q_bytes = c.queries * c.d * kBytes, k_bytes = c.keys * c.d * kBytes;
  Streams streams;
  const auto q = b.MemObject(mem, "Q", std::vector<std::size_t>(kRows, q_bytes));
  const auto kv = b.MemObject(mem, "KV", {k_bytes, k_bytes});
  const auto y = b.MemObject(mem, "Y", std::vector<std::size_t>(kRows, q_bytes));
  b.Fifo({.name = "Q", .from = {.tile = shim}, .to = {{.tile = mem, .object = q}}});
  b.Fifo({.name = "KV", .from = {.tile = shim}, .to = {{.tile = mem, .object = kv}}});
  for (std::size_t row = 0; row < kRows; ++row) {
    streams.q.push_back(b.Fifo({.name = "Q",
                                .object_bytes = q_bytes,
                                .from = {.tile = mem,
                                         .object = q,
                                         .regions = {static_cast<int>(row)},
                                         .patterns = {Blocks(c.queries, c.d, 4, 8)}},
                                .to = {{.tile = Core(col, row), .depth = 1}}}));
  }
  std::vector<device::FifoEnd> cores;
  for (std::size_t row = 0; row < kRows; ++row) cores.push_back({.tile = Core(col, row)});
  streams.kv = b.Fifo({.name = "KV",
                       .object_bytes = 2 * k_bytes,
                       .from = {.tile = mem,
                                .object = kv,
                                .patterns = {Blocks(c.keys, c.d, 4, 8), Blocks(c.keys, c.d, 8, 4)}},
                       .to = std::move(cores)});
  for (std::size_t row = 0; row < kRows; ++row) {
    streams.y.push_back(b.Fifo({.name = "Y",
                                .object_bytes = ResultQueries(c) * c.d * kBytes,
                                .from = {.tile = Core(col, row), .depth = 1},
                                .to = {{.tile = mem,
                                        .object = y,
                                        .regions = {static_cast<int>(row)},
                                        .patterns = {Blocks(c.queries, c.d, 4, 4)}}}}));
  }
  b.Fifo({.name = "Y", .from = {.tile = mem, .object = y}, .to = {{.tile = shim}}});
  return streams;
}

void AddCore(OverlayBuilder& b, const AttentionArrayConfig& c, const Streams& streams,
             std::size_t col, std::size_t row) {
  const Tile tile = Core(col, row);
  const int q = b.In(streams.q[row], tile), kv = b.In(streams.kv, tile);
  const int y = b.Out(streams.y[row]);
  const device::Argument weights = device::Memory(b.Local(tile, "weights", c.keys * 16 * kBytes));
  const int state = b.Local(tile, "state", c.queries * kStateBytes);
  const int sums = b.Local(tile, "sums", c.queries * c.d * kSumBytes);
  const auto queries = static_cast<std::int32_t>(c.queries), d = static_cast<std::int32_t>(c.d);
  const auto block = [&](device::Value valid, device::Value first) {
    return std::vector<Statement>{
        device::Acquire(kv),
        device::Call(
            "attention_block_bf16",
            {device::Object(q), device::Object(kv), device::Object(kv, 0, c.keys * c.d * kBytes),
             weights, device::Memory(state), device::Memory(sums), Number(queries), Number(d),
             Number(valid), Number(first)}),
        device::Release(kv)};
  };
  const int go = b.AddLock(tile, "go");
  std::vector<Statement> unit = {
      device::Acquire(q),
      device::Loop(Rtp(kWhole),
                   block(device::Constant(static_cast<std::int32_t>(c.keys)), device::First())),
      device::Loop(Rtp(kRagged), block(Rtp(kRaggedKeys), Rtp(kOnlyRagged))), device::Release(q)};
  const std::size_t part = ResultQueries(c);
  for (std::size_t first = 0; first < c.queries; first += part) {
    unit.push_back(device::Acquire(y));
    unit.push_back(device::Call(
        "attention_finish_bf16",
        {device::Memory(state, first * kStateBytes), device::Memory(sums, first * c.d * kSumBytes),
         device::Object(y), Number(static_cast<std::int32_t>(part)), Number(d)}));
    unit.push_back(device::Release(y));
  }
  b.Run(tile, {device::AcquireLock(go), device::Loop(Rtp(kUnits), unit)}, kParameters,
        kProgramBytes);
}

OverlayBuilder Build(const AttentionArrayConfig& c) {
  OverlayBuilder b(
      fmt::format("attention {} queries {} keys d {} x{}", c.queries, c.keys, c.d, c.columns));
  for (std::size_t col = 0; col < c.columns; ++col) {
    const Streams streams = AddColumn(b, c, col);
    for (std::size_t row = 0; row < kRows; ++row) AddCore(b, c, streams, col, row);
  }
  return b;
}

class Stream {
 public:
  Stream(const AttentionArrayConfig& config, const AttentionProblem& problem)
      : c_(config),
        p_(problem),
        blocks_((problem.rows + config.keys - 1) / config.keys),
        passes_((problem.rows + config.queries * kRows - 1) / (config.queries * kRows)) {
    if (p_.rows == 0 || p_.heads == 0) {
      Throw(ErrorCode::kInvalidArgument, "attention: {} rows of {} heads; want 1 or more", p_.rows,
            p_.heads);
    }
    if (blocks_ > device::kIterationMax) {
      Throw(ErrorCode::kUnsupported,
            "attention: {} rows in blocks of {} keys are {} > {} iterations of a shim", p_.rows,
            c_.keys, blocks_, device::kIterationMax);
    }
  }

  std::vector<Instruction> Make() {
    SetParameters();
    const std::size_t units = p_.heads * passes_, rounds = (units + c_.columns - 1) / c_.columns;
    for (std::size_t round = 0; round < rounds + 2; ++round) {
      // Two units a column are on their way: the descriptors of the one before them are free.
      for (std::size_t col = 0; col < c_.columns; ++col) {
        if (round >= 2 && (round - 2) * c_.columns + col < units) {
          out_.emplace_back(device::WaitToken{static_cast<int>(col), false, 0});
        }
        const std::size_t unit = round * c_.columns + col;
        if (round < rounds && unit < units) PushUnit(unit, col, round % 2);
      }
    }
    return std::move(out_);
  }

 private:
  void SetParameters() {
    const std::size_t units = p_.heads * passes_, whole = p_.rows / c_.keys,
                      ragged = p_.rows % c_.keys;
    for (std::size_t col = 0; col < c_.columns; ++col) {
      const std::size_t mine = units / c_.columns + (col < units % c_.columns ? 1 : 0);
      const std::size_t values[kParameters] = {mine, whole, ragged != 0 ? 1U : 0U, ragged,
                                               whole == 0 ? 1U : 0U};
      for (std::size_t row = 0; row < kRows; ++row) {
        for (unsigned i = 0; i < kParameters; ++i) {
          out_.emplace_back(
              device::WriteRtp{Core(col, row), i, static_cast<std::int32_t>(values[i])});
        }
        out_.emplace_back(device::SetLock{Core(col, row), kGoLock, 1});
      }
    }
  }

  // Units of a head follow each other, so that all columns read the same K and V.
  void PushUnit(std::size_t unit, std::size_t col, std::size_t odd) {
    const std::size_t head = unit / passes_, first_row = unit % passes_ * c_.queries * kRows;
    const std::size_t width = p_.heads * c_.d, rows = c_.queries * kRows;
    const auto id = static_cast<unsigned>(odd);
    Push(out_, kName,
         {col, true, 0, {.element_bytes = kBytes, .dims = {{rows, 3 * width}, {c_.d, 1}}}},
         {.id = id,
          .argument = 0,
          .offset = (first_row * 3 * width + head * c_.d) * kBytes,
          .bytes = rows * c_.d * kBytes});
    Push(out_, kName,
         {col,
          true,
          1,
          {.element_bytes = kBytes,
           .dims = {{2, width}, {c_.keys, 3 * width}, {c_.d, 1}},
           .iteration = {blocks_, c_.keys * 3 * width}},
          blocks_},
         {.id = 2 + id,
          .argument = 0,
          .offset = (width + head * c_.d) * kBytes,
          .bytes = 2 * c_.keys * c_.d * kBytes});
    Push(out_, kName,
         {col, false, 0, {.element_bytes = kBytes, .dims = {{rows, width}, {c_.d, 1}}}},
         {.id = 4 + id,
          .argument = 1,
          .offset = (first_row * width + head * c_.d) * kBytes,
          .bytes = rows * c_.d * kBytes});
  }

  AttentionArrayConfig c_;
  AttentionProblem p_;
  std::size_t blocks_;  // of keys
  std::size_t passes_;  // of four cores' queries
  std::vector<Instruction> out_;
};

}  // namespace

std::size_t PaddedPositions(const AttentionArrayConfig& c, std::size_t rows) {
  return std::max(UpTo(rows, c.queries * kRows), UpTo(rows, c.keys));
}

Fit AttentionArrayFits(const AttentionArrayConfig& config) {
  if (Fit fit = CheckConfig(config); !fit) return fit;
  return FitOf([&] { return Build(config); });
}

device::Overlay AttentionOverlay(const AttentionArrayConfig& config) {
  if (const Fit fit = CheckConfig(config); !fit) {
    Throw(ErrorCode::kInvalidArgument, "{}", fit.reason);
  }
  return Build(config).Finish();
}

std::vector<Instruction> AttentionInstructions(const AttentionArrayConfig& config,
                                               const AttentionProblem& problem) {
  return Stream(config, problem).Make();
}

}  // namespace xdna::kernels
