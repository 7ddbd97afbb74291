// Run records in other programs' formats.
#ifndef REPORTS_CONVERT_H_
#define REPORTS_CONVERT_H_

#include <string>
#include <string_view>

#include "reports/records.h"

namespace xdna::reports {

// Google Benchmark's JSON output (docs/user_guide.md of that project, "Output Formats"): an entry a
// sample, as its repetitions, with metrics as counters; "error_occurred" where the verdict is not
// passed. Nothing is lost: the first entry of a record carries it whole in "run_record".
std::string ToGoogleBenchmark(const RecordSet& set);

// The other way, for that program's own files, too: repetitions become samples (seconds of an
// iteration, real time), the name's first part the op and the rest the shape. Such a file says
// nothing of results being right, so that its times count only with `verified_by`: who checked
// them, and how. Throws kCorrupt for what is not such a file, kInvalidArgument for times without
// `verified_by`. `file` is the name in messages.
RecordSet FromGoogleBenchmark(std::string_view json, const std::string& file,
                              const std::string& verified_by);

// Rows for github-action-benchmark (its README, "customBiggerIsBetter", "customSmallerIsBetter"):
// RTF of what has one, or milliseconds. Throws kInvalidArgument where there is no such row: an
// empty file would look like success.
enum class GithubRows { kBiggerIsBetter, kSmallerIsBetter };
std::string ToGithubAction(const RecordSet& set, GithubRows rows);

}  // namespace xdna::reports

#endif  // REPORTS_CONVERT_H_
