#include "bench/tune.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/error.h"

namespace xdna::bench {
namespace {

constexpr std::size_t kOfEachColumns = 2;

std::string Name(const TuneChoice& choice) {
  return fmt::format("{} on {} column{}", choice.tile, choice.columns,
                     choice.columns == 1 ? "" : "s");
}

RecordedVerdict Unsupported(const Error& error) {
  RecordedVerdict verdict;
  verdict.status = golden::Status::kUnsupported;
  verdict.reason = error.message();
  return verdict;
}

TuneRow Simulated(const TuneSpace::Entry& entry, TuneEvaluator& evaluator) {
  TuneRow row{entry.choice, entry.cycles, 0, "", {}};
  try {
    TuneEvaluator::Time time = evaluator.Simulate(entry.choice);
    row.us = time.us;
    row.bound = std::move(time.bound);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kUnsupported && error.code() != ErrorCode::kInvalidArgument) {
      throw;
    }
    row.verdict = Unsupported(error);
  }
  return row;
}

std::string Counts(const std::map<std::string, std::int64_t>& counts) {
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts) parts.push_back(fmt::format("{} {}", count, name));
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string Behind(const TuneRow& row, const TuneRow& best) {
  return fmt::format("{:.1f} % slower ({:.4f} ms), bound by {}", 100 * (row.us / best.us - 1),
                     row.us / 1e3, row.bound);
}

std::string VerdictText(const RecordedVerdict& verdict) {
  const std::string name = golden::StatusName(verdict.status);
  if (verdict.passed())
    return fmt::format("{} {:.0f} %", name, verdict.headroom_percent.value_or(0));
  return fmt::format("{}: {}", name, verdict.reason);
}

// The fastest that ran on each number of columns other than the winner's.
std::string ByColumns(const TuneResult& result) {
  const TuneRow& best = result.best();
  std::string text;
  std::vector<std::size_t> seen = {best.choice.columns};
  for (const TuneRow& row : result.rows) {
    const bool known = std::find(seen.begin(), seen.end(), row.choice.columns) != seen.end();
    if (row.us <= 0 || known) continue;
    seen.push_back(row.choice.columns);
    text += fmt::format("  best on {:<4} {}: {}\n", row.choice.columns, row.choice.tile,
                        Behind(row, best));
  }
  return text;
}

std::string Losers(const TuneResult& result) {
  const TuneRow& best = result.best();
  std::string text;
  std::map<std::string, std::int64_t> bounds;
  bool runner_up = false;
  for (std::size_t i = 0; i < result.rows.size(); ++i) {
    const TuneRow& row = result.rows[i];
    const bool checked = row.verdict.status != golden::Status::kSkipped;
    if (i == *result.winner) continue;
    if (checked) {
      text += fmt::format("  discarded    {}: {}\n", Name(row.choice), VerdictText(row.verdict));
    } else if (!std::exchange(runner_up, true)) {
      text += fmt::format("  runner-up    {}: {}\n", Name(row.choice), Behind(row, best));
    }
    if (row.us > 0) ++bounds[row.bound];
  }
  text += ByColumns(result);
  if (!bounds.empty()) text += fmt::format("  losers bound by  {}\n", Counts(bounds));
  return text;
}

}  // namespace

std::vector<TuneSpace::Entry> RankTiles(const TuneSpace& space, std::size_t most) {
  std::vector<TuneSpace::Entry> ranked = space.legal;
  std::ranges::sort(ranked, {}, [](const TuneSpace::Entry& e) {
    return std::tuple(e.cycles, e.choice.columns, e.choice.tile);
  });
  std::map<std::size_t, std::size_t> of_columns;
  std::size_t rank = 0;
  std::erase_if(ranked, [&](const TuneSpace::Entry& entry) {
    const bool first_of_columns = ++of_columns[entry.choice.columns] <= kOfEachColumns;
    return ++rank > most && !first_of_columns;
  });
  return ranked;
}

TuneResult SearchTiles(const TuneSpace& space, TuneEvaluator& evaluator, std::size_t most) {
  TuneResult result;
  result.refused = space.refused;
  result.legal = std::ssize(space.legal);
  for (const TuneSpace::Entry& entry : RankTiles(space, most)) {
    result.rows.push_back(Simulated(entry, evaluator));
  }
  std::ranges::stable_sort(result.rows, {}, [](const TuneRow& row) {
    return std::tuple(row.us <= 0, row.us, row.choice.columns, row.cycles, row.choice.tile);
  });
  for (std::size_t i = 0; i < result.rows.size() && result.rows[i].us > 0; ++i) {
    TuneRow& row = result.rows[i];
    row.verdict = evaluator.Check(row.choice);
    if (!row.verdict.passed()) continue;
    result.winner = i;
    break;
  }
  return result;
}

bool RanWrong(const TuneResult& result) {
  return std::ranges::any_of(result.rows, [](const TuneRow& row) {
    const golden::Status status = row.verdict.status;
    return status == golden::Status::kFailed || status == golden::Status::kMistrusted;
  });
}

std::string ExplainTune(const TuneResult& result) {
  std::string text = fmt::format("  {} legal tiles, {} simulated; refused: {}\n", result.legal,
                                 result.rows.size(), Counts(result.refused));
  if (!result.winner) {
    text += "  no tile both runs and passes\n";
    for (const TuneRow& row : result.rows) {
      text += fmt::format("  discarded    {}: {}\n", Name(row.choice), VerdictText(row.verdict));
    }
    return text;
  }
  const TuneRow& best = result.best();
  text += fmt::format("  winner       {}: {:.4f} ms, bound by {}; {}\n", Name(best.choice),
                      best.us / 1e3, best.bound, VerdictText(best.verdict));
  return text + Losers(result);
}

}  // namespace xdna::bench
