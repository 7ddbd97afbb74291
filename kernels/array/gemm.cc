#include "kernels/array/gemm.h"

#include <fmt/core.h>

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "device/array/overlay_builder.h"
#include "kernels/array/gemm_layout.h"
#include "kernels/array/tiles.h"
#include "kernels/gelu/gelu_table.h"

namespace xdna::kernels {
namespace {

using device::Fit;
using device::OverlayBuilder;
using device::Pattern;
using device::Statement;
using device::Tile;
using gemm_layout::AObjectBytes;
using gemm_layout::BDepth;
using gemm_layout::BObjectBytes;
using gemm_layout::GroupBytes;
using gemm_layout::InBytes;
using gemm_layout::kGelu;
using gemm_layout::KMem;
using gemm_layout::kR;
using gemm_layout::kS;
using gemm_layout::kSteps;
using gemm_layout::kSumBytes;
using gemm_layout::kTiles;
using gemm_layout::kWord;
using gemm_layout::RowsPerColumn;
using gemm_layout::T;

// Four block shapes of up to 16 unrolled VMACs with their loads and stores, and the epilogue, a
// third of which is the erf polynomial.
constexpr std::size_t kProgramBytes = 6144, kProgramBytesByTable = 4096;
// Scaled the epilogue goes by 32 lanes.
constexpr std::size_t kScaledProgramBytes = 11264, kScaledProgramBytesByTable = 4608;
// With it the table, 64x128x64 and the run-time parameters are 64 KiB.
constexpr std::size_t kTightStackBytes = 992;

Fit CheckConfig(const GemmConfig& c) {
  const auto no = [](std::string reason) { return Fit{false, std::move(reason)}; };
  const bool bf16 = c.in == GemmType::kBf16;
  if (c.m == 0 || c.k == 0 || c.n == 0 || c.m % kR != 0 || c.k % kS != 0 || c.n % T(c) != 0) {
    return no(fmt::format("gemm: tile {}x{}x{}; want multiples of {}x{}x{}", c.m, c.k, c.n, kR, kS,
                          T(c)));
  }
  if (c.columns != 1 && c.columns != 2 && c.columns != 4) {
    return no(fmt::format("gemm: {} columns; want 1, 2 or 4", c.columns));
  }
  if (c.out_bytes != 2 && c.out_bytes != 4 && (bf16 || c.out_bytes != 1)) {
    return no(fmt::format("gemm: {} output bytes from {}", c.out_bytes, bf16 ? "bf16" : "int8"));
  }
  if (c.k_mem % c.k != 0) {
    return no(fmt::format("gemm: k_mem {} is no multiple of k {}", c.k_mem, c.k));
  }
  if (c.a_times == 0 || c.b_panels == 0 || c.b_times == 0 || (c.a_times > 1 && c.b_times > 1) ||
      (c.b_panels > 1 && c.b_times == 1)) {
    return no(
        fmt::format("gemm: memory tiles keep A {} times, {} panels of B {} times; want 1 or more, "
                    "of A or B",
                    c.a_times, c.b_panels, c.b_times));
  }
  if (c.reload && (c.out_bytes == kSumBytes || c.packed_b || c.int_shift != 0)) {
    return no("gemm: only a narrow C without epilogue can be reloaded from step to step");
  }
  if (c.gelu && (!c.packed_b || (!bf16 && !c.scaled))) {
    return no("gemm: the GELU epilogue needs bf16 with a packed B");
  }
  if (c.scaled && (bf16 || !c.packed_b || c.reload || c.out_bytes == 1 || c.k % 32 != 0)) {
    return no("gemm: scales are for int8 with a packed B, k a multiple of 32, to bf16 or f32");
  }
  if ((c.gelu_table || c.gelu_rtp) && !c.gelu) {
    return no("gemm: a GELU table or run-time parameter without GELU");
  }
  return {};
}

// C is made in the output's own object where nothing has to be narrowed.
bool InPlace(const GemmConfig& c) {
  return c.reload || (c.out_bytes == kSumBytes && !c.packed_b && c.int_shift == 0);
}

// A row-major [rows, cols] in memory as blocks of r x t, in the order of the blocks.
Pattern Blocks(std::size_t rows, std::size_t cols, std::size_t r, std::size_t t,
               std::size_t bytes) {
  return {.element_bytes = static_cast<unsigned>(bytes),
          .dims = {{rows / r, r * cols}, {cols / t, t}, {r, cols}, {t, 1}}};
}

// The FIFOs that feed and drain the cores.
struct Streams {
  std::vector<device::FifoId> a;               // by row
  std::vector<device::FifoId> b;               // by column
  std::vector<std::vector<device::FifoId>> c;  // by column and row
};

// Memory tile `col` brings A to its rows of cores. It takes rows of k_mem and stores them as steps
// of [m, k], so that what it sends needs no more than four dimensions.
void AddA(OverlayBuilder& b, const GemmConfig& c, std::size_t col, Streams& streams) {
  const std::size_t rows = RowsPerColumn(c), steps = KMem(c) / c.k;
  const auto bytes = static_cast<unsigned>(InBytes(c));
  const std::string name = fmt::format("A{}", col);
  const auto object =
      b.MemObject(Mem(col), name, std::vector<std::size_t>(rows, steps * AObjectBytes(c)));
  Pattern take{.element_bytes = bytes, .dims = {{c.m, c.k}, {steps, c.m * c.k}, {c.k, 1}}};
  Pattern send{.element_bytes = bytes,
               .dims = {{steps * c.m / kR, kR * c.k}, {c.k / kS, kS}, {kR, c.k}, {kS, 1}}};
  if (c.scaled) {
    // Blocks already; by four rows and in these by steps.
    const std::size_t group = GroupBytes(c) / kWord;
    take = {.element_bytes = kWord};
    send = {.element_bytes = kWord,
            .dims = {{steps, group}, {c.m / kR, steps * group}, {group, 1}}};
  }
  b.Fifo(
      {.name = name,
       .from = {.tile = Shim(col)},
       .to = {{.tile = Mem(col), .object = object, .patterns = std::vector<Pattern>(rows, take)}}});
  for (std::size_t r = 0; r < rows; ++r) {
    std::vector<device::FifoEnd> cores;
    for (std::size_t i = 0; i < c.columns; ++i) cores.push_back({.tile = Core(i, col * rows + r)});
    streams.a.push_back(b.Fifo({.name = "A",
                                .object_bytes = AObjectBytes(c),
                                .from = {.tile = Mem(col),
                                         .object = object,
                                         .regions = {static_cast<int>(r)},
                                         .patterns = {send},
                                         .times = static_cast<unsigned>(c.a_times)},
                                .to = std::move(cores)}));
  }
}

void AddB(OverlayBuilder& b, const GemmConfig& c, std::size_t col, Streams& streams) {
  const std::size_t k_mem = KMem(c);
  const std::string name = fmt::format("B{}", col);
  const auto object = b.MemObject(
      Mem(col), name, std::vector<std::size_t>(c.b_panels, k_mem / c.k * BObjectBytes(c)),
      BDepth(c), static_cast<unsigned>(c.b_times));
  std::vector<Pattern> send;
  if (!c.packed_b) send.assign(c.b_panels, Blocks(k_mem, c.n, kS, T(c), InBytes(c)));
  b.Fifo({.name = name, .from = {.tile = Shim(col)}, .to = {{.tile = Mem(col), .object = object}}});
  std::vector<device::FifoEnd> cores;
  for (std::size_t row = 0; row < kRows; ++row) cores.push_back({.tile = Core(col, row)});
  streams.b.push_back(b.Fifo({.name = "B",
                              .object_bytes = BObjectBytes(c),
                              .from = {.tile = Mem(col), .object = object, .patterns = send},
                              .to = std::move(cores)}));
}

void AddC(OverlayBuilder& b, const GemmConfig& c, std::size_t col, Streams& streams) {
  const std::size_t bytes = c.m * c.n * c.out_bytes;
  const std::string name = fmt::format("C{}", col);
  const auto object = b.MemObject(Mem(col), name, std::vector<std::size_t>(kRows, bytes));
  auto& fifos = streams.c.emplace_back();
  for (std::size_t row = 0; row < kRows; ++row) {
    fifos.push_back(b.Fifo({.name = "C",
                            .object_bytes = bytes,
                            .from = {.tile = Core(col, row), .depth = c.double_buffer_c ? 2U : 1U},
                            .to = {{.tile = Mem(col),
                                    .object = object,
                                    .regions = {static_cast<int>(row)},
                                    .patterns = {Blocks(c.m, c.n, kR, T(c), c.out_bytes)}}}}));
  }
  b.Fifo({.name = name, .from = {.tile = Mem(col), .object = object}, .to = {{.tile = Shim(col)}}});
}

const char* MultiplyName(const GemmConfig& c) {
  if (c.in == GemmType::kBf16) return c.reload ? "matmul_reload_bf16" : "matmul_bf16";
  if (!c.reload) return c.scaled ? "matmul_scaled_int8" : "matmul_int8";
  return c.out_bytes == 1 ? "matmul_reload_int8" : "matmul_reload_int16";
}

// //kernels/npu's forms of the epilogues, with flat arguments.
std::string FinishName(const GemmConfig& c) {
  if (c.in == GemmType::kInt8 && !c.scaled) {
    return fmt::format("matmul_finish_tile_int{}", 8 * c.out_bytes);
  }
  return fmt::format("matmul_finish_{}{}_{}", c.scaled ? "scaled_" : "",
                     c.gelu_table ? "table" : "tile", c.out_bytes == 2 ? "bf16" : "f32");
}

// The epilogue, within the last step, while the bias behind its B is here, and the scales behind
// its A.
Statement Finish(const GemmConfig& c, const device::Argument& sums, int a, int b, int y) {
  const auto number = [](std::size_t value) {
    return device::Number(static_cast<std::int32_t>(value));
  };
  const device::Argument bias =
      c.packed_b ? device::Object(b, 0, c.k * c.n * InBytes(c)) : device::Null();
  std::vector<device::Argument> arguments = {sums, bias, device::Object(y)};
  if (c.scaled) arguments.push_back(device::Object(a));
  arguments.push_back(number(c.m));
  arguments.push_back(number(c.n));
  if (c.scaled) arguments.push_back(number(c.k));
  if (c.in == GemmType::kInt8) arguments.push_back(number(c.int_shift));
  if (c.in == GemmType::kBf16 || c.scaled) {
    arguments.push_back(c.gelu_rtp ? device::Number(device::Rtp(kGelu)) : number(c.gelu ? 1 : 0));
  }
  return device::Loop(
      device::Last(),
      {device::Acquire(y), device::Call(FinishName(c), std::move(arguments)), device::Release(y)});
}

std::size_t ProgramBytes(const GemmConfig& c) {
  if (!c.scaled) return c.gelu_table ? kProgramBytesByTable : kProgramBytes;
  return c.gelu && !c.gelu_table ? kScaledProgramBytes : kScaledProgramBytesByTable;
}

void AddCore(OverlayBuilder& builder, const GemmConfig& c, const Streams& streams, std::size_t col,
             std::size_t row) {
  using device::Number;
  const Tile tile = Core(col, row);
  const int a = builder.In(streams.a[row], tile), b = builder.In(streams.b[col], tile);
  const int y = builder.Out(streams.c[col][row]);
  const int go = builder.AddLock(tile, "go");
  const device::Argument sums =
      InPlace(c) ? device::Object(y)
                 : device::Memory(builder.Local(tile, "sums", c.m * c.n * kSumBytes));
  if (c.gelu_table) builder.Local(tile, "GELU table", sizeof(GeluTable));
  std::vector<device::Argument> arguments = {device::Object(a),
                                             device::Object(b),
                                             sums,
                                             Number(static_cast<std::int32_t>(c.m)),
                                             Number(static_cast<std::int32_t>(c.k)),
                                             Number(static_cast<std::int32_t>(c.n)),
                                             Number(device::First())};
  if (c.reload && c.in == GemmType::kBf16) {
    arguments.push_back(Number(0));  // rounds by floor, as mlir-aie's mm.cc
  }
  std::vector<Statement> step = {device::Acquire(a), device::Acquire(b),
                                 device::Call(MultiplyName(c), arguments)};
  if (!InPlace(c)) step.push_back(Finish(c, sums, a, b, y));
  step.push_back(device::Release(a));
  step.push_back(device::Release(b));
  std::vector<Statement> body;
  if (InPlace(c)) body.push_back(device::Acquire(y));
  body.push_back(device::Loop(device::Rtp(kSteps), std::move(step)));
  if (InPlace(c)) body.push_back(device::Release(y));
  builder.Run(tile, {device::AcquireLock(go), device::Loop(device::Rtp(kTiles), std::move(body))},
              c.gelu_rtp ? 3 : 2, ProgramBytes(c),
              c.scaled && c.gelu_table ? kTightStackBytes : device::kDefaultStackBytes);
}

OverlayBuilder Build(const GemmConfig& c) {
  const char* type = c.in == GemmType::kBf16 ? "bf16" : c.scaled ? "int8 scaled" : "int8";
  OverlayBuilder b(fmt::format("gemm {} {}x{}x{} x{}", type, c.m, c.k, c.n, c.columns));
  Streams streams;
  for (std::size_t col = 0; col < c.columns; ++col) {
    AddA(b, c, col, streams);
    AddB(b, c, col, streams);
    AddC(b, c, col, streams);
  }
  for (std::size_t col = 0; col < c.columns; ++col) {
    for (std::size_t row = 0; row < kRows; ++row) AddCore(b, c, streams, col, row);
  }
  return b;
}

}  // namespace

Fit GemmFits(const GemmConfig& config) {
  if (Fit fit = CheckConfig(config); !fit) return fit;
  return FitOf([&] { return Build(config); });
}

device::Overlay GemmOverlay(const GemmConfig& config) {
  if (const Fit fit = CheckConfig(config); !fit) {
    Throw(ErrorCode::kInvalidArgument, "{}", fit.reason);
  }
  return Build(config).Finish();
}

}  // namespace xdna::kernels
