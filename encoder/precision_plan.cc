#include "encoder/precision_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace xdna::encoder {
namespace {

using ops::Precision;

bool Same(const PrecisionPlan::Layer& a, const PrecisionPlan::Layer& b) {
  return a.attention == b.attention && a.integers == b.integers && a.fc1 == b.fc1 && a.fc2 == b.fc2;
}

// "attention bf16, scores int8 where faster"
std::string DescribeAttention(const PrecisionPlan::Layer& layer) {
  const char* inside = layer.integers == ops::Integers::kAll
                           ? ", scores and results int8 where faster"
                       : layer.integers == ops::Integers::kScores ? ", scores int8 where faster"
                                                                  : "";
  return fmt::format("attention {}{}", ops::PrecisionName(layer.attention), inside);
}

// "ffn int8" or "fc1 bf16, fc2 int8"
std::string DescribeFfn(const PrecisionPlan::Layer& layer) {
  if (layer.fc1 == layer.fc2) return fmt::format("ffn {}", ops::PrecisionName(layer.fc1));
  return fmt::format("fc1 {}, fc2 {}", ops::PrecisionName(layer.fc1),
                     ops::PrecisionName(layer.fc2));
}

}  // namespace

Precision PrecisionPlan::lowest() const {
  Precision lowest = stem;
  for (const Layer& layer : layers)
    lowest = std::max({lowest, layer.attention, layer.fc1, layer.fc2});
  return lowest;
}

PrecisionPlan MakePrecisionPlan(Precision precision, std::int64_t layers) {
  const bool mixed = precision == Precision::kMixed;
  const bool int8 = mixed || precision == Precision::kInt8;
  PrecisionPlan plan;
  plan.stem = int8 ? Precision::kBf16 : precision;
  const Precision product = int8 ? Precision::kInt8 : precision;
  const ops::Integers integers = int8                           ? ops::Integers::kAll
                                 : precision == Precision::kF32 ? ops::Integers::kNone
                                                                : ops::Integers::kScores;
  plan.layers.assign(layers, {product, integers, product, product});
  if (layers == 0) return plan;
  PrecisionPlan::Layer& first = plan.layers.front();
  if (int8) {
    first.attention = Precision::kBf16;
    first.integers = ops::Integers::kScores;
    if (mixed) first.fc1 = Precision::kBf16;
  } else {
    first.integers = ops::Integers::kNone;
  }
  return plan;
}

std::string Describe(const PrecisionPlan& plan) {
  std::string text = fmt::format("stem {}", ops::PrecisionName(plan.stem));
  for (std::size_t first = 0; first < plan.layers.size();) {
    std::size_t end = first + 1;
    while (end < plan.layers.size() && Same(plan.layers[end], plan.layers[first])) ++end;
    const std::string which = end == first + 1 ? fmt::format("layer {}", first)
                                               : fmt::format("layers {} to {}", first, end - 1);
    text += fmt::format("; {}: {}, {}", which, DescribeAttention(plan.layers[first]),
                        DescribeFfn(plan.layers[first]));
    first = end;
  }
  return text;
}

std::vector<float> SmoothingFactors(const TensorView& gamma, const TensorView& beta,
                                    std::span<const TensorView> weights) {
  constexpr float kStrength = 0.7F;
  constexpr float kDeviations = 3;
  constexpr float kLeast = 1e-5F;  // a column that is always 0 stays one
  const std::int64_t d = gamma.dim(0);
  std::vector<float> largest(d, kLeast);
  for (const TensorView& w : weights) {
    const auto* data = w.data<const float>();
    for (std::int64_t i = 0; i < w.size(); ++i) {
      largest[i % d] = std::max(largest[i % d], std::fabs(data[i]));
    }
  }
  std::vector<float> factors(d);
  for (std::int64_t j = 0; j < d; ++j) {
    const float x = std::fabs(beta.data<const float>()[j]) +
                    kDeviations * std::fabs(gamma.data<const float>()[j]);
    factors[j] = std::pow(std::max(x, kLeast), kStrength) / std::pow(largest[j], 1 - kStrength);
  }
  return factors;
}

}  // namespace xdna::encoder
