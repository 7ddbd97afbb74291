#include "kernels/array/gemm.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "base/error.h"
#include "device/array/overlay_builder.h"

namespace xdna::kernels {
namespace {

using device::Fit;
using device::Instruction;
using device::kCoreRows;
using device::kFirstCoreRow;
using device::kMemRow;
using device::kShimRow;
using device::OverlayBuilder;
using device::Pattern;
using device::Statement;
using device::Tile;

constexpr std::size_t kRows = kCoreRows;
constexpr std::size_t kR = 4, kS = 8;  // mmul's rows and depth
constexpr std::size_t kSumBytes = 4;
// Four block shapes of up to 16 unrolled VMACs with their loads and stores, and the epilogue.
constexpr std::size_t kProgramBytes = 6144;
constexpr unsigned kTiles = 0, kSteps = 1;  // run-time parameters of a core
constexpr unsigned kGoLock = 6;             // a core's three FIFOs have the locks before

std::size_t InBytes(const GemmConfig& c) { return c.in == GemmType::kBf16 ? 2 : 1; }
std::size_t T(const GemmConfig& c) { return c.in == GemmType::kBf16 ? 4 : 8; }
std::size_t RowsPerColumn(const GemmConfig& c) { return kRows / c.columns; }
std::size_t UpTo(std::size_t value, std::size_t step) { return (value + step - 1) / step * step; }

std::size_t BObjectBytes(const GemmConfig& c) {
  return c.k * c.n * InBytes(c) + (c.packed_b ? c.n * kSumBytes : 0);
}

std::size_t MemBytes(const GemmConfig& c, std::size_t k_mem) {
  const std::size_t a = RowsPerColumn(c) * c.m * k_mem * InBytes(c);
  const std::size_t b = k_mem / c.k * BObjectBytes(c);
  return 2 * (a + b + kRows * c.m * c.n * c.out_bytes);
}

// Deeper panels make longer runs in host memory; beyond 4 steps little is left to gain.
std::size_t KMem(const GemmConfig& c) {
  if (c.k_mem != 0) return c.k_mem;
  for (std::size_t steps = 4; steps > 1; steps /= 2) {
    if (MemBytes(c, steps * c.k) <= device::kMemTileBytes) return steps * c.k;
  }
  return c.k;
}

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
  if (c.reload && (c.out_bytes == kSumBytes || c.packed_b || c.int_shift != 0)) {
    return no("gemm: only a narrow C without epilogue can be reloaded from step to step");
  }
  if (c.gelu && (!c.packed_b || !bf16)) {
    return no("gemm: the GELU epilogue needs bf16 with a packed B");
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

Tile Core(std::size_t col, std::size_t row) {
  return {static_cast<int>(col), kFirstCoreRow + static_cast<int>(row)};
}
Tile Mem(std::size_t col) { return {static_cast<int>(col), kMemRow}; }
Tile Shim(std::size_t col) { return {static_cast<int>(col), kShimRow}; }

// The FIFOs that feed and drain the cores.
struct Streams {
  std::vector<device::FifoId> a;               // by row
  std::vector<device::FifoId> b;               // by column
  std::vector<std::vector<device::FifoId>> c;  // by column and row
};

// Memory tile `col` brings A to its rows of cores. It takes rows of k_mem and stores them as steps
// of [m, k], so that what it sends needs no more than four dimensions.
void AddA(OverlayBuilder& b, const GemmConfig& c, std::size_t col, Streams& streams) {
  const std::size_t rows = RowsPerColumn(c), k_mem = KMem(c), steps = k_mem / c.k;
  const auto bytes = static_cast<unsigned>(InBytes(c));
  const std::string name = fmt::format("A{}", col);
  const auto object =
      b.MemObject(Mem(col), name, std::vector<std::size_t>(rows, c.m * k_mem * InBytes(c)));
  const Pattern take{.element_bytes = bytes, .dims = {{c.m, c.k}, {steps, c.m * c.k}, {c.k, 1}}};
  const Pattern send{.element_bytes = bytes,
                     .dims = {{steps * c.m / kR, kR * c.k}, {c.k / kS, kS}, {kR, c.k}, {kS, 1}}};
  b.Fifo(
      {.name = name,
       .from = {.tile = Shim(col)},
       .to = {{.tile = Mem(col), .object = object, .patterns = std::vector<Pattern>(rows, take)}}});
  for (std::size_t r = 0; r < rows; ++r) {
    std::vector<device::FifoEnd> cores;
    for (std::size_t i = 0; i < c.columns; ++i) cores.push_back({.tile = Core(i, col * rows + r)});
    streams.a.push_back(b.Fifo({.name = "A",
                                .object_bytes = c.m * c.k * InBytes(c),
                                .from = {.tile = Mem(col),
                                         .object = object,
                                         .regions = {static_cast<int>(r)},
                                         .patterns = {send}},
                                .to = std::move(cores)}));
  }
}

void AddB(OverlayBuilder& b, const GemmConfig& c, std::size_t col, Streams& streams) {
  const std::size_t k_mem = KMem(c);
  const std::string name = fmt::format("B{}", col);
  const auto object = b.MemObject(Mem(col), name, {k_mem / c.k * BObjectBytes(c)});
  std::vector<Pattern> send;
  if (!c.packed_b) send = {Blocks(k_mem, c.n, kS, T(c), InBytes(c))};
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
  if (!c.reload) return "matmul_int8";
  return c.out_bytes == 1 ? "matmul_reload_int8" : "matmul_reload_int16";
}

// //kernels/npu's forms of the epilogues, with flat arguments.
std::string FinishName(const GemmConfig& c) {
  if (c.in == GemmType::kInt8) return fmt::format("matmul_finish_tile_int{}", 8 * c.out_bytes);
  return c.out_bytes == 2 ? "matmul_finish_tile_bf16" : "matmul_finish_tile_f32";
}

// The epilogue, within the last step, while the bias behind its B is here.
Statement Finish(const GemmConfig& c, const device::Argument& sums, int b, int y) {
  const device::Argument bias =
      c.packed_b ? device::Object(b, 0, c.k * c.n * InBytes(c)) : device::Null();
  const auto option = c.in == GemmType::kInt8 ? static_cast<std::int32_t>(c.int_shift)
                                              : static_cast<std::int32_t>(c.gelu);
  return device::Loop(
      device::Last(),
      {device::Acquire(y),
       device::Call(FinishName(c),
                    {sums, bias, device::Object(y), device::Number(static_cast<std::int32_t>(c.m)),
                     device::Number(static_cast<std::int32_t>(c.n)), device::Number(option)}),
       device::Release(y)});
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
  if (!InPlace(c)) step.push_back(Finish(c, sums, b, y));
  step.push_back(device::Release(a));
  step.push_back(device::Release(b));
  std::vector<Statement> body;
  if (InPlace(c)) body.push_back(device::Acquire(y));
  body.push_back(device::Loop(device::Rtp(kSteps), std::move(step)));
  if (InPlace(c)) body.push_back(device::Release(y));
  builder.Run(tile, {device::AcquireLock(go), device::Loop(device::Rtp(kTiles), std::move(body))},
              2, kProgramBytes);
}

OverlayBuilder Build(const GemmConfig& c) {
  OverlayBuilder b(fmt::format("gemm {} {}x{}x{} x{}", c.in == GemmType::kBf16 ? "bf16" : "int8",
                               c.m, c.k, c.n, c.columns));
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

// The instruction stream of one problem, block of rows by block of rows.
class Stream {
 public:
  Stream(const GemmConfig& config, const GemmProblem& problem)
      : c_(config), p_(Padded(config, problem)), blocks_(p_.n / (c_.n * c_.columns)) {
    if (blocks_ > device::kIterationMax) {
      Throw(ErrorCode::kUnsupported, "gemm: {} blocks of {} columns > {} iterations of a shim",
            blocks_, c_.n * c_.columns, device::kIterationMax);
    }
  }

  std::vector<Instruction> Make() {
    SetParameters();
    const std::size_t rows = p_.m / (c_.m * kRows);
    for (std::size_t i = 0; i < rows; ++i) {
      // Two blocks of rows are on their way: the descriptors of the one before them are free.
      if (i >= 2) Wait();
      for (std::size_t col = 0; col < c_.columns; ++col) PushRows(i, col);
    }
    for (std::size_t i = 0; i < std::min<std::size_t>(rows, 2); ++i) Wait();
    return std::move(out_);
  }

 private:
  void SetParameters() {
    const auto tiles = static_cast<std::int32_t>(p_.m / (c_.m * kRows) * blocks_);
    const auto steps = static_cast<std::int32_t>(p_.k / c_.k);
    for (std::size_t col = 0; col < c_.columns; ++col) {
      for (std::size_t row = 0; row < kRows; ++row) {
        out_.emplace_back(device::WriteRtp{Core(col, row), kTiles, tiles});
        out_.emplace_back(device::WriteRtp{Core(col, row), kSteps, steps});
        out_.emplace_back(device::SetLock{Core(col, row), kGoLock, 1});
      }
    }
  }

  void Wait() {
    for (std::size_t col = 0; col < c_.columns; ++col) {
      out_.emplace_back(device::WaitToken{static_cast<int>(col), false, 0});
    }
  }

  // Descriptors 0 to 5 of a column: A, B and C of even and odd blocks of rows.
  void PushRows(std::size_t i, std::size_t col) {
    const unsigned odd = i % 2;
    const std::size_t in = InBytes(c_), k_mem = KMem(c_), block_rows = c_.m * kRows;
    const std::size_t my_rows = c_.m * RowsPerColumn(c_);
    Pattern a{.element_bytes = static_cast<unsigned>(in),
              .dims = {{p_.k / k_mem, k_mem}, {my_rows, p_.a_stride}, {k_mem, 1}}};
    Push(col, true, 0, a, 0,
         {.id = odd,
          .argument = 0,
          .offset = (i * block_rows + col * my_rows) * p_.a_stride * in,
          .bytes = my_rows * p_.k * in});
    PushB(col, 2 + odd);
    Pattern c{.element_bytes = static_cast<unsigned>(c_.out_bytes),
              .dims = {{block_rows, p_.n}, {c_.n, 1}}};
    Push(col, false, 0, c, c_.columns * c_.n,
         {.id = 4 + odd,
          .argument = 2,
          .offset = (i * block_rows * p_.n + col * c_.n) * c_.out_bytes,
          .bytes = block_rows * c_.n * c_.out_bytes});
  }

  void PushB(std::size_t col, unsigned id) {
    const std::size_t in = InBytes(c_), k_mem = KMem(c_);
    if (c_.packed_b) {
      const std::size_t panel = p_.k / c_.k * BObjectBytes(c_);
      Push(col, true, 1, {.element_bytes = 4}, c_.columns * panel / 4,
           {.id = id, .argument = 1, .offset = col * panel, .bytes = panel});
      return;
    }
    Pattern b{.element_bytes = static_cast<unsigned>(in),
              .dims = {{p_.k / k_mem, k_mem * p_.n}, {k_mem, p_.n}, {c_.n, 1}}};
    Push(col, true, 1, b, c_.columns * c_.n,
         {.id = id, .argument = 1, .offset = col * c_.n * in, .bytes = p_.k * c_.n * in});
  }

  // A descriptor and its task for all blocks of columns, `step` elements apart.
  void Push(std::size_t col, bool sends, unsigned channel, Pattern pattern, std::size_t step,
            device::WriteDescriptor descriptor) {
    pattern.engine = device::Engine::kShim;
    pattern.sends = sends;
    pattern.iteration = {blocks_, step};
    descriptor.column = static_cast<int>(col);
    descriptor.pattern = std::move(pattern);
    if (const Fit fit = descriptor.pattern.fits(); !fit) {
      Throw(ErrorCode::kUnsupported, "gemm: {}", fit.reason);
    }
    out_.emplace_back(descriptor);
    out_.emplace_back(device::PushTask{descriptor.column, sends, channel, descriptor.id,
                                       static_cast<unsigned>(blocks_), !sends});
  }

  GemmConfig c_;
  GemmProblem p_;
  std::size_t blocks_;  // of columns * n
  std::vector<Instruction> out_;
};

}  // namespace

GemmProblem Padded(const GemmConfig& c, const GemmProblem& p) {
  const std::size_t k = UpTo(p.k, KMem(c));
  return {UpTo(p.m, c.m * kRows), k, UpTo(p.n, c.n * c.columns), p.a_stride != 0 ? p.a_stride : k};
}

Fit GemmFits(const GemmConfig& config) {
  if (Fit fit = CheckConfig(config); !fit) return fit;
  try {
    Build(config).Finish();
  } catch (const Error& e) {
    return {false, e.what()};
  }
  return {};
}

device::Overlay GemmOverlay(const GemmConfig& config) {
  if (const Fit fit = CheckConfig(config); !fit) {
    Throw(ErrorCode::kInvalidArgument, "{}", fit.reason);
  }
  return Build(config).Finish();
}

std::vector<Instruction> GemmInstructions(const GemmConfig& config, const GemmProblem& problem) {
  return Stream(config, problem).Make();
}

GemmBytes GemmBufferBytes(const GemmConfig& c, const GemmProblem& problem) {
  const GemmProblem p = Padded(c, problem);
  return {((p.m - 1) * p.a_stride + p.k) * InBytes(c), p.k / c.k * (p.n / c.n) * BObjectBytes(c),
          p.m * p.n * c.out_bytes};
}

std::vector<std::byte> PackGemmB(const GemmConfig& c, const GemmProblem& problem, const void* b,
                                 const void* bias) {
  const GemmProblem p = Padded(c, problem);
  const std::size_t bytes = InBytes(c), t = T(c);
  std::vector<std::byte> packed(GemmBufferBytes(c, problem).b);
  const auto* from = static_cast<const std::byte*>(b);
  std::byte* to = packed.data();
  for (std::size_t col = 0; col < p.n; col += c.n) {
    for (std::size_t step = 0; step < p.k; step += c.k) {
      for (std::size_t at = 0; at < c.k * c.n; ++at) {
        const std::size_t block = at / (kS * t), in_block = at % (kS * t);
        const std::size_t i = step + block / (c.n / t) * kS + in_block / t;
        const std::size_t j = col + block % (c.n / t) * t + in_block % t;
        if (i < problem.k && j < problem.n) {
          std::memcpy(to + at * bytes, from + (i * problem.n + j) * bytes, bytes);
        }
      }
      to += c.k * c.n * bytes;
      if (bias != nullptr && col < problem.n) {
        std::memcpy(to, static_cast<const std::byte*>(bias) + col * kSumBytes,
                    std::min(c.n, problem.n - col) * kSumBytes);
      }
      to += c.n * kSumBytes;
    }
  }
  return packed;
}

}  // namespace xdna::kernels
