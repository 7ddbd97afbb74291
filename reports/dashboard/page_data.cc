#include "reports/dashboard/page_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bench/run_record.h"
#include "encoder/schedule.h"
#include "golden/compare.h"
#include "reports/dashboard/steps.h"

namespace xdna::dashboard {
namespace {

using Json = nlohmann::json;
using bench::Provenance;
using bench::RunRecord;

// Gives each value a number, in order of first use.
template <typename Value>
class Numbered {
 public:
  std::size_t Of(const Value& value) {
    const auto [it, added] = numbers_.try_emplace(value, values_.size());
    if (added) values_.push_back(value);
    return it->second;
  }
  const std::vector<Value>& values() const { return values_; }

 private:
  std::map<Value, std::size_t> numbers_;
  std::vector<Value> values_;
};

// Six digits: more than any measurement has, and half the bytes.
double Short(double value) { return std::stod(fmt::format("{:.6g}", value)); }

struct Samples {
  double least = 0;
  double spread_percent = 0;  // the distance of the quartiles over the median
};

Samples Summarise(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  const auto at = [&](double share) {
    return samples[static_cast<std::size_t>(
        std::lround(share * static_cast<double>(samples.size() - 1)))];
  };
  return {samples.front(), 100 * (at(0.75) - at(0.25)) / at(0.5)};
}

std::string HashesText(const RunRecord& record) {
  std::string text;
  for (const auto& [name, hash] : record.hashes) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, hash.substr(0, 12));
  }
  return text;
}

// Date and load differ from run to run; what is left is shared by many.
std::string EnvironmentText(const bench::Environment& e) {
  Json json = {{"git_revision", e.git_revision},
               {"git_dirty", e.git_dirty.value_or(false)},
               {"compiler", e.compiler},
               {"governor", e.governor},
               {"machine_class", e.machine_class}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Threads that had to wait for other programs say nothing of ours; as the gate, which does not
// compare such runs (reports/policy.h, max_load).
bool IsOverloaded(const RunRecord& record) {
  constexpr double kMostLoad = 1.25;  // of a CPU
  const bench::Environment& e = record.environment;
  return record.provenance() == Provenance::kMeasured && e.threads > 1 &&
         e.load_average > kMostLoad * e.cpus;
}

class PageBuilder {
 public:
  void Add(const PageRecord& added) {
    const RunRecord& record = *added.record;
    const bool timed = record.verdict().passed();
    columns_["series"].push_back(series_.Of(added.series));
    columns_["modelled"].push_back(record.provenance() == Provenance::kModelled ? 1 : 0);
    AddText("scope", record.scope());
    AddText("status", golden::StatusName(record.verdict().status));
    AddText("reason", record.verdict().reason);
    AddText("invalid", record.invalid_reason());
    AddText("tolerance", record.verdict().tolerance);
    AddText("hashes", HashesText(record));
    const auto& headroom = record.verdict().headroom_percent;
    columns_["headroom"].push_back(headroom ? Json(Short(*headroom)) : Json());
    columns_["environment"].push_back(environments_.Of(EnvironmentText(record.environment)));
    columns_["date"].push_back(added.date);
    columns_["load"].push_back(Short(record.environment.load_average));
    columns_["overloaded"].push_back(IsOverloaded(record) ? 1 : 0);
    columns_["seed"].push_back(std::to_string(record.seed));  // JavaScript's numbers end at 2^53
    columns_["samples"].push_back(record.samples_s().size());
    const Samples samples = timed ? Summarise(record.samples_s()) : Samples{};
    columns_["median"].push_back(timed ? Json(Short(record.times_s().at("total"))) : Json());
    columns_["least"].push_back(timed ? Json(Short(samples.least)) : Json());
    columns_["spread"].push_back(timed ? Json(Short(samples.spread_percent)) : Json());
    columns_["times"].push_back(Pairs(record.times_s()));
    columns_["metrics"].push_back(Pairs(record.metrics()));
  }

  Json Finish() {
    Json series = Json::array();
    for (const std::string& key : series_.values()) {
      Json parts = Json::array();
      const bench::SeriesKey k = bench::SeriesKey::Parse(key);
      for (const std::string* part : {&k.op, &k.shape, &k.dtype, &k.device, &k.preset, &k.schedule,
                                      &k.tile, &k.reuse, &k.batch}) {
        parts.push_back(text_.Of(*part));
      }
      series.push_back(std::move(parts));
    }
    Json environments = Json::array();
    for (const std::string& text : environments_.values()) {
      environments.push_back(Json::parse(text));
    }
    return {{"text", text_.values()},
            {"series", std::move(series)},
            {"environments", std::move(environments)},
            {"columns", std::move(columns_)}};
  }

 private:
  void AddText(const char* column, const std::string& text) {
    columns_[column].push_back(text_.Of(text));
  }

  Json Pairs(const std::map<std::string, double>& numbers) {
    Json pairs = Json::array();
    for (const auto& [name, value] : numbers) {
      pairs.push_back(text_.Of(name));
      pairs.push_back(Short(value));
    }
    return pairs;
  }

  Numbered<std::string> text_, series_, environments_;
  Json columns_ = {{"series", Json::array()}, {"modelled", Json::array()}};
};

// What each schedule says of itself, in the ladder's order.
Json Claims() {
  Json claims = Json::array();
  for (const std::string& name : encoder::ScheduleNames()) {
    const encoder::Schedule schedule = encoder::FindSchedule(name);
    claims.push_back({{"schedule", name},
                      {"rtf", schedule.claimed_rtf > 0 ? Json(schedule.claimed_rtf) : Json()},
                      {"text", schedule.claim}});
  }
  return claims;
}

// `records` are in order of dates.
Json Steps(const std::vector<PageRecord>& records) {
  std::map<std::string, std::vector<std::size_t>> histories;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const RunRecord& r = *records[i].record;
    if (!r.verdict().passed() || !r.valid() || IsOverloaded(r)) continue;
    const bool modelled = r.provenance() == Provenance::kModelled;
    const std::string where = modelled ? "modelled" : r.environment.machine_class;
    histories[fmt::format("{} {}", records[i].series, where)].push_back(i);
  }
  Json steps = Json::array();
  for (const auto& [name, history] : histories) {
    std::vector<double> times;
    for (const std::size_t i : history) times.push_back(records[i].record->times_s().at("total"));
    const bool exact = records[history.front()].record->provenance() == Provenance::kModelled;
    for (const Step& step : exact ? FindExactSteps(times) : FindSteps(times)) {
      steps.push_back({{"record", history[step.at]},
                       {"before", Short(step.before)},
                       {"after", Short(step.after)}});
    }
  }
  return steps;
}

}  // namespace

std::int64_t ParseDate(const std::string& date) {
  std::tm parts = {};
  int end = 0;
  const int found =
      std::sscanf(date.c_str(), "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &parts.tm_year, &parts.tm_mon,
                  &parts.tm_mday, &parts.tm_hour, &parts.tm_min, &parts.tm_sec, &end);
  parts.tm_year -= 1900;
  parts.tm_mon -= 1;
  std::tm normal = parts;
  const std::int64_t seconds = timegm(&normal);
  // timegm takes the 31st of June for the 1st of July.
  const bool real = normal.tm_mday == parts.tm_mday && normal.tm_mon == parts.tm_mon &&
                    normal.tm_hour == parts.tm_hour && normal.tm_min == parts.tm_min &&
                    normal.tm_sec == parts.tm_sec;
  if (found != 6 || date.size() != 20 || end != 20 || !real) {
    Throw(ErrorCode::kCorrupt, "environment.date: '{}' is not a date like 2026-11-23T18:00:00Z",
          date.substr(0, 80));
  }
  return seconds;
}

nlohmann::json PageData(const PageInput& input) {
  std::vector<PageRecord> records = input.records;
  std::stable_sort(records.begin(), records.end(),
                   [](const PageRecord& a, const PageRecord& b) { return a.date < b.date; });
  PageBuilder builder;
  for (const PageRecord& record : records) builder.Add(record);
  Json data = builder.Finish();
  data["sources"] = input.sources;
  data["generated"] = input.generated;
  data["target"] = {{"rtf", kTargetRtf}, {"window_s", kWindowSeconds}};
  data["claims"] = Claims();
  data["steps"] = Steps(records);
  return data;
}

}  // namespace xdna::dashboard
