#include "base/timeline.h"

#include <fmt/format.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/error.h"

namespace xdna {
namespace {

std::string Quoted(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

// Viewers count whole nanoseconds: with both ends rounded, neighbours meet and what lies within
// another interval stays there.
std::int64_t Nanoseconds(double us) { return std::llround(1e3 * us); }

std::string Microseconds(std::int64_t ns) {
  return fmt::format("{}{}.{:03}", ns < 0 ? "-" : "", std::abs(ns) / 1000, std::abs(ns) % 1000);
}

std::string Event(const Timeline::Interval& interval, int process, std::size_t thread) {
  const std::int64_t begin = Nanoseconds(interval.begin_us);
  const std::int64_t end = Nanoseconds(interval.end_us);
  std::string text = fmt::format(
      R"({{"ph":"X","name":{},"cat":{},"pid":{},"tid":{},"ts":{},"dur":{})",
      Quoted(interval.detail.empty() ? interval.what : interval.detail), Quoted(interval.what),
      process, thread, Microseconds(begin), Microseconds(end - begin));
  const char* separator = R"(,"args":{)";
  for (const auto& [name, value] : interval.numbers) {
    text += fmt::format("{}{}:{}", separator, Quoted(name), nlohmann::json(value).dump());
    separator = ",";
  }
  return text + (interval.numbers.empty() ? "}" : "}}");
}

}  // namespace

int Timeline::Lane(const std::string& group, const std::string& name) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (lanes_[i].group == group && lanes_[i].name == name) return static_cast<int>(i);
  }
  lanes_.push_back({group, name});
  return static_cast<int>(lanes_.size()) - 1;
}

void Timeline::Add(Interval interval) {
  interval.begin_us += origin_us_;
  interval.end_us += origin_us_;
  intervals_.push_back(std::move(interval));
}

void Timeline::Write(const std::string& path) const {
  nlohmann::json facts = facts_;
  facts["provenance"] = provenance_;
  std::ofstream file(path);
  file << R"({"displayTimeUnit":"ms","otherData":)"
       << facts.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)
       << ",\"traceEvents\":[";
  const char* separator = "\n";
  const auto put = [&](const std::string& event) {
    file << separator << event;
    separator = ",\n";
  };
  const auto name = [&](const char* what, int process, std::size_t thread, const char* argument,
                        const std::string& value) {
    put(fmt::format(R"({{"ph":"M","name":"{}","pid":{},"tid":{},"args":{{"{}":{}}}}})", what,
                    process, thread, argument, value));
  };
  // From 1: viewers take process 0 and thread 0 for the idle ones.
  std::map<std::string, int> processes;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const auto [group, added] =
        processes.try_emplace(lanes_[i].group, static_cast<int>(processes.size()) + 1);
    const int process = group->second;
    if (added) {
      name("process_name", process, i + 1, "name", Quoted(group->first + ", " + provenance_));
      name("process_sort_index", process, i + 1, "sort_index", std::to_string(process));
    }
    name("thread_name", process, i + 1, "name", Quoted(lanes_[i].name));
    name("thread_sort_index", process, i + 1, "sort_index", std::to_string(i + 1));
  }
  for (const Interval& interval : intervals_) {
    const auto lane = static_cast<std::size_t>(interval.lane);
    put(Event(interval, processes.at(lanes_.at(lane).group), lane + 1));
  }
  file << "\n]}\n";
  file.close();
  if (!file) Throw(ErrorCode::kUnavailable, "{}: can't write the timeline", path);
}

}  // namespace xdna
