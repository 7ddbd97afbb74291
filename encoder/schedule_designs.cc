#include "encoder/schedule_designs.h"

#include <string>

#include "base/error.h"
#include "device/array/pattern.h"
#include "encoder/npu_designs.h"
#include "kernels/array/add_norm.h"

namespace xdna::encoder {
namespace {

constexpr std::size_t kMostNormRows = 4;

std::size_t Size(std::int64_t value) { return static_cast<std::size_t>(value); }

}  // namespace

kernels::GemmConfig ProductOf(const Schedule& s, std::int64_t width) {
  kernels::GemmConfig config = ProductTile(width, Size(s.tile_m), Size(s.tile_k), Size(s.tile_n));
  config.columns = Size(s.columns);
  const device::Fit deepest = kernels::GemmFits(config);
  if (deepest) return config;
  for (std::size_t steps = config.k_mem / config.k - 1; steps > 0; --steps) {
    config.k_mem = steps * config.k;
    if (Size(width) % config.k_mem == 0 && kernels::GemmFits(config)) return config;
  }
  Throw(ErrorCode::kUnsupported, "products of width {} in tiles of {}x{}x{} on {} columns: {}",
        width, config.m, config.k, config.n, config.columns, deepest.reason);
}

std::size_t AddNormRows(const Schedule& s, std::int64_t width) {
  std::string reason;
  for (std::size_t rows = kMostNormRows; rows > 0; --rows) {
    try {
      kernels::AddNormOverlay({rows, Size(width), Size(s.columns)});
      return rows;
    } catch (const Error& error) {
      reason = error.message();
    }
  }
  Throw(ErrorCode::kUnsupported, "add_norm of width {}: {}", width, reason);
}

}  // namespace xdna::encoder
