#include "encoder/int8_designs.h"

#include <cstddef>

#include "encoder/npu_designs.h"
#include "encoder/schedule_designs.h"
#include "kernels/array/add_norm.h"
#include "kernels/matmul/matmul.h"

namespace xdna::encoder {
namespace {

constexpr std::int64_t kFfn = 4;   // times the width
constexpr std::size_t kGroup = 4;  // rows that are quantised together

std::size_t Size(std::int64_t value) { return static_cast<std::size_t>(value); }

}  // namespace

kernels::GemmConfig Int8ProductOf(const Schedule& s, std::int64_t width) {
  kernels::GemmConfig config = WithGelu(ProductOf(s, width), s.table_gelu);
  config.in = kernels::GemmType::kInt8;
  config.scaled = true;
  config.int_shift =
      static_cast<unsigned>(kernels::ScaledShift(static_cast<std::int32_t>(kFfn * width)));
  const std::size_t deep = 2 * config.k, panel = 2 * config.k_mem;
  if (Size(width) % panel == 0) {
    config.k = deep;
    config.k_mem = panel;
  } else if (Size(width) % deep == 0) {
    config.k = config.k_mem = deep;
  }
  return config;
}

kernels::QuantizeConfig QuantizeOf(const Schedule& s, std::int64_t width, std::int64_t row_width) {
  const kernels::GemmConfig product = Int8ProductOf(s, width);
  return {kGroup * Size(kFfn * width / row_width), Size(row_width), product.k, product.columns};
}

device::Overlay SharedOverlay(const Schedule& s, std::int64_t width) {
  device::Overlay overlay = ProductOverlay(ProductOf(s, width), s.table_gelu);
  overlay.alternatives = {
      kernels::GemmOverlay(Int8ProductOf(s, width)),
      kernels::QuantizeOverlay(QuantizeOf(s, width, width)),
      kernels::AddNormOverlay({AddNormRows(s, width), Size(width), Size(s.columns)})};
  return overlay;
}

}  // namespace xdna::encoder
