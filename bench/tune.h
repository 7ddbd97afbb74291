// The search for the tile with which an op is the fastest on the NPU's array: all legal tiles are
// ranked by arithmetic, the best few are simulated, and the fastest of them whose result is right
// wins.
#ifndef BENCH_TUNE_H_
#define BENCH_TUNE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bench/run_record.h"
#include "golden/compare.h"

namespace xdna::bench {

struct TuneChoice {
  std::string tile;
  std::size_t columns = 4;  // of the array
  bool operator==(const TuneChoice&) const = default;
};

// Among what to choose.
struct TuneSpace {
  struct Entry {
    TuneChoice choice;
    double cycles = 0;  // of a run, estimated
    std::string bound;  // of the estimate
  };
  std::vector<Entry> legal;
  std::map<std::string, std::int64_t> refused;  // shapes that can't be, by what they break
};

// A choice that was simulated.
struct TuneRow {
  TuneChoice choice;
  double cycles = 0;        // estimated
  double us = 0;            // simulated; 0: the array can't run it, and the verdict says why
  std::string bound;        // what most of `us` waits for
  RecordedVerdict verdict;  // skipped: nobody had to check it
  bool operator==(const TuneRow&) const = default;
};

struct TuneResult {
  std::map<std::string, std::int64_t> refused;
  std::int64_t legal = 0;
  std::vector<TuneRow> rows;          // the fastest first, then what can't run
  std::optional<std::size_t> winner;  // of `rows`: passed, and nothing faster did

  const TuneRow& best() const { return rows.at(winner.value()); }
  bool operator==(const TuneResult&) const = default;
};

// Something ran, and its result was wrong.
bool RanWrong(const TuneResult& result);

// What a search asks about a choice.
class TuneEvaluator {
 public:
  struct Time {
    double us = 0;
    std::string bound;
  };
  virtual ~TuneEvaluator() = default;
  // Modelled. Throws kUnsupported or kInvalidArgument where the array can't run it.
  virtual Time Simulate(const TuneChoice& choice) = 0;
  // Of its result, against the reference.
  virtual RecordedVerdict Check(const TuneChoice& choice) = 0;
};

// How many choices are simulated where nobody says.
inline constexpr std::size_t kTuneSimulated = 24;

// Simulates the `most` choices that should be the fastest, and the first two of each number of
// columns, and checks them from the fastest on until one passes. Equal times: the fewest columns,
// then the estimate, then the name. No winner: nothing is legal, can run and passes.
TuneResult SearchTiles(const TuneSpace& space, TuneEvaluator& evaluator,
                       std::size_t most = kTuneSimulated);
// What would be simulated, in order of the estimate.
std::vector<TuneSpace::Entry> RankTiles(const TuneSpace& space, std::size_t most = kTuneSimulated);

// For people, lines each with their end: how many tiles there were, the winner with its verdict,
// how far behind the others are, and what bound them.
std::string ExplainTune(const TuneResult& result);

}  // namespace xdna::bench

#endif  // BENCH_TUNE_H_
