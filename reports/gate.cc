#include "reports/gate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "bench/run_record.h"
#include "bench/samples.h"
#include "bench/suggest.h"
#include "golden/compare.h"
#include "reports/model_diff.h"
#include "reports/statistics.h"

namespace xdna::reports {
namespace {

using bench::Provenance;
using bench::RunRecord;
using Records = std::vector<const LoadedRecord*>;

struct OutcomeFact {
  Outcome outcome;
  const char* name;
  int exit_code;
};
// In order of weight.
constexpr std::array<OutcomeFact, 11> kOutcomes = {{
    {Outcome::kWrong, "WRONG", kGateWrong},
    {Outcome::kVanished, "VANISHED", kGateBadInput},
    {Outcome::kSlower, "SLOWER", kGateSlower},
    {Outcome::kNotComparable, "not comparable", kGateNotComparable},
    {Outcome::kAmbiguous, "ambiguous", kGateAmbiguous},
    {Outcome::kFaster, "faster", kGateFine},
    {Outcome::kRepaired, "repaired", kGateFine},
    {Outcome::kNew, "new", kGateFine},
    {Outcome::kRemoved, "removed", kGateFine},
    {Outcome::kSame, "same", kGateFine},
    {Outcome::kNoTime, "no time", kGateFine},
}};

std::size_t WeightOf(Outcome outcome) {
  const auto it = std::find_if(kOutcomes.begin(), kOutcomes.end(),
                               [&](const OutcomeFact& f) { return f.outcome == outcome; });
  return static_cast<std::size_t>(it - kOutcomes.begin());
}

const RunRecord& Last(const Records& records) { return records.back()->record; }

std::string VerdictText(const RunRecord& record) {
  return fmt::format("{} ({})", golden::StatusName(record.verdict().status),
                     record.verdict().reason);
}

// Of all records whose result is right and whose time is believed.
std::vector<double> Samples(const Records& records) {
  std::vector<double> samples;
  for (const LoadedRecord* loaded : records) {
    if (!loaded->record.verdict().passed() || !loaded->record.valid()) continue;
    const std::vector<double>& more = loaded->record.samples_s();
    samples.insert(samples.end(), more.begin(), more.end());
  }
  return samples;
}

std::optional<double> Rtf(const Records& records) {
  const auto& metrics = Last(records).metrics();
  const auto it = metrics.find("rtf");
  return it == metrics.end() ? std::nullopt : std::optional(it->second);
}

// Nothing where the new side's results are right, or were never there.
std::optional<Finding> JudgeVerdicts(const Finding& start, const Records& base,
                                     const Records& now) {
  Finding finding = start;
  finding.outcome = Outcome::kWrong;
  for (const LoadedRecord* loaded : now) {
    const golden::Status status = loaded->record.verdict().status;
    if (status == golden::Status::kFailed || status == golden::Status::kMistrusted) {
      finding.why = VerdictText(loaded->record);
      return finding;
    }
    if (!loaded->record.valid()) {
      finding.why = "not believed: " + loaded->record.invalid_reason();
      return finding;
    }
  }
  const bool had = !Samples(base).empty();
  if (Last(now).verdict().passed()) {
    if (had) return std::nullopt;
    finding.outcome = Outcome::kRepaired;
    finding.why = "the base had no time: " + VerdictText(Last(base));
    return finding;
  }
  if (!had) finding.outcome = Outcome::kNoTime;
  finding.why = (had ? "passed in the base, now " : "") + VerdictText(Last(now));
  return finding;
}

// What makes two measured records ones of different things; empty where nothing does.
std::string MeasuredApart(const RunRecord& base, const RunRecord& now) {
  const auto differ = [](const char* what, const std::string& a, const std::string& b) {
    return a == b ? std::string() : fmt::format("{} differs: {} and {}", what, a, b);
  };
  const bench::Environment& a = base.environment;
  const bench::Environment& b = now.environment;
  for (std::string apart :
       {differ("machine class", a.machine_class, b.machine_class),
        differ("governor", a.governor, b.governor), differ("scope", base.scope(), now.scope())}) {
    if (!apart.empty()) return apart;
  }
  for (const auto* name : {"model", "audio"}) {
    const auto x = base.hashes.find(name);
    const auto y = now.hashes.find(name);
    if (x != base.hashes.end() && y != now.hashes.end() && x->second != y->second) {
      return fmt::format("{} differs: {:.12} and {:.12}", name, x->second, y->second);
    }
  }
  return "";
}

std::string Overloaded(const Records& records, const Policy& policy) {
  for (const LoadedRecord* loaded : records) {
    const bench::Environment& e = loaded->record.environment;
    if (e.threads > 1 && e.load_average > policy.max_load * e.cpus) {
      return fmt::format("{}: load {:.1f} on {} CPUs before a run of {} threads, at most {:.1f}",
                         e.date, e.load_average, e.cpus, e.threads, policy.max_load * e.cpus);
    }
  }
  return "";
}

std::string PeakDrift(const RunRecord& base, const RunRecord& now, const Policy& policy) {
  const auto a = base.metrics().find("peak_flops");
  const auto b = now.metrics().find("peak_flops");
  if (a == base.metrics().end() || b == now.metrics().end() || a->second <= 0) return "";
  const double drift = b->second / a->second - 1;
  if (std::abs(drift) <= policy.max_peak_drift) return "";
  return fmt::format("the machine's own measured peak changed by {:+.0f} %", 100 * drift);
}

std::string TooNoisy(const char* side, const std::vector<double>& samples, const Policy& policy) {
  const double spread = bench::Summarize(samples).spread;
  if (spread <= policy.max_noise) return "";
  return fmt::format("{} samples spread by {:.0f} %, at most {:.0f} %", side, 100 * spread,
                     100 * policy.max_noise);
}

Finding JudgeMeasured(Finding finding, const Records& base, const Records& now,
                      const Policy& policy, std::size_t compared) {
  const std::vector<double> before = Samples(base);
  const std::vector<double> after = Samples(now);
  const bench::SampleSummary was = bench::Summarize(before);
  const bench::SampleSummary is = bench::Summarize(after);
  finding.base_s = was.median;
  finding.new_s = is.median;
  finding.change = is.median / was.median - 1;
  finding.threshold = policy.ThresholdOf(finding.series);
  finding.p_value = MannWhitneyP(before, after);

  finding.outcome = Outcome::kNotComparable;
  for (const std::string& why :
       {MeasuredApart(Last(base), Last(now)), Overloaded(base, policy), Overloaded(now, policy),
        PeakDrift(Last(base), Last(now), policy), TooNoisy("the base's", before, policy),
        TooNoisy("the new", after, policy)}) {
    if (why.empty()) continue;
    finding.why = why;
    return finding;
  }

  // Faster by f and slower by f are the same distance: 1 / (1 + change).
  const bool slower = finding.change > finding.threshold;
  const bool faster = finding.change < 1 / (1 + finding.threshold) - 1;
  finding.outcome = Outcome::kSame;
  if (!slower && !faster) return finding;
  const double alpha = policy.alpha / static_cast<double>(compared);
  if (finding.p_value > alpha) {
    if (!slower) return finding;
    finding.outcome = Outcome::kAmbiguous;
    const bool few = LeastMannWhitneyP(before.size(), after.size()) > alpha;
    finding.why = fmt::format("{} and {} samples {}; take more", before.size(), after.size(),
                              few ? "are too few to show it" : "overlap too much to show it");
    return finding;
  }
  // A phase of half speed moves the median, a slower program moves the best samples too.
  if (slower && is.least < was.least * (1 + policy.min_effect)) {
    finding.outcome = Outcome::kAmbiguous;
    finding.why = fmt::format("the median is slower, the best sample is not ({:.4g} and {:.4g} ms)",
                              1e3 * was.least, 1e3 * is.least);
    return finding;
  }
  finding.outcome = slower ? Outcome::kSlower : Outcome::kFaster;
  return finding;
}

Finding JudgeModelled(Finding finding, const Records& base, const Records& now) {
  const RunRecord& was = Last(base);
  const RunRecord& is = Last(now);
  finding.base_s = was.times_s().at("total");
  finding.new_s = is.times_s().at("total");
  finding.change = *finding.new_s / *finding.base_s - 1;
  const ModelDiff diff = CompareModels(was, is);
  finding.why = diff.text;
  if (!diff.comparable) {
    finding.outcome = Outcome::kNotComparable;
  } else if (was.times_s() == is.times_s()) {
    finding.outcome = Outcome::kSame;
    finding.why.clear();
  } else {
    finding.outcome = *finding.new_s > *finding.base_s ? Outcome::kSlower : Outcome::kFaster;
    if (*finding.new_s == *finding.base_s) finding.outcome = Outcome::kSame;
  }
  return finding;
}

using SeriesMap = std::map<std::string, Records>;

// A history holds many revisions; what counts is the newest.
void KeepNewestRevision(Records& records) {
  const bench::Environment newest = Last(records).environment;
  std::erase_if(records, [&](const LoadedRecord* r) {
    return r->record.environment.git_revision != newest.git_revision ||
           r->record.environment.git_dirty != newest.git_dirty;
  });
}

SeriesMap Filtered(SeriesMap series, const std::string& filter) {
  for (auto& [key, records] : series) KeepNewestRevision(records);
  if (filter.empty()) return series;
  try {
    const std::regex regex(filter);
    std::erase_if(series, [&](const auto& s) { return !std::regex_search(s.first, regex); });
  } catch (const std::regex_error&) {
    Throw(ErrorCode::kInvalidArgument, "--filter={} is not a regular expression",
          bench::Quoted(filter));
  }
  return series;
}

Finding JudgeMissing(const std::string& key, const SeriesNotes& notes) {
  Finding finding;
  finding.series = key;
  const std::string* reason = notes.Removal(key);
  finding.outcome = reason ? Outcome::kRemoved : Outcome::kVanished;
  finding.why =
      reason ? *reason : "not in the new records, and neither an alias nor a removal is recorded";
  return finding;
}

std::vector<std::string> Notes(const RecordSet& base, const RecordSet& now, const Policy& policy) {
  std::vector<std::string> notes = base.torn;
  notes.insert(notes.end(), now.torn.begin(), now.torn.end());
  const bool measured = std::any_of(
      now.records.begin(), now.records.end(),
      [](const LoadedRecord& r) { return r.record.provenance() == Provenance::kMeasured; });
  if (!measured) return notes;
  const std::string& machine = now.records.front().record.environment.machine_class;
  std::set<std::string> calibrated;
  for (const Calibration& c : policy.calibrations) calibrated.insert(c.machine_class);
  if (calibrated.empty()) {
    notes.emplace_back("no calibration: spreads are guesses; see //reports:calibrate");
  } else if (!calibrated.contains(machine)) {
    notes.push_back(
        fmt::format("the policy was calibrated on {}, this is {}; see //reports:calibrate",
                    fmt::join(calibrated, ", "), machine));
  }
  return notes;
}

// Of series that were compared by their samples: whose noise the policy does not know.
std::string UncalibratedNote(const std::vector<Finding>& findings, const Policy& policy) {
  std::size_t compared = 0;
  std::size_t unknown = 0;
  for (const Finding& f : findings) {
    if (f.modelled || !f.base_s) continue;
    ++compared;
    unknown += policy.spread.contains(f.series) ? 0 : 1;
  }
  if (unknown == 0 || policy.calibrations.empty()) return "";
  return fmt::format("{} of {} measured series are not calibrated: {:.1f} % is taken for noise",
                     unknown, compared, 100 * policy.default_spread);
}

std::size_t InBoth(const SeriesMap& base, const SeriesMap& now) {
  return static_cast<std::size_t>(std::count_if(
      now.begin(), now.end(), [&](const auto& series) { return base.contains(series.first); }));
}

}  // namespace

const char* OutcomeName(Outcome outcome) { return kOutcomes[WeightOf(outcome)].name; }

int ExitCodeOf(Outcome outcome) { return kOutcomes[WeightOf(outcome)].exit_code; }

Finding JudgeSeries(const std::string& series, const Records& base, const Records& now,
                    const Policy& policy, std::size_t compared) {
  Finding finding;
  finding.series = series;
  finding.modelled = Last(now).provenance() == Provenance::kModelled;
  finding.base_rtf = Rtf(base);
  finding.new_rtf = Rtf(now);
  if (const auto judged = JudgeVerdicts(finding, base, now)) return *judged;
  if (Last(base).provenance() != Last(now).provenance()) {
    finding.outcome = Outcome::kNotComparable;
    finding.why =
        fmt::format("the base is {}, the new one {}", ProvenanceName(Last(base).provenance()),
                    ProvenanceName(Last(now).provenance()));
    return finding;
  }
  return finding.modelled ? JudgeModelled(std::move(finding), base, now)
                          : JudgeMeasured(std::move(finding), base, now, policy, compared);
}

GateResult Judge(const RecordSet& base, const RecordSet& now, const Policy& policy,
                 const std::string& filter) {
  if (base.records.empty()) Throw(ErrorCode::kInvalidArgument, "the base has no records");
  if (now.records.empty()) Throw(ErrorCode::kInvalidArgument, "there are no new records");
  RecordSet was = base;
  RecordSet is = now;
  was.notes.Add(now.notes);
  is.notes = was.notes;
  const SeriesMap before = Filtered(BySeries(was), filter);
  const SeriesMap after = Filtered(BySeries(is), filter);
  if (before.empty() && after.empty()) {
    Throw(ErrorCode::kInvalidArgument, "--filter={} matches none of the series",
          bench::Quoted(filter));
  }

  GateResult result;
  const std::size_t compared = InBoth(before, after);
  for (const auto& [key, records] : before) {
    const auto it = after.find(key);
    result.findings.push_back(it == after.end()
                                  ? JudgeMissing(key, was.notes)
                                  : JudgeSeries(key, records, it->second, policy, compared));
  }
  for (const auto& [key, records] : after) {
    if (before.contains(key)) continue;
    Finding finding;
    finding.series = key;
    // A new series has nothing to be compared with, but may be wrong.
    const auto judged = JudgeVerdicts(finding, records, records);
    const bool wrong = judged && judged->outcome == Outcome::kWrong;
    if (wrong) finding = *judged;
    if (!wrong) finding.outcome = Outcome::kNew;
    result.findings.push_back(finding);
  }
  if (compared == 0) {
    result.notes.emplace_back("no series is on both sides: nothing was compared");
    result.exit_code = kGateBadInput;
  }
  std::stable_sort(
      result.findings.begin(), result.findings.end(),
      [](const Finding& a, const Finding& b) { return WeightOf(a.outcome) < WeightOf(b.outcome); });
  const int worst = ExitCodeOf(result.findings.front().outcome);
  if (worst != kGateFine && (result.exit_code == kGateFine || worst == kGateWrong)) {
    result.exit_code = worst;
  }
  const std::vector<std::string> notes = Notes(base, now, policy);
  result.notes.insert(result.notes.end(), notes.begin(), notes.end());
  if (std::string note = UncalibratedNote(result.findings, policy); !note.empty()) {
    result.notes.push_back(std::move(note));
  }
  return result;
}

}  // namespace xdna::reports
