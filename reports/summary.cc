#include "reports/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bench/environment.h"
#include "bench/run_record.h"
#include "golden/compare.h"
#include "reports/gate.h"

namespace xdna::reports {
namespace {

using bench::RunRecord;

// The project's goal (README).
constexpr double kTargetRtf = 220;
constexpr std::size_t kMostRows = 14;

struct Row {
  std::string series;
  const RunRecord* now = nullptr;
  std::optional<Finding> finding;  // where the base has the series

  std::optional<double> Metric(const char* name) const {
    const auto it = now->metrics().find(name);
    return it == now->metrics().end() ? std::nullopt : std::optional(it->second);
  }
  bool timed() const { return now->verdict().passed() && now->valid(); }
  bool bad() const {
    return now->verdict().status == golden::Status::kFailed ||
           now->verdict().status == golden::Status::kMistrusted || !now->valid() ||
           (finding && ExitCodeOf(finding->outcome) == kGateWrong);
  }
  bool slower() const { return finding && finding->outcome == Outcome::kSlower; }
};

// The part of the time that is largest; nothing where parts are not known.
std::optional<std::pair<std::string, double>> LargestStage(const RunRecord& record) {
  std::optional<std::pair<std::string, double>> largest;
  for (const auto& [name, seconds] : record.times_s()) {
    if (name == "total" || name == "first") continue;
    if (!largest || seconds > largest->second) largest = {name, seconds};
  }
  return largest;
}

std::vector<Row> RowsOf(const RecordSet& now, const RecordSet& base, const Policy& policy) {
  const auto before = BySeries(base);
  std::vector<Row> rows;
  for (const auto& [key, records] : BySeries(now)) {
    Row row;
    row.series = key;
    row.now = &records.back()->record;
    const auto it = before.find(key);
    if (it != before.end()) {
      row.finding = JudgeSeries(key, {it->second.back()}, {records.back()}, policy, 1);
    }
    rows.push_back(std::move(row));
  }
  // What needs attention, then what has an RTF, the best first.
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    const auto weight = [](const Row& r) {
      return std::pair(r.bad() ? 0 : (r.slower() ? 1 : 2), -r.Metric("rtf").value_or(0));
    };
    return weight(a) < weight(b);
  });
  return rows;
}

std::string Now(const Row& row) {
  if (!row.timed()) return row.now->valid() ? "no time" : "invalid";
  if (const auto rtf = row.Metric("rtf")) return fmt::format("{:.0f}x", *rtf);
  return fmt::format("{:.4g} ms", 1e3 * row.now->times_s().at("total"));
}

std::string Change(const Row& row) {
  if (!row.finding) return "no base";
  if (!row.finding->base_s) return OutcomeName(row.finding->outcome);
  return fmt::format("{:+.1f} % time, {}", 100 * row.finding->change,
                     OutcomeName(row.finding->outcome));
}

std::string BoundBy(const Row& row) {
  if (!row.timed()) return row.now->valid() ? row.now->verdict().reason : row.now->invalid_reason();
  const auto peak = row.Metric("percent_of_peak");
  const auto memory = row.Metric("percent_of_bandwidth");
  std::string text;
  if (const auto stage = LargestStage(*row.now)) {
    text = fmt::format("{} {:.0f} %", stage->first,
                       100 * stage->second / row.now->times_s().at("total"));
  }
  if (!peak) return text.empty() ? "-" : text;
  const bool by_memory = memory && *memory > *peak;
  return fmt::format("{}{}{} at {:.0f} % of peak", text, text.empty() ? "" : "; ",
                     by_memory ? "memory" : "compute", by_memory ? *memory : *peak);
}

std::string Next(const std::vector<Row>& rows) {
  const Row& first = rows.front();
  if (first.bad()) {
    return fmt::format(
        "repair {}: {}", first.series,
        first.now->valid() ? first.now->verdict().reason : first.now->invalid_reason());
  }
  if (first.slower()) {
    return fmt::format("find what made {} slower by {:.1f} %", first.series,
                       100 * first.finding->change);
  }
  const auto rtf = first.Metric("rtf");
  if (!rtf || !first.timed()) return "run //bench:encoder: no record here has an RTF";
  if (*rtf >= kTargetRtf) {
    return first.now->provenance() == bench::Provenance::kModelled
               ? fmt::format("{} holds {:.0f}x in the model: measure it on hardware", first.series,
                             kTargetRtf)
               : fmt::format("{} holds {:.0f}x: the goal is met", first.series, kTargetRtf);
  }
  std::string text = fmt::format("{} is nearest to {:.0f}x: it must get {:.2f} times as fast",
                                 first.series, kTargetRtf, kTargetRtf / *rtf);
  if (const auto stage = LargestStage(*first.now)) {
    const double part = stage->second / first.now->times_s().at("total");
    text += fmt::format("; {} in half the time would make {:.0f}x", stage->first,
                        *rtf / (1 - part / 2));
  }
  return text;
}

const char* ColorOf(const Row& row) {
  if (row.bad() || row.slower()) return "31";
  return row.finding && row.finding->outcome == Outcome::kFaster ? "32" : "0";
}

}  // namespace

LastRun FindLastRun(const RecordSet& set) {
  LastRun last;
  last.now.notes = last.base.notes = set.notes;
  const LoadedRecord* newest = nullptr;
  for (const LoadedRecord& loaded : set.records) {
    if (newest == nullptr || loaded.record.environment.date >= newest->record.environment.date) {
      newest = &loaded;
    }
  }
  if (newest == nullptr) return last;
  const auto revision = [](const LoadedRecord* r) {
    return std::pair(r->record.environment.git_revision, r->record.environment.git_dirty);
  };
  for (const auto& [key, records] : BySeries(set)) {
    const auto now = std::find_if(records.rbegin(), records.rend(), [&](const LoadedRecord* r) {
      return revision(r) == revision(newest);
    });
    if (now == records.rend()) continue;
    last.now.records.push_back(**now);
    const auto other = std::find_if(now, records.rend(), [&](const LoadedRecord* r) {
      return revision(r) != revision(newest);
    });
    if (other != records.rend()) {
      last.base.records.push_back(**other);
    } else if (std::next(now) != records.rend()) {
      last.base.records.push_back(**std::next(now));
    }
  }
  return last;
}

std::string Summary(const RecordSet& now, const RecordSet& base, const Policy& policy, bool color) {
  if (now.records.empty()) Throw(ErrorCode::kInvalidArgument, "no records");
  const std::vector<Row> rows = RowsOf(now, base, policy);
  const bench::Environment& e = now.records.front().record.environment;
  const auto passed = std::count_if(rows.begin(), rows.end(),
                                    [](const Row& r) { return r.now->verdict().passed(); });
  std::string text = fmt::format("last run  {}; {}; {}\n          {} series, {} passed\n\n", e.date,
                                 bench::RevisionString(e), e.machine_class, rows.size(), passed);
  const std::size_t shown = std::min(rows.size(), kMostRows);
  std::size_t width = 6;
  for (std::size_t i = 0; i < shown; ++i) width = std::max(width, rows[i].series.size());
  text +=
      fmt::format("{:<{}}  {:>10}  {:<28} {}\n", "series", width, "now", "since base", "bound by");
  for (std::size_t i = 0; i < shown; ++i) {
    const Row& row = rows[i];
    const std::string change = fmt::format("{:<28}", Change(row));
    text += fmt::format("{:<{}}  {:>10}  {} {}{}\n", row.series, width, Now(row),
                        color ? fmt::format("\033[{}m{}\033[0m", ColorOf(row), change) : change,
                        BoundBy(row),
                        row.now->provenance() == bench::Provenance::kModelled ? " (modelled)" : "");
  }
  if (rows.size() > shown) text += fmt::format("and {} more\n", rows.size() - shown);
  return text + fmt::format("\nnext      {}\n", Next(rows));
}

}  // namespace xdna::reports
