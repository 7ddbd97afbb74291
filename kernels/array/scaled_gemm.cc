#include "kernels/array/scaled_gemm.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "base/error.h"
#include "device/array/overlay_builder.h"
#include "kernels/array/rows.h"
#include "kernels/array/tiles.h"
#include "kernels/quantize/quantize.h"

namespace xdna::kernels {
namespace {

constexpr const char* kKernel = "quantize_blocks_bf16";

constexpr unsigned kCallRows = 1, kParts = 2;  // run-time parameters after rows.h's

RowsConfig RowsOf(const QuantizeConfig& c) {
  using Kind = RowArgument::Kind;
  const std::size_t parts = c.width / c.k;
  const auto part_bytes = static_cast<std::size_t>(QuantizedPart(static_cast<std::int32_t>(c.k)));
  RowsConfig config;
  config.kernel = kKernel;
  config.rows = c.rows;
  config.in = {2 * c.width};
  config.out = {parts * part_bytes / 4};
  config.arguments = {{Kind::kIn, 0},
                      {Kind::kOut, 0},
                      {Kind::kRows, 0},
                      {Kind::kNumber, static_cast<int>(parts)},
                      {Kind::kNumber, static_cast<int>(c.k)}};
  config.columns = c.columns;
  config.program_bytes = 2304;
  return config;
}

void SizesByParameter(std::vector<device::Statement>& body) {
  for (device::Statement& statement : body) {
    SizesByParameter(statement.body);
    if (statement.kernel != kKernel) continue;
    statement.arguments[2] = device::Number(device::Rtp(kCallRows));
    statement.arguments[3] = device::Number(device::Rtp(kParts));
  }
}

}  // namespace

std::vector<std::byte> PackScaledWeights(const GemmConfig& config, const GemmProblem& problem,
                                         const float* w, const float* bias) {
  constexpr float kTop = 127, kSmallest = 0x1p-100F;  // as kernels/quantize
  const std::size_t n = problem.n, k = problem.k;
  std::vector<std::int8_t> turned(k * n);
  std::vector<float> scales(n);
  for (std::size_t j = 0; j < n; ++j) {
    float top = 0;
    for (std::size_t i = 0; i < k; ++i) top = std::max(top, std::abs(w[j * k + i]));
    if (top < kSmallest) continue;
    scales[j] = std::ldexp(top * (1 / kTop), static_cast<int>(config.int_shift));
    for (std::size_t i = 0; i < k; ++i) {
      turned[i * n + j] = static_cast<std::int8_t>(std::nearbyint(w[j * k + i] * (kTop / top)));
    }
  }
  return PackGemmB(config, problem, turned.data(), bias, scales.data());
}

std::size_t PaddedRows(const QuantizeConfig& c, std::size_t rows) {
  return PaddedRows(RowsOf(c), rows);
}

std::size_t QuantizedRowBytes(const QuantizeConfig& c) { return RowsOf(c).out.front(); }

device::Overlay QuantizeOverlay(const QuantizeConfig& c) {
  if (c.rows % 4 != 0 || c.k == 0 || c.k % 32 != 0 || c.width % c.k != 0) {
    Throw(ErrorCode::kInvalidArgument,
          "quantize: {} rows of {} in parts of {}; want fours of rows, parts of 32", c.rows,
          c.width, c.k);
  }
  device::Overlay overlay = RowsOverlay(RowsOf(c));
  for (device::Program& program : overlay.programs) {
    SizesByParameter(program.body);
    program.rtps = kParts + 1;
  }
  return overlay;
}

std::vector<device::Instruction> QuantizeInstructions(const QuantizeConfig& c, std::size_t rows) {
  std::vector<device::Instruction> all;
  for (std::size_t col = 0; col < c.columns; ++col) {
    for (std::size_t row = 0; row < kRows; ++row) {
      all.emplace_back(
          device::WriteRtp{Core(col, row), kCallRows, static_cast<std::int32_t>(c.rows)});
      all.emplace_back(
          device::WriteRtp{Core(col, row), kParts, static_cast<std::int32_t>(c.width / c.k)});
    }
  }
  for (device::Instruction& one : RowsInstructions(RowsOf(c), rows)) all.push_back(std::move(one));
  return all;
}

}  // namespace xdna::kernels
