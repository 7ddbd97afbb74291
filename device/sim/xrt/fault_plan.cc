#include "device/sim/xrt/fault_plan.h"

#include <fmt/format.h>

#include <charconv>
#include <numeric>

#include "base/error.h"

namespace xdna::device {
namespace {

constexpr std::array<std::string_view, 7> kNames = {"none",    "timeout",      "partial", "stale",
                                                    "bitflip", "context_lost", "hang"};

// SplitMix64's output number `index` (Steele, Lea, Flood: Fast splittable pseudorandom number
// generators, 2014).
std::uint64_t Random(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

double ParseProbability(std::string_view text, std::string_view part) {
  double value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  // Written so that a NaN fails.
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= 1)) {
    Throw(ErrorCode::kInvalidArgument, "fault '{}': '{}' is no probability from 0 to 1", part,
          text);
  }
  return value;
}

std::size_t ParseName(std::string_view name, std::string_view part) {
  for (std::size_t i = 1; i < kNames.size(); ++i) {
    if (kNames[i] == name) return i;
  }
  Throw(ErrorCode::kInvalidArgument, "fault '{}': not one of {}", part,
        fmt::join(kNames.begin() + 1, kNames.end(), ", "));
}

}  // namespace

std::string_view FaultName(Fault fault) { return kNames[static_cast<std::size_t>(fault)]; }

FaultPlan::FaultPlan(std::string_view text, std::uint64_t seed) : seed_(seed) {
  std::array<bool, kFaults> seen{};
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    const std::size_t colon = part.find(':');
    if (colon == std::string_view::npos) {
      Throw(ErrorCode::kInvalidArgument, "fault '{}': expected name:probability", part);
    }
    const std::size_t fault = ParseName(part.substr(0, colon), part);
    if (seen[fault]) Throw(ErrorCode::kInvalidArgument, "fault '{}': given twice", part);
    seen[fault] = true;
    probability_[fault] = ParseProbability(part.substr(colon + 1), part);
  }
  const double sum = std::accumulate(probability_.begin(), probability_.end(), 0.0);
  if (sum > 1 + 1e-9) {
    Throw(ErrorCode::kInvalidArgument, "faults: the probabilities' sum is {:.6g}, above 1", sum);
  }
}

Fault FaultPlan::Draw(std::uint64_t run) const {
  double left = static_cast<double>(Random(seed_, 2 * run) >> 11) * 0x1p-53;
  for (std::size_t i = 1; i < kFaults; ++i) {
    if (left < probability_[i]) return static_cast<Fault>(i);
    left -= probability_[i];
  }
  return Fault::kNone;
}

std::uint64_t FaultPlan::DrawBelow(std::uint64_t run, std::uint64_t bound) const {
  return Random(seed_, 2 * run + 1) % bound;
}

}  // namespace xdna::device
