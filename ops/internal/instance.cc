#include "ops/internal/instance.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace xdna::ops {

DType ActivationType(Precision precision) {
  return precision == Precision::kF32 ? DType::kF32 : DType::kBf16;
}

void ClosureInstance::Poison() {
  if (output_.dtype() == DType::kF32) {
    std::fill_n(output_.data<float>(), output_.size(), std::numeric_limits<float>::quiet_NaN());
  } else {
    std::fill_n(output_.data<Bf16>(), output_.size(), Bf16{0x7FC0});
  }
}

std::shared_ptr<TensorMap> CloneAs(const TensorMap& in,
                                   const std::vector<std::pair<const char*, DType>>& wanted) {
  auto clones = std::make_shared<TensorMap>();
  for (const auto& [name, dtype] : wanted) clones->emplace(name, in.at(name).To(dtype));
  return clones;
}

Tensor AsF64(const TensorMap& in, const char* name) {
  const auto it = in.find(name);
  if (it == in.end()) Throw(ErrorCode::kInternal, "operand '{}' is missing", name);
  return it->second.To(DType::kF64);
}

golden::Tolerance ProductTolerance(Precision precision, std::int64_t k, std::string_view data) {
  if (data == "exact") {
    return golden::Tolerance::Exact("small integers: every product and sum is representable");
  }
  golden::Tolerance t;
  const auto terms = static_cast<double>(k);
  switch (precision) {
    case Precision::kF32:
      t.magnitude = (terms + 2) * kUnitF32;
      t.rel_l2 = 4 * std::sqrt(terms) * kUnitF32;
      t.bias = 1e-5;
      t.provenance = "k + 2 roundings of 2^-24 of sum |x w| (Higham 3.1); rel-L2: 4 sqrt(k) 2^-24";
      return t;
    case Precision::kBf16:
      t.magnitude = 2 * kUnitBf16 + (terms + 2) * kUnitF32;
      t.relative = kUnitBf16;
      t.rel_l2 = 4e-3;
      t.bias = 6e-4;
      t.provenance =
          "x, w and y rounded to bf16 (2^-8 each), f32 sums; rel-L2: sqrt(3) rms of 1.6e-3, and "
          "1.4x room";
      return t;
    case Precision::kInt8:
    case Precision::kMixed:
      t.magnitude = 0.2;
      t.rel_l2 = 4e-2;
      t.bias = 1.5e-3;
      t.provenance =
          "x quantised by row and w by channel to 1/127 of their largest: limits from real layers; "
          "bias: rounding to "
          "nearest has none, truncation of y to bf16 has 2.7e-3";
      return t;
  }
  return t;
}

}  // namespace xdna::ops
