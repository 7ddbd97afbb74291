#include "device/sim/trace.h"

#include <cstddef>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "base/error.h"

namespace xdna::device {

int Trace::Lane(const std::string& group, const std::string& name) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (lanes_[i].group == group && lanes_[i].name == name) return static_cast<int>(i);
  }
  lanes_.push_back({group, name});
  return static_cast<int>(lanes_.size()) - 1;
}

void Trace::Add(Interval interval) {
  interval.begin_us += origin_us_;
  interval.end_us += origin_us_;
  intervals_.push_back(std::move(interval));
}

void Trace::Write(const std::string& path) const {
  std::ofstream file(path);
  file << "[\n";
  std::map<std::string, int> groups;
  const auto group_of = [&](const Name& lane) {
    return groups.try_emplace(lane.group, static_cast<int>(groups.size())).first->second;
  };
  const char* separator = "";
  const auto put = [&](const nlohmann::json& event) {
    file << separator << event.dump();
    separator = ",\n";
  };
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const int group = group_of(lanes_[i]);
    put({{"ph", "M"},
         {"name", "process_name"},
         {"pid", group},
         {"args", {{"name", lanes_[i].group}}}});
    put({{"ph", "M"},
         {"name", "thread_name"},
         {"pid", group},
         {"tid", i},
         {"args", {{"name", lanes_[i].name}}}});
    put({{"ph", "M"},
         {"name", "thread_sort_index"},
         {"pid", group},
         {"tid", i},
         {"args", {{"sort_index", i}}}});
  }
  for (const Interval& interval : intervals_) {
    const auto lane = static_cast<std::size_t>(interval.lane);
    nlohmann::json event = {{"ph", "X"},
                            {"name", interval.detail.empty() ? interval.what : interval.detail},
                            {"cat", interval.what},
                            {"pid", group_of(lanes_.at(lane))},
                            {"tid", lane},
                            {"ts", interval.begin_us},
                            {"dur", interval.end_us - interval.begin_us}};
    put(event);
  }
  file << "\n]\n";
  file.close();
  if (!file) Throw(ErrorCode::kUnavailable, "{}: can't write the trace", path);
}

}  // namespace xdna::device
