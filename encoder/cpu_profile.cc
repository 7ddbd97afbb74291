#include "encoder/cpu_profile.h"

#include <fmt/format.h>

#include <array>

#include "base/error.h"

namespace xdna::encoder {
namespace {

// numpy's rates follow from the published split of a layer. FFN, 326 ms: 12.6 GFLOP, 6.1 M values
// of GELU, and residual and conversions of 3.1 M. The rest of attention, see phase0-naive.
constexpr const char* kNumpySource =
    "fitted to the published split of a layer on a Hawk Point laptop (FFN 326 ms, attention 453 ms "
    "of 3001 positions, November 2025)";

const std::array<CpuProfile, 2>& All() {
  static const std::array<CpuProfile, 2> kAll = {{
      {"numpy", "Hawk Point, Python: numpy in f32", 45e9, 150e6, 5e9, 1.6e9, kNumpySource,
       "fitted"},
      {"cpp", "Zen 4, 8 cores, C++: oneDNN in f32, vectorised rows", 600e9, 4e9, 30e9, 4e9,
       "60 % of 8 cores x 32 FLOP x 4 GHz; rows, copies and conversions by DDR5 at 30 GB/s", "low"},
  }};
  return kAll;
}

}  // namespace

const CpuProfile& FindCpuProfile(std::string_view name) {
  std::string names;
  for (const CpuProfile& one : All()) {
    if (one.name == name) return one;
    names += (names.empty() ? "" : ", ") + one.name;
  }
  Throw(ErrorCode::kInvalidArgument, "no CPU profile \"{}\"; there are {}", name, names);
}

std::span<const CpuProfile> CpuProfiles() { return All(); }

}  // namespace xdna::encoder
