// --resume: what an earlier run of the same sweep has already put into its file of records.
#ifndef BENCH_RESUME_H_
#define BENCH_RESUME_H_

#include <cstddef>
#include <set>
#include <string>

#include "bench/environment.h"
#include "bench/run_record.h"

namespace xdna::bench {

class DoneSeries {
 public:
  // Reads `path`, which need not exist. A record counts that passed, is valid, and is of this
  // revision (with or without changes, as now) and of time model `model_version`; empty: measured.
  // A line that is no record, as a killed run leaves one, is only counted.
  DoneSeries(const std::string& path, const Environment& now, const std::string& model_version);

  bool Has(const SeriesKey& key) const { return done_.contains(key.ToString()); }
  // The best of all of its tiles was found (TimeModel::schedule["of"] is "tile=*"), whichever it
  // is.
  bool HasAllTiles(SeriesKey key) const;
  // Counts a point that is left out.
  void Skip() { ++skipped_; }
  std::size_t skipped() const { return skipped_; }

  // "3 points of runs.jsonl are of this revision, ...": a line for people, empty where none is.
  std::string Describe() const;

 private:
  std::string path_, revision_;
  bool dirty_ = false;
  std::set<std::string> done_;
  std::size_t skipped_ = 0, unreadable_ = 0;
};

}  // namespace xdna::bench

#endif  // BENCH_RESUME_H_
