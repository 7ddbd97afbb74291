#include "bench/encoder_points.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <regex>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "bench/suggest.h"
#include "bench/sweep.h"

namespace xdna::bench {
namespace {

using encoder::Schedule;

constexpr std::int64_t kMostInFlight = 64;

void CheckTile(std::string_view text) {
  Schedule any;
  if (text != kTunedTile && !SetTile(any, std::string(text))) {
    Throw(ErrorCode::kInvalidArgument,
          "{} is no tile; want MxKxN as 64x64x64, 64x64x64+64x48 or {}", Quoted(text), kTunedTile);
  }
}

std::vector<SweepAxis> Axes() {
  return {{.name = "columns", .words = {"1", "2", "4"}},
          {.name = "tile", .check = CheckTile},
          {.name = "reuse", .words = {"fresh", "context", "runlist"}},
          {.name = "batch", .most = kMostInFlight}};
}

std::vector<SweepChoice> Choices(const EncoderSweep& typed) {
  const std::vector<SweepAxis> axes = Axes();
  std::vector<SweepChoice> choices;
  if (!typed.sweep.empty()) {
    choices = WithContext("--sweep", [&] { return ParseSweep(typed.sweep, axes); });
  }
  const auto add = [&](const std::string& name, const std::string& text) {
    if (text.empty()) return;
    if (std::ranges::find(choices, name, &SweepChoice::axis) != choices.end()) {
      Throw(ErrorCode::kInvalidArgument, "--{} and the sweep's axis '{}' say the same; use one",
            name, name);
    }
    const SweepAxis& axis = *std::ranges::find(axes, name, &SweepAxis::name);
    choices.push_back(
        {name, WithContext("--" + name, [&] { return ParseSweepValues(text, axis); })});
  };
  add("columns", typed.columns);
  add("tile", typed.tile);
  add("reuse", typed.reuse);
  add("batch", typed.batch);
  return choices;
}

device::Keep KeepOf(const std::string& word) {
  return word == "fresh"     ? device::Keep::kNothing
         : word == "context" ? device::Keep::kContext
                             : device::Keep::kRunlists;
}

EncoderPoint PointOf(const std::string& shape, const Schedule& schedule, const SweepPoint& choice) {
  EncoderPoint point;
  point.schedule = schedule;
  Schedule& s = point.schedule;
  point.name = fmt::format("encoder/{}/npu/{}", shape, schedule.name);
  for (const auto& [axis, value] : choice) point.name += fmt::format("/{}={}", axis, value);
  const auto get = [&](std::string_view axis, auto&& set) {
    if (const auto it = choice.find(axis); it != choice.end()) set(it->second);
  };
  get("columns", [&](const std::string& value) {
    s.columns = std::stoll(value);
    s.norm_columns = std::min(s.norm_columns, s.columns);
    if (s.columns != schedule.columns) point.variant = value + "col";
  });
  get("tile", [&](const std::string& value) {
    point.tuned = value == kTunedTile;
    if (!point.tuned) SetTile(s, value);
  });
  get("reuse", [&](const std::string& value) {
    s.keep = KeepOf(value);
    // A window in one run is what a runlist of its ops becomes.
    if (s.keep != device::Keep::kRunlists) s.one_run = s.overlap = false;
    point.reuse = true;
  });
  get("batch", [&](const std::string& value) { point.batch = std::stoll(value); });
  try {
    encoder::ParseSchedule(encoder::ScheduleJson(s));
  } catch (const Error& error) {
    point.refused = error.message();
  }
  if (point.batch > 1 && !s.WholeOnNpu()) {
    point.refused = "its host takes part in every layer and waits: one window at a time";
  }
  return point;
}

}  // namespace

bool SetTile(Schedule& schedule, const std::string& text) {
  static const std::regex shape(
      "([1-9][0-9]{0,3})x([1-9][0-9]{0,3})x([1-9][0-9]{0,3})"
      "(?:[+]([1-9][0-9]{0,3})x([1-9][0-9]{0,3}))?");
  std::smatch match;
  if (!std::regex_match(text, match, shape)) return false;
  const auto set = [&](std::size_t group, std::int64_t& size) {
    if (match[group].matched) size = std::stoll(match[group].str());
  };
  set(1, schedule.tile_m);
  set(2, schedule.tile_k);
  set(3, schedule.tile_n);
  set(4, schedule.queries);
  set(5, schedule.keys);
  return true;
}

std::vector<EncoderPoint> EncoderPoints(const std::string& shape,
                                        const std::vector<Schedule>& schedules,
                                        const EncoderSweep& sweep) {
  const std::vector<SweepPoint> choices = ExpandSweep(Choices(sweep));
  std::vector<EncoderPoint> points;
  for (const Schedule& schedule : schedules) {
    for (const SweepPoint& choice : choices) points.push_back(PointOf(shape, schedule, choice));
  }
  if (sweep.match.empty()) return points;
  std::regex pattern;
  try {
    pattern = std::regex(sweep.match);
  } catch (const std::regex_error&) {
    Throw(ErrorCode::kInvalidArgument, "--match: {} is not a regular expression",
          Quoted(sweep.match));
  }
  const std::string first = points.front().name;
  const std::size_t count = points.size();
  std::erase_if(points, [&](const EncoderPoint& p) { return !std::regex_search(p.name, pattern); });
  if (points.empty()) {
    Throw(ErrorCode::kInvalidArgument,
          "--match: {} matches none of {} points, the first of which is {}", Quoted(sweep.match),
          count, first);
  }
  return points;
}

double EstimatedSeconds(const EncoderPoint& point, double flops, int threads) {
  if (!point.refused.empty()) return 0;
  // Of the simulated cores' arithmetic on one core of a Zen 5 (2026-11); phases that go row by row
  // pay for each dispatch.
  constexpr double kFlopsPerSecond = 1.2e10, kSetUp = 2, kPerDispatch = 6e-4, kRows = 1500 * 13;
  const double windows = static_cast<double>(point.batch);
  const double rows = point.schedule.norm_batch == 1 ? kRows * kPerDispatch : 0;
  return kSetUp + windows * (flops / kFlopsPerSecond / std::min(threads, 4) + 3 * rows);
}

std::string Duration(double seconds) {
  return seconds < 100 ? fmt::format("{:.0f} s", seconds) : fmt::format("{:.0f} min", seconds / 60);
}

}  // namespace xdna::bench
