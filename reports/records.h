// Run records as reports read them: from JSON-lines files, strictly.
#ifndef REPORTS_RECORDS_H_
#define REPORTS_RECORDS_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "bench/run_record.h"

namespace xdna::reports {

struct LoadedRecord {
  bench::RunRecord record;
  std::string file;
  int line = 0;
};

// What was said about series, in lines of their own among the records:
//   {"schema_version": 1, "alias": "OLD KEY", "now": "NEW KEY", "reason": "..."}
//   {"schema_version": 1, "removed": "KEY", "reason": "..."}
class SeriesNotes {
 public:
  // Throw kCorrupt for an alias of two keys, of itself or in a circle, and for the same key
  // removed twice with different reasons. The same note twice is one note.
  void AddAlias(const std::string& old_key, const std::string& new_key, const std::string& reason);
  void AddRemoval(const std::string& key, const std::string& reason);
  void Add(const SeriesNotes& other);

  // The key that `key` goes by today.
  std::string Current(const std::string& key) const;
  // Why the series was removed; null where it was not.
  const std::string* Removal(const std::string& key) const;

  // As lines, without their ends.
  std::vector<std::string> Lines() const;
  bool operator==(const SeriesNotes&) const = default;

 private:
  struct Alias {
    std::string now;
    std::string reason;
    bool operator==(const Alias&) const = default;
  };
  std::map<std::string, Alias> aliases_;
  std::map<std::string, std::string> removed_;
};

struct RecordSet {
  std::vector<LoadedRecord> records;  // files in the order given, lines in theirs
  SeriesNotes notes;
  // "FILE:LINE: ...", for each last line without an end that is no record: a run was killed while
  // it wrote, or still writes. Such a line is left out; to be shown to the user.
  std::vector<std::string> torn;
};

// Reads files, folders (every *.jsonl below, in order of names) and patterns with * and ?. Throws
// kNotFound for a path or a pattern without files, and kCorrupt or kUnsupported with "FILE:LINE: "
// for a line that is neither record nor note. Empty lines are skipped.
RecordSet LoadRecords(const std::vector<std::string>& paths);

// The same for a file's text; `file` is its name in messages.
RecordSet ParseRecords(std::string_view text, const std::string& file);

// The records of each series, in order of dates, under the keys of today. The pointers are into
// `set`.
std::map<std::string, std::vector<const LoadedRecord*>> BySeries(const RecordSet& set);

// Records of the same revision and moment: what one run of a program wrote. In order of dates.
std::vector<RecordSet> SplitRuns(const RecordSet& set);

// The files that LoadRecords would read.
std::vector<std::string> ExpandPaths(const std::vector<std::string>& paths);

}  // namespace xdna::reports

#endif  // REPORTS_RECORDS_H_
