// int8 on the array: rows are quantised and multiplied in one run.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "device/array/instructions.h"
#include "device/array/overlay.h"
#include "kernels/array/gemm.h"
#include "kernels/array/scaled_gemm.h"
#include "ops/internal/npu_array.h"
#include "ops/linear/npu/linear_array.h"

namespace xdna::ops {
namespace {

// Calls of a core that take 16 KiB of rows, or as few rows as go together.
kernels::QuantizeConfig QuantizeOf(const kernels::GemmConfig& product, std::size_t k) {
  constexpr std::size_t kGroup = 4, kCallBytes = 16384;
  const std::size_t width = kernels::Padded(product, {1, k, 1}).k;
  const std::size_t groups = std::max<std::size_t>(1, kCallBytes / (kGroup * 2 * width));
  return {groups * kGroup, width, product.k, product.columns};
}

}  // namespace

// Buffers: x, its quantised form, weights, y. The product is the first configuration, quantising
// the other.
ArrayDesign ArrayLinear::Int8Design(const TensorView& weight, const TensorView& bias) const {
  const kernels::QuantizeConfig quantize = QuantizeOf(config_, static_cast<std::size_t>(k_));
  try {
    static_cast<void>(kernels::QuantizeOverlay(quantize));
  } catch (const Error& error) {
    Throw(ErrorCode::kUnsupported, "rows of {} are not quantised: {}", k_, error.message());
  }
  const ArrayDesign product = Design(weight, bias);
  ArrayDesign design;
  design.name = fmt::format("{} shift {}, quantize {}x{}", product.name, config_.int_shift,
                            quantize.rows, quantize.width);
  design.overlay = [overlay = product.overlay, quantize] {
    device::Overlay both = overlay();
    both.alternatives = {kernels::QuantizeOverlay(quantize)};
    return both;
  };
  design.instructions = [multiply = product.instructions, quantize](std::int64_t rows) {
    std::vector<device::Instruction> all = {device::Configure{1}};
    for (device::Instruction& one :
         kernels::QuantizeInstructions(quantize, static_cast<std::size_t>(rows))) {
      all.push_back(std::move(one));
    }
    all.emplace_back(device::Configure{0});
    for (device::Instruction& one : multiply(rows)) {
      if (auto* descriptor = std::get_if<device::WriteDescriptor>(&one)) ++descriptor->argument;
      all.push_back(std::move(one));
    }
    return all;
  };
  const auto padded = [quantize](std::int64_t rows) {
    return kernels::PaddedRows(quantize, static_cast<std::size_t>(rows));
  };
  design.buffers = product.buffers;
  design.buffers.front() = {ArrayBuffer::Role::kIn, [padded, quantize](std::int64_t rows) {
                              return padded(rows) * 2 * quantize.width;
                            }};
  const auto least = product.buffers.front().bytes;
  const ArrayBuffer between{
      ArrayBuffer::Role::kConstant, [padded, quantize, least](std::int64_t rows) {
        return std::max(padded(rows) * kernels::QuantizedRowBytes(quantize), least(rows));
      }};
  design.buffers.insert(design.buffers.begin() + 1, between);
  return design;
}

}  // namespace xdna::ops
