#include "tools/overlay/designs.h"

#include <algorithm>
#include <charconv>
#include <system_error>

#include "base/error.h"
#include "device/array/instructions.h"
#include "kernels/array/gemm.h"
#include "kernels/array/rows.h"

namespace xdna::overlay {
namespace {

constexpr std::size_t kMaxSize = 1 << 20;

// `count` sizes with 'x' between them.
std::vector<std::size_t> ParseProblem(const std::string& text, std::size_t count,
                                      const char* form) {
  std::vector<std::size_t> sizes;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (sizes.size() < count) {
    std::size_t size = 0;
    const auto [next, error] = std::from_chars(at, end, size);
    if (error != std::errc() || size == 0 || size > kMaxSize) break;
    sizes.push_back(size);
    at = next;
    if (sizes.size() == count || at == end || *at != 'x') break;
    ++at;
  }
  if (sizes.size() != count || at != end) {
    Throw(ErrorCode::kInvalidArgument, "--problem: '{}' is not {} of sizes from 1 to {}", text,
          form, kMaxSize);
  }
  return sizes;
}

std::size_t ResultBytes(const Options& options) {
  const bool bf16 = options.in == "bf16";
  if (options.result.empty()) return bf16 ? 2 : 4;
  if (bf16 && options.result == "bf16") return 2;
  if (bf16 && options.result == "f32") return 4;
  if (!bf16 && options.result == "int8") return 1;
  if (!bf16 && options.result == "int16") return 2;
  if (!bf16 && options.result == "int32") return 4;
  Throw(ErrorCode::kInvalidArgument, "--result: '{}' of --in={}, where there are {}",
        options.result, options.in, bf16 ? "bf16, f32" : "int8, int16, int32");
}

Made MakeGemm(const Options& options) {
  if (options.in != "bf16" && options.in != "int8") {
    Throw(ErrorCode::kInvalidArgument, "--in: '{}', where there are bf16, int8", options.in);
  }
  const std::vector<std::size_t> sizes = ParseProblem(options.problem, 3, "MxKxN");
  const kernels::GemmConfig config{
      .m = options.m,
      .k = options.k,
      .n = options.n,
      .k_mem = options.k_mem,
      .in = options.in == "bf16" ? kernels::GemmType::kBf16 : kernels::GemmType::kInt8,
      .out_bytes = ResultBytes(options),
      .columns = options.columns};
  const kernels::GemmProblem problem{.m = sizes[0], .k = sizes[1], .n = sizes[2]};
  Made made{.overlay = kernels::GemmOverlay(config)};
  made.instructions = device::EncodeInstructions(kernels::GemmInstructions(config, problem));
  const kernels::GemmBytes bytes = kernels::GemmBufferBytes(config, problem);
  made.buffers = {{"a", bytes.a}, {"b", bytes.b}, {"c", bytes.c}};
  return made;
}

// Gamma and beta, one behind the other, are what all rows share.
Made MakeLayerNorm(const Options& options) {
  using Kind = kernels::RowArgument::Kind;
  constexpr std::size_t kLanes = 16;
  if (options.width == 0 || options.width % kLanes != 0 || options.width > kMaxSize) {
    Throw(ErrorCode::kInvalidArgument, "--width: {} is not a multiple of the kernel's {} lanes",
          options.width, kLanes);
  }
  const std::size_t rows = ParseProblem(options.problem, 1, "ROWS")[0];
  const std::size_t row = 2 * options.width;
  kernels::RowsConfig config{.kernel = "layer_norm_bf16",
                             .rows = options.rows,
                             .in = {row},
                             .out = {row},
                             .constant_bytes = 2 * row,
                             .arguments = {{Kind::kIn, 0},
                                           {Kind::kConstant, 0},
                                           {Kind::kConstant, static_cast<int>(row)},
                                           {Kind::kOut, 0},
                                           {Kind::kRows},
                                           {Kind::kNumber, static_cast<int>(options.width)}},
                             .columns = options.columns};
  if (config.rows == 0) {
    config.rows = 1;
    config.rows = std::max<std::size_t>(1, kernels::MostRows(config));
  }
  Made made{.overlay = kernels::RowsOverlay(config)};
  made.instructions = device::EncodeInstructions(kernels::RowsInstructions(config, rows));
  const std::size_t padded = kernels::PaddedRows(config, rows) * row;
  made.buffers = {{"x", padded}, {"gamma,beta", 2 * row}, {"y", padded}};
  return made;
}

}  // namespace

Made Make(const Options& options) {
  if (options.design == "gemm") return MakeGemm(options);
  if (options.design == "layer_norm") return MakeLayerNorm(options);
  Throw(ErrorCode::kInvalidArgument, "--design: '{}', where there are gemm, layer_norm",
        options.design);
}

}  // namespace xdna::overlay
