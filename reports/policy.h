// How the gate decides, as a file that calibration writes and people may edit.
#ifndef REPORTS_POLICY_H_
#define REPORTS_POLICY_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace xdna::reports {

// What A/A runs (the same build against itself) of one program on one machine showed.
struct Calibration {
  std::string machine_class;
  std::string date;
  std::string git_revision;
  std::string command;
  std::string records;  // name of the file that keeps the runs; empty where none does
  int runs = 0;
  int comparisons = 0;
  // Of comparisons with runs that the spread was not taken from; a fraction.
  double false_alarm_rate = 0;
  // Least slow-down that was called slower 9 times in 10, by series; a fraction, 1 if none was.
  std::map<std::string, double> smallest_caught;

  bool operator==(const Calibration&) const = default;
};

struct Policy {
  // Chance of calling two equal builds different, over all series of one comparison (each series
  // gets its share: Bonferroni), if samples were independent.
  double alpha = 0.01;
  // A change of the median below this is not worth a word; a fraction.
  double min_effect = 0.03;
  // Quartile distance over the median; beyond, nothing can be said.
  double max_noise = 0.25;
  // Change of the machine's own measured peak between the two runs; beyond, the machine changed.
  double max_peak_drift = 0.2;
  // Load average per CPU at the start of a run of more than one thread: each waits for the last.
  double max_load = 1.25;
  // By how much the medians of two A/A runs may differ, by series, and where a series is unknown.
  std::map<std::string, double> spread;
  double default_spread = 0.1;

  // In order of their making, each of other series; none where nobody calibrated.
  std::vector<Calibration> calibrations;

  double SpreadOf(const std::string& series) const;
  // A slow-down below this is never called slower.
  double ThresholdOf(const std::string& series) const;
  bool operator==(const Policy&) const = default;
};

// Throws kCorrupt naming the field. Every field must be there.
Policy ParsePolicy(std::string_view json);
// Throws kNotFound too.
Policy LoadPolicy(const std::string& path);
std::string ToJson(const Policy& policy);  // indented, with the last line's end

}  // namespace xdna::reports

#endif  // REPORTS_POLICY_H_
