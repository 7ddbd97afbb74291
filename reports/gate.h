// Whether new records are slower, wrong or incomplete beside those of a base: one finding a series,
// and an exit code for all.
#ifndef REPORTS_GATE_H_
#define REPORTS_GATE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reports/policy.h"
#include "reports/records.h"

namespace xdna::reports {

// The gate's own exit codes; other programs use base/program.h's.
inline constexpr int kGateFine = 0;
inline constexpr int kGateSlower = 1;
inline constexpr int kGateNotComparable = 2;  // another machine, preset, model; or too much noise
inline constexpr int kGateWrong = 3;          // a wrong result, or a verdict that was there is lost
inline constexpr int kGateAmbiguous = 4;      // slower it seems, but the samples can't show it
inline constexpr int kGateBadInput = 5;       // also a series that vanished

enum class Outcome : std::uint8_t {
  kSame,
  kFaster,
  kNew,       // not in the base
  kRemoved,   // gone, and a note says so
  kNoTime,    // neither side has a time, and that is no news
  kRepaired,  // the base had no time, the new one has
  kAmbiguous,
  kNotComparable,
  kSlower,
  kVanished,
  kWrong,
};
const char* OutcomeName(Outcome outcome);  // "same", "slower", ...
int ExitCodeOf(Outcome outcome);

struct Finding {
  std::string series;
  Outcome outcome = Outcome::kSame;
  std::string why;  // one line; empty where there is nothing to say
  bool modelled = false;

  // Only where both sides have a time. Seconds are medians of the samples of all records.
  std::optional<double> base_s, new_s;
  double change = 0;     // new_s / base_s - 1: above 0 is slower
  double p_value = 1;    // measured only
  double threshold = 0;  // changes up to it are not told from noise
  // Of the last records, where they have one: more is better.
  std::optional<double> base_rtf, new_rtf;
};

struct GateResult {
  std::vector<Finding> findings;   // worst first, then by series
  std::vector<std::string> notes;  // what else the reader should know; torn lines
  int exit_code = kGateFine;
};

// Compares series by series, of each side the newest revision that has the series; only those whose
// key holds a match of the regular expression `filter`, all for "". Where several findings call for
// an exit code, wrong counts before bad input, that before slower, then not comparable, then
// ambiguous. Throws kInvalidArgument for a bad filter, one that matches nothing, and for a side
// without records.
GateResult Judge(const RecordSet& base, const RecordSet& now, const Policy& policy,
                 const std::string& filter = "");

// One series, each side's records in order of dates; neither is empty. `compared` is how many
// series share the policy's alpha.
Finding JudgeSeries(const std::string& series, const std::vector<const LoadedRecord*>& base,
                    const std::vector<const LoadedRecord*>& now, const Policy& policy,
                    std::size_t compared);

}  // namespace xdna::reports

#endif  // REPORTS_GATE_H_
