// The history of results: a folder that only grows, one file of JSON lines for each date and
// revision ("2026-11-23_0123456789ab.jsonl", "..-dirty.jsonl"), and "series.jsonl" for notes.
#ifndef REPORTS_HISTORY_H_
#define REPORTS_HISTORY_H_

#include <cstddef>
#include <string>
#include <vector>

#include "reports/records.h"

namespace xdna::reports {

struct HistoryChange {
  std::size_t added = 0;
  std::size_t known = 0;  // there already, to the last byte
  // Ends of files that a killed writer left; they are now in "torn.txt" beside them.
  std::vector<std::string> repaired;
};

struct HistoryFile {
  std::string path;
  std::string date;      // "2026-11-23"
  std::string revision;  // "0123456789ab-dirty", "unknown"
  std::size_t records = 0;
  std::size_t passed = 0;
  std::size_t series = 0;
};

// A store in one folder. Each change holds a lock on the folder (flock of ".lock"), so that two
// writers take turns; lines go out in one write each and reach the disk (fsync) before the call
// returns. A writer killed at any moment loses at most the lines that it had not yet written; a
// line cut short is moved to "torn.txt" by the next writer, and reported.
class History {
 public:
  // Makes the folder where there is none. Throws kUnavailable.
  explicit History(std::string folder);

  // Adds what is not there yet. Throws kUnavailable, and kCorrupt like LoadRecords for the notes
  // and files that it adds to.
  HistoryChange Append(const RecordSet& set);

  // Oldest first.
  std::vector<HistoryFile> List() const;

  // Deletes the oldest files until `keep` are left; notes stay. Returns the paths of what was
  // deleted, or with `dry_run` would be.
  std::vector<std::string> Prune(std::size_t keep, bool dry_run);

 private:
  std::string folder_;
};

}  // namespace xdna::reports

#endif  // REPORTS_HISTORY_H_
