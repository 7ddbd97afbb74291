// The language of --sweep: 'm=1500 n=512,2048 k=64:256:64 precision=*'.
//
// Axes are separated by spaces and take values separated by commas. A range of
// integers is first:last:step, last included. `*` stands for all that the axis
// has, where its owner says what that is. Later axes vary fastest.
#ifndef BENCH_SWEEP_H_
#define BENCH_SWEEP_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace xdna::bench {

inline constexpr std::int64_t kMostSweepValue = 1'000'000'000;
inline constexpr std::size_t kMostSweepPoints = 100'000;

// What may be swept: words out of a list, or integers.
struct SweepAxis {
  std::string name;
  std::vector<std::string> words = {};  // empty: the axis takes integers
  std::int64_t least = 1;               // of the integers
  std::int64_t most = kMostSweepValue;
  // Where values are neither: throws kInvalidArgument, with the reason, for one that can't be.
  void (*check)(std::string_view value) = nullptr;
};

// One axis and its values in the order given; integers in plain decimals.
struct SweepChoice {
  std::string axis;
  std::vector<std::string> values;
};

// One combination, axis -> value.
using SweepPoint = std::map<std::string, std::string, std::less<>>;

// Throws kInvalidArgument, naming axis, value and column (from 1): unknown axis or
// word, axis or value twice, no value, not a number, a number out of bounds, a bad
// range, more than kMostSweepPoints combinations, `*` for integers, nothing at all.
std::vector<SweepChoice> ParseSweep(std::string_view text, const std::vector<SweepAxis>& axes);

// The values alone, "f32,bf16", for an option of their own. Throws likewise.
std::vector<std::string> ParseSweepValues(std::string_view text, const SweepAxis& axis);

// All combinations; one empty point for no choices. Throws kInvalidArgument beyond
// kMostSweepPoints.
std::vector<SweepPoint> ExpandSweep(const std::vector<SweepChoice>& choices);

}  // namespace xdna::bench

#endif  // BENCH_SWEEP_H_
