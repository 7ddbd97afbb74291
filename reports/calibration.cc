#include "reports/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bench/samples.h"
#include "reports/gate.h"

namespace xdna::reports {
namespace {

constexpr std::size_t kLeastRuns = 4;
constexpr double kMargin = 1.1;
constexpr double kWanted = 0.9;  // caught 9 times in 10

bench::RunRecord Slowed(const bench::RunRecord& record, double slow_down) {
  if (record.times_s().empty()) return record;
  bench::RunRecord slow = record;
  std::map<std::string, double> times = record.times_s();
  for (auto& [name, seconds] : times) seconds *= 1 + slow_down;
  std::vector<double> samples = record.samples_s();
  for (double& seconds : samples) seconds *= 1 + slow_down;
  slow.SetTimes(times, samples);
  const auto rtf = record.metrics().find("rtf");
  if (rtf != record.metrics().end()) slow.SetMetric("rtf", rtf->second / (1 + slow_down));
  return slow;
}

// Of the runs that have a time for the series: its records, and the median of its samples.
struct RunOfSeries {
  std::vector<const LoadedRecord*> records;
  double median = 0;
};
using SeriesRuns = std::map<std::string, std::vector<RunOfSeries>>;

SeriesRuns RunsBySeries(const std::vector<RecordSet>& runs) {
  SeriesRuns series;
  for (const RecordSet& run : runs) {
    for (const auto& [key, records] : BySeries(run)) {
      const bench::RunRecord& record = records.back()->record;
      if (record.provenance() != bench::Provenance::kMeasured || record.samples_s().empty()) {
        continue;
      }
      series[key].push_back({records, bench::Summarize(record.samples_s()).median});
    }
  }
  std::erase_if(series, [](const auto& s) { return s.second.size() < kLeastRuns; });
  return series;
}

// `step` 1: all runs; 2: each second one, from `first` on.
std::vector<RunOfSeries> Every(const std::vector<RunOfSeries>& runs, std::size_t first,
                               std::size_t step) {
  std::vector<RunOfSeries> some;
  for (std::size_t i = first; i < runs.size(); i += step) some.push_back(runs[i]);
  return some;
}

double Spread(const std::vector<RunOfSeries>& runs) {
  const auto [least, most] = std::minmax_element(
      runs.begin(), runs.end(),
      [](const RunOfSeries& a, const RunOfSeries& b) { return a.median < b.median; });
  return kMargin * (most->median / least->median - 1);
}

void SetSpreads(const SeriesRuns& series, std::size_t first, std::size_t step, Policy& policy) {
  for (const auto& [key, runs] : series) {
    // To a tenth of a percent, upwards: the file is for people, too.
    policy.spread[key] = std::ceil(1000 * Spread(Every(runs, first, step))) / 1000;
  }
  policy.default_spread = 0;
  for (const auto& [key, spread] : policy.spread) {
    policy.default_spread = std::max(policy.default_spread, spread);
  }
}

// Takes out what older runs said of these series.
void Forget(const SeriesRuns& series, Policy& policy) {
  for (const auto& [key, runs] : series) {
    policy.spread.erase(key);
    std::erase_if(policy.calibrations,
                  [&key = key](const Calibration& c) { return c.smallest_caught.contains(key); });
  }
}

CatchRate Catches(const std::vector<RunOfSeries>& runs, const std::string& series,
                  const Policy& policy, double slow_down, std::size_t compared) {
  CatchRate rate;
  for (const RunOfSeries& b : runs) {
    std::vector<LoadedRecord> slow;
    for (const LoadedRecord* loaded : b.records) {
      slow.push_back({Slowed(loaded->record, slow_down), loaded->file, loaded->line});
    }
    std::vector<const LoadedRecord*> now;
    for (const LoadedRecord& loaded : slow) now.push_back(&loaded);
    for (const RunOfSeries& a : runs) {
      if (&a == &b) continue;
      ++rate.pairs;
      const Finding finding = JudgeSeries(series, a.records, now, policy, compared);
      rate.slower += finding.outcome == Outcome::kSlower ? 1 : 0;
    }
  }
  return rate;
}

// The least whole percent from which on 9 in 10 are caught; 1 where 100 % are not enough.
double SmallestCaught(const std::vector<RunOfSeries>& runs, const std::string& series,
                      const Policy& policy, std::size_t compared) {
  int low = 0;  // caught less often
  int high = 100;
  if (Catches(runs, series, policy, 1.0, compared).rate() < kWanted) return 1;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    const double rate = Catches(runs, series, policy, middle / 100.0, compared).rate();
    (rate < kWanted ? low : high) = middle;
  }
  return high / 100.0;
}

CatchRate FalseAlarms(const SeriesRuns& series, const Policy& start) {
  CatchRate all;
  for (std::size_t half = 0; half < 2; ++half) {
    Policy policy = start;
    SetSpreads(series, half, 2, policy);
    for (const auto& [key, runs] : series) {
      const CatchRate rate = Catches(Every(runs, 1 - half, 2), key, policy, 0, series.size());
      all.slower += rate.slower;
      all.pairs += rate.pairs;
    }
  }
  return all;
}

void CheckRuns(const std::vector<RecordSet>& runs) {
  if (runs.size() < kLeastRuns) {
    Throw(ErrorCode::kInvalidArgument, "{} runs, at least {} are needed", runs.size(), kLeastRuns);
  }
  std::set<std::string> builds;
  std::set<std::string> machines;
  for (const RecordSet& run : runs) {
    for (const LoadedRecord& loaded : run.records) {
      const bench::Environment& e = loaded.record.environment;
      builds.insert(e.git_revision + " " + e.compiler + " " + e.flags);
      machines.insert(e.machine_class);
    }
  }
  if (builds.size() > 1) {
    Throw(ErrorCode::kInvalidArgument,
          "runs of {} builds: only runs of one build show what noise is", builds.size());
  }
  if (machines.size() > 1) {
    Throw(ErrorCode::kInvalidArgument, "runs of {} machine classes ({}, {}, ...), expected one",
          machines.size(), *machines.begin(), *std::next(machines.begin()));
  }
}

}  // namespace

RecordSet Slowed(const RecordSet& run, double slow_down) {
  RecordSet slow = run;
  for (LoadedRecord& loaded : slow.records) loaded.record = Slowed(loaded.record, slow_down);
  return slow;
}

RecordSet Thinned(const RecordSet& set, std::size_t most) {
  RecordSet thin = set;
  for (LoadedRecord& loaded : thin.records) {
    const std::vector<double>& all = loaded.record.samples_s();
    if (all.size() <= most) continue;
    std::vector<double> some;
    for (std::size_t i = 0; i < most; ++i) some.push_back(all[i * all.size() / most]);
    loaded.record.SetTimes(loaded.record.times_s(), some);
  }
  return thin;
}

CatchRate CatchesOf(const std::vector<RecordSet>& runs, const std::string& series,
                    const Policy& policy, double slow_down) {
  const SeriesRuns all = RunsBySeries(runs);
  const auto it = all.find(series);
  if (it == all.end())
    Throw(ErrorCode::kNotFound, "{}: no such series in {} runs", series, kLeastRuns);
  return Catches(it->second, series, policy, slow_down, all.size());
}

Policy Calibrate(const std::vector<RecordSet>& runs, const Policy& start,
                 const std::string& command, const std::string& records) {
  CheckRuns(runs);
  const SeriesRuns series = RunsBySeries(runs);
  if (series.empty()) {
    Throw(ErrorCode::kInvalidArgument, "no measured series has a time in at least {} runs",
          kLeastRuns);
  }
  Policy policy = start;
  Forget(series, policy);
  const CatchRate alarms = FalseAlarms(series, policy);
  SetSpreads(series, 0, 1, policy);

  const bench::Environment& last = runs.back().records.back().record.environment;
  Calibration c;
  c.machine_class = last.machine_class;
  c.date = last.date;
  c.git_revision = last.git_revision;
  c.command = command;
  c.records = records;
  c.runs = static_cast<int>(runs.size());
  c.comparisons = alarms.pairs;
  c.false_alarm_rate = alarms.rate();
  for (const auto& [key, of_series] : series) {
    c.smallest_caught[key] = SmallestCaught(of_series, key, policy, series.size());
  }
  policy.calibrations.push_back(std::move(c));
  return policy;
}

std::string CalibrationReport(const std::vector<RecordSet>& runs, const Policy& policy) {
  const SeriesRuns series = RunsBySeries(runs);
  const Calibration& c = policy.calibrations.back();
  std::size_t width = 6;
  for (const auto& [key, unused] : series) width = std::max(width, key.size());
  std::string text =
      fmt::format("{:<{}} {:>5} {:>10} {:>8} {:>7} {:>7} {:>7} {:>17}\n", "series", width, "runs",
                  "median ms", "A/A", "5 %", "10 %", "20 %", "9 in 10 caught at");
  for (const auto& [key, of_series] : series) {
    text += fmt::format("{:<{}} {:>5} {:>10.4g} {:>6.1f} %", key, width, of_series.size(),
                        1e3 * of_series.front().median, 100 * policy.SpreadOf(key));
    for (const double slow_down : {0.05, 0.1, 0.2}) {
      text += fmt::format(" {:>5.0f} %",
                          100 * Catches(of_series, key, policy, slow_down, series.size()).rate());
    }
    const double caught = c.smallest_caught.at(key);
    text += caught >= 1 ? fmt::format(" {:>17}\n", "not at 100 %")
                        : fmt::format(" {:>15.0f} %\n", 100 * caught);
  }
  return text + fmt::format(
                    "A/A: how far medians of the same build lie apart, and a tenth on top. 5 %, "
                    "10 %, 20 %: injected slow-downs called slower.\n"
                    "false alarms: {:.2f} % of {} comparisons, with spreads taken from other "
                    "runs\n{} runs on {}\n",
                    100 * c.false_alarm_rate, c.comparisons, c.runs, c.machine_class);
}

}  // namespace xdna::reports
