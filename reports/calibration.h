// What A/A runs say of a machine: how far the same build is from itself, and which slow-downs the
// gate can see there.
#ifndef REPORTS_CALIBRATION_H_
#define REPORTS_CALIBRATION_H_

#include <cstddef>
#include <string>
#include <vector>

#include "reports/policy.h"
#include "reports/records.h"

namespace xdna::reports {

// A copy of `run` with every time multiplied by 1 + `slow_down`.
RecordSet Slowed(const RecordSet& run, double slow_down);

// How often, of all ordered pairs of runs, each series is called slower when the second is slowed
// by so much; and over how many pairs.
struct CatchRate {
  int slower = 0;
  int pairs = 0;
  double rate() const { return pairs == 0 ? 0 : static_cast<double>(slower) / pairs; }
};
CatchRate CatchesOf(const std::vector<RecordSet>& runs, const std::string& series,
                    const Policy& policy, double slow_down);

// `start` with spreads and one more calibration from `runs` (SplitRuns) of one build on one
// machine; it takes the place of an older one of the same series. A series' spread is the largest
// ratio of medians of two runs, less 1, and a tenth on top; the default is the largest of all. The
// rate of false alarms is found twice over, with spreads of one half of the runs (even ones, odd
// ones) and pairs of the other. `records` names the file that keeps the runs. Throws
// kInvalidArgument for fewer than 4 runs, for runs of different revisions or machines, and where no
// series has a time in at least 4 runs.
Policy Calibrate(const std::vector<RecordSet>& runs, const Policy& start,
                 const std::string& command, const std::string& records);

// A copy of `set` with at most `most` samples of each record, evenly chosen.
RecordSet Thinned(const RecordSet& set, std::size_t most);

// What people read: a line a series, and the rates, of the policy's last calibration.
std::string CalibrationReport(const std::vector<RecordSet>& runs, const Policy& policy);

}  // namespace xdna::reports

#endif  // REPORTS_CALIBRATION_H_
