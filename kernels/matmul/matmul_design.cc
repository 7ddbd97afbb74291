#include "kernels/matmul/matmul_design.h"

#include <fmt/core.h>

#include <cstdint>
#include <vector>

#include "base/error.h"
#include "kernels/cost/cost.h"

namespace xdna::kernels {
namespace {

constexpr std::size_t kRows = 4, kDepth = 8;
std::size_t ColsOf(const MatmulConfig& c) { return c.in_bytes == 1 ? 8 : 4; }

void CheckConfig(const MatmulConfig& c) {
  const bool bf16 = c.in_bytes == 2 && (c.out_bytes == 2 || c.out_bytes == 4);
  const bool int8 = c.in_bytes == 1 && (c.out_bytes == 1 || c.out_bytes == 2 || c.out_bytes == 4);
  if (!bf16 && !int8) {
    Throw(ErrorCode::kInvalidArgument,
          "matmul: {} bytes in and {} out; bf16 is 2 to 2 or 4, int8 is 1 to 1, 2 or 4", c.in_bytes,
          c.out_bytes);
  }
  if (c.reload && (c.in_bytes != 2 || c.out_bytes != 2)) {
    Throw(ErrorCode::kInvalidArgument, "matmul: only a bf16 C can be reloaded as bf16");
  }
  if ((c.in_bytes == 1 && (c.residual || c.scaled || c.gelu)) ||
      (c.reload && (c.bias || c.residual || c.scaled || c.gelu))) {
    Throw(ErrorCode::kInvalidArgument,
          "matmul: scale, GELU and residual are for bf16, and no epilogue for a reloaded C");
  }
  if (c.m == 0 || c.k == 0 || c.n == 0 || c.steps == 0 || c.m % kRows != 0 || c.k % kDepth != 0 ||
      c.n % ColsOf(c) != 0) {
    Throw(ErrorCode::kInvalidArgument,
          "matmul: tile {}x{}x{} in {} steps; want multiples of {}x{}x{} and a step or more", c.m,
          c.k, c.n, c.steps, kRows, kDepth, ColsOf(c));
  }
}

// A row-major panel of rows x cols in blocks of r x t, as the memory tile sends or takes it.
Pattern Blocks(std::size_t rows, std::size_t cols, std::size_t r, std::size_t t, std::size_t bytes,
               bool sends) {
  return {.engine = Engine::kMem,
          .sends = sends,
          .element_bytes = static_cast<unsigned>(bytes),
          .dims = {{rows / r, r * cols}, {cols / t, t}, {r, cols}, {t, 1}}};
}

// 0 where the output is C as it is.
double FinishCycles(const MatmulConfig& c, CodeGenerator generator) {
  const bool works = c.bias || c.residual || c.scaled || c.gelu;
  if (c.reload || (c.out_bytes == 4 && !works)) return 0;
  const auto m = static_cast<std::int64_t>(c.m), n = static_cast<std::int64_t>(c.n);
  if (c.in_bytes == 1) {
    const char* function = c.out_bytes == 1   ? "matmul_finish_int8"
                           : c.out_bytes == 2 ? "matmul_finish_int16"
                                              : "matmul_finish_int32";
    return CoreCycles(function, {m, n, c.bias}, generator);
  }
  return CoreCycles(c.out_bytes == 2 ? "matmul_finish_bf16" : "matmul_finish_f32",
                    {m, n, c.bias, c.residual, c.scaled, c.gelu}, generator);
}

double Cycles(const MatmulConfig& c, CodeGenerator generator) {
  const auto m = static_cast<std::int64_t>(c.m), k = static_cast<std::int64_t>(c.k),
             n = static_cast<std::int64_t>(c.n);
  const auto step = [&](std::int64_t first) {
    if (c.reload) return CoreCycles("matmul_reload_bf16", {m, k, n, first, 0}, generator);
    return CoreCycles(c.in_bytes == 1 ? "matmul_int8" : "matmul_bf16", {m, k, n, first}, generator);
  };
  return step(1) + static_cast<double>(c.steps - 1) * step(0) + FinishCycles(c, generator);
}

}  // namespace

Design MatmulDesign(const MatmulConfig& c, CodeGenerator generator) {
  CheckConfig(c);
  const std::size_t t = ColsOf(c);
  Design d;
  d.name = fmt::format("matmul {}x{}x{} {}", c.m, c.k, c.n, c.in_bytes == 1 ? "int8" : "bf16");
  d.fifos.push_back({.name = "A",
                     .channel = 0,
                     .object_bytes = c.m * c.k * c.in_bytes,
                     .objects = c.steps,
                     .patterns = {Blocks(c.m, c.k, kRows, kDepth, c.in_bytes, true)}});
  d.fifos.push_back({.name = "B",
                     .channel = 1,
                     .object_bytes = c.k * c.n * c.in_bytes,
                     .objects = c.steps,
                     .patterns = {Blocks(c.k, c.n, kDepth, t, c.in_bytes, true)}});
  if (c.bias)
    d.fifos.push_back({.name = "bias", .channel = 1, .object_bytes = c.n * 4, .depth = 1});
  if (c.residual) {
    d.fifos.push_back({.name = "residual",
                       .channel = 1,
                       .object_bytes = c.m * c.n * 2,
                       .depth = 1,
                       .patterns = {Blocks(c.m, c.n, kRows, t, 2, true)}});
  }
  const bool in_place = c.out_bytes == 4 || c.reload;
  d.fifos.push_back({.name = in_place ? "C" : "Y",
                     .in = false,
                     .channel = 0,
                     .object_bytes = c.m * c.n * c.out_bytes,
                     .depth = 1,
                     .patterns = {Blocks(c.m, c.n, kRows, t, c.out_bytes, false)}});
  if (!in_place) d.locals.push_back({"C", c.m * c.n * 4});
  // Four block shapes of up to 16 unrolled VMACs with their loads and stores, and the epilogue.
  d.program_bytes = 6144;
  d.macs = static_cast<double>(c.m * c.k * c.n * c.steps);
  d.core_cycles = Cycles(c, generator);
  return d;
}

std::vector<MatmulConfig> LegalMatmulTiles(const MatmulConfig& like, std::size_t most) {
  std::vector<MatmulConfig> legal;
  MatmulConfig c = like;
  for (c.m = kRows; c.m <= most; c.m += kRows) {
    for (c.k = kDepth; c.k <= most; c.k += kDepth) {
      for (c.n = ColsOf(c); c.n <= most; c.n += ColsOf(c)) {
        if (MatmulDesign(c).fits()) legal.push_back(c);
      }
    }
  }
  return legal;
}

}  // namespace xdna::kernels
