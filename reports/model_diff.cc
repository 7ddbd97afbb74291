#include "reports/model_diff.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <string>
#include <vector>

#include "bench/environment.h"
#include "bench/run_record.h"

namespace xdna::reports {
namespace {

std::string Shown(double value) { return fmt::format("{:.6g}", value); }
// Digests are told apart by less.
std::string Shown(const std::string& value) {
  return value.size() > 40 ? value.substr(0, 12) + "..." : value;
}

template <typename Value>
void AddDifferences(const std::map<std::string, Value>& base,
                    const std::map<std::string, Value>& now, std::vector<std::string>& out) {
  for (const auto& [name, value] : base) {
    const auto it = now.find(name);
    if (it == now.end()) {
      out.push_back(fmt::format("{} {} -> gone", name, Shown(value)));
    } else if (it->second != value) {
      out.push_back(fmt::format("{} {} -> {}", name, Shown(value), Shown(it->second)));
    }
  }
  for (const auto& [name, value] : now) {
    if (!base.contains(name)) out.push_back(fmt::format("{} new: {}", name, Shown(value)));
  }
}

}  // namespace

ModelDiff CompareModels(const bench::RunRecord& base, const bench::RunRecord& now) {
  if (!base.model || !now.model) {
    return {false, fmt::format("{} has no time model in its record",
                               base.model ? "the new side" : "the base")};
  }
  using Names = std::map<std::string, std::string>;
  const auto names = [](const bench::TimeModel& m) {
    return Names{{"model version", m.version},
                 {"preset", m.preset},
                 {"host profile", m.host_profile},
                 {"code generator", m.codegen}};
  };
  std::vector<std::string> model;
  AddDifferences(names(*base.model), names(*now.model), model);
  AddDifferences(base.model->constants, now.model->constants, model);
  if (!model.empty()) return {false, fmt::format("time model: {}", fmt::join(model, ", "))};

  std::vector<std::string> schedule;
  AddDifferences(base.model->schedule, now.model->schedule, schedule);
  if (!schedule.empty()) return {true, fmt::format("schedule: {}", fmt::join(schedule, ", "))};
  if (base.times_s() == now.times_s()) return {};
  return {true, fmt::format("same time model and schedule: the code changed between {} and {}",
                            bench::RevisionString(base.environment),
                            bench::RevisionString(now.environment))};
}

}  // namespace xdna::reports
